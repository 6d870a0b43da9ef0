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
mkdir -p "$lib/build" "$lib/node_modules" "$doc" "$root"/usr/bin "$root"/usr/share "$root"/lib/systemd/system \
  "$root"/etc/default "$root"/DEBIAN

# Copies, not links: what happens to them must not happen to the workspace.
cp -a build/src build/bin build/zone "$lib/build/"
find "$lib/build/src" -name '*.map' -delete
cp package.json "$lib/"
while IFS= read -r package; do
  mkdir -p "$lib/$(dirname "$package")"
  cp -a "$package" "$lib/$(dirname "$package")/"
done < <(node tools/build/dependencies.cjs $(node -p 'Object.keys(require("./package.json").dependencies).join(" ")'))
# Sources and objects of the native packages; zones need none of it either.
rm -rf "$lib"/node_modules/better-sqlite3/{deps,src} "$lib"/node_modules/better-sqlite3/build/Release/{obj,obj.target,.deps,test_extension.node}
find "$lib" -name '*.o' -delete
# What no program loads: a third of the files.
find "$lib/node_modules" "$lib/build/zone/node_modules" -type f \( -iname '*.md' -o -iname '*.markdown' -o -name '*.ts' -o -name '*.map' \) -delete
find "$lib/node_modules" "$lib/build/zone/node_modules" -type d -path '*node_modules/*' \
  \( -name test -o -name tests -o -name docs -o -name example -o -name examples -o -name benchmark -o -name benchmarks -o -name .github \) \
  -exec sh -c '[ -e "$(dirname "$1")/package.json" ] && rm -rf "$1"' sh {} \; -prune || true
ln -s zone/build/node/bin/node "$lib/build/node"

# Commands: ours, and the published ones, run by the package's Node whatever the user's PATH.
for command in build/bin/*; do
  name=${command##*/}
  case $name in
    json | sql) continue ;; # names that belong to others
  esac
  if [ -L "$command" ]; then
    entry=$(readlink "$command")
    rm "$lib/build/bin/$name"
    printf '#!/bin/sh\nexec /usr/lib/marlin/build/node /usr/lib/marlin/%s "$@"\n' "${entry#../../}" >"$lib/build/bin/$name"
    chmod 755 "$lib/build/bin/$name"
  fi
  ln -s "../lib/marlin/build/bin/$name" "$root/usr/bin/$name"
done
rm -f "$lib/build/bin/json" "$lib/build/bin/sql"

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
