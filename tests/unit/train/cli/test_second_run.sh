#!/bin/sh
# A second `ebm train` in the directory of a run that is at work: refused with status 75 and the id of
# the first one's process, whose files it leaves alone.
# usage: test_second_run.sh PATH_OF_EBM
set -u

ebm=${1:?path of ebm}
work=$(mktemp -d) || exit 1
first=
trap '[ -z "$first" ] || kill -9 "$first" 2>/dev/null; rm -rf "$work"' EXIT
failed=0
fail() {
    echo "$1"
    sed 's/^/    /' "$work/log"
    failed=1
}

. "$(dirname "$0")/../../../support/tiny_images.sh"
tiny_images "$work/data" 8
run=$work/run
small="--data $work/data --out $run --ch 4 --ch-mult 1 --blocks 1 --levels 2 --langevin-steps 2
    --batch 4 --kernels ref --threads 1 --checkpoint-every 2 --samples-every 0"

# far more iterations than anyone waits for; it is stopped below
# shellcheck disable=SC2086  # the words of $small are to be split
"$ebm" train $small --iterations 1000000 2>"$work/first" &
first=$!
tries=0
until ls "$run"/checkpoint-*.safetensors >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ "$tries" -lt 600 ] || { fail "no checkpoint in a minute"; exit 1; }
    sleep 0.1
done
printf 'being written' >"$run/.ebm-1-2-000000003-0.tmp"
lines=$(wc -l <"$run/metrics.jsonl")
# shellcheck disable=SC2086
"$ebm" train $small --iterations 1000000 --resume 2>"$work/log"
status=$?
[ "$status" -eq 75 ] || fail "a second run ends with status $status"
grep -q "process $first trains" "$work/log" || fail "it does not name process $first"
grep -q "ended with an error" "$run/report.html" && fail "it wrote into the first one's report"
[ -e "$run/.ebm-1-2-000000003-0.tmp" ] || fail "it swept the first one's files away"
[ "$(wc -l <"$run/metrics.jsonl")" -ge "$lines" ] || fail "it cut the first one's metrics"

kill -TERM "$first"
wait "$first"
status=$?
[ "$status" -eq 0 ] || fail "the first run ends with status $status"
last=$(wc -l <"$run/metrics.jsonl")
[ "$last" -eq "$(tail -n 1 "$run/metrics.jsonl" | sed 's/{"iteration":\([0-9]*\),.*/\1/')" ] ||
    fail "its metrics do not have every iteration"
# shellcheck disable=SC2086
"$ebm" train $small --iterations $((last + 2)) --resume 2>"$work/log" || fail "nobody trains, and still refused"
[ ! -e "$run/.ebm-1-2-000000003-0.tmp" ] || fail "what was left behind is not swept away"

[ "$failed" -eq 0 ] && echo "test_second_run: ok"
exit "$failed"
