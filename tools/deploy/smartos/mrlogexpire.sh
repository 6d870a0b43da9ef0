#!/bin/bash
# Daily, by cron: deletes saved lackey logs (one per use of a zone) that are older than 14 days.
logs=${MARLIN_ZONE_LOGS:-/var/smartdc/marlin/log/zones}
[ -d "$logs" ] || exit 0
find "$logs" -type f -mtime +14 -exec rm -f {} +
