/**
 * The keeper of a zone: a short bash script that starts the lackey, starts it again when it dies (after killing what it
 * left running), and ends the zone when the agent is gone. In a container it is process 1.
 *
 * The agent, or the helper that runs its commands, holds the other end of the keeper's descriptor 3, a socket, and never
 * writes to it: end of file means that it was closed, or that one of them was killed, in whatever way. A socket, because a FIFO or pipe could be opened for writing
 * through /proc/1/fd by root inside the zone, who could so keep the zone alive. The agent in turn sees the end of the
 * socket when the keeper dies. Bash reaps orphans while it waits; in POSIX mode its `read` runs traps at once.
 */

/** Path below the zone's root; illumos put it there, and operators look for it. */
export const lackeyLog = 'var/svc/log/smartdc-marlin-lackey:default.log';

/** How the keeper rids the zone of what a dead lackey left, and what it does at the end of the zone. */
const killers = {
  /** Everything in the pid namespace but process 1; the rest ends with process 1. */
  all: 'kill_rest() { kill -KILL -- -1 2>/dev/null; }',
  /** Without a pid namespace: processes that carry the zone's name in their environment. */
  marked: `kill_rest() {
  local files
  while files=$(grep -lsz "^MARLIN_ZONE=$zone\\$" /proc/[0-9]*/environ); [ -n "$files" ]; do
    for file in $files; do file=\${file%/environ}; kill -KILL "\${file#/proc/}" 2>/dev/null; done
  done
}`,
} as const;

/** For `bash -c SCRIPT keeper ZONE SOCKET NODE LACKEY LOG`; the lackey gets the keeper's environment. */
export function keeperScript(kill: keyof typeof killers): string {
  return `set -o posix
zone=$1 socket=$2 node=$3 lackey=$4 log=$5 pid=
unset MARLIN_KEEPER # marks this process only
${killers[kill]}
start_lackey() {
  begun=$SECONDS
  MARLIN_ZONE=$zone "$node" "$lackey" "$socket" 3<&- </dev/null >>"$log" 2>&1 &
  pid=$!
}
check_lackey() {
  kill -0 "$pid" 2>/dev/null && return
  kill_rest
  [ "$SECONDS" -gt "$begun" ] && start_lackey # else at the next turn: one that dies at once must not spin
}
trap : HUP INT QUIT PIPE ALRM TERM USR1 USR2 # the zone's own must not end it; what it starts has the defaults
trap check_lackey CHLD
start_lackey
while :; do
  read -r -t 1 _ <&3
  [ $? -eq 1 ] && break # end of file; a timeout is above 128
  check_lackey
done
trap - CHLD
kill_rest
`;
}
