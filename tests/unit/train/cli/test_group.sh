#!/bin/sh
# Training over several processes: the same bytes as one process, resumed in a group of another size,
# and a clear end of all when one cannot go on. Without Open MPI, that nobody trains twice.
# usage: test_group.sh PATH_OF_EBM ON|OFF (built with Open MPI); status 77: skipped
set -u

ebm=${1:?path of ebm}
mpi=${2:?ON or OFF}
work=$(mktemp -d) || exit 1
busy=
trap '[ -z "$busy" ] || kill -9 "$busy"; rm -rf "$work"' EXIT
failed=0
fail() {
    echo "$1"
    [ ! -s "$work/log" ] || sed 's/^/    /' "$work/log"
    failed=1
}

# 24 images of 8 x 8: header, then bytes that do not repeat from image to image
mkdir "$work/data"
{
    printf '\000\000\010\003\000\000\000\030\000\000\000\010\000\000\000\010'
    yes 'energy-based models, denoised, one step at a time ~!' | tr -d '\n' | head -c 1536
} >"$work/data/train-images-idx3-ubyte"
plain="--data $work/data --ch 4 --ch-mult 1,2 --blocks 1 --schedule geometric --levels 3
    --langevin-steps 3 --objective hybrid --warm-start 2 --batch 10 --shards 4 --kernels ref
    --threads 1"
small="$plain --validation-every 0 --clip 2 --flip --persistent-chains 14 --persistent-moves 1 --persistent-leapfrog 2"
points="--data toy:rings --ch 4 --ch-mult 1 --blocks 1 --activation silu --power-iterations 0
    --objective matching --batch 9 --shards 5 --kernels ref --threads 1"

if [ "$mpi" != ON ]; then
    # shellcheck disable=SC2086  # the words are to be split
    OMPI_COMM_WORLD_SIZE=2 "$ebm" train $small --out "$work/a" --iterations 1 2>"$work/log"
    [ $? -eq 69 ] || fail "a build without Open MPI trains under mpirun"
    grep -q "libopenmpi-dev" "$work/log" || fail "it does not say why"
    [ ! -e "$work/a" ] || fail "it has made its directory"
    [ "$failed" -eq 0 ] && echo "test_group: ok, without Open MPI"
    exit "$failed"
fi
command -v mpirun >/dev/null || { echo "test_group: there is no mpirun"; exit 77; }

# A machine under test may have one processor and one user. What each process says goes to a file of
# its own first: on the terminal mpirun mixes their lines.
group() {
    n=$1
    shift
    rm -rf "$work/ranks"
    timeout 60 mpirun --allow-run-as-root --oversubscribe --bind-to none \
        --output-filename "$work/ranks" -n "$n" "$@" </dev/null >"$work/mpirun.log" 2>&1
    group_status=$?
    find "$work/ranks" -type f -exec cat {} + >"$work/log"
    return "$group_status"
}
# same WHAT A B: checkpoint, model and metrics of two runs, but for times
same() {
    for file in checkpoint-8.safetensors model.safetensors; do
        cmp "$work/$2/$file" "$work/$3/$file" || fail "$1: $file of $2 and $3 differ"
    done
    for run in "$2" "$3"; do
        sed 's/"seconds":[^,]*//' "$work/$run/metrics.jsonl" >"$work/$run.metrics"
    done
    cmp "$work/$2.metrics" "$work/$3.metrics" || fail "$1: metrics of $2 and $3 differ"
}

