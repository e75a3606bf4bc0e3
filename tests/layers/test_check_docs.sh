#!/bin/sh
# Shows that tools/check_docs passes a true document and fails on each kind of planted lie.
# Usage: test_check_docs.sh PATH/TO/check_docs
set -eu

check=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

mkdir -p "$work/core/src" "$work/docs"
printf 'x\n' >"$work/core/src/here.c"

# says RESULT TEXT: a document with TEXT must make the check end with RESULT (0 or 1).
says() {
    printf '%s\n' "$2" >"$work/core/README.md"
    result=0
    "$check" "$work" >"$work/out" 2>&1 || result=1
    if [ "$result" -ne "$1" ]; then
        echo "expected $1: $2"
        cat "$work/out"
        failures=$((failures + 1))
    fi
}

says 0 'From the top `core/src/here.c`, from here `src/here.c`, a folder `core/src/`.'
says 0 'A route `/v1/sample`, a type `image/png`, [elsewhere](https://example.org/core/x.md).'
says 0 'A [link](README.md#part) and `build/release/bin/ebmd`.'
says 1 'Gone: `core/src/gone.c`.'
says 1 'True `core/src/here.c` and gone `src/gone.c` on one line.'
says 1 'A dead [link](../docs/gone.md).'
says 1 'A dead ![picture](docs/gone.png "title").'

[ "$failures" -eq 0 ] || exit 1
echo "check_docs notices every planted lie"
