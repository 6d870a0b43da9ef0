#!/usr/bin/env bash
# The Debian package in a virtual machine of Debian 12 with systemd and control groups of version 2: installed, started,
# a job run, upgraded while a job runs, saved, removed with nothing left. The machine is emulated and slow: some minutes.
#
# usage: test/vm/deb.sh              (after: make deb; ends with "deb in a virtual machine: ok")
# needs: apt-get install --no-install-recommends qemu-system-x86 linux-image-cloud-amd64 qemu-system-common busybox-static cpio mmdebstrap
# MARLIN_VM_ROOT: a root file system as tar, made by an earlier run, to save making it again.
set -euo pipefail
cd "$(dirname "$0")/../.."
kernel=$(ls /boot/vmlinuz-*cloud-amd64 | sort -V | tail -1)
version=${kernel#/boot/vmlinuz-}
work=$(mktemp -d)
daemon=
trap '[ -z "$daemon" ] || kill "$daemon" 2>/dev/null || true; rm -rf "$work"' EXIT

rootTar=${MARLIN_VM_ROOT:-$work/root.tar}
packages=systemd,systemd-sysv,dbus,ca-certificates,kmod,procps,runc,openssh-client,perl,e2fsprogs,libstdc++6,adduser
[ -e "$rootTar" ] || mmdebstrap --variant=minbase --include="$packages",util-linux,mount,iproute2 bookworm "$rootTar"
mkdir "$work/host"
tar -xf "$rootTar" -C "$work/host" --exclude='./dev/*'
test/vm/deb-prepare.sh "$work/host"

mkdir -p "$work"/root/{bin,lib/modules,proc,sys,dev,host,layer,new}
cp "$(command -v busybox)" "$work/root/bin/busybox"
depend() { modprobe --set-version "$version" --show-depends "$1" | sed -n 's/^insmod \([^ ]*\).*/\1/p'; }
for module in virtio_pci virtiofs overlay loop ext4; do depend "$module"; done | awk '!seen[$0]++' >"$work/modules"
while read -r file; do cp "$file" "$work/root/lib/modules/"; done <"$work/modules"
sed 's|.*/||' "$work/modules" >"$work/root/lib/order"
cat >"$work/root/init" <<EOF
#!/bin/busybox sh
b=/bin/busybox
\$b mount -t proc proc /proc; \$b mount -t sysfs sys /sys; \$b mount -t devtmpfs dev /dev
while read m; do \$b insmod /lib/modules/\$m; done </lib/order
\$b mount -t virtiofs -o ro host /host
\$b mount -t tmpfs -o size=6g layer /layer; \$b mkdir /layer/upper /layer/work
\$b mount -t overlay -o lowerdir=/host,upperdir=/layer/upper,workdir=/layer/work root /new
\$b mkdir -p /new/state
\$b mount -t tmpfs -o size=4g state /new/var/lib
\$b cp -a /host/var/lib/. /new/var/lib/
for d in proc sys dev; do \$b mount --move /\$d /new/\$d; done
exec \$b switch_root /new /lib/systemd/systemd
EOF
chmod +x "$work/root/init"
(cd "$work/root" && find . | cpio --quiet -o -H newc) >"$work/initrd"
/usr/lib/qemu/virtiofsd --socket-path="$work/fs" -o source="$work/host" -o sandbox=chroot -o cache=always >"$work/daemon.log" 2>&1 &
daemon=$!
until [ -S "$work/fs" ]; do sleep 0.05; done
qemu-system-x86_64 -m 12288 -smp 2 -nographic -no-reboot -kernel "$kernel" -initrd "$work/initrd" \
  -append 'console=ttyS0 panic=-1 systemd.unified_cgroup_hierarchy=1 systemd.show_status=0 quiet' -nic none \
  -object memory-backend-memfd,id=memory,size=12288M,share=on -numa node,memdev=memory \
  -chardev socket,id=fs,path="$work/fs" -device vhost-user-fs-pci,chardev=fs,tag=host |
  tee "$work/log"
grep -q '^marlin-vm: ok' "$work/log" || { echo 'deb in a virtual machine: FAILED' >&2; exit 1; }
echo 'deb in a virtual machine: ok'
