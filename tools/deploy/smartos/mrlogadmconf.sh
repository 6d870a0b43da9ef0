#!/bin/bash
# Run by the agent's service at every start: log rotation by logadm. Hourly copies of the agent's log go where logpush.sh
# looks for them; the catch-all entry for other SMF logs must stay behind ours, so it moves to the end.
set -o errexit
conf=${MARLIN_LOGADM_CONF:-/etc/logadm.conf}
upload=/var/log/manta/upload
mkdir -p "${MARLIN_UPLOAD:-$upload}"
logadm=(logadm -f "$conf")
"${logadm[@]}" -r marlin-agent 2>/dev/null || true
"${logadm[@]}" -w marlin-agent -C 48 -c -p 1h \
  -t "$upload/marlin-agent_\$nodename_%Y-%m-%dT%H:00:00.log" '/var/svc/log/*marlin-agent*.log'
"${logadm[@]}" -r mbackup 2>/dev/null || true
"${logadm[@]}" -w mbackup -C 3 -c -s 1m /var/log/mbackup.log
new=$(mktemp "$conf.XXXXXX")
grep -v '^smf_logs' "$conf" >"$new" || true
grep '^smf_logs' "$conf" >>"$new" || true
cat "$new" >"$conf"
rm -f "$new"
echo 'updated logadm.conf'
