#!/usr/bin/env bash
# The store of the one-box in DIR goes away while a job of 100 tasks runs, twice: first stopped, with its connections left
# open, then killed as often as it is started again. That is nobody's fault but its own: every task succeeds at its first
# attempt, and nobody is given up. Says how long each job took; exit status 1 when one did not end so.
#
# usage: test_moray_outage.sh -d DIR [-s SECONDS]     90 s by default
set -euo pipefail
usage() { echo 'usage: test_moray_outage.sh -d DIR [-s SECONDS]' >&2; exit 2; }
data='' seconds=90 stopped=''
while getopts 'd:s:' option; do
  case $option in d) data=$OPTARG ;; s) seconds=$OPTARG ;; *) usage ;; esac
done
[ -n "$data" ] || usage
eval "$(marlin env --data "$data")"
trap '[ -z "$stopped" ] || kill -CONT "$stopped"' EXIT

moray() { json pids.moray <"$data/run/ready.json"; }

hold() {
  stopped=$(moray)
  kill -STOP "$stopped"
  sleep "$seconds"
  kill -CONT "$stopped"
  stopped=''
}

keep_killing() {
  local end=$((SECONDS + seconds))
  while ((SECONDS < end)); do
    kill -9 "$(moray)" 2>/dev/null || true # not started again yet
    sleep 0.5
  done
}

directory=/$MANTA_USER/stor/dbg-outage
total=100
mmkdir -p "$directory"
echo hello | mput -q "$directory/obj"
for ((index = 1; index <= total; index++)); do mln "$directory/obj" "$directory/obj$index"; done

for outage in hold keep_killing; do
  start=$SECONDS
  job=$(seq -f "$directory/obj%g" 1 $total | mjob create -n "$outage" -m 'sleep 1; wc')
  until mjob get "$job" | json -a stats.tasksDone | grep -q '^[1-9]'; do sleep 0.2; done
  "$outage"
  until [ "$(mjob get "$job" 2>/dev/null | json -a state)" = 'done' ]; do sleep 1; done
  result=$(mjob get "$job" | json -a stats.outputs stats.errors stats.retries)
  echo "$outage: $seconds s without the store; job $job done after $((SECONDS - start)) s: outputs, errors, retries: $result"
  [ "$result" = "$total 0 0" ] || exit 1
done
