#!/bin/bash
# Run by the platform's agent package manager (SmartOS) before removal: an upgrade finds the service as it was.
etc=${MARLIN_ETC:-/opt/smartdc/marlin/etc}
case $(svcs -H -o state marlin-agent 2>/dev/null) in
  online* | maintenance*) mkdir -p "$etc" && touch "$etc/enabled" ;;
esac
svcadm disable -s marlin-agent
svccfg delete marlin-agent
rm -f "${npm_config_smfdir:?}/marlin-agent.xml"
exit 0
