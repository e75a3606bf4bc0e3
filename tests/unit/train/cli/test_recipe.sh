#!/bin/sh
# The recipe of the shipped model: its runs follow one another, from nothing or from where they were
# interrupted, and its experts are the runs that the shipped manifest tells of.
# usage: test_recipe.sh PATH_OF_EBM DIRECTORY_OF_THE_MODEL
set -u

EBM=${1:?path of ebm}
model=${2:?directory of the model}
export EBM
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failed=0
fail() {
    echo "$1"
    failed=1
}

. "$(dirname "$0")/../../../support/tiny_images.sh"
tiny_images "$work/data" 28

# Few and short chains; runs of other levels take no flags for them.
mkdir "$work/recipe"
cp "$model"/recipe/* "$work/recipe"
sed 's/\("persistent-\(chains\|visits\|leapfrog\)":\) [0-9]*/\1 2/g' "$model/recipe/level-0.json" \
    >"$work/recipe/level-0.json"

train() {
    sh "$work/recipe/train.sh" "$work/out" --data "$work/data" --ch 4 --ch-mult 1 --batch 4 \
        --langevin-steps 1 --kernels ref --iterations 2 "$@" 2>>"$work/log"
}

# stopped DIR: makes a run look like one that ended at iteration 1 of 2, as a signal has it end
stopped() {
    rm "$1/checkpoint-2.safetensors"
    sed 's/"iterations": 2,$/"iterations": 1,/' "$1/model.json" >"$work/manifest"
    cmp -s "$work/manifest" "$1/model.json" && fail "no manifest of a stopped run"
    cp "$work/manifest" "$1/model.json"
}

train --checkpoint-every 1 || fail "the recipe fails"
digest=$(sha256sum <"$work/out/fashion-mnist/model.safetensors")

# The second run was stopped, the third has not begun.
rm -r "$work/out/third" "$work/out"/level* "$work/out/fashion-mnist"
stopped "$work/out/second"
train --checkpoint-every 1 || fail "the recipe does not go on"
[ "$(grep -c 'resuming at iteration 1' "$work/log")" -eq 1 ] || fail "the second run is not resumed"
[ "$(sha256sum <"$work/out/fashion-mnist/model.safetensors")" = "$digest" ] || fail "other weights"
lines=$(wc -l <"$work/log")
train || fail "the recipe fails where nothing is left to do"
[ "$(wc -l <"$work/log")" = "$lines" ] || fail "runs again what is done"

# A run that is stopped now ends well, but the next one must not begin.
rm -r "$work/out/second" "$work/out/third"
printf '#!/bin/sh\n"%s" "$@" && sed -i "s/\"iterations\": 2,$/\"iterations\": 1,/" %s\n' "$EBM" \
    "$work/out/second/model.json" >"$work/stopping"
chmod +x "$work/stopping"
(EBM=$work/stopping && train) && fail "goes on behind a run that was stopped"
[ -e "$work/out/second/model.json" ] || fail "the second run has not begun"
[ ! -e "$work/out/third" ] || fail "begins with the weights of a run that was stopped"
rm -r "$work/out/second"
train || fail "the recipe does not begin the second run again"

# Each run begins with the weights of another. Settings of the experts that this test changes, or that
# were chosen afterwards because matching does not depend on them (the noise factor), are left out.
python3 - "$work/out" "$model" <<'PY' || fail "another run than the shipped one"
import json, sys
out, model = sys.argv[1:]
def manifest(path): return json.load(open(path + "/model.json"))
def begin(run): return manifest(f"{out}/{run}")["training"]["config"]["init_sha256"]
for run, before in (("second", "first"), ("third", "second"), ("level-0-slopes", "third"),
                    ("level-0", "level-0-slopes"), ("levels-1-5", "third"),
                    ("levels-6-11", "third"), ("levels-12-17", "third")):
    if begin(run) != manifest(f"{out}/{before}")["weights"]["sha256"]:
        sys.exit(f"{run} does not begin with the weights of {before}")
told, made = (manifest(path)["training"]["experts"] for path in (model, out + "/fashion-mnist"))
changed = {"batch", "ch", "ch_mult", "data_images", "data_sha256", "init_sha256", "iterations", "kernel_class",
           "langevin_steps", "noise_scale", "persistent_chains", "persistent_leapfrog", "persistent_visits"}
for a, b in zip(told, made, strict=True):
    differing = {k for k in a["training"]["config"] | b["training"]["config"]
                 if a["training"]["config"].get(k) != b["training"]["config"].get(k)} - changed
    for k in sorted(differing):
        print(f"{k} of {a['from']}: {a['training']['config'].get(k)} is now {b['training']['config'].get(k)}")
    if differing or (a["from"], a["to"]) != (b["from"], b["to"]):
        sys.exit(1)
PY

[ "$failed" -eq 0 ] || cat "$work/log"
exit "$failed"
