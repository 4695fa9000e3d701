#!/usr/bin/env bash
# Render every diagram: <name>.dot to <name>.svg and <name>.png beside it.
set -euo pipefail
cd "$(dirname "$0")"

command -v dot >/dev/null || {
    echo "render.sh: graphviz is missing (no 'dot' on the PATH); install it, e.g. apt-get install graphviz" >&2
    exit 1
}

./order_flow.py
for source in *.dot; do
    name=${source%.dot}
    dot -Tsvg "$source" -o "$name.svg"
    dot -Tpng -Gdpi=144 "$source" -o "$name.png"
    echo "$name.svg  $name.png"
done
