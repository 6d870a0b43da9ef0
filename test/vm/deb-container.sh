#!/usr/bin/env bash
# The steps of test/vm/deb.sh in a container with systemd, at the speed of this machine: all but zones in control groups
# of their own, since commands run as plain processes here. Needs root.
#
# usage: test/vm/deb-container.sh    (after: make deb; ends with "deb in a container: ok")
# needs: apt-get install --no-install-recommends mmdebstrap systemd-container
# MARLIN_VM_ROOT: a root file system as tar, made by an earlier run, to save making it again.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rootTar=${MARLIN_VM_ROOT:-$work/root.tar}
packages=systemd,systemd-sysv,dbus,ca-certificates,kmod,procps,runc,openssh-client,perl,e2fsprogs,libstdc++6,adduser
[ -e "$rootTar" ] || mmdebstrap --variant=minbase --include="$packages",util-linux,mount,iproute2 bookworm "$rootTar"
mkdir "$work/host"
tar -xf "$rootTar" -C "$work/host" --exclude='./dev/*'
test/vm/deb-prepare.sh "$work/host"
mkdir -p "$work/host/etc/default"
printf 'MARLIN_ACCOUNT=marlin\nMARLIN_OPTIONS=--driver process\n' >"$work/host/root/marlin.default"
log=/root/inside.log # the console belongs to a login
sed -i "/^TTYPath=/d; s#=tty\$#=append:$log#" "$work/host/etc/systemd/system/inside.service"
systemd-nspawn --quiet --register=no --keep-unit --directory="$work/host" --boot --private-network \
  systemd.show_status=0 quiet </dev/null >"$work/console" 2>&1 || true
cat "$work/host$log"
grep -q '^marlin-vm: ok' "$work/host$log" || { echo 'deb in a container: FAILED' >&2; exit 1; }
echo 'deb in a container: ok'
