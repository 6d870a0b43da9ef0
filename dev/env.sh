# Source this file (`. dev/env.sh`): puts the commands of this workspace on PATH, before those of an installation.
_marlin_root=$(cd "$(dirname "${BASH_SOURCE[0]:-$0}")/.." && pwd)
export PROTO="$_marlin_root/build"
export PATH="$_marlin_root/build/bin:$_marlin_root/dev/tools:$PATH"
unset _marlin_root
