#!/usr/bin/env bash
# Writes the commands of build/bin: each runs the compiled entry point beside it, wherever the clone is.
set -euo pipefail
out=$1
mkdir -p "$out"
for row in standalone:marlin cli/mrjob:mrjob; do
  entry=${row%%:*}
  command=${row##*:}
  cat >"$out/$command" <<EOF
#!/usr/bin/env bash
exec node "\$(dirname "\$(readlink -f "\$0")")/../src/$entry/main.js" "\$@"
EOF
  chmod 755 "$out/$command"
done
# The published commands beside ours: what users type, and what the tests and the tour use.
for package in manta moray; do
  for file in node_modules/$package/bin/*; do
    ln -sf "../../$file" "$out/$(basename "$file")"
  done
done
ln -sf ../../node_modules/json/lib/json.js "$out/json"
