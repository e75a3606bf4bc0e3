#!/bin/sh
# The `ebm` command from outside: help, exit statuses, and a small run from training to a sample.
# usage: test_cli.sh PATH_OF_EBM GOLDEN_DIRECTORY
set -u

ebm=${1:?path of ebm}
golden=${2:?directory with golden cases}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
. "$(dirname "$0")/../../../support/ebm_command.sh"

is_silent() {
    [ ! -s "$work/$1" ] || {
        echo "std$1 of the last command is not empty"
        failed=1
    }
}

# --- help and version: status 0, on stdout, nothing on stderr ---
for words in --help help -h --version; do
    expect 0 "$words"
    is_silent err
    says out ebm
done
for command in train train-classifier eval eval2d sample inpaint mcmc interpolate energy likelihood check bench inspect join probe; do
    expect 0 "$command" --help
    is_silent err
    says out "usage: ebm $command"
    says out "--help"
done

# --- usage errors: status 64, on stderr, nothing on stdout, the flag is named ---
expect 64
says err usage
expect 64 nothing
expect 64 --nothing
for command in train train-classifier eval eval2d sample inpaint mcmc interpolate energy likelihood check bench inspect join probe; do
    expect 64 "$command" --no-such-flag
    is_silent out
    says err "--no-such-flag"
    expect 64 "$command"
    says err "is required"
done
expect 64 train --data x --out "$work/demo" --batch 0
says err "--batch"
expect 64 train --data x --out "$work/demo" --lr nan
says err "--lr"
expect 64 train --data x --out "$work/demo" --iterations 0
expect 64 train --data x --out "$work/demo" --crop middle
says err "center"
expect 64 train --data x --out "$work/demo" --image-size 1025
expect 66 train --data "$work/nothing" --out "$work/demo"
says err "nothing"
mkdir "$work/empty"
expect 65 train --data "$work/empty" --out "$work/demo"
says err "no images"
expect 64 train --data x --out "$work/demo" --ch 8 --ch=8
says err "twice"
printf '{"batch": 0}' >"$work/run.json"
expect 64 train --data x --out "$work/demo" --config "$work/run.json"
says err "run.json: batch: must be from 1"
printf '{"bach": 4}' >"$work/run.json"
expect 64 train --data x --out "$work/demo" --config "$work/run.json"
says err "run.json: bach: no such option"
expect 64 train --data x --out "$work/demo" --title "$(printf 'a\377')"
says err "--title: byte 2 is not UTF-8"
expect 64 train --data x --out "$work/demo" --licence "$(printf 'CC\n0')"
says err "--licence: byte 3 is a control character"
printf '{"title": "a\\u0007"}' >"$work/run.json"
expect 64 train --data x --out "$work/demo" --config "$work/run.json"
says err "--title: byte 2 is a control character"
expect 64 train --data x --out "$work/Not An Id"
says err "--out"
expect 64 train --data x --out "$work/demo" --beta-first 0.5 --beta-last 0.1
expect 64 train --data x --out "$work/demo" --schedule geometric --ratio-max 9
says err "--ratio-max"
expect 64 train --data x --out "$work/demo" --levels 600
says err "levels"
expect 64 sample --models x --model ../x --out y
says err "--model"
expect 64 sample --models x --model x --out y --n 100001
expect 64 sample --models x --model x --out y --n 2 --first-index 2147483647
# what a daemon would ignore: refused before it is asked
server() {
    command=$1 flag=$2
    shift
    expect 64 "$command" --server http://127.0.0.1:1/ "$@"
    says err "$flag: is not for --server"
}
server sample --models x --out y
server sample --threads 1 --out y
server sample --kernels ref --out y
server sample --progressive --out y
server inpaint --ensemble --out y
server sample --grid x --out y
server sample --sheet x --out y
server sample --animation x --out y
server sample --delay-ms 40 --out y
server mcmc --traces x --out y
server mcmc --checkpoint x --out y
server mcmc --resume x --out y
server mcmc --out y
expect 69 mcmc --server http://127.0.0.1:1/ --chains 1
expect 64 mcmc --models x --model x --chains 1
says err "--out: is required"
server energy --calibrate x
server energy --limit 1 --images x.png
server likelihood --limit 1 --images x.png
server energy --part test --images x.png
expect 64 check --kernels none "$golden/tiny-gray28"
says err "--kernels"
expect 64 probe --url ftp://127.0.0.1/

