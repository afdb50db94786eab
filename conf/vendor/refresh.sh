#!/bin/sh
# Refreshes what is made from elsewhere: the vendored browser code (app/static/vendor) from
# the versions pinned beside this script, and the generated code of app/wire/messages.proto
# for Python and the browser. Needs node, npm and the .venv of `make run`; the site itself
# needs none of this.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cp "$here"/package.json "$here"/package-lock.json "$here"/*.js "$here"/build.mjs "$work"
cd "$work"
npm ci --ignore-scripts --no-fund --no-audit
node build.mjs "$root/app/static/vendor"

mkdir -p "$root/app/static/wire"
"$root/.venv/bin/python" -m grpc_tools.protoc -I "$root/app/wire" \
    --python_out="$root/app/wire" --pyi_out="$root/app/wire" \
    --plugin=protoc-gen-es=node_modules/.bin/protoc-gen-es \
    --es_out="$root/app/static/wire" --es_opt=target=js \
    messages.proto
