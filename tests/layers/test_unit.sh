#!/bin/sh
# The systemd unit, with the binary that was built, passes the manager's own check, and what it
# exposes stays below 2 of 10. Usage: test_unit.sh SYSTEMD_ANALYZE UNIT EBMD
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sed "s|/usr/bin/ebmd|\"$3\"|" "$2" >"$work/ebmd.service"
"$1" verify --man=no "$work/ebmd.service"
"$1" security --offline=yes --threshold=20 "$work/ebmd.service" >"$work/out" ||
    { cat "$work/out"; exit 1; }
tail -n 1 "$work/out"
