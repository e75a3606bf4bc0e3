#!/bin/sh
# Models that know different noise levels become one: what it says of itself, whose tensors it holds,
# that it draws, and what is refused.
# usage: test_join.sh PATH_OF_EBM
set -u

ebm=${1:?path of ebm}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
. "$(dirname "$0")/../../../support/ebm_command.sh"

train() { # NAME CH LEVELS FLAG...
    out=$1 ch=$2 levels=$3
    shift 3
    expect 0 train --data toy:rings --out "$work/$out" --ch "$ch" --iterations 2 --batch 4 --kernels ref \
        --schedule geometric --levels "$levels" --objective matching --title "Title of $out" "$@"
}

train low 4 4 --highest-level 1 --seed 1
train high 4 4 --lowest-level 2 --seed 2
train middle 4 4 --lowest-level 1 --highest-level 2 --seed 3
train all 4 4
train wide 8 4
train bent 4 4 --leaky-slope 0.3
train other 4 5

expect 0 join --parts "$work/low,$work/high" --from 2 --out "$work/both"
expect 0 inspect "$work/both"
says out "experts       2, for levels 0..1, 2..3"
says out "title         Title of low"
says out "version       1"
expect 0 inspect --json "$work/both"
says out '"id": "both"'
expect 0 sample --models "$work" --model both --n 2 --seed 5 --out "$work/s" --kernels ref

# joined again, with what the second part has of levels 1 to 3
expect 0 join --parts "$work/all,$work/both" --from 1 --out "$work/three" --title Three --licence MIT \
    --model-version 1.2
expect 0 inspect "$work/three"
says out "experts       3, for levels 0..0, 1..1, 2..3"
says out "title         Three"
says out "licence       MIT"
says out "version       1.2"

# several at once, one of them twice
expect 0 join --parts "$work/all,$work/middle,$work/all" --from 1,3 --out "$work/around"

python3 - "$work" <<'PY' || failed=1
import json, struct, sys
work = sys.argv[1]
def tensors(name):
    data = open(f"{work}/{name}/model.safetensors", "rb").read()
    n = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + n])
    header.pop("__metadata__")
    return {k: data[8 + n + v["data_offsets"][0]:8 + n + v["data_offsets"][1]] for k, v in header.items()}
parts = {name: tensors(name) for name in ("all", "low", "middle", "high", "both", "three", "around")}
def same(whole, *experts):
    want = {f"from{begin}.{k}": v for begin, name in experts for k, v in parts[name].items()}
    if parts[whole] != want:
        sys.exit(f"{whole} does not hold the tensors of {experts}")
    told = json.load(open(f"{work}/{whole}/model.json"))["training"]["experts"]
    ends = [begin - 1 for begin, _ in experts[1:]] + [3]
    for row, (begin, name), end in zip(told, experts, ends, strict=True):
        training = json.load(open(f"{work}/{name}/model.json"))["training"]
        if row != {"from": begin, "to": end, "training": training}:
            sys.exit(f"{whole} tells of {row}")
same("both", (0, "low"), (2, "high"))
same("three", (0, "all"), (1, "low"), (2, "high"))
same("around", (0, "all"), (1, "middle"), (3, "all"))
PY

refused() { # STATUS TEXT FLAG...
    status=$1 text=$2
    shift 2
    expect "$status" join --out "$work/none" "$@"
    says err "$text"
    [ ! -e "$work/none" ] || { echo "writes what was refused"; failed=1; }
}
refused 64 "--from: must be" --parts "$work/low,$work/high" --from 0
refused 65 "--from: there are levels 0..3" --parts "$work/low,$work/high" --from 4
refused 65 "another network" --parts "$work/low,$work/wide" --from 2
refused 65 "another network" --parts "$work/low,$work/bent" --from 2
refused 65 "low: its run has not trained all of levels 0..2" --parts "$work/low,$work/high" --from 3
refused 65 "high: its run has not trained all of levels 1..3" --parts "$work/low,$work/high" --from 1
refused 65 "high: its run has not trained" --parts "$work/high,$work/low" --from 2
refused 65 "its noise levels or its sampling differ" --parts "$work/low,$work/other" --from 2
refused 66 "nothing: model.json: no such file" --parts "$work/low,$work/nothing" --from 2
for parts in "$work/low" "$work/low," ",$work/high" "$work/low,,$work/high" ,; do
    refused 64 "--parts: must be 2 to 8 directories" --parts "$parts" --from 2
done
eight="$work/all,$work/all,$work/all,$work/all,$work/all,$work/all,$work/all,$work/all"
refused 64 "--parts: must be 2 to 8 directories" --parts "$eight,$work/all" --from 1,2,3,4,5,6,7,8
refused 65 "--from: there are levels 0..3" --parts "$eight" --from 1,2,3,4,5,6,7
refused 64 "--from: 2 parts need 1, one for each part but the first" --parts "$work/low,$work/high" --from 2,3
refused 64 "--from: 3 parts need 2, one for each part but the first" --parts "$work/low,$work/all,$work/high" --from 2
refused 64 "--from: must ascend" --parts "$work/low,$work/all,$work/high" --from 2,2
refused 64 "--from: must ascend" --parts "$work/low,$work/all,$work/high" --from 2,1
refused 64 "--title" --parts "$work/low,$work/high" --from 2 --title "two
lines"
refused 64 "--model-version" --parts "$work/low,$work/high" --from 2 --model-version \
    "more than the thirty-one bytes that there are"
for out in both low; do
    cp "$work/$out/model.json" "$work/before"
    expect 64 join --parts "$work/low,$work/high" --from 2 --out "$work/$out"
    says err "--out: holds a model or a run already"
    cmp -s "$work/before" "$work/$out/model.json" || { echo "$out has changed"; failed=1; }
done
mkdir -p "$work/large" # more than a manifest may have
head -c 300000 /dev/zero >"$work/large/model.json"
expect 64 join --parts "$work/low,$work/high" --from 2 --out "$work/large"
says err "--out: holds a model or a run already"
train mine 4 4 --licence MIT
expect 64 join --parts "$work/mine,$work/high" --from 2 --out "$work/licensed"
says err "--licence: is required"
expect 0 join --parts "$work/mine,$work/high" --from 2 --out "$work/licensed" --licence CC0-1.0
expect 64 join --parts "$work/low,$work/high" --from 2 --out "$work/No Id"
says err "model id"
expect 64 train --data toy:rings --out "$work/again" --ch 4 --iterations 1 --schedule geometric --levels 4 \
    --objective matching --init-from "$work/both"
says err "joined of several"

# parts of other data are refused where both tell; one that was stopped early is told
foreign=$work/foreign
expect 0 train --data toy:pinwheel --out "$foreign" --ch 4 --iterations 2 --batch 4 --kernels ref \
    --schedule geometric --levels 4 --objective matching
for part in all both; do
    refused 65 "$part and $foreign were trained on different data" --parts "$work/$part,$foreign" --from 3
done
sed -i 's/"data_sha256": "[^"]*"/"data_sha256": ""/; s/^\( *"iterations": \)2,$/\11,/' "$foreign/model.json"
expect 0 join --parts "$work/all,$foreign,$work/all" --from 1,2 --out "$work/mixed"
says err "foreign: stopped at 1 of 2 iterations"
[ "$(grep -c stopped "$work/err")" -eq 1 ] || { echo "tells of parts that are complete"; failed=1; }

[ "$failed" -eq 0 ] && echo "test_join: ok"
exit "$failed"
