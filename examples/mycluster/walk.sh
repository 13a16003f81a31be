#!/bin/sh
# MyCluster's manual by curl, request by request, against a cluster of oakctl:
#
#   oakctl up --name test --workers 4 --compat mycluster
#   examples/mycluster/walk.sh
#
# API: where MyCluster's API answers; on the API's own port it needs a token: TOKEN. IMAGE: what runs.
set -eu
API=${API:-http://localhost:5000}
IMAGE=${IMAGE:-crccheck/hello-world}

# ask <method> <path> [<body>]: prints the request and the answer; fails with it
ask() {
  method=$1 path=$2
  shift 2
  printf '\n%s /api/v1/%s %s\n' "$method" "$path" "$*" >&2
  curl --silent --show-error --fail-with-body -H 'Content-Type: application/json' \
    ${TOKEN:+-H "Authorization: Bearer $TOKEN"} ${1:+-d "$1"} -X "$method" "$API/api/v1/$path"
  echo
}

ask GET stats
ask GET state
ask POST service "{\"service\": \"hello-world\" , \"image\":\"$IMAGE\", \"replicas\" : 3 }"
ask GET service/hello-world
# What MyCluster has not: the same again is the same, a list, another number, and an end.
ask POST service "{\"service\": \"hello-world\" , \"image\":\"$IMAGE\", \"replicas\" : 3 }"
ask GET service
ask PUT service/hello-world '{"replicas": 2}'
ask GET stats
[ "${KEEP:-}" ] || ask DELETE service/hello-world
