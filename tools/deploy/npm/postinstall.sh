#!/bin/bash
# Run by the platform's agent package manager (SmartOS) after unpacking: imports the service, restores its state.
set -o errexit
if [ -z "$npm_config_smfdir" ] || [ ! -d "$npm_config_smfdir" ]; then
  echo 'Skipping Marlin postinstall (assuming build-time install)'
  exit 0
fi
prefix=$(cd "$(dirname "$0")/../../.." && pwd)
etc=${MARLIN_ETC:-/opt/smartdc/marlin/etc}
manifest=$npm_config_smfdir/marlin-agent.xml
sed -e "s#@@PREFIX@@#$prefix#g" -e "s#@@VERSION@@#$npm_package_version#g" \
  "$prefix/tools/deploy/smf/marlin-agent.xml" >"$manifest"
svccfg import "$manifest"
if [ -e "$etc/enabled" ]; then
  svcadm enable marlin-agent
  svccfg export marlin-agent >"$manifest"
  rm -f "$etc/enabled"
fi
