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
