#!/usr/bin/env bash
# Puts the package, a newer one, and the test into a root file system that boots with systemd.
#
# usage: test/vm/deb-prepare.sh DIRECTORY
set -euo pipefail
root=$1
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
newest=$work/newer
current=$(node -p 'require("./package.json").version')
newer=$current+upgrade1
cp "build/deb/marlin_${current}_$(dpkg --print-architecture).deb" "$root/root/old.deb"
# The newer one differs in its version and in nothing else.
dpkg-deb -R "$root/root/old.deb" "$newest"
sed -i "s/^Version: .*/Version: $newer/" "$newest/DEBIAN/control"
dpkg-deb --root-owner-group -Zxz -z0 --build "$newest" "$root/root/new.deb" >/dev/null
cp test/vm/deb-inside.sh "$root/root/inside.sh"
chmod 755 "$root/root/inside.sh"
cat >"$root/etc/systemd/system/inside.service" <<'EOF'
[Unit]
Description=The test
After=multi-user.target
[Service]
Type=oneshot
Environment=HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
ExecStart=/root/inside.sh
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
ExecStopPost=/bin/systemctl --no-block poweroff --force
[Install]
WantedBy=default.target
EOF
# An emulated machine takes ten times as long as a real one.
for unit in marlin marlin-{moray,storage,frontdoor,supervisor,agent,archiver}; do
  mkdir -p "$root/etc/systemd/system/$unit.service.d"
  printf '[Service]\nTimeoutStartSec=1200\nTimeoutStopSec=900\n' >"$root/etc/systemd/system/$unit.service.d/slow.conf"
done
mkdir -p "$root/etc/systemd/system/default.target.wants"
ln -sf ../inside.service "$root/etc/systemd/system/default.target.wants/inside.service"
ln -sf /dev/null "$root/etc/systemd/system/serial-getty@ttyS0.service"
printf 'force-unsafe-io\n' >"$root/etc/dpkg/dpkg.cfg.d/test"
