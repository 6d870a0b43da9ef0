#!/usr/bin/env bash
# Makes the tree that SmartOS machines get, below DIRECTORY/proto: supervisor and agent ship the same. With a STAMP also
# the two archives of a release and the manifest of the agent's, in DIRECTORY.
#
# usage: tools/build/release.sh DIRECTORY [STAMP]
set -euo pipefail
umask 022
out=${1:?usage: tools/build/release.sh DIRECTORY [STAMP]}
stamp=${2:-}
cd "$(dirname "$0")/../.."
proto=$out/proto
marlin=$proto/root/opt/smartdc/marlin
rm -rf "$proto"
mkdir -p "$marlin/etc" "$marlin/smf" "$marlin/tools" "$marlin/build/docs" "$proto/site"
touch "$proto/site/.do-not-delete-me"
tools/build/tree.sh "$marlin"
ln -s build/bin "$marlin/sbin"
ln -s build/zone/ubin "$marlin/ubin"
for tool in mragentconf mragentdestroy mrdeploycompute mrzone mrzoneremove; do ln -s "../sbin/$tool" "$marlin/tools/$tool"; done
cp -a tools/deploy "$marlin/tools/"
ln -s ../tools/deploy/smf "$marlin/smf/manifests"
ln -s tools/deploy/sapi_manifests "$marlin/sapi_manifests"
ln -s tools/deploy/npm "$marlin/npm"
cp -a tools/deploy/config/agent.json "$marlin/etc/agentconfig.sample.json"
cp -a tools/deploy/config/supervisor.json "$marlin/etc/config.sample.json"
cp -a docs/*.md docs/*.svg README.md CHANGELOG.md LICENSE "$marlin/build/docs/"
[ -n "$stamp" ] || exit 0

seconds=$(git log -1 --format=%ct 2>/dev/null || date +%s)
archive() { # FILE DIRECTORY MEMBER...
  local file=$1 from=$2
  shift 2
  tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$seconds" -C "$from" -cf - "$@" | gzip -n >"$file.partial"
  mv "$file.partial" "$file"
}
archive "$out/marlin-pkg-$stamp.tar.gz" "$proto" root site
agent=$out/marlin-$stamp.tar.gz
archive "$agent" "$proto/root/opt/smartdc" marlin
node -e '
  const [file, stamp, seconds] = process.argv.slice(1);
  const { version, description } = require("./package.json");
  const content = fs.readFileSync(file);
  const sha1 = crypto.createHash("sha1").update(content).digest("hex");
  console.log(JSON.stringify({
    v: 2, name: "marlin", version, description, type: "other", os: "other", state: "active", public: false, disabled: false,
    uuid: crypto.randomUUID(), published_at: new Date(seconds * 1000).toISOString(), channels: ["dev"],
    files: [{ compression: "gzip", sha1, size: content.length }], tags: { buildstamp: stamp },
  }, null, 2));
' "$agent" "$stamp" "$seconds" >"$out/marlin-$stamp.manifest"
ls -l "$out"/marlin-*"$stamp"*
