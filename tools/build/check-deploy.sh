#!/usr/bin/env bash
# Checks what only others read: units, SMF manifests, sample configurations, shell scripts, the package's content.
#
# needs: apt-get install --no-install-recommends libxml2-utils shellcheck
set -euo pipefail
cd "$(dirname "$0")/../.."
deb=$(ls -t build/deb/*.deb | head -1)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
dpkg-deb -x "$deb" "$root"
# The units name programs of the package: they are looked for in its content, beside the machine's own.
mkdir -p "$root/bin" && ln -sf /bin/sh "$root/bin/sh"
for unit in tools/deploy/systemd/*.service; do
  sed "s|/usr/bin/marlin|$root/usr/bin/marlin|g; /^Documentation=/d" "$unit" >"$root/$(basename "$unit")"
done
if ! systemd-analyze verify "$root"/*.service >"$root/verify" 2>&1 || grep -q "$root/marlin" "$root/verify"; then
  cat "$root/verify" >&2
  exit 1
fi
for file in tools/deploy/config/*.json; do build/bin/marlin config check "$file" >/dev/null; done
xmllint --noout --nonet tools/deploy/smf/*.xml
shellcheck -S warning -e SC2046,SC2154 tools/deploy/debian/{postinst,prerm,postrm} tools/deploy/npm/*.sh tools/build/{deb,npm-pack,check-deploy,commands,tree,release,test,zone}.sh tools/deploy/smartos/*.sh dev/tools/*.sh dev/tools/{catest,mru} test/vm/*.sh
for page in "$root"/usr/share/man/man1/*.gz; do
  problems=$(zcat "$page" | LC_ALL=C.UTF-8 man --warnings -E UTF-8 -l -Tutf8 -Z - 2>&1 >/dev/null) || true
  [ -z "$problems" ] || { echo "$page: $problems" >&2; exit 1; }
done
for file in "$root"/usr/share/bash-completion/completions/*; do bash -n "$file"; done
"$root/usr/lib/marlin/build/bin/mrjob" --help 2>/dev/null || [ $? = 2 ]
echo "deploy check ok: $(dpkg-deb -f "$deb" Package Version | tr '\n' ' ')$(du -h "$deb" | cut -f1)"