# --- what is not there: 66, 69, and nothing is made ---
expect 66 train --data "$work/nothing" --out "$work/demo"
[ ! -e "$work/demo" ] || { echo "train made its directory before it had data"; failed=1; }
expect 66 sample --models "$work" --model nothing --out "$work/s" --n 1
expect 66 inspect "$work/nothing"
expect 66 check "$work/nothing"
expect 69 probe --url http://127.0.0.1:1/ --timeout 1

# --- golden cases ---
EBM_KERNELS='' expect 0 check "$golden/tiny-gray28"
EBM_KERNELS=none expect 64 check "$golden/tiny-gray28"
says err "EBM_KERNELS"
expect 0 check --kernels ref "$golden/tiny-gray28"
says out "^grad.all .* ok$"
expect 0 check --kernels ref --json "$golden/silu-gray28"
says out '"ok": true'
cp -r "$golden/tiny-gray28" "$work/wrong"
chmod -R u+w "$work/wrong"
sed -i 's/"leaky_slope": 0.2/"leaky_slope": 0.3/' "$work/wrong/config.json"
expect 1 check --kernels ref "$work/wrong"
says out "^f .* FAIL$"
says out "^schedule.a .* ok$"
expect 0 bench --model "$golden/tiny-gray28" --batch 2 --threads 2 --seconds 0.05 --kernels ref --json
says out '"gradient_ms_per_image":'

# --- points of the plane: trained, measured, drawn ---
expect 66 train --data toy:chess --out "$work/points"
says err "checkerboard, rings"
expect 0 train --data toy:rings --out "$work/points" --schedule geometric --levels 3 --langevin-steps 2 --ch 4 \
    --ch-mult 1 --blocks 1 --activation silu --objective hybrid --warm-start 2 --iterations 4 --batch 4
expect 0 eval2d "$work/points" --toy rings --grid 32 --png "$work/rings.png" --json
says out '"kl":'
[ -s "$work/rings.png" ] || { echo "eval2d drew nothing"; failed=1; }
expect 66 eval2d "$work/points" --toy chess
while read -r flag value; do # what points have no use for; --strict is alone
    # shellcheck disable=SC2086  # no value is no word
    expect 64 train --data toy:rings --out "$work/no-points" --ch 4 --iterations 1 "$flag" $value
    says err "$flag: is for images"
done <<END
--architecture drl-unet
--data-format auto
--image-size 16
--channels rgb
--crop center
--strict
--cache-mib 1
END
while read -r flag value; do # how persistent chains move, where there are none
    expect 64 train --data toy:rings --out "$work/no-points" --ch 4 --iterations 1 "$flag" "$value"
    says err "$flag: there are no --persistent-chains"
done <<END
--persistent-visits 2
--persistent-moves 2
--persistent-leapfrog 2
--persistent-weight 2
END
expect 64 train --data toy:rings --out "$work/no-points" --ch 4 --iterations 1 --persistent-chains 4 --schedule linear
says err "persistent-chains: levels with normal transitions"
printf '{"data": "toy:rings", "image-size": 16}' >"$work/run.json"
expect 64 train --out "$work/no-points" --ch 4 --iterations 1 --config "$work/run.json"
says err "--image-size: is for images"
[ ! -e "$work/no-points" ] || { echo "a refused run made its directory"; failed=1; }
# a run goes on with the words it was started with, by whatever build
points="--data toy:rings --out $work/points --schedule geometric --levels 3 --langevin-steps 2 --ch 4 --ch-mult 1 --blocks 1
    --activation silu --objective hybrid --warm-start 2 --batch 4 --resume"
