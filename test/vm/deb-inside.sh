#!/bin/bash
# Run inside the machine of test/vm/deb.sh: what an operator does, step by step.
set -euo pipefail
fail() {
  echo "marlin-vm: FAILED at line $1: $2"
  journalctl -u 'marlin*' --no-pager | cut -c1-300 | tail -30
  tail -n 5 /var/lib/marlin/data/log/*.log /var/lib/marlin/data/log/*.out 2>/dev/null || true
}
trap 'fail $LINENO "$BASH_COMMAND"' ERR
say() { echo "marlin-vm: $* ($(cut -d' ' -f1 /proc/uptime) s)"; }
ip link set lo up 2>/dev/null || true
install -d -m 700 /root/.ssh
say "systemd $(systemctl --version | head -1 | cut -d' ' -f2), cgroup $(stat -fc %T /sys/fs/cgroup), root $(df --output=fstype / | tail -1)"

before=$(mktemp)
snapshot() { # files, users, mounts, groups of zones, loop devices: what a removed package must not leave
  find /etc /usr /lib /opt /srv /run /var/lib /var/log /tmp -xdev \( -path /var/lib/dpkg -o -path /var/log/journal -o -path /run/log -o -path /run/systemd \
    -o -path /var/lib/systemd -o -path /var/cache -o -path /run/udev -o -path /run/dbus -o -name '*.pyc' \) -prune -o -print 2>/dev/null |
    grep -vE "^/tmp/|^/etc/(passwd|group|shadow|gshadow|subuid|subgid)-?$|/ld.so.cache|^/var/log/(dpkg.log|wtmp|btmp|lastlog)|^/etc/\.pwd\.lock|mandb|man-db|^/run/(adduser|agetty.reload)$" | sort
  getent passwd | cut -d: -f1 | sort
  awk '{ print $5 }' /proc/self/mountinfo | grep -i marlin || true
  find /sys/fs/cgroup -maxdepth 1 -name 'marlin*'
  losetup -a 2>/dev/null | grep marlin || true
}
snapshot >"$before"

[ ! -e /root/marlin.default ] || { mkdir -p /etc/default && cp /root/marlin.default /etc/default/marlin; }
dpkg --force-confold -i /root/old.deb
say "installed $(dpkg-query -W -f '${Version}' marlin)"
[ "$(systemctl is-enabled marlin || true)" = disabled ]
systemctl start marlin
say "started: $(systemctl is-active marlin)"
marlin status --data /var/lib/marlin/data
eval "$(marlin env --data /var/lib/marlin/data)"

printf 'to be or not to be\n' | mput -q ~~/stor/poem
[ "$(echo ~~/stor/poem | mjob create -o -m 'wc -w' -r cat | tr -d ' ')" = 6 ]
say 'a job has run'
mrjob list -s all
runc --root /var/lib/marlin/data/run/runc list 2>/dev/null | head -3 || true

long=$(echo ~~/stor/poem | mjob create -m 'sleep 20; echo survived')
until [ -n "$(mrjob where "$long")" ]; do sleep 0.5; done
pid=$(systemctl show -p MainPID --value marlin)
dpkg --force-confold -i /root/new.deb
say "upgraded to $(dpkg-query -W -f '${Version}' marlin) with a job running"
[ "$(systemctl is-active marlin)" = active ]
[ "$(systemctl show -p MainPID --value marlin)" != "$pid" ]
timeout 200 mjob watch "$long"
[ "$(mjob outputs "$long" | xargs mget -q)" = survived ]
say "the job is done: $(mrjob get "$long" | grep -E 'Results|Progress' | tr -s ' ' | tr '\n' ';')"

marlin backup --data /var/lib/marlin/data /root/saved.tar
systemctl stop marlin
[ -z "$(pgrep -f /usr/lib/marlin || true)" ]
mv /var/lib/marlin/data /root/lost
marlin restore --data /var/lib/marlin/data /root/saved.tar
systemctl start marlin
eval "$(marlin env --data /var/lib/marlin/data)"
[ "$(mget -q ~~/stor/poem)" = 'to be or not to be' ]
say 'restored from a backup'

kill -9 "$(systemctl show -p MainPID --value marlin)"
until systemctl is-active -q marlin && marlin status --data /var/lib/marlin/data >/dev/null; do sleep 1; done
say 'back after kill -9'

# The units for many machines, all of them on this one, with the samples as they are but for addresses.
cp /var/lib/marlin/data/etc/id_rsa* /root/.ssh/
cp /var/lib/marlin/data/accounts.json /etc/marlin/
systemctl stop marlin
unset SSH_AUTH_SOCK MANTA_KEY
od -An -tx1 -N32 /dev/urandom | tr -d ' \n' >/etc/marlin/token.key
services='moray storage frontdoor supervisor agent archiver'
for service in $services; do
  sed 's/10\.0\.0\.[0-9]*/127.0.0.1/g' "/usr/share/doc/marlin/examples/$service.json" >"/etc/marlin/$service.json"
  grep -q 'driver process' /etc/default/marlin && sed -i 's/"driver": "oci"/"driver": "process"/' "/etc/marlin/$service.json"
  marlin config check "/etc/marlin/$service.json"
done
chgrp marlin /etc/marlin/* && chmod 640 /etc/marlin/*
for service in $services; do systemctl start "marlin-$service"; done
until mrzones >/dev/null 2>&1; do sleep 1; done # a job waits a minute for an agent, which may take longer to start here
export MANTA_URL=http://127.0.0.1:8080
until printf 'one two\n' | mput -q -c 1 ~~/stor/many 2>/dev/null; do sleep 1; done
[ "$(echo ~~/stor/many | mjob create -o -m 'wc -w' -r cat | tr -d ' ')" = 2 ]
for service in $services; do
  [ "$(systemctl is-active "marlin-$service")" = active ]
  say "marlin-$service: $(systemd-analyze security "marlin-$service" 2>/dev/null | tail -1 | sed 's/^[^O]*//')"
done
say 'a job has run under the units for many machines'

dpkg --purge marlin
say purged
snapshot >/tmp/after
[ -z "$(pgrep -f /usr/lib/marlin || true)" ]
if ! diff "$before" /tmp/after; then
  echo 'marlin-vm: FAILED: something is left'
  exit 1
fi
say 'nothing is left'
echo 'marlin-vm: ok'
