#!/usr/bin/env bash
# For ever: wait 5 to 34 s, say when, kill what the arguments of pgrep name; the shell that runs supervisors again and
# again knows their parent: test_sup_kill.sh -P PID. With -d DIR, the supervisor of the one-box in DIR is killed instead.
set -uo pipefail
[ $# -gt 0 ] || { echo 'usage: test_sup_kill.sh PGREP_ARGS... | -d DIR' >&2; exit 2; }
while :; do
  sleep $((5 + RANDOM % 30))
  date
  if [ "$1" = -d ]; then
    kill -9 "$(json pids.supervisor <"${2:?}/run/ready.json")"
  else
    pkill "$@"
  fi
done
