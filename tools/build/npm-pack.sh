#!/usr/bin/env bash
# Builds the npm package of the operators' client tools alone: they need Moray and nothing of a server. What they depend
# on is bundled, so that it installs without a registry and without compiling.
#
# usage: tools/build/npm-pack.sh DIRECTORY
set -euo pipefail
umask 022
out=${1:?usage: tools/build/npm-pack.sh DIRECTORY}
cd "$(dirname "$0")/../.."
mkdir -p "$out"
out=$(cd "$out" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tools=(mrjob mrjobreport mrerrors mrerrorsummary mrmeter)
packages=(ajv bunyan dashdash moray node-uuid verror semver http-signature sshpk vasync)

# All that the tools import, found by walking from their entry.
node --input-type=commonjs - >"$work/files" <<'EOF'
const fs = require('node:fs');
const path = require('node:path');
const seen = new Set();
function visit(file) {
  if (seen.has(file) || /\/cli\/agent\//.test(file)) return;
  seen.add(file);
  for (const [, name] of fs.readFileSync(file, 'utf8').matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)) {
    visit(path.join(path.dirname(file), name));
  }
}
visit('build/src/cli/main.js');
console.log([...seen].join('\n'));
EOF
mkdir -p "$work/package/bin"
xargs cp --parents -t "$work/package" <"$work/files"
cp -r --parents build/src/cli/mrjobreport/page "$work/package/"
for tool in "${tools[@]}"; do
  printf '#!/usr/bin/env node\nprocess.argv.splice(2, 0, "%s");\nimport("../build/src/cli/main.js");\n' "$tool" >"$work/package/bin/$tool"
  chmod 755 "$work/package/bin/$tool"
done
while IFS= read -r package; do
  mkdir -p "$work/package/$(dirname "$package")"
  cp -a "$package" "$work/package/$(dirname "$package")/"
done < <(node tools/build/dependencies.cjs "${packages[@]}")
cp README.md LICENSE "$work/package/"
node -e '
  const root = require("./package.json");
  const [directory, tools] = [process.argv[1], process.argv[2].split(" ")];
  const names = fs.readdirSync(`${directory}/node_modules`).flatMap((name) =>
    name.startsWith("@") ? fs.readdirSync(`${directory}/node_modules/${name}`).map((inner) => `${name}/${inner}`) : [name]);
  const versions = names.map((name) => [name, JSON.parse(fs.readFileSync(`${directory}/node_modules/${name}/package.json`)).version]);
  const { name, version, description, license, engines } = root;
  fs.writeFileSync(`${directory}/package.json`, JSON.stringify({
    name, version, description: `${description}: client tools`, license, engines, type: "module",
    bin: Object.fromEntries(tools.map((tool) => [tool, `bin/${tool}`])),
    dependencies: Object.fromEntries(versions), bundleDependencies: names,
  }, null, 2));
' "$work/package" "${tools[*]}"
printf '{ "type": "commonjs" }\n' >"$work/package/bin/package.json"
cd "$work/package"
npm pack --silent --ignore-scripts --pack-destination "$out"
