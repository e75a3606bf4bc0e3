#!/bin/sh
# Runs the curl lines of docs/operations.md as they stand there, with fewer steps, against a daemon
# on the shipped model. usage: test_examples.sh PATH_OF_EBMD PATH_OF_EBM TOP_OF_TREE
set -u

ebmd=${1:?path of ebmd}
ebm=${2:?path of ebm}
top=${3:?top of the tree}
command -v curl >/dev/null || { echo "curl is not installed: not run"; exit 0; }
work=$(mktemp -d) || exit 1
daemon=
trap '[ -n "$daemon" ] && kill "$daemon" && wait "$daemon"; rm -rf "$work"' EXIT
failed=0

mkdir -p "$work/docs" "$work/models"
cp -r "$top/docs/pictures" "$work/docs/"
cp -r "$top/models/fashion-mnist" "$work/models/"
cd "$work" || exit 1
"$ebm" sample --models models --model fashion-mnist --n 2 --seed 7 --steps-per-level 1 \
    --out out/sample >out.json || exit 1

# ready PORT : starts the daemon there; false if somebody else has the port
ready() {
    "$ebmd" --models models --store memory --listen "127.0.0.1:$1" \
        --admin-listen "127.0.0.1:$(($1 + 1))" >log 2>&1 &
    daemon=$!
    while kill -0 "$daemon" 2>/dev/null; do
        grep -q '"event":"ready"' log && return 0
        sleep 0.1
    done
    daemon=
    return 1
}
port=$((20000 + $$ % 20000))
until ready "$port"; do
    port=$((port + 2))
    [ "$port" -lt 40100 ] || { echo "no port is free:"; cat log; exit 1; }
done

# the lines of the document, with small numbers in place of its own
sed -n 's/^    \(curl .*\)$/\1/p' "$top/docs/operations.md" | sed \
    -e "s/localhost:8080/127.0.0.1:$port/" -e "s/localhost:8081/127.0.0.1:$((port + 1))/" -e 's/^curl -s\(N\{0,1\}\) /curl -sS\1 --fail-with-body /' \
    -e '/v1.\(sample\|inpaint\|interpolate\)/s/-F model=/-F steps_per_level=1 -F model=/' \
    -e '/v1.\(sample\|inpaint\|interpolate\)/{/steps_per_level/!s/--json .{/&"steps_per_level":1,/;}' \
    -e 's/"frames":9/"frames":3/' -e 's/=2000 /=24 /' -e 's/=500 /=4 /' -e 's/"steps":1000/"steps":10/' \
    -e 's/temperatures=20/temperatures=2/' -e 's/particles=4/particles=2/' \
    -e 's/warmup=10/warmup=2/' >examples
[ "$(wc -l <examples)" -ge 5 ] || { echo "examples are missing"; failed=1; }
while read -r line; do
    if ! sh -c "$line" >reply 2>err; then
        echo "status $? from: $line"
        cat err
        failed=1
    fi
done <examples
# every route of the contract has an example, but for those that are the same as another one
sed -n -e 's|^    "\(/[^"]*\)": {$|\1|p' -e 's/^ *"summary": "The same as .*/same/p' "$top/api/openapi.yaml" |
    sed -e '$!N' -e '/\nsame$/d' -e P -e D >routes
[ "$(wc -l <routes)" -ge 25 ] || { echo "routes are missing"; failed=1; }
sed -n -e "s/'\{0,1\}\$(sed .* out\/[a-z]*\.json)'\{0,1\}/{id}/" -e 's/images\/0/images\/{k}/' \
    -e 's/models\/fashion-mnist/models\/{id}/' -e 's/playground\/app.js/playground\/{file}/' \
    -e "s/^    curl .*localhost:8080\([^ ?'\"]*\).*/\1/p" "$top/docs/operations.md" >asked
while read -r route; do
    grep -qxF -e "$route" asked || { echo "$route has no example"; failed=1; }
done <routes
for file in out/preview.png out/job-0.png out/traces.json out/sample.json out/edit.png out/inpaint.json out/way.json out/tempered.json; do
    [ -s "$file" ] || { echo "the examples did not make $file"; failed=1; }
done
exit $failed
