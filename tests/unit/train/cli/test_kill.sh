#!/bin/sh
# A training run that is killed again and again, at moments nobody chose, and resumed each time ends
# with the weights, checkpoint and metrics of one that was left alone.
# usage: test_kill.sh PATH_OF_EBM
set -u

ebm=${1:?path of ebm}
kills=12
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failed=0
fail() {
    echo "$1"
    failed=1
}

. "$(dirname "$0")/../../../support/tiny_images.sh"
tiny_images "$work/data" 8

# Becomes the training run; to be called in a subshell, so that the shell's child is the run itself.
# A checkpoint every second iteration: many kills meet a file half written.
train() {
    set -- "$1" --data "$work/data" --iterations 160 --checkpoint-every 2 --samples-every 40 \
        --ch 4 --ch-mult 1,2 --blocks 1 --schedule geometric --levels 3 --langevin-steps 3 \
        --objective hybrid --warm-start 40 --batch 10 --clip 2 --flip \
        --persistent-chains 14 --persistent-moves 1 --persistent-leapfrog 2 --kernels ref --threads 2
    ls "$1"/checkpoint-*.safetensors >/dev/null 2>&1 && set -- "$@" --resume
    out=$1
    shift
    exec "$ebm" train --out "$out" "$@" 2>>"$work/log"
}

# same DIR: the run in DIR has ended like the whole one, and nothing lies about
same() {
    for file in checkpoint-160.safetensors model.safetensors samples-000000160.png; do
        cmp "$work/whole/$file" "$1/$file" || fail "$file differs"
    done
    for run in "$work/whole" "$1"; do
        sed 's/"seconds":[^,]*//' "$run/metrics.jsonl" >"$run.metrics"
    done
    cmp "$work/whole.metrics" "$1.metrics" || fail "metrics differ"
    grep -q '160 iterations. The run is complete' "$1/report.html" || fail "no whole report"
    ls "$1"/.ebm-* 2>/dev/null && fail "files half written are left behind"
}

(train "$work/whole") || { cat "$work/log"; exit 1; }

# The run is begun anew when it ends before it is killed often enough.
killed=0 runs=0
for delay in $(awk 'BEGIN { srand(3); for (i = 0; i < 100; i++) printf "%.3f\n", 0.02 + 0.25 * rand() }'); do
    [ "$killed" -lt "$kills" ] || break
    (train "$work/run$runs") &
    pid=$!
    sleep "$delay"
    kill -9 "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
    status=$?
    if [ "$status" -eq 137 ]; then
        killed=$((killed + 1))
    elif [ "$status" -eq 0 ]; then
        same "$work/run$runs"
        runs=$((runs + 1))
    else
        fail "a resumed run ends with status $status"
        break
    fi
done
[ "$killed" -eq "$kills" ] || fail "only $killed kills"
(train "$work/run$runs") || fail "the last run fails"
same "$work/run$runs"

[ "$failed" -eq 0 ] || cat "$work/log"
[ "$failed" -eq 0 ] && echo "test_kill: ok, $killed kills, $((runs + 1)) runs," \
    "$(grep -c 'resuming at' "$work/log") resumed," "$(grep -c "skipping damaged" "$work/log") files damaged"
exit "$failed"
