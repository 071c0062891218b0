#!/usr/bin/env bash
# Schemathesis against the API's own description: every answer must be one that it describes, none a fault of the server.
#
#   test/openapi/run.sh [requests for each route]     after npm run build
#
# Needs Python 3; schemathesis is installed in a virtual environment outside the repository.
set -euo pipefail
cd "$(dirname "$0")/../.."
venv="${SEEDLING_VENV:-${XDG_CACHE_HOME:-$HOME/.cache}/seedling/schemathesis}"
[ -x "$venv/bin/schemathesis" ] || { python3 -m venv "$venv" && "$venv/bin/pip" install -q 'schemathesis==4.*'; }
work=$(mktemp -d) # schemathesis leaves its own files where it runs
node test/openapi/serve.mjs > "$work/address" &
server=$!
trap 'kill "$server"; rm -rf "$work"' EXIT
until [ -s "$work/address" ]; do sleep 0.2; kill -0 "$server"; done
cd "$work"
# Left out: an unsupported method of a known path is 404 here, not 405; and a body may fit its schema and still be refused,
# for what a schema cannot say (base64 that is no picture, a conversation that does not end with the user).
"$venv/bin/schemathesis" run "$(cat address)/openapi.json" --checks all --exclude-checks unsupported_method,positive_data_acceptance \
  --max-examples "${1:-100}" --workers 1 --seed 1
