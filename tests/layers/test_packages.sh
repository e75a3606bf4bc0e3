#!/bin/sh
# The Dockerfile cannot read ./dev's package list, so this compares the two.
# Usage: test_packages.sh DEV DOCKERFILE
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# ./dev: packages_build='...', over several lines
sed -n "/^packages_build='/,/'\$/p" "$1" | sed "s/^packages_build=//; s/'//g" | tr -s ' ' '\n' |
    sed '/^$/d' | sort >"$work/dev"
# Dockerfile: the first install command, from --no-install-recommends to the next &&
sed -n '/--no-install-recommends/,/&&/p; /&& rm -rf/q' "$2" |
    sed 's/.*--no-install-recommends//; /&&/d; s/\\//' | tr -s ' ' '\n' |
    sed '/^$/d' | sort >"$work/dockerfile"

[ -s "$work/dev" ] || { echo "no packages found in $1"; exit 1; }
diff -u "$work/dev" "$work/dockerfile"
echo "$(wc -l <"$work/dev") packages in both"
