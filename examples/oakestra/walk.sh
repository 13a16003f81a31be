#!/bin/sh
# Oakestra's manual by curl, request by request, against a cluster of oakctl:
#
#   oakctl up                                   # prints the password of Admin, once
#   PASSWORD=... examples/oakestra/walk.sh
#
# API: where it answers. PASSWORD: of Admin. SLA: the descriptor, byte for byte that of the manual. With STEP=yes it waits for Enter
# after each change, so that `docker ps` can be looked at.
set -eu
API=${API:-http://localhost:10000}
SLA=${SLA:-$(dirname "$0")/../clientsrvr/deploy_curl_application.yaml}

# ask <method> <path> [<body>]: prints the request to stderr and the answer to stdout; fails with it
ask() {
  method=$1 path=$2
  shift 2
  printf '\n%s /api/%s\n' "$method" "$path" >&2
  answer=$(curl --silent --show-error --fail-with-body -H 'Content-Type: application/json' \
    ${TOKEN:+-H "Authorization: Bearer $TOKEN"} ${1:+--data-binary "$1"} -X "$method" "$API/api/$path") || {
    printf '%s\n' "$answer" >&2
    return 1
  }
  # What lets others in stays out of terminals and logs.
  [ "$path" = auth/login ] || printf '%s\n' "$answer" >&2
  printf '%s' "$answer"
}

# text <key>: the first text of that key in the JSON on stdin
text() {
  sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" | head -n 1
}

# step <what to see>: time to look, for whoever wants it
step() {
  [ "${STEP:-}" ] || return 0
  printf 'docker ps: %s (Enter goes on)\n' "$1" >&2
  read -r _
}

TOKEN=''
login=$(ask POST auth/login "{\"username\": \"Admin\", \"password\": \"$PASSWORD\"}")
TOKEN=$(printf '%s' "$login" | sed 's/","refresh_token.*//; s/.*"token":"//')
# The manual's own spelling first.
apps=$(ask POST application/ "@$SLA")
step 'nothing'
ask GET aplications/ >/dev/null
ask GET applications/ >/dev/null
app=$(printf '%s' "$apps" | tr '{' '\n' | grep '"application_name":"clientsrvr"' | text applicationID)
services=$(ask GET "services/$app")
nginx=$(printf '%s' "$services" | tr '{' '\n' | grep '"job_name":"clientsrvr.test.nginx.test"' | text microserviceID)
ask POST "service/$nginx/instance" >/dev/null
step 'nginx 0'
ask POST "service/$nginx/instance" >/dev/null
step 'nginx 0, nginx 1'
ask GET "service/$nginx" >/dev/null
ask DELETE "service/$nginx/instance/1" >/dev/null
step 'nginx 0'
ask GET "service/$nginx" >/dev/null
ask DELETE "service/$nginx" >/dev/null
step 'nothing'
ask DELETE "application/$app" >/dev/null
step 'nothing'
echo
