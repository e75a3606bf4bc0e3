#!/bin/sh
# Shows that tools/check_exports passes clean libraries and fails on each kind of planted violation.
# Usage: test_check_exports.sh PATH/TO/check_exports [COMPILER]
set -eu

check=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
compiler=${2:-cc}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
failures=0

# library ROOM CODE [OBJECT]: makes ROOM/libebmROOM.a of one object.
library() {
    mkdir -p "$1"
    rm -f "$1/libebm$1.a"
    printf '%s\n' "$2" >"$1/part.c"
    "$compiler" -std=c11 -O1 -fPIC -fvisibility=hidden -c "$1/part.c" -o "$1/${3:-part.c.o}"
    ar rcs "$1/libebm$1.a" "$1/${3:-part.c.o}"
}

show='__attribute__((visibility("default")))'
core="$show int ebm_one(void) { return 1; }
$show int ebm_two(void) { return 2; }
int ebm__inside(void) { return 3; }
static const int limit = 4;
const int *const ebm__limits[] = {&limit};"

plant_clean_libraries() {
    library core "$core"
    library models "int ebmm_one(void) { return 1; }"
    library api "int ebma_one(void) { return 1; }"
    library server "int ebmd_one(void) { return 1; }"
    library train "int ebmt__one(void) { return 1; }"
    printf '# exported\nebm_one\nebm_two\n' >symbols
}

# violation NAME PATTERN: after the caller's change the check must fail and say PATTERN.
violation() {
    if "$check" "$work" "$work/symbols" >"$work/out" 2>&1; then
        echo "not noticed: $1"
        failures=$((failures + 1))
    elif ! grep -q "$2" "$work/out"; then
        echo "wrong message: $1"
        cat "$work/out"
        failures=$((failures + 1))
    fi
    plant_clean_libraries
}

plant_clean_libraries
if ! "$check" "$work" "$work/symbols" >"$work/out" 2>&1; then
    echo "the clean libraries are refused:"
    cat "$work/out"
    failures=$((failures + 1))
fi

library core "$core int helper(void) { return 5; }"
violation "hidden function without prefix" 'helper does not begin with ebm_'
library models "int ebm_stray(void) { return 1; }"
violation "prefix of another room" 'ebm_stray does not begin with ebmm_'
library server "__attribute__((weak)) int stray(void) { return 1; }"
violation "weak function without prefix" 'stray does not begin with ebmd_'
library core "$core $show int ebm_three(void) { return 3; }"
violation "export that is not listed" 'ebm_three: exported, but not listed'
printf 'ebm_one\nebm_two\nebm_gone\n' >symbols
violation "listed name that is gone" 'ebm_gone: listed, but not exported'
library core "$core static int calls; int ebm__count(void) { return ++calls; }"
violation "static counter" 'writable global calls'
library core "$core int ebm__mode = 7;"
violation "initialised global" 'writable global ebm__mode'
library core "$core int ebm__f(void) { static int seen; return seen++; }"
violation "static inside a function" 'writable global seen'
library core "$core static _Thread_local int last; int ebm__g(int v) { int o = last; last = v; return o; }"
violation "thread-local state" 'writable global last'
library core "$core static int once; int ebm__h(void) { return once++; }"
violation "allowed name in another file" 'writable global once'
rm train/libebmtrain.a
violation "missing library" 'there is no .*libebmtrain.a'

# the one exception: the kernel table of conv_blas.c
rm -f core/part.c.o
library core "$core static int once; int ebm__h(void) { return once++; }" conv_blas.c.o
if ! "$check" "$work" "$work/symbols" >"$work/out" 2>&1; then
    echo "the allow-list is not honoured:"
    cat "$work/out"
    failures=$((failures + 1))
fi

[ "$failures" -eq 0 ] || exit 1
echo "check_exports notices every planted violation"