# shellcheck disable=SC2086
{
    "$ebm" train $small --out "$work/one" --iterations 8 2>"$work/log" || fail "one process"
    group 2 "$ebm" train $small --out "$work/two" --iterations 8 || fail "two processes"
    [ "$(grep -c '^data:' "$work/log")" -eq 1 ] || fail "not one process talks"
    same images one two
    group 4 "$ebm" train $small --out "$work/four" --iterations 8 || fail "four processes"
    same images one four
    group 3 "$ebm" train $small --out "$work/three" --iterations 5 || fail "three processes"
    group 2 "$ebm" train $small --out "$work/three" --iterations 8 --resume || fail "resuming"
    same resumed one three

    # the leader alone knows from its checkpoint which weights the run began with
    group 2 "$ebm" train $small --out "$work/heir" --iterations 1 --init-from "$work/one" || fail "begun with weights"
    group 2 "$ebm" train $small --out "$work/heir" --iterations 2 --resume || fail "gone on without their name"
    grep -q "\"init_sha256\": \"$(sha256sum <"$work/one/model.safetensors" | cut -d ' ' -f 1)" "$work/heir/model.json" ||
        fail "their digest is lost"

    "$ebm" train $points --out "$work/alone" --iterations 8 2>"$work/log" || fail "points, one"
    group 2 "$ebm" train $points --out "$work/both" --iterations 8 || fail "points, two"
    same points alone both

    group 5 "$ebm" train $small --out "$work/many" --iterations 8 && fail "4 shards, 5 processes"
    grep -q "shards: 4 shards are too few" "$work/log" || fail "the shards are not named"
    group 1 "$ebm" train $small --out "$work/odd" --iterations 8 : \
        -n 1 "$ebm" train $small --out "$work/odd" --iterations 8 --lr 0.5 && fail "two rates"
    grep -q "differs from process 0: settings or data" "$work/log" || fail "the settings pass"
    # a seed that is drawn is drawn once; one that is given is that of nobody else
    group 2 "$ebm" train $small --out "$work/drawn" --iterations 1 --seed -1 || fail "a seed to be drawn"
    group 1 "$ebm" train $small --out "$work/odd" --iterations 8 --seed -1 : \
        -n 1 "$ebm" train $small --out "$work/odd" --iterations 8 --seed 5 && fail "one seed drawn, one given"
    grep -q "differs from process 0: settings or data" "$work/log" || fail "the seeds pass"
    # the leader alone meets what is wrong with the files; the other one must not wait for it
    group 2 "$ebm" train $small --out "$work/two" --iterations 9 && fail "no --resume"
    grep -q "give --resume" "$work/log" || fail "the checkpoint is not named"
    : >"$work/file"
    group 2 "$ebm" train $small --out "$work/file/x" --iterations 9 && fail "no directory"
    "$ebm" train $small --out "$work/busy" --iterations 1000000 2>/dev/null &
    busy=$!
    tries=0
    until [ -s "$work/busy/metrics.jsonl" ] || [ "$tries" -ge 600 ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
    group 2 "$ebm" train $small --out "$work/busy" --iterations 9
    [ $? -eq 75 ] || fail "two runs in one directory"
    grep -q "process $busy trains in this directory" "$work/log" || fail "it does not say who trains"
    kill -9 "$busy"
    wait "$busy" 2>/dev/null
    busy=
    # the leader alone looks at held-out images: it fails in the middle, with a checkpoint due
    cp "$work/data/train-images-idx3-ubyte" "$work/data/t10k-images-idx3-ubyte"
    (
        tries=0
        until [ -s "$work/cut/metrics.jsonl" ] || [ "$tries" -ge 600 ]; do
            tries=$((tries + 1))
            sleep 0.1
        done
        printf 'x' >"$work/data/t10k-images-idx3-ubyte"
    ) &
    cutter=$!
    group 2 "$ebm" train $plain --out "$work/cut" --iterations 1000000 --validation-every 1 \
        --checkpoint-every 1 --cache-mib 0
    status=$?
    [ "$status" -ne 0 ] && [ "$status" -ne 124 ] || fail "held-out images that vanish: $status"
    grep -q "t10k" "$work/log" || fail "the file is not named"
    wait "$cutter"
    rm "$work/data/t10k-images-idx3-ubyte"
    # all diverge; none leaves before the leader has saved the weights of before
    group 2 "$ebm" train $plain --out "$work/burnt" --iterations 300 --lr 0.5 --lr-warm-start 0.5 \
        --power-iterations 0 --checkpoint-every 1 && fail "no divergence"
    grep -q "kept the weights of iteration" "$work/log" || fail "no weights kept"
    "$ebm" inspect "$work/burnt" >"$work/log" 2>&1 || fail "no model after a divergence"
}
[ "$failed" -eq 0 ] && echo "test_group: ok"
exit "$failed"
