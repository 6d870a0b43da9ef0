#!/usr/bin/env bash
# Copies what runs out of a workspace, for a package: without tests, with a Node of its own, wherever it will be put.
#
# usage: tools/build/tree.sh DIRECTORY
set -euo pipefail
umask 022
lib=${1:?usage: tools/build/tree.sh DIRECTORY}
cd "$(dirname "$0")/../.."
mkdir -p "$lib/build" "$lib/node_modules"

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
mkdir -p "$lib/build/node/bin"
ln -s ../../zone/build/node/bin/node "$lib/build/node/bin/node"

# Commands: ours, and the published ones, run by the package's Node whatever the user's PATH.
for command in build/bin/*; do
  name=${command##*/}
  case $name in
    json | sql) # names that belong to others
      rm "$lib/build/bin/$name"
      continue
      ;;
  esac
  [ -L "$command" ] || continue
  entry=$(readlink "$command")
  rm "$lib/build/bin/$name"
  cat >"$lib/build/bin/$name" <<EOF
#!/usr/bin/env bash
here=\$(dirname "\$(readlink -f "\$0")")
exec "\$here/../node/bin/node" "\$here/../../${entry#../../}" "\$@"
EOF
  chmod 755 "$lib/build/bin/$name"
done
