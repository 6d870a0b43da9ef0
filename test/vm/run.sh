#!/usr/bin/env bash
# Runs test files in a virtual machine whose kernel has control groups of version 2 alone. Its root is this machine's,
# read-only, below a layer in memory, so it needs no image; it is emulated, and so several times slower than here.
#
# The root is entered by switch_root, not chroot: whoever enters a mount namespace gets that namespace's own root.
#
# usage: test/vm/run.sh [FILE.test.js...]   (default: the suite that every zone driver must pass, and the limits)
# needs: apt-get install --no-install-recommends qemu-system-x86 linux-image-cloud-amd64 qemu-system-common busybox-static cpio
set -euo pipefail
cd "$(dirname "$0")/../.."
[ $# -gt 0 ] || set -- build/test/integration/zones/drivers.test.js build/test/integration/zones/limits.test.js
kernel=$(ls /boot/vmlinuz-*cloud-amd64 | sort -V | tail -1)
version=${kernel#/boot/vmlinuz-}
work=$(mktemp -d)
daemon=
trap '[ -z "$daemon" ] || kill "$daemon" 2>/dev/null || true; rm -rf "$work"' EXIT
mkdir -p "$work"/root/{bin,lib/modules,proc,sys,dev,host,layer,new}
cp "$(command -v busybox)" "$work/root/bin/busybox"

# Modules with what they depend on, in the order of loading.
depend() {
  modprobe --set-version "$version" --show-depends "$1" | sed -n 's/^insmod \([^ ]*\).*/\1/p'
}
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
for d in proc sys dev; do \$b mount --move /\$d /new/\$d; done
\$b mkdir -p /new/dev/pts /new/dev/shm
\$b mount -t devpts pts /new/dev/pts; \$b mount -t tmpfs shm /new/dev/shm
\$b mount -t tmpfs tmp /new/tmp; \$b mount -t tmpfs run /new/run
\$b mount -t cgroup2 cgroup /new/sys/fs/cgroup
\$b cp /tests /new/tmp/tests
exec \$b switch_root /new /bin/bash /tmp/tests
EOF
cat >"$work/root/tests" <<EOF
export PATH=$PATH HOME=/root TAP_TIMEOUT=1200
busybox ip link set lo up
cd $PWD
for file in $*; do
  node \$file
  echo "marlin-vm-status \$?"
done
busybox poweroff -f
EOF
chmod +x "$work/root/init"
(cd "$work/root" && find . | cpio --quiet -o -H newc) >"$work/initrd"
/usr/lib/qemu/virtiofsd --socket-path="$work/fs" -o source=/ -o sandbox=chroot -o cache=always >"$work/daemon.log" 2>&1 &
daemon=$!
until [ -S "$work/fs" ]; do sleep 0.05; done
qemu-system-x86_64 -m 8192 -smp 2 -nographic -no-reboot -kernel "$kernel" -initrd "$work/initrd" \
  -append 'console=ttyS0 quiet panic=-1' -nic none \
  -object memory-backend-memfd,id=memory,size=8192M,share=on -numa node,memdev=memory \
  -chardev socket,id=fs,path="$work/fs" -device vhost-user-fs-pci,chardev=fs,tag=host |
  tee "$work/log"
! grep -q '^marlin-vm-status [^0]' "$work/log" && grep -q '^marlin-vm-status 0' "$work/log"