# shellcheck disable=SC2086  # words
{
    expect 0 train $points --iterations 5 --architecture drl-resnet
    expect 64 train $points --iterations 6 --image-size 16
}
says err "image_size is 16, was 0"
expect 0 sample --models "$work" --model points --n 2 --seed 1 --out "$work/two-points"
# coordinates in an array: the second is no transparency; energies are those of the samples' files
npy() { # npy SHAPE : an array's head, 128 bytes of it
    printf '\223NUMPY\001\000\166\000%-117s\n' "{'descr': '|u1', 'fortran_order': False, 'shape': ($1), }"
}
{ npy 2,1,1,2; printf '\144\310\062\226'; } >"$work/points.npy"
expect 0 energy --models "$work" --model points --images "$work/points.npy"
says out '"index":1'
{ npy 2,1,1,1; printf '\144\310'; } >"$work/points.npy"
expect 65 energy --models "$work" --model points --images "$work/points.npy"
says err "images are not converted to 2 channels"

# --- measuring networks that are nowhere on disk, and requests line by line ---
small=ch=4,mult=1:2,blocks=1,size=8
expect 64 bench --network $small --model "$golden/tiny-gray28"
expect 64 bench --network ch=four
says err "--network"
expect 64 bench --network $small --layers --train
expect 0 bench --network $small --seconds 0.01 --batch 2 --layers --json
says out '"backward_weights_gflops":'
expect 0 bench --network $small --seconds 0.01 --batch 2 --threads 2 --train --steps 2 --json
says out '"train_ms_per_iteration":'
expect 0 bench --network $small --seconds 0.01 --batch 2 --sample --levels 3 --steps 2
says out "3 levels, 6 steps together"
cat >"$work/requests" <<END
run gradient network=$small batch=1 threads=2 seconds=0.01 kernels=ref
run network=$small no-such-word
walk
run network=$small worker
run layers network=$small seconds=0.01
END
expect 0 bench --worker <"$work/requests"
says out '^READY$'
says out '"kernels":"ref".*"threads":2,.*"gradient_ms_per_image":'
says out '^{"error":"--no-such-word'
says out '^{"error":"request: '
says out '"layers":\[{'
[ "$(wc -l <"$work/out")" -eq 6 ] || { echo "not one line per request"; failed=1; }
head -c 3000 /dev/zero | tr '\0' x >"$work/requests"
expect 65 bench --worker <"$work/requests"
expect 0 inspect "$golden/tiny-gray28"
says out "parameters    13776"

