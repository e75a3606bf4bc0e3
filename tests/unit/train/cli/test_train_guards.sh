#!/bin/sh
# What `ebm train` refuses because it would change nothing or cost an earlier run its model, and what
# it tells of its data.
# usage: test_train_guards.sh PATH_OF_EBM
set -u

ebm=${1:?path of ebm}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
. "$(dirname "$0")/../../../support/ebm_command.sh"
. "$(dirname "$0")/../../../support/tiny_images.sh"
tiny_images "$work/data" 8

# run STATUS FLAG... : trains a little in $work/run, one iteration if FLAGs say no other number
run() {
    status=$1
    shift
    case "$*" in *--iterations*) ;; *) set -- "$@" --iterations 1 ;; esac
    expect "$status" train --out "$work/run" --ch 4 --ch-mult 1 --blocks 1 --batch 4 --kernels ref \
        --threads 1 --samples-every 0 "$@"
}

# --- a flag that changes nothing is refused, and named: flag, value | what goes with it | why ---
while IFS='|' read -r flag with why; do
    # shellcheck disable=SC2086  # words
    run 64 --data "$work/data" $flag $with
    says err "${flag%% *}: $why"
done <<END
--warm-start 5|--objective matching|is for --objective hybrid
--rl-share 0.4||is for --objective hybrid
--rl-weight 4|--objective recovery|is for --objective hybrid
--rl-weight-low 1|--objective matching|is for --objective hybrid
--rl-weight-top 1|--objective matching|is for --objective hybrid
--matching-reach 0.5||is for matching
--matching-reach 0|--objective matching --schedule linear|matching of normal transitions
--lr-decay cosine||the step falls only
--lr-decay cosine|--lr-decay-from 1 --lr-final 0.1|the step falls only
--lr-decay-from 0.5||the step falls only
--lr-decay-from 0.5|--lr-final 1|the step falls only
--lr-final 0.5||the step falls only
--ratio-min 0.02||is for --schedule geometric
--ratio-max 50|--schedule linear|is for --schedule geometric
--beta-first 0.001|--schedule geometric|is not for --schedule geometric
--beta-last 0.03|--schedule geometric|is not for --schedule geometric
--schedule-base 500|--schedule geometric|is for --schedule paper
--schedule-base 500|--schedule linear|is for --schedule paper
--langevin-steps 2|--schedule linear|levels with normal transitions
--sampling-factor 2|--step-rule normal|levels with normal transitions
--b2 0.001|--schedule geometric|is for --step-rule paper
--kappa 4||is for --step-rule variance
--steps-low 4|--step-rule curvature|is for --step-rule variance
--curvature-share 0.4|--schedule geometric --step-rule variance|is for --step-rule curvature
--leaky-slope 0.1|--activation silu|is for --activation leaky_relu
END
run 64 --data toy:rings --flip
says err "--flip: is for images, not for points"
printf '{"rl-share": 0.4}' >"$work/run.json"
run 64 --data "$work/data" --config "$work/run.json"
says err "--rl-share: is for --objective hybrid"
[ ! -e "$work/run" ] || { echo "a refused run made its directory"; failed=1; }

# each where it is used, or says what there is without it
while read -r words; do
    rm -rf "$work/run"
    # shellcheck disable=SC2086
    run 0 $words
done <<END
--data $work/data --objective hybrid --warm-start 0 --rl-share 0.5 --rl-weight 4 --rl-weight-low 1 --rl-weight-top 1 \
    --matching-reach 0.5 --lr-decay cosine --lr-decay-from 0.5 --lr-final 0.5 --flip --leaky-slope 0.1 \
    --schedule geometric --levels 3 --ratio-min 0.02 --ratio-max 50 --langevin-steps 2 --sampling-factor 2 \
    --step-rule variance --kappa 4 --steps-low 2
--data $work/data --schedule geometric --levels 3 --langevin-steps 2 --curvature-share 0.4 --lr-warm-start 0.001
--data toy:rings --langevin-steps 2
--data $work/data --levels 2 --langevin-steps 2 --b2 0.001 --beta-first 0.001 --beta-last 0.03 --schedule-base 500 \
    --lr-decay-from 1 --lr-final 1
END
# a run that goes on is held to what it has recorded
run 0 --data "$work/data" --levels 2 --langevin-steps 2 --b2 0.001 --beta-first 0.001 --beta-last 0.03 \
    --schedule-base 500 --lr-decay-from 1 --lr-final 1 --rl-share 0.5 --lr-decay linear --iterations 2 --resume

# --- a seed that is drawn is another one than that of the run ---
run 64 --data "$work/data" --resume --seed -1
says err "--seed: give the seed of the run, it is in model.json"

# --- a model that came without checkpoints, or has lost them, is not overwritten ---
rm "$work"/run/checkpoint-*
cp "$work/run/model.json" "$work/before"
run 64 --data "$work/data"
says err "--out: holds a model: give another directory"
run 66 --data "$work/data" --resume
cmp -s "$work/before" "$work/run/model.json" || { echo "the model has changed"; failed=1; }

# --- what is wrong with held-out images is told as it is of those that are trained on ---
python3 - "$work/photos" <<'PY' || failed=1
import os, struct, sys, zlib
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
def png(i):
    rows = b"".join(b"\0" + bytes((40 * i + 7 * x * y) % 256 for x in range(8)) for y in range(8))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0)) + \
        chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
for part, n in (("train", 6), ("test", 3)):
    os.makedirs(f"{sys.argv[1]}/{part}")
    for i in range(n):
        open(f"{sys.argv[1]}/{part}/{i}.png", "wb").write(png(i))
open(f"{sys.argv[1]}/test/1.png", "wb").write(b"torn")
open(f"{sys.argv[1]}/test/notes.txt", "w").write("no picture")
PY
photos="--data $work/photos --image-size 8 --channels gray --levels 2 --langevin-steps 2"
rm -rf "$work/run"
# shellcheck disable=SC2086
run 0 $photos
says err "data: 6 images of 1x8x8, in memory, 0 damaged, 0 other entries ignored"
says err "held-out: 3 images of 1x8x8, in memory, 1 damaged, 1 other entries ignored"
rm -rf "$work/run"
# shellcheck disable=SC2086
run 0 $photos --cache-mib 0 --validation-every 1
says err "held-out: 3 images of 1x8x8, read on demand, 1 other entries ignored"
says err "held-out: 1 damaged images met and replaced"
rm -rf "$work/run"
# shellcheck disable=SC2086
run 0 $photos --validation-every 0 # nobody looks at them
grep -q held-out "$work/err" && { echo "tells of images that nobody looks at"; failed=1; }

[ "$failed" -eq 0 ] && echo "test_train_guards: ok"
exit "$failed"
