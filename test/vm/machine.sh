# Boots Debian's kernel, which has control groups of version 2 alone, in an emulated machine, several times slower than
# this one: sourced by the scripts beside it.
#
# The root is entered by switch_root, not chroot: whoever enters a mount namespace gets that namespace's own root.
#
# needs: apt-get install --no-install-recommends qemu-system-x86 linux-image-cloud-amd64 qemu-system-common busybox-static cpio
kernel=$(ls /boot/vmlinuz-*cloud-amd64 | sort -V | tail -1)
version=${kernel#/boot/vmlinuz-}
work=$(mktemp -d)
daemon=
trap '[ -z "$daemon" ] || kill "$daemon" 2>/dev/null || true; rm -rf "$work"' EXIT

# usage: boot_machine ROOT MEMORY_MB KERNEL_ARGUMENTS [FILE...] <COMMANDS
# Directory ROOT of this machine, read-only below a layer in memory, is at /new when COMMANDS run, for busybox ($b), which
# end with "exec switch_root". FILEs are beside them in /. What the machine prints is also in $work/log.
boot_machine() {
  local root=$1 memory=$2 arguments=$3
  shift 3
  mkdir -p "$work"/initrd/{bin,lib/modules,proc,sys,dev,host,layer,new}
  cp "$(command -v busybox)" "$work/initrd/bin/busybox"
  # Modules with what they depend on, in the order of loading.
  for module in virtio_pci virtiofs overlay loop ext4; do
    modprobe --set-version "$version" --show-depends "$module" | sed -n 's/^insmod \([^ ]*\).*/\1/p'
  done | awk '!seen[$0]++' >"$work/modules"
  xargs cp -t "$work/initrd/lib/modules" <"$work/modules"
  sed 's|.*/||' "$work/modules" >"$work/initrd/lib/order"
  local commands
  commands=$(cat)
  cat >"$work/initrd/init" <<'EOI'
#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc; $b mount -t sysfs sys /sys; $b mount -t devtmpfs dev /dev
while read m; do $b insmod /lib/modules/$m; done </lib/order
$b mount -t virtiofs -o ro host /host
$b mount -t tmpfs -o size=6g layer /layer; $b mkdir /layer/upper /layer/work
$b mount -t overlay -o lowerdir=/host,upperdir=/layer/upper,workdir=/layer/work root /new
for d in proc sys dev; do $b mount --move /$d /new/$d; done
EOI
  echo "$commands" >>"$work/initrd/init"
  chmod +x "$work/initrd/init"
  [ $# -eq 0 ] || cp "$@" "$work/initrd/"
  (cd "$work/initrd" && find . | cpio --quiet -o -H newc) >"$work/initrd.cpio"
  /usr/lib/qemu/virtiofsd --socket-path="$work/fs" -o source="$root" -o sandbox=chroot -o cache=always >"$work/daemon.log" 2>&1 &
  daemon=$!
  until [ -S "$work/fs" ]; do sleep 0.05; done
  qemu-system-x86_64 -m "$memory" -smp 2 -nographic -no-reboot -kernel "$kernel" -initrd "$work/initrd.cpio" \
    -append "console=ttyS0 quiet panic=-1 $arguments" -nic none \
    -object memory-backend-memfd,id=memory,size="${memory}M",share=on -numa node,memdev=memory \
    -chardev socket,id=fs,path="$work/fs" -device vhost-user-fs-pci,chardev=fs,tag=host |
    tee "$work/log"
}