# --- from data to a sample ---
# 20 images of 28 x 28: header, then bytes that repeat
mkdir "$work/data"
{
    printf '\000\000\010\003\000\000\000\024\000\000\000\034\000\000\000\034'
    yes 'abcdefghijklmnop~!' | tr -d '\n' | head -c 15680
} >"$work/data/train-images-idx3-ubyte"
small="--ch 4 --ch-mult 1 --blocks 1 --levels 2 --langevin-steps 2 --batch 4 --kernels ref"
# shellcheck disable=SC2086  # the words of $small are to be split
train() {
    want=$1
    shift
    expect "$want" train --data "$work/data" --out "$work/demo" $small "$@"
}
expect 64 train --data "$work/data" --out "$work/demo" --batch 21
says err "--batch"
train 0 --iterations 3 --checkpoint-every 2
train 64 --iterations 5
says err "--resume"
train 0 --iterations 5 --checkpoint-every 2 --resume
says err "resuming at iteration 3"
grep -q '5 iterations. The run is complete' "$work/demo/report.html" || { echo "no report"; failed=1; }
grep -q '</html>' "$work/demo/report.html" || { echo "no whole report"; failed=1; }
train 64 --iterations 6 --resume --held-out 4
says err "data_images is 16, was 20"
mkdir "$work/others" # as many of the same size
tr a b <"$work/data/train-images-idx3-ubyte" >"$work/others/train-images-idx3-ubyte"
# shellcheck disable=SC2086
expect 64 train --data "$work/others" --out "$work/demo" $small --iterations 6 --resume
says err "data_sha256 is"
train 65 --iterations 6 --resume --held-out 19
says err "held_out: 19 of 20 images"
expect 64 train --data toy:rings --out "$work/points" --held-out 4
says err "--held-out"
train 64 --iterations 6 --resume --lr 0.5 --channels gray
says err "data_channels is 1, was 0; lr is 0.5, was "
printf '{"iterations": 9, "lr": 0.0001, "checkpoint-every": 2, "batch": 3}' >"$work/run.json"
train 0 --iterations 5 --resume --config "$work/run.json" # the flags win
[ "$(wc -l <"$work/demo/metrics.jsonl")" -eq 5 ] || { echo "metrics.jsonl is not 5 lines"; failed=1; }
# --- a path may hold any bytes: none of them ends a run without a model ---
odd=$(printf '%s/d\377\nx' "$work")
cp -r "$work/data" "$odd"
# shellcheck disable=SC2086
expect 0 train --data "$odd" --out "$work/odd" $small --iterations 1
expect 0 inspect "$work/odd"
grep -q '/d\\\\xff\\\\x0ax --out' "$work/odd/model.json" || { echo "the command is not recorded"; failed=1; }
# --- attention: only at a height that the network has, saved with the model ---
attend() {
    want=$1
    shift
    # shellcheck disable=SC2086
    expect "$want" train --data "$work/data" --out "$work/attentive" $small --iterations 2 "$@"
}
attend 65 --attention 14
says err "/network/attention: no maps of the network are 14 pixels high"
attend 64 --attention -1
says err "--attention"
attend 0 --attention 28 --objective hybrid --warm-start 1
attend 64 --attention 0 --objective hybrid --warm-start 1 --resume
says err "attention is absent, was 28"
# shellcheck disable=SC2086
expect 65 train --data "$work/data" --out "$work/plain" $small --iterations 2 --init-from "$work/attentive"
says err "another network"
expect 0 inspect "$work/attentive"
says out "1 blocks, leaky_relu, attention at 28 pixels"
expect 0 inspect --json "$work/attentive"
says out '"attention": 28'
expect 0 sample --models "$work" --model attentive --n 1 --seed 1 --out "$work/attended"
# --- a classifier that meets no test labels: its accuracy is unknown, and no number ---
mkdir "$work/untried"
cp "$work/data/train-images-idx3-ubyte" "$work/untried/train-images-idx3-ubyte"
cp "$work/data/train-images-idx3-ubyte" "$work/untried/t10k-images-idx3-ubyte"
{
    printf '\000\000\010\001\000\000\000\024'
    printf '\000\001\002\003\004\005\006\007\010\011\000\001\002\003\004\005\006\007\010\011'
} >"$work/untried/train-labels-idx1-ubyte"
expect 0 train-classifier --data "$work/untried" --out "$work/u" --epochs 1 --batch 16 --threads 1
says out " - (test), weights"
expect 0 eval --model "$work/demo" --n 8 --kernels ref --distance-only --data "$work/untried" --classifier "$work/u"
says out "of unknown test accuracy"
# --- from a model to a report: labels 0..9, the training images are the test images ---
for part in train t10k; do
    [ "$part" = train ] || cp "$work/data/train-images-idx3-ubyte" "$work/data/$part-images-idx3-ubyte"
    {
        printf '\000\000\010\001\000\000\000\024'
        printf '\000\001\002\003\004\005\006\007\010\011\000\001\002\003\004\005\006\007\010\011'
    } >"$work/data/$part-labels-idx1-ubyte"
