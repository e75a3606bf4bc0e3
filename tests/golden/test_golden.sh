#!/bin/sh
# Compares this build with every golden case, on every kernel set that this CPU can run.
# Usage: test_golden.sh EBM DIR [SET...]: the sub-directories of DIR, and of $EBM_GOLDEN_DIR, are
# cases. A set may be refused only where /proc/cpuinfo says that the CPU lacks it. Status 77: all were
# refused, nothing was compared.
set -u
ebm=$1
dir=$2
shift 2
[ $# -gt 0 ] || set -- ref blas avx2 avx512 avx512bf16 amx
cases=0
failed=0
refused=0

# has_cpu SET: the CPU has all flags that the set wants
has_cpu() {
    case $1 in
        avx2) flags='avx2 fma' ;;
        avx512) flags='avx512f avx512vl avx512bw avx512dq' ;;
        avx512bf16) flags='avx512f avx512vl avx512bw avx512dq avx512_bf16' ;;
        amx) flags='avx512f avx512vl avx512bw avx512dq avx512_bf16 amx_tile amx_bf16' ;;
        *) flags= ;; # ref and blas run anywhere
    esac
    for flag in $flags; do
        grep -m 1 '^flags' /proc/cpuinfo | grep -qw "$flag" || return 1
    done
}

compare() {
    out=$("$ebm" check "$1" --kernels "$2" 2>&1)
    status=$?
    if [ $status -eq 69 ] && ! has_cpu "$2"; then
        echo "skipped: this CPU cannot run $2"
        refused=$((refused + 1))
        return
    fi
    cases=$((cases + 1))
    if [ $status -eq 0 ]; then
        echo "ok: $1 $2"
        return
    fi
    echo "FAIL: $1 $2"
    [ $status -ne 69 ] || echo "refused, though /proc/cpuinfo has what it wants"
    echo "$out" | grep -v ' ok$'
    failed=$((failed + 1))
}

for cases_dir in "$dir" ${EBM_GOLDEN_DIR:+"$EBM_GOLDEN_DIR"}; do
    for case in "$cases_dir"/*/; do
        [ -f "$case/config.json" ] || continue
        for set in "$@"; do
            compare "$case" "$set"
        done
    done
done
echo "$cases comparisons, $failed failed"
[ "$cases" -gt 0 ] || [ "$refused" -eq 0 ] || exit 77
[ "$cases" -gt 0 ] && [ "$failed" -eq 0 ]
