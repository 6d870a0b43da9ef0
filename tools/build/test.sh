#!/usr/bin/env bash
# Runs every test file, or those given, and ends with the line "N passed, N failed". A test file is a process of its own.
# Live tests take longer.
#
# usage: tools/build/test.sh [FILE.test.js...]
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
PATH=$PWD/node_modules/.bin:$PATH
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0

run() { # ARGUMENT-OF-RUN-TESTS...
  node build/tools/build/run-tests.js "$@" 2>&1 | tee -a "$log"
  local ended=${PIPESTATUS[0]}
  [ "$ended" = 0 ] || status=$ended
}

if [ $# -gt 0 ]; then
  run "$@"
else
  run $(find build/test/unit build/test/sim build/test/integration -name '*.test.js' | sort)
  run --limit 900 $(find build/test/live -name '*.test.js' | sort)
fi
node tools/build/count-tests.cjs "$log" "$status"