done
expect 0 train-classifier --data "$work/data" --out "$work/c" --epochs 2 --batch 16 --threads 1
says out "10 classes"
evaluate() {
    want=$1
    shift
    expect "$want" eval --data "$work/data" --classifier "$work/c" --kernels ref "$@"
}
evaluate 64
says err "--model"
evaluate 64 --model "$work/demo" --n 9 --samples x
evaluate 66 --samples "$work/nothing"
evaluate 0 --model "$work/demo" --n 9 --distance-only --save-samples "$work/d.npy" --threads 1
cp "$work/out" "$work/nine"
evaluate 0 --samples "$work/d.npy" --distance-only
cmp -s "$work/out" "$work/nine" || { echo "saved samples give other numbers"; failed=1; }
evaluate 0 --model "$work/demo" --n 12 --save-samples "$work/d.npy" --json "$work/r.json" --html "$work/r.html"
says err "going on after 9"
says out "^Gaussian fit"
grep -q '"floors"' "$work/r.json" || { echo "no floors in the report"; failed=1; }
grep -q '</html>' "$work/r.html" || { echo "no whole page"; failed=1; }
cp "$work/out" "$work/measured"
evaluate 0 --samples "$work/d.npy" --json "$work/r.json"
cmp -s "$work/out" "$work/measured" || { echo "kept floors give other numbers"; failed=1; }
grep -q '"floors_kept": true' "$work/r.json" || { echo "floors are measured again"; failed=1; }
evaluate 0 --samples "$work/d.npy" --fresh-floors --json "$work/r.json"
grep -q '"floors_kept": false' "$work/r.json" || { echo "floors are not measured again"; failed=1; }
echo '[' >"$work/c/floors.json"
evaluate 0 --samples "$work/d.npy"
says err "floors.json: .*ignored"
cmp -s "$work/out" "$work/measured" || { echo "floors measured again differ"; failed=1; }
evaluate 0 --model "$work/demo" --n 12 --distance-only --save-samples "$work/e.npy"
cmp -s "$work/d.npy" "$work/e.npy" || { echo "a continued drawing gives other images"; failed=1; }
evaluate 64 --model "$work/demo" --n 12 --seed 2 --save-samples "$work/d.npy"
says err "other settings"
mkdir "$work/paired"
cp "$work/demo"/model.* "$work/paired"
sed -i 's/"sampling": {/"sampling": {"paired_noise": true,/' "$work/paired/model.json"
evaluate 64 --model "$work/paired" --n 12 --save-samples "$work/d.npy"
says err "other settings"
evaluate 0 --model "$work/demo" --n 9 --distance-only --likelihood 2 --ais-particles 2 --ais-temperatures 2 \
    --json "$work/l.json"
says out "bits per dimension, recovery bound"
grep -q '"ladder_high"' "$work/l.json" || { echo "no likelihood in the report"; failed=1; }
evaluate 64 --samples "$work/d.npy" --likelihood 2
says err "--likelihood"
# --- sets may be sorted: what is measured of them comes from all over ---
# idx N : N images of 28 x 28, at most 255 and from stdin, as an IDX file
idx() {
    count=$(printf '\\%03o' "$1")
    # shellcheck disable=SC2059  # an octal escape
    printf "\000\000\010\003\000\000\000$count\000\000\000\034\000\000\000\034"
    head -c $(($1 * 784))
}
# images K... : those of the test part
images() {
    for k in "$@"; do
        tail -c +$((17 + k * 784)) "$work/data/t10k-images-idx3-ubyte" | head -c 784
    done
}
for set in many halves mixture four; do
    mkdir "$work/$set"
