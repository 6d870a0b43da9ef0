#!/usr/bin/env bash
# Runs test files in a virtual machine whose root is this machine's, so that it needs no image (machine.sh).
#
# usage: test/vm/run.sh [FILE.test.js...]   (default: the suite that every zone driver must pass, and the limits)
set -euo pipefail
cd "$(dirname "$0")/../.."
. test/vm/machine.sh
[ $# -gt 0 ] || set -- build/test/integration/zones/drivers.test.js build/test/integration/zones/limits.test.js
cat >"$work/tests" <<EOT
export PATH=$PATH HOME=/root TAP_TIMEOUT=1200
busybox ip link set lo up
cd $PWD
for file in $*; do
  node \$file
  echo "marlin-vm-status \$?"
done
busybox poweroff -f
EOT
boot_machine / 8192 '' "$work/tests" <<'EOT'
$b mkdir -p /new/dev/pts /new/dev/shm
$b mount -t devpts pts /new/dev/pts; $b mount -t tmpfs shm /new/dev/shm
$b mount -t tmpfs tmp /new/tmp; $b mount -t tmpfs run /new/run
$b mount -t cgroup2 cgroup /new/sys/fs/cgroup
$b cp /tests /new/tmp/tests
exec $b switch_root /new /bin/bash /tmp/tests
EOT
! grep -q '^marlin-vm-status [^0]' "$work/log" && grep -q '^marlin-vm-status 0' "$work/log"
