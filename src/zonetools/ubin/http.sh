# Sourced by the tools that are bash scripts: options, names, and HTTP by hand. Results are left in variables, since a
# command substitution would cost a process each time.

LC_ALL=C     # names and lengths count in bytes
trap '' PIPE # a server that hangs up is an error to report, not the end

# http://host:port/ as the lackey sets it.
host=localhost port=80
if [[ $MANTA_URL =~ ^http://([^/:]+)(:([0-9]+))? ]]; then
  host=${BASH_REMATCH[1]}
  port=${BASH_REMATCH[3]:-80}
fi

# What getopts found in silent mode.
illegal_option() {
  if [[ $1 == : ]]; then
    printf 'option requires an argument -- %s\n' "$OPTARG" >&2
  else
    printf 'illegal option -- %s\n' "$OPTARG" >&2
  fi
  usage
}

# The number at the beginning of $1, into `number`.
parse_int() {
  [[ $1 =~ ^[[:space:]]*([+-]?)0*([0-9]+) ]] || return 1
  number=${BASH_REMATCH[1]#+}${BASH_REMATCH[2]}
}

# Appends "name: value" to `extra`. One space after the first colon belongs to neither.
add_header() {
  [[ $1 == *:* ]] || return 1
  local value=${1#*:} header=${1%%:*}
  extra+=("${header,,}: ${value# }")
}

# $1 with `~~` replaced by the home of the user, into `expanded`.
expand() {
  expanded=$1
  case $1 in '~~' | '~~/'*) expanded=/$MANTA_USER${1#'~~'} ;; esac
}

# Percent-encodes the components of $1 into `encoded`.
encode() {
  local text=$1 character index
  encoded=$text
  [[ $text == *[!A-Za-z0-9_.!~*\'\(\)/-]* ]] || return 0
  encoded=''
  for ((index = 0; index < ${#text}; index++)); do
    character=${text:index:1}
    if [[ $character != [A-Za-z0-9_.!~*\'\(\)/-] ]]; then
      printf -v character '%%%02X' "$(($(printf '%d' "'$character") & 255))"
    fi
    encoded+=$character
  done
}

# Resolves `.`, `..` and `//` of $1 into `normalised`.
normalise() {
  normalised=$1
  [[ $1/ == *//* || $1/ == */./* || $1/ == */../* ]] || return 0
  local part parts=() rest=$1
  while [[ -n $rest ]]; do
    part=${rest%%/*}
    if [[ $rest == */* ]]; then rest=${rest#*/}; else rest=''; fi
    case $part in
      '' | .) ;;
      ..) ((${#parts[@]} == 0)) || unset 'parts[-1]' ;;
      *) parts+=("$part") ;;
    esac
  done
  printf -v normalised '/%s' "${parts[@]}"
}

# Copies stdin to the file $1; its size is in `size`. The shared offset tells it without a process.
stage() {
  local key
  exec 6>"$1" || return 1
  cat >&6 || return 1
  read -r key size </proc/self/fdinfo/6
  exec 6>&-
}

# The size of the file $1, into `size`.
measure() {
  size=$(stat -L -c %s -- "$1")
}

# One exchange: request METHOD PATH FILE HEADER... FILE is the body, of `size` bytes; empty: no body. Leaves `status`, and
# for a failure `code` and `message`. Fails when there was no answer, with its reason in `message`.
request() {
  local method=$1 path=$2 file=$3 answer
  shift 3
  local length=0 expect=''
  if [[ -n $file ]]; then length=$size; fi
  # Asking first is worth a round trip only for a body that does not fit into the socket's buffers.
  if ((length > 65536)); then expect=$'expect: 100-continue\r\n'; fi
  local address=$host
  [[ $address != localhost ]] || address=127.0.0.1
  status='' code='' message=''
  if ! { exec 5<>"/dev/tcp/$address/$port"; } 2>/dev/null; then
    message="connect ECONNREFUSED $address:$port"
    return 1
  fi
  # One write: of two, the second would wait for the first to be acknowledged.
  local head
  printf -v head '%s\r\n' "$method $path HTTP/1.1" "host: $host" 'accept: application/json' 'accept-version: ~1.0' \
    "content-length: $length" 'connection: close' "$@"
  printf '%s%s\r\n' "$head" "$expect" >&5 2>/dev/null
  if [[ -z $expect ]]; then
    ((length == 0)) || cat -- "$file" >&5 2>/dev/null
    read_head
  else
    read_head
    if [[ $status == 100 ]]; then
      cat -- "$file" >&5 2>/dev/null
      read_head
    fi
  fi
  while [[ $status == 100 ]]; do read_head; done
  if [[ -z $status ]]; then
    message='socket hang up'
  elif ((status >= 400)); then
    answer=$(cat <&5)
    [[ ! $answer =~ \"code\":[[:space:]]*\"([^\"]*)\" ]] || code=${BASH_REMATCH[1]}
    message="unexpected status $status"
    [[ ! $answer =~ \"message\":[[:space:]]*\"(([^\"\\]|\\.)*)\" ]] || printf -v message '%b' "${BASH_REMATCH[1]}"
  fi
  exec 5>&-
  [[ -n $status ]]
}

# Reads status line and headers of an answer.
read_head() {
  local line
  status=''
  IFS= read -r line <&5 || return 0
  [[ ! $line =~ ^HTTP/1\.[01]\ ([0-9]{3}) ]] || status=${BASH_REMATCH[1]}
  while IFS= read -r line <&5 && [[ $line != $'\r' && -n $line ]]; do :; done
}

# One attempt: save NAME FILE PARENTS. Missing parents are made if PARENTS is not empty. Headers come from `headers`.
save() {
  expand "$1"
  normalise "$expanded"
  encode "$normalised"
  local path=$encoded type=() id
  content_type "$normalised"
  read -r id </proc/sys/kernel/random/uuid
  request PUT "$path" "$2" "x-request-id: $id" "${type[@]}" "${headers[@]}" || return 1
  if [[ -n $3 && $code == DirectoryDoesNotExist* ]]; then
    make_directory "${path%/*}" || return 1
    request PUT "$path" "$2" "x-request-id: $id" "${type[@]}" "${headers[@]}" || return 1
  fi
  ((status < 400))
}

# Makes the directory $1, encoded, and what is missing above it.
make_directory() {
  request PUT "$1" '' 'content-type: application/json; type=directory' || return 1
  if [[ $code == DirectoryDoesNotExist* && -n ${1%/*} ]]; then
    make_directory "${1%/*}" || return 1
    request PUT "$1" '' 'content-type: application/json; type=directory' || return 1
  fi
  ((status < 400))
}

# Sets `type` to a header for the extension of $1, if it is a well-known one.
content_type() {
  local base=${1##*/}
  [[ $base == ?*.* ]] || return 0
  case ${base##*.} in
    txt | text | log | conf | def | in | list) type=('content-type: text/plain') ;;
    json | map) type=('content-type: application/json') ;;
    csv) type=('content-type: text/csv') ;;
    tsv) type=('content-type: text/tab-separated-values') ;;
    html | htm | shtml) type=('content-type: text/html') ;;
    css) type=('content-type: text/css') ;;
    md | markdown) type=('content-type: text/markdown') ;;
    xml | xsl | xsd | rng) type=('content-type: application/xml') ;;
    yaml | yml) type=('content-type: text/yaml') ;;
    js | mjs) type=('content-type: application/javascript') ;;
    sh) type=('content-type: application/x-sh') ;;
    gz) type=('content-type: application/gzip') ;;
    bz2) type=('content-type: application/x-bzip2') ;;
    zip) type=('content-type: application/zip') ;;
    tar) type=('content-type: application/x-tar') ;;
    pdf) type=('content-type: application/pdf') ;;
    png) type=('content-type: image/png') ;;
    jpg | jpeg | jpe) type=('content-type: image/jpeg') ;;
    gif) type=('content-type: image/gif') ;;
    svg | svgz) type=('content-type: image/svg+xml') ;;
    webp) type=('content-type: image/webp') ;;
    mp3) type=('content-type: audio/mpeg') ;;
    mp4) type=('content-type: video/mp4') ;;
    mov | qt) type=('content-type: video/quicktime') ;;
  esac
}
