#!/usr/bin/env bash
# The Debian package in a virtual machine of Debian 12 with systemd (machine.sh): installed, started, a job run, upgraded
# while a job runs, saved, removed with nothing left. A quarter of an hour.
#
# usage: test/vm/deb.sh              (after: make deb; ends with "deb in a virtual machine: ok")
# needs: apt-get install --no-install-recommends mmdebstrap
# MARLIN_VM_ROOT: a root file system as tar, made by an earlier run, to save making it again.
set -euo pipefail
cd "$(dirname "$0")/../.."
. test/vm/machine.sh

rootTar=${MARLIN_VM_ROOT:-$work/root.tar}
packages=systemd,systemd-sysv,dbus,ca-certificates,kmod,procps,runc,openssh-client,perl,e2fsprogs,libstdc++6,adduser
[ -e "$rootTar" ] || mmdebstrap --variant=minbase --include="$packages",util-linux,mount,iproute2 bookworm "$rootTar"
mkdir "$work/host"
tar -xf "$rootTar" -C "$work/host" --exclude='./dev/*'
test/vm/deb-prepare.sh "$work/host"
boot_machine "$work/host" 12288 'systemd.unified_cgroup_hierarchy=1 systemd.show_status=0' <<'EOT'
$b mkdir -p /new/state
$b mount -t tmpfs -o size=4g state /new/var/lib
$b cp -a /host/var/lib/. /new/var/lib/
exec $b switch_root /new /lib/systemd/systemd
EOT
grep -q '^marlin-vm: ok' "$work/log" || { echo 'deb in a virtual machine: FAILED' >&2; exit 1; }
echo 'deb in a virtual machine: ok'
