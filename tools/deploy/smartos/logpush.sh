#!/bin/bash
# Uploads rotated logs to Manta and deletes what has arrived. A file SERVICE_ZONE_TIME[.suffix] becomes
# LOGROOT/SERVICE/YYYY/MM/DD/HH/ZONE8.log, where the hour is the one that the log is about: the one before TIME.
#
# usage: logpush.sh [-fnx] CONFIG      -f: although another one runs  -n: only say what would be done  -x: trace
usage() {
  echo "usage: $(basename "$0") [-fnx] CONFIG"
  exit "$1"
}
isForced="" isDry=""
while getopts 'fhnx' option; do
  case $option in
    f) isForced=true ;;
    n) isDry=true ;;
    x) set -o xtrace ;;
    h) usage 2 ;;
    *) usage 2 >&2 ;;
  esac
done
shift $((OPTIND - 1))
[ $# = 1 ] || usage 2 >&2
config=$1
member() { # NAME [default]
  local value
  value=$(json "$1" <"$config")
  if [ -z "$value" ]; then
    [ $# -gt 1 ] && { echo "$2"; return; }
    echo "config error: $1 not present" >&2
    exit 1
  fi
  echo "$value"
}
logroot=$(member logroot) || exit 1
user=$(member manta.user) || exit 1
host=$(member manta.host) || exit 1
key=$(member manta.keypath) || exit 1
target=$(member manta.logroot) || exit 1
mapfile -t nameservers < <(json -a nameservers -C '[]' <"$config" 2>/dev/null | json -a 2>/dev/null)

lock=${MARLIN_LOGPUSH_LOCK:-/tmp/logpush.sh.lock}
if ! (set -o noclobber && echo $$ >"$lock") 2>/dev/null; then
  owner=$(cat "$lock")
  if [ -n "$owner" ] && kill -0 "$owner" 2>/dev/null; then
    echo "process $owner is still running"
    [ -n "$isForced" ] || exit 1
  else
    echo "cleaning up leftover $lock"
  fi
  echo $$ >"$lock"
fi
trap 'rm -f "$lock"' EXIT

resolve=()
if [ ${#nameservers[@]} -gt 0 ]; then
  address=$(dig +short "@${nameservers[RANDOM % ${#nameservers[@]}]}" "${host%%:*}" | tail -1)
  [ -n "$address" ] && resolve=(--connect-to "::$address:")
fi
fingerprint=$(ssh-keygen -l -E md5 -f "$key" | awk '{ sub(/^MD5:/, "", $2); print $2 }')

put() { # PATH TYPE [FILE]
  local date signature
  date=$(LC_ALL=C date -u '+%a, %d %b %Y %H:%M:%S GMT')
  signature=$(printf 'date: %s' "$date" | openssl dgst -sha256 -sign "$key" | openssl enc -e -a | tr -d '\n')
  local command=(curl -sSf -X PUT "${resolve[@]}" -H "Date: $date" -H "Content-Type: $2"
    -H "Authorization: Signature keyId=\"/$user/keys/$fingerprint\",algorithm=\"rsa-sha256\",signature=\"$signature\"")
  if [ $# -gt 2 ]; then command+=(-T "$3"); else command+=(-H 'Content-Length: 0'); fi
  if [ -n "$isDry" ]; then
    echo "dry-run: curl ... http://$host$1"
  else
    "${command[@]}" "http://$host$1" >/dev/null
  fi
}

for file in "$logroot"/*; do
  name=$(basename "$file")
  [[ $name =~ ^([^_]+)_([^_]+)_([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}) ]] || continue
  service=${BASH_REMATCH[1]} zone=${BASH_REMATCH[2]%%-*}
  hour=$(date -u -d "${BASH_REMATCH[3]}Z - 1 hour" '+%Y/%m/%d/%H') || continue
  directory=$target
  isReady=true
  for part in "$service" ${hour//\// }; do
    directory=$directory/$part
    put "$directory" 'application/json; type=directory' || { isReady=; break; }
  done
  if [ -n "$isReady" ] && put "$directory/$zone.log" application/json "$file"; then
    [ -n "$isDry" ] || rm -f "$file"
  else
    echo "failed to upload $file" >&2
  fi
done
echo 'Processed all files.'