done
yes 'an image like any other: 0123456789' | tr -d '\n' | idx 104 >"$work/many/train-images-idx3-ubyte"
# --- energies of the part that is asked for: black training images, white test images ---
mkdir "$work/parts" "$work/white"
head -c 1568 /dev/zero | idx 2 >"$work/parts/train-images-idx3-ubyte"
head -c 1568 /dev/zero | tr '\000' '\377' | idx 2 >"$work/parts/t10k-images-idx3-ubyte"
cp "$work/parts/t10k-images-idx3-ubyte" "$work/white/train-images-idx3-ubyte"
energies() {
    expect 0 energy --models "$work" --model demo --seed 1 --draws 1 --kernels ref "$@"
    grep '"index"' "$work/out"
}
energies --images "$work/white" >"$work/of_white"
energies --images "$work/parts" >"$work/of_train"
says out '"seed":1,"part":"train",'
energies --images "$work/parts" --part test | cmp -s - "$work/of_white" ||
    { echo "the test part has another energy than its picture"; failed=1; }
cmp -s "$work/of_train" "$work/of_white" && { echo "both parts have one energy"; failed=1; }
expect 0 likelihood --models "$work" --model demo --images "$work/parts" --part test --limit 1 --seed 1 --kernels ref \
    --particles 2 --temperatures 2 --warmup 2 --paths 2
says out '"part":"test"'
expect 64 energy --models "$work" --model demo --images "$work/d.npy" --part test
says err "--part"
expect 66 energy --models "$work" --model demo --images "$work/white" --part test
says err "t10k-images-idx3-ubyte"
expect 0 energy --models "$work" --model demo --calibrate "$work/many" --draws 1 --seed 1 --kernels ref
says out '"part":"train"'
{ images 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 && head -c 15680 /dev/zero; } |
    idx 40 >"$work/halves/train-images-idx3-ubyte"
{ images 0 2 4 6 8 10 12 14 16 18 && head -c 7840 /dev/zero; } | idx 20 >"$work/mixture/train-images-idx3-ubyte"
evaluate 0 --model "$work/demo" --n 20 --distance-only --ood "$work/halves"
cp "$work/out" "$work/of_halves"
evaluate 0 --model "$work/demo" --n 20 --distance-only --ood "$work/mixture"
cmp -s "$work/out" "$work/of_halves" || { echo "foreign images are not from all over their set"; failed=1; }
images 0 0 5 5 10 10 15 15 | idx 8 >"$work/four/train-images-idx3-ubyte"
likelihood() {
    evaluate 0 --model "$work/demo" --n 8 --distance-only --likelihood 4 --ais-particles 2 --ais-temperatures 2 "$@"
    grep 'bits per dimension' "$work/out"
}
likelihood >"$work/of_all"
likelihood --test-data "$work/four" | cmp -s - "$work/of_all" ||
    { echo "bits per dimension are not of images from all over the test part"; failed=1; }

evaluate 0 --model "$work/demo" --n 9 --distance-only --long-chains 8 --long-steps 3 --long-burn-in 2 \
    --long-sampler hmc --long-leapfrog 3 --json "$work/h.json" --html "$work/h.html"
says out "^as drawn"
says out "8 by hmc, gradients a step: 3"
grep -q '"inside_band"' "$work/h.json" || { echo "no long chains in the report"; failed=1; }
grep -q '<h2>Long chains' "$work/h.html" || { echo "no long chains on the page"; failed=1; }
evaluate 0 --model "$work/demo" --n 9 --distance-only --long-chains 8 --long-steps 3 --long-burn-in 2 \
    --long-checkpoint "$work/long"
cp "$work/out" "$work/first"
evaluate 0 --model "$work/demo" --n 9 --distance-only --long-chains 8 --long-steps 3 --long-burn-in 2 \
    --long-checkpoint "$work/long"
cmp -s "$work/out" "$work/first" || { echo "kept long chains say something else"; failed=1; }
evaluate 0 --model "$work/demo" --n 8 --first-index 4 --distance-only --long-chains 8 --long-steps 3 --long-burn-in 2 \
    --save-samples "$work/eight.npy" --long-images "$work/marks/here"
