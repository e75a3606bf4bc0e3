#!/bin/sh
# Compares this build with every golden case, on every kernel set that this CPU can run.
# Usage: test_golden.sh EBM DIR: the sub-directories of DIR, and of $EBM_GOLDEN_DIR, are cases.
set -u
ebm=$1
shift
cases=0
failed=0
for dir in "$1" ${EBM_GOLDEN_DIR:+"$EBM_GOLDEN_DIR"}; do
    for case in "$dir"/*/; do
        [ -f "$case/config.json" ] || continue
        for set in ref blas avx2 avx512 avx512bf16 amx; do
            out=$("$ebm" check "$case" --kernels "$set" 2>&1)
            status=$?
            if [ $status -eq 69 ]; then
                echo "skipped: this CPU cannot run $set"
                continue
            fi
            cases=$((cases + 1))
            if [ $status -eq 0 ]; then
                echo "ok: $case $set"
            else
                echo "FAIL: $case $set"
                echo "$out" | grep -v ' ok$'
                failed=$((failed + 1))
            fi
        done
    done
done
echo "$cases comparisons, $failed failed"
[ "$cases" -gt 0 ] && [ "$failed" -eq 0 ]
