# Source this file (`. dev/env.sh`): puts the commands of this workspace on PATH, before those of an installation.
_marlin_root=$(cd "$(dirname "${BASH_SOURCE[0]:-$0}")/.." && pwd)
export PATH="$_marlin_root/build/bin:$PATH"
unset _marlin_root
