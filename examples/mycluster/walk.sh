#!/bin/sh
# MyCluster's manual by curl, request by request, against a cluster of oakctl:
#
#   oakctl up --name test --workers 4 --compat mycluster
#   examples/mycluster/walk.sh
#
# API: where MyCluster's API answers; on the API's own port it needs a token: TOKEN. IMAGE: what runs. OAKCTL: the command that stops a
# worker of this machine and brings it back; empty: no worker fails.
set -eu
API=${API:-http://localhost:5000}
IMAGE=${IMAGE:-crccheck/hello-world}
OAKCTL=${OAKCTL-oakctl}

# ask <method> <path> [<body>]: prints the request and the answer; fails with it
ask() {
  method=$1 path=$2
  shift 2
  printf '\n%s /api/v1/%s %s\n' "$method" "$path" "$*" >&2
  curl --silent --show-error --fail-with-body -H 'Content-Type: application/json' \
    ${TOKEN:+-H "Authorization: Bearer $TOKEN"} ${1:+-d "$1"} -X "$method" "$API/api/v1/$path"
  echo
}

# counter <name>: what it is now
counter() {
  ask GET stats 2>/dev/null | sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p"
}

# outage <worker>: as a power cut, until the counters have it and what it ran runs elsewhere; then it is back
outage() {
  failures=$(counter workers.failures) relocated=$(counter containers.relocated) tries=0
  $OAKCTL stop "$1" --hard >&2
  until [ "$(counter workers.failures)" -gt "$failures" ] && [ "$(counter containers.relocated)" -gt "$relocated" ]; do
    tries=$((tries + 1))
    [ "$tries" -le 120 ] || { printf 'nothing took over from %s\n' "$1" >&2 && return 1; }
    sleep 1
  done
  ask GET stats
  ask GET state
  $OAKCTL up "$1" >&2
}

ask GET stats
ask GET state
ask POST service "{\"service\": \"hello-world\" , \"image\":\"$IMAGE\", \"replicas\" : 3 }"
ask GET service/hello-world
# One of the workers that run it fails.
[ -z "$OAKCTL" ] || outage "$(ask GET state 2>/dev/null | sed 's/.*"worker":"\([^"]*\)","serviceInstances":\[{.*/\1/')"
# What MyCluster has not: the same again is the same, a list, another number, and an end.
ask POST service "{\"service\": \"hello-world\" , \"image\":\"$IMAGE\", \"replicas\" : 3 }"
ask GET service
ask PUT service/hello-world '{"replicas": 2}'
ask GET stats
[ "${KEEP:-}" ] || ask DELETE service/hello-world
