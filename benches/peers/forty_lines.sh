#!/usr/bin/env bash
# What changeover does, as well as forty lines of bash with curl and jq can: forty_lines.sh APP SECONDS COMMAND [ARGS…]
set -uo pipefail
app=$1 pause=$2 api=${HEROKU_HOST:-https://api.heroku.com}
shift 2

fetch() {
    curl --silent --fail --max-time 10 --header "Authorization: Bearer $HEROKU_API_KEY" \
        --header 'Accept: application/vnd.heroku+json; version=3' "$api/apps/$app/config-vars" |
        jq --exit-status --raw-output '.DATABASE_URL | strings | select(. != "")'
}

# Up to 35 s for the program to stop, then KILL.
stop() {
    kill -s "$1" "$child" 2>/dev/null
    { sleep 35 && kill -s KILL "$child"; } 2>/dev/null &
    local timer=$!
    wait "$child"
    code=$?
    kill "$timer" 2>/dev/null
}

# Jobs in the background ignore INT, so TERM is what they get.
for signal in TERM INT; do
    # shellcheck disable=SC2064
    trap "trap '' $signal; stop TERM; exit \$code" "$signal"
done
trap 'kill -s HUP "$child"' HUP
trap 'kill -s USR1 "$child"' USR1

until url=$(fetch); do sleep 1; done
while true; do
    DATABASE_URL=$url "$@" & child=$!
    while true; do
        sleep "$pause" & wait -n "$child" "$!"
        if ! kill -0 "$child" 2>/dev/null; then wait "$child"; exit; fi
        if new=$(fetch) && [[ $new != "$url" ]]; then url=$new; break; fi
    done
    stop TERM
done
