#!/usr/bin/env bash
# Cancels jobs at random moments of their lives, for ever or N times: each has 400 to 599 inputs that come while it runs.
# Every one must end as done. Interrupt: cancels the current one and says how many were done.
#
# usage: stress_cancel.sh [N]
set -uo pipefail
limit=${1:-0} count=0 job=
words=~~/stor/stress_cancel_words
stop() {
  echo "completed \"$count\" iterations"
  [ -z "$job" ] || { echo "$(date): abort: cancelling job $job"; mjob cancel "$job"; }
  exit 1
}
trap stop INT TERM
input=/usr/share/dict/words
[ -e "$input" ] || { input=$(mktemp) && seq 1 20000 >"$input"; }
mput -q -f "$input" "$words" || exit 1
while [ "$limit" = 0 ] || [ "$count" -lt "$limit" ]; do
  job=$(mjob create --open -n stress_cancel -m 'sleep 1' -r wc </dev/null) || exit 1
  total=$((400 + RANDOM % 200))
  echo "$(date): job $job, $total inputs"
  (for ((index = 0; index < total; index++)); do echo "$words"; done | mjob addinputs -o "$job" >/dev/null 2>&1) &
  adding=$!
  sleep $((RANDOM % 15))
  wait "$adding"
  mjob cancel "$job" || exit 1
  mjob watch "$job" >/dev/null || exit 1
  job=
  count=$((count + 1))
  sleep 3
done
echo "completed \"$count\" iterations"
