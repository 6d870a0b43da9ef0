#!/usr/bin/env bash
# Time from adding an input to its committed output, for 100 objects added one by one: prints "INPUT MILLISECONDS" per
# input, from the records in Moray. Needs the environment of "marlin env", and findobjects.
#
# usage: endtoend.sh [COUNT]
set -euo pipefail
total=${1:-100}
work=/var/tmp/endtoend.sh.$$
mkdir -p "$work"
directory=/$MANTA_USER/stor/dbg-endtoend
mmkdir -p "$directory"
for ((index = 0; index < total; index++)); do echo "$index" | mput -q "$directory/obj$index"; done
job=$(mjob create --open -n endtoend -m wc </dev/null)
for ((index = 0; index < total; index++)); do echo "$directory/obj$index" | mjob addinputs -o "$job" >/dev/null; done
mjob close "$job"
mjob watch "$job" >/dev/null
mrjob inputs --json "$job" | json -ga input timeCreated | sort >"$work/inputs"
address=${MORAY_URL#tcp://}
findobjects -h "${address%%:*}" -p "${address##*:}" marlin_taskoutputs_v2 "(&(jobId=$job)(valid=true))" |
  json -ga value.input value.timeCommitted | sort >"$work/outputs"
join "$work/inputs" "$work/outputs" >"$work/joined"
node -e '
  for (const line of fs.readFileSync(0, "utf8").trim().split("\n")) {
    const [input, from, to] = line.split(" ");
    console.log(input, Date.parse(to) - Date.parse(from));
  }' <"$work/joined" | tee "$work/summary"