cmp -s "$work/marks/here/drawn.npy" "$work/eight.npy" || { echo "chains do not begin at the samples"; failed=1; }
test "$(ls "$work/marks/here")" = "$(printf 'drawn.npy\nsteps-0.npy\nsteps-3.npy')" ||
    { echo "other files than one for each mark"; failed=1; }
evaluate 74 --model "$work/demo" --n 8 --distance-only --long-chains 8 --long-images "$work/eight.npy"
says err "eight.npy"
evaluate 64 --model "$work/demo" --n 9 --distance-only --long-chains 8 --long-steps 4 --long-burn-in 2 \
    --long-checkpoint "$work/long"
says err "other data or settings"
evaluate 64 --model "$work/demo" --long-chains 7
evaluate 64 --model "$work/demo" --long-chains 8 --long-sampler nuts
says err "--long-sampler"
evaluate 64 --samples "$work/d.npy" --long-chains 8

# --- a flag without what it is about is refused, and named ---
# idle TEXT WORDS... : with each FLAG VALUE of stdin behind the words
idle() {
    text=$1
    shift
    while read -r flag value; do
        evaluate 64 "$@" "$flag" "$value"
        says err "$flag: $text"
    done
}
idle "nothing is drawn with --samples" --samples "$work/d.npy" <<END
--n 9
--first-index 1
--steps-per-level 2
--noise-scale 1
--begin model
--save-samples $work/none
END
idle "there are no --long-chains" --model "$work/demo" --n 8 --distance-only <<END
--long-steps 10000
--long-sampler mala
--long-burn-in 1000
--long-checkpoint $work/none
--long-images $work/none
END
idle "no --long-chains move by hmc" --model "$work/demo" --n 8 --distance-only --long-chains 8 <<END
--long-leapfrog 4
END
idle "there is no --likelihood" --model "$work/demo" --n 8 --distance-only <<END
--ais-particles 16
--ais-temperatures 100
END
idle "there is no --inception" --model "$work/demo" --n 8 --distance-only <<END
--inception-input bilinear
END
[ ! -e "$work/none" ] || { echo "a refused command made a file"; failed=1; }

# Inception alone, and what it refuses
fixtures=$golden/../fixtures
inception() {
    want=$1
    shift
    expect "$want" eval --data "$work/data" --samples "$work/d.npy" --distance-only "$@"
}
inception 64
says err "--inception"
inception 0 --inception "$fixtures/inception/fid.safetensors" --json "$work/i.json"
says out "graph fid, input bilinear"
grep -q '"inception": {' "$work/i.json" || { echo "no Inception in the report"; failed=1; }
inception 0 --inception "$fixtures/inception/torchvision.safetensors" --inception-input tf1
says out "graph torchvision, input tf1"
inception 64 --inception "$fixtures/inception/fid.safetensors" --inception-input cubic
says err "--inception-input"
inception 65 --inception "$work/d.npy"

# --- the same in colour: two images of each class in each part; and with no ruler at all ---
mkdir "$work/cifar" "$work/photos"
for part in data_batch_1 test_batch; do
    for label in 000 001 002 003 004 005 006 007 010 011 000 001 002 003 004 005 006 007 010 011; do
        # shellcheck disable=SC2059  # an octal escape
        printf "\\$label"
        yes "$part$label~" | tr -d '\n' | head -c 3072
    done >"$work/cifar/$part.bin"
