#!/bin/sh
# The command asks a daemon: the same lines and files as without one; jobs listed, shown, waited for,
# cancelled; keys; refusals with their reasons. Usage: test_cli_remote.sh EBM EBMD MAKE_TINY_MODEL
set -eu

ebm=$1 ebmd=$2
work=$(mktemp -d)
pid=
finish() {
    [ -z "$pid" ] || kill "$pid" 2>/dev/null || true
    wait
    rm -rf "$work"
}
trap finish EXIT
fail() {
    echo "$*"
    exit 1
}
expect() { # expect STATUS TEXT COMMAND...: exit status, and words on stderr or stdout
    want=$1 text=$2
    shift 2
    got=0
    "$@" >"$work/said" 2>&1 || got=$?
    [ "$got" -eq "$want" ] && grep -q -- "$text" "$work/said" ||
        fail "$*: exit $got, not $want with '$text': $(cat "$work/said")"
}

mkdir "$work/models"
"$3" "$work/models" tiny 3 4
"$ebmd" --make-key me >"$work/made"
sed -n 's/^line: //p' "$work/made" >"$work/keys"
sed -n 's/^key:  //p' "$work/made" >"$work/key"
chmod 600 "$work/keys"

# a port that is free, or another one
for try in 1 2 3 4 5 6 7 8; do
    port=$((20000 + ($$ * 7 + try * 1013) % 20000))
    "$ebmd" --listen "127.0.0.1:$port" --admin-listen none --models "$work/models" \
        --store memory --api-keys "$work/keys" 2>"$work/log" &
    pid=$!
    url=http://127.0.0.1:$port
    while kill -0 "$pid" 2>/dev/null && ! "$ebm" probe --url "$url/readyz" 2>/dev/null; do
        sleep 0.05
    done
    kill -0 "$pid" 2>/dev/null && break
    pid=
done
[ -n "$pid" ] || fail "no daemon: $(cat "$work/log")"
export EBM_API_KEY="$(cat "$work/key")"

# 70 images are two requests; the daemon's are those of the command, receipts and all
"$ebm" sample --models "$work/models" --model tiny --n 70 --seed 7 --first-index 5 \
    --noise-scale 0.5 --out "$work/here" >"$work/here.jsonl"
"$ebm" sample --server "$url/" --n 70 --seed 7 --first-index 5 --noise-scale 0.5 \
    --out "$work/there" >"$work/there.jsonl"
cmp "$work/here.jsonl" "$work/there.jsonl"
diff -r "$work/here" "$work/there"
[ "$(ls "$work/there" | wc -l)" -eq 70 ] || fail "not 70 images"

# jobs by hand
curl=$(command -v curl || true)
if [ -n "$curl" ]; then
    job=$(curl -s "$url/sample" -H "Authorization: Bearer $EBM_API_KEY" -H 'Prefer: respond-async' \
        -H 'Content-Type: application/json' -d '{"n":2,"seed":7,"first_index":5,"noise_scale":0.5}' |
        sed 's/.*"id":"\(job_[0-9A-Z]*\)".*/\1/')
    "$ebm" jobs wait "$job" --server "$url" --out "$work/waited" >"$work/waited.jsonl"
    head -n 2 "$work/here.jsonl" | cmp - "$work/waited.jsonl"
    cmp "$work/here/000006.png" "$work/waited/000006.png"
    expect 0 '"status": "succeeded"' "$ebm" jobs show "$job" --server "$url"
    expect 0 '"status": "succeeded"' "$ebm" jobs cancel "$job" --server "$url"
    # what has no images is printed; addresses are no images
    told=$("$ebm" sample --server "$url" --n 1 --seed 7 --out "$work/asked") || fail "no picture: $told"
    told=$("$ebm" energy --server "$url" --images "$work/asked/000000.png" --seed 7) || fail "no energy: $told"
    scored=$(echo "$told" | sed 's/.*"id": *"\(job_[0-9A-Z]*\)".*/\1/')
    "$ebm" jobs wait "$scored" --server "$url" >"$work/scored" || fail "no job: $scored"
    [ "$told" = "$(cat "$work/scored")" ] || fail "jobs wait tells another energy: $(cat "$work/scored")"
    address=$(curl -s "$url/sample" -H "Authorization: Bearer $EBM_API_KEY" -H 'Prefer: respond-async' \
        -H 'Content-Type: application/json' -d '{"n":1,"seed":7,"response_format":"url"}' |
        sed 's/.*"id":"\(job_[0-9A-Z]*\)".*/\1/')
    expect 69 "as addresses: .*/images/0.png" "$ebm" jobs wait "$address" --server "$url" --out "$work/nowhere"
    long=$(curl -s "$url/sample" -H "Authorization: Bearer $EBM_API_KEY" \
        -H 'Prefer: respond-async' -H 'Content-Type: application/json' \
        -d '{"n":64,"steps_per_level":2000}' | sed 's/.*"id":"\(job_[0-9A-Z]*\)".*/\1/')
    "$ebm" jobs cancel "$long" --server "$url" >/dev/null
    expect 69 canceled "$ebm" jobs wait "$long" --server "$url"
fi
expect 0 "^job_.* sample  *succeeded " "$ebm" jobs list --server "$url" --status succeeded \
    --kind sample --limit 3
expect 0 '"has_more"' "$ebm" jobs list --server "$url" --json
expect 64 "--status" "$ebm" jobs list --server "$url" --status 'a&b'
expect 65 "status" "$ebm" jobs list --server "$url" --status nope
expect 66 job_not_found "$ebm" jobs show job_none --server "$url"
expect 64 "JOB" "$ebm" jobs show ../x --server "$url"

# an interrupt cancels what the command has asked for
"$ebm" sample --server "$url" --n 64 --steps-per-level 2000 --out "$work/cut" 2>"$work/cut.err" &
asker=$!
sleep 0.2
while kill -INT "$asker" 2>/dev/null; do sleep 0.1; done
wait "$asker" && fail "an interrupted command says that all is well"
grep -q "interrupted; the job is canceled" "$work/cut.err" || fail "$(cat "$work/cut.err")"

# refusals
expect 65 "invalid_params: /model must" "$ebm" sample --server "$url" --model 'A!' --out "$work/o"
expect 66 model_not_found "$ebm" sample --server "$url" --model nope --out "$work/o"
expect 64 "is not for --server" "$ebm" sample --server "$url" --kernels ref --out "$work/o"
expect 64 "is required" "$ebm" sample --out "$work/o"
expect 64 "URL" "$ebm" sample --server ftp://x --out "$work/o"
expect 69 127.0.0.1:1 "$ebm" sample --server http://127.0.0.1:1 --out "$work/o"
expect 0 seed env -u EBM_API_KEY "$ebm" sample --server "$url" --api-key-file "$work/key" \
    --out "$work/o"
expect 69 "401 unauthorized" env -u EBM_API_KEY "$ebm" sample --server "$url" --out "$work/o"
expect 69 "401 unauthorized" env EBM_API_KEY=wrong "$ebm" sample --server "$url" --out "$work/o"
expect 64 EBM_API_KEY env EBM_API_KEY="a
b" "$ebm" sample --server "$url" --out "$work/o"
expect 66 api-key-file "$ebm" sample --server "$url" --api-key-file "$work/none" --out "$work/o"
