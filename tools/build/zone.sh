#!/usr/bin/env bash
# Assembles what a zone sees, read-only, as /opt/marlin: node, the lackey, the tools for user commands, and the published
# packages that those need. Everything is readable by all, whatever the umask: zones run under user ids of their own.
#
# usage: tools/build/zone.sh DIRECTORY
set -euo pipefail
umask 022
target=${1:?usage: tools/build/zone.sh DIRECTORY}
root=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$target"
target=$(cd "$target" && pwd)
cd "$root"

# Hard links cost neither time nor space. They share the mode, so what is not readable by all is copied.
copy() { # SOURCE... DIRECTORY
  cp -al -- "$@" 2>/dev/null || cp -a -- "$@"
}

node=$(readlink -f "$(node -p process.execPath)")
if [[ ! $target/build/node/bin/node -ef $node ]] && ! cmp -s "$node" "$target/build/node/bin/node"; then
  mkdir -p "$target/build/node/bin"
  rm -f "$target/build/node/bin/node"
  ln "$node" "$target/build/node/bin/node" 2>/dev/null || cp "$node" "$target/build/node/bin/node"
fi

# Our own code, small: afresh each time.
rm -rf "${target:?}/lib" "$target/ubin"
mkdir -p "$target/lib" "$target/ubin"
for part in lackey taskapi; do
  (cd build/src && find "$part" -name '*.js' -exec cp --parents -t "$target/lib" {} +)
done
printf '{ "type": "module" }\n' >"$target/lib/package.json"
cp src/zonetools/ubin/* "$target/ubin/"
mkdir -p "$target/smf/manifests"
cp tools/deploy/smf/marlin-lackey.xml "$target/smf/manifests/"

# The tools that a task calls often are one native program. Static, it runs in any image; where there is no static C
# library, at least in the machine's own.
command -v "${CC:-cc}" >/dev/null || {
  echo 'The tools of zones need a C compiler: install one (Debian: apt-get install gcc libc6-dev), then run make again' >&2
  exit 1
}
compile() { "${CC:-cc}" -std=gnu11 -O2 -Wall -Wextra "$@" -o "$target/ubin/.emit" src/zonetools/native/*.c; }
compile -static 2>/dev/null || compile
for name in mpipe mcat mtee; do ln -s .emit "$target/ubin/$name"; done

# Starts the shells of commands.
launcher() { "${CC:-cc}" -std=gnu11 -O2 -Wall -Wextra "$@" -o "$target/lib/launcher" src/lackey/launcher.c; }
launcher -static 2>/dev/null || launcher

# Those that stream start from one file each.
mv "$target/ubin/tool" "$target/ubin/.tool"
for name in maggr msplit; do
  node tools/build/bundle.cjs "build/src/zonetools/$name/main.js" >"$target/lib/$name.cjs"
  ln -s .tool "$target/ubin/$name"
done

# The in-job end of interactive sessions, and its terminal.
node tools/build/bundle.cjs build/src/zonetools/session/main.js >"$target/lib/marlin-session.cjs"
ln -s .tool "$target/ubin/marlin-session"
terminal() { "${CC:-cc}" -std=gnu11 -O2 -Wall -Wextra "$@" -o "$target/lib/terminal" src/zonetools/session/terminal.c -lutil; }
terminal -static 2>/dev/null || terminal

# The published commands, each by its name.
mv "$target/ubin/client" "$target/ubin/.client"
for command in node_modules/manta/bin/*; do
  name=${command##*/}
  [[ -e $target/ubin/$name ]] || ln -s .client "$target/ubin/$name"
done
chmod 755 "$target"/ubin/* "$target"/ubin/.[a-z]*

# The published packages, with all that they depend on and nothing else; again only when the dependencies changed.
stamp=$target/node_modules/.installed
if [[ ! -e $stamp || package-lock.json -nt $stamp ]]; then
  rm -rf "$target/node_modules"
  mkdir -p "$target/node_modules"
  while IFS= read -r package; do
    mkdir -p "$target/$(dirname "$package")"
    copy "$package" "$target/$(dirname "$package")/"
  done < <(node tools/build/dependencies.cjs manta json)
  touch "$stamp"
fi

# A file that others may not read may be a hard link into node_modules: there, too, it does no harm to be readable.
find "$target" \( -type d ! -perm -0555 -o -type f ! -perm -0444 \) -exec chmod a+rX {} +