done
expect 0 train-classifier --data "$work/cifar" --out "$work/cc" --epochs 1 --batch 16 --threads 1
says out "10 classes"
expect 64 train-classifier --data "$work/photos" --out "$work/cc"
says err "(images) have no labels"
# shellcheck disable=SC2086  # the words of $small are to be split
expect 0 train --data "$work/cifar" --out "$work/colour" $small --iterations 1
colour() {
    want=$1
    shift
    expect "$want" eval --data "$work/cifar" --kernels ref "$@"
}
colour 0 --model "$work/colour" --n 9 --classifier "$work/cc" --save-samples "$work/colour.npy" --json "$work/r.json"
says out "^Gaussian fit"
colour 0 --samples "$work/colour.npy" --classifier "$work/cc" --json "$work/own.json"
colour 0 --samples "$work/colour.npy" --classifier "$work/cc" --test-data "$work/cifar" --json "$work/given.json"
cmp -s "$work/own.json" "$work/given.json" || { echo "--test-data gives another report"; failed=1; }
colour 0 --samples "$work/colour.npy" --json "$work/r.json" --html "$work/r.html"
says out "no ruler was given"
says out "nearest training image, pixels"
grep -q '"rulers": \[\]' "$work/r.json" || { echo "rulers from nowhere"; failed=1; }
grep -q '"test_is_train": false' "$work/r.json" || { echo "the test images are taken for others"; failed=1; }
colour 0 --samples "$work/colour.npy" --held-out 9
says out "no ruler was given.*; 9 test images"
colour 0 --samples "$work/colour.npy" --held-out 9 --classifier "$work/cc"
says err "it may have seen the test images"
colour 0 --model "$work/colour" --n 9 --distance-only --likelihood 2 --ais-particles 2 --ais-temperatures 2 \
    --long-chains 8 --long-steps 3 --long-burn-in 2 --json "$work/r.json"
says out "distances by no ruler"
says out "bits per dimension"
grep -q '"ruler": null' "$work/r.json" || { echo "long chains with a ruler from nowhere"; failed=1; }
colour 64 --model "$work/colour" --n 9 --distance-only
says err "--distance-only"
colour 65 --samples "$work/d.npy"
says err "samples: 28x28x1, but 32x32x3"
colour 65 --samples "$work/colour.npy" --classifier "$work/c"
says err "made for 28x28x1, the images are 32x32x3"
colour 65 --model "$work/colour" --n 9 --channels gray
says err "32x32x3, but 32x32x1"
colour 65 --samples "$work/colour.npy" --cache-mib 0
says err "MiB"
rm "$work/cifar/test_batch.bin"
colour 66 --samples "$work/colour.npy"
says err "--held-out N"
colour 0 --samples "$work/colour.npy" --classifier "$work/cc" --test-data "$work/cifar"
says out "the test images are the training images"
says out "^training images  *[0-9]*  *-"
colour 64 --samples "$work/colour.npy" --test-data "$work/cifar" --held-out 9
says err "--held-out"

printf 'x' >>"$work/data/train-images-idx3-ubyte"
train 65 --iterations 6 --resume
says err "train-images-idx3-ubyte"

expect 0 inspect --json "$work/demo"
says out '"id": "demo"'
expect 0 sample --models "$work" --model demo --n 3 --seed 5 --out "$work/s" --kernels ref --threads 2 --grid "$work/g.png"
tail -n 1 "$work/out" >"$work/third"
expect 0 sample --models "$work" --model demo --n 1 --first-index 2 --seed 5 --out "$work/alone" --kernels ref
cmp -s "$work/out" "$work/third" || { echo "image 2 of three differs from image 2 alone"; failed=1; }
cmp -s "$work/s/000002.png" "$work/alone/000002.png" || { echo "their PNGs differ"; failed=1; }
[ -s "$work/g.png" ] || { echo "no grid"; failed=1; }
expect 74 sample --models "$work" --model demo --n 1 --seed 5 --out "$work/g.png/x" --kernels ref

# --- a closed stderr must not become a checkpoint's file descriptor ---
"$ebm" inspect "$work/demo" >/dev/null 2>&- <&- || { echo "closed streams: status $?"; failed=1; }

[ "$failed" -eq 0 ] && echo "test_cli: ok"
exit "$failed"
