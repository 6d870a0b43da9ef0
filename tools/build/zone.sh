#!/usr/bin/env bash
# Makes the directory that zones see as /opt/marlin.
set -euo pipefail
mkdir -p "$1"
