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

# three.js is shipped as Sage has it: older than npm's, with parts that left it since
"$root/.venv/bin/python" -m pip download --quiet --no-deps --require-hashes \
    --requirement "$here/requirements.txt" --dest wheels
"$root/.venv/bin/python" -m zipfile -e wheels/jupyter_threejs_sage-*.whl wheels
cp wheels/jupyter_threejs_sage/static/r122/three.min.js "$root/app/static/vendor/three.js"
{
    printf 'three.js r122, as packaged by jupyter-threejs-sage 130\n\n'
    cat wheels/jupyter_threejs_sage-*.dist-info/LICENSE
} > "$root/app/static/vendor/licences/three.txt"

mkdir -p "$root/app/static/wire"
"$root/.venv/bin/python" -m grpc_tools.protoc -I "$root/app/wire" \
    --python_out="$root/app/wire" --pyi_out="$root/app/wire" \
    --plugin=protoc-gen-es=node_modules/.bin/protoc-gen-es \
    --es_out="$root/app/static/wire" --es_opt=target=js \
    messages.proto
