#!/usr/bin/env bash
# Writes the commands of build/bin: each runs the compiled entry point beside it, wherever the clone is.
set -euo pipefail
out=$1
mkdir -p "$out"
wrapper() { # COMMAND ENTRY [ARGUMENT]
  cat >"$out/$1" <<EOF
#!/usr/bin/env bash
here=\$(dirname "\$(readlink -f "\$0")")
node=\$here/../node/bin/node # of a package; a workspace has none
[ -x "\$node" ] || node=node
exec "\$node" "\$here/../src/$2/main.js" ${3:+$3 }"\$@"
EOF
  chmod 755 "$out/$1"
}
wrapper marlin standalone
while read -r name; do wrapper "$name" cli "$name"; done < <(node --input-type=module -e "
  import { programs } from './build/src/cli/programs.js';
  for (const name of Object.keys(programs)) console.log(name);")
# The published commands beside ours: what users type, and what the tests and the tour use.
for package in manta moray; do
  for file in node_modules/$package/bin/*; do
    ln -sf "../../$file" "$out/$(basename "$file")"
  done
done
ln -sf ../../node_modules/json/lib/json.js "$out/json"
