#!/usr/bin/env bash
# What Marlin needs of the machine beside Node: as root, installs what is missing; otherwise says what to install.
set -euo pipefail
declare -A package=([runc]=runc [ssh-keygen]=openssh-client [curl]=curl [g++]=g++ [python3]=python3 [perl]=perl [tar]=tar [gzip]=gzip [mkfs.ext4]=e2fsprogs)
missing=()
for command in "${!package[@]}"; do
  PATH=$PATH:/usr/sbin:/sbin command -v "$command" >/dev/null || missing+=("${package[$command]}")
done
PATH=$PATH:/usr/sbin command -v crun >/dev/null && missing=("${missing[@]/#runc/}")
read -ra missing <<<"${missing[*]}"
[ ${#missing[@]} = 0 ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "installing: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get install -y -qq "${missing[@]}" >/dev/null || { apt-get update -qq && apt-get install -y -qq "${missing[@]}" >/dev/null; }
else
  echo "missing on this machine: ${missing[*]} (install with: apt-get install ${missing[*]})" >&2
fi
