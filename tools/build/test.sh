#!/usr/bin/env bash
# Runs every test file and ends with the line "N passed, N failed". A test file is a process of its own.
set -uo pipefail
log=$(mktemp)
trap 'rm -f "$log"' EXIT
npx tap run --reporter=tap "$@" | tee "$log"
status=${PIPESTATUS[0]}
node - "$log" "$status" <<'EOF'
const fs = require('node:fs');
const [log, status] = process.argv.slice(2);
let passed = 0;
let failed = 0;
for (const line of fs.readFileSync(log, 'utf8').split('\n')) {
  const match = /^\s*(not )?ok \d+(.*)$/.exec(line);
  if (match === null || / # (SKIP|TODO)/i.test(match[2]) || / \{$/.test(line)) continue;
  if (match[1] === undefined) passed++;
  else failed++;
}
if (Number(status) !== 0 && failed === 0) failed = 1;
console.log(`${passed} passed, ${failed} failed`);
EOF
exit "$status"
