#!/usr/bin/env bash
# For ever: wait 270 to 299 s, say when, restart the agent. So long, because its work is aborted each time, and a task
# has few attempts. The service is SMF's or systemd's; with -d DIR, that of the one-box in DIR, which is killed instead.
set -uo pipefail
data=
while getopts 'd:' option; do case $option in d) data=$OPTARG ;; *) echo 'usage: test_agent_kill.sh [-d DIR]' >&2; exit 2 ;; esac; done
while :; do
  sleep $((270 + RANDOM % 30))
  date
  if [ -n "$data" ]; then
    kill -9 "$(json pids.agent <"$data/run/ready.json")"
  elif command -v svcadm >/dev/null; then
    svcadm restart marlin-agent
  else
    systemctl restart marlin-agent
  fi
done
