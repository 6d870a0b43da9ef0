#!/usr/bin/env bash
# Builds the Debian package of this workspace: what runs, without tests, with a Node of its own, since the distribution's
# may be too old. Same content gives the same package: times are those of the commit.
#
# usage: tools/build/deb.sh DIRECTORY        (MARLIN_DEB_VERSION: a version other than that of package.json)
set -euo pipefail
umask 022
out=${1:?usage: tools/build/deb.sh DIRECTORY}
cd "$(dirname "$0")/../.."
version=${MARLIN_DEB_VERSION:-$(node -p 'require("./package.json").version')}
arch=$(dpkg --print-architecture)
mkdir -p "$out"
root=$(mktemp -d "$out/root.XXXXXX")
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"
lib=$root/usr/lib/marlin
doc=$root/usr/share/doc/marlin
mkdir -p "$lib" "$doc" "$root"/usr/bin "$root"/usr/share "$root"/lib/systemd/system \
  "$root"/etc/default "$root"/DEBIAN

tools/build/tree.sh "$lib"
for command in "$lib"/build/bin/*; do
  name=${command##*/}
  ln -s "../lib/marlin/build/bin/$name" "$root/usr/bin/$name"
done

node build/tools/build/pages.js "$root/usr/share"
gzip -9n "$root"/usr/share/man/man1/*.1
cp -a tools/deploy/systemd/*.service "$root/lib/systemd/system/"
cp tools/deploy/debian/marlin.default "$root/etc/default/marlin"
cp -a docs/*.md docs/*.svg README.md CHANGELOG.md "$doc/"
cp LICENSE "$doc/copyright"
mkdir -p "$doc/examples" && cp -a tools/deploy/config/*.json "$doc/examples/"

printf '/etc/default/marlin\n' >"$root/DEBIAN/conffiles"
for script in postinst prerm postrm; do install -m 755 "tools/deploy/debian/$script" "$root/DEBIAN/$script"; done
cat >"$root/DEBIAN/control" <<EOF
Package: marlin
Version: $version
Architecture: $arch
Maintainer: Marlin <marlin@localhost>
Section: net
Priority: optional
Installed-Size: $(du -sk "$root" | cut -f1)
Depends: libc6 (>= 2.28), libstdc++6, bash, perl, tar, gzip, util-linux, mount, e2fsprogs, openssh-client, adduser, runc | crun
Recommends: slirp4netns, nftables, iproute2
Description: compute jobs next to the objects that they read
 The compute engine of the Manta object store and all that it needs to run on
 one machine or many: store, front door, storage nodes, supervisor, agent, and
 the operators' tools.
EOF
stamp=$(git log -1 --format=%ct 2>/dev/null || date +%s)
find "$root" -newermt "@$stamp" -exec touch -h -d "@$stamp" {} +
SOURCE_DATE_EPOCH=$stamp dpkg-deb --root-owner-group -Zxz -z1 --build "$root" "$out/marlin_${version}_$arch.deb"
