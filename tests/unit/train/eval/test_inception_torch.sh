#!/bin/sh
# The Inception network at full width, layer by layer, against torchvision with random weights.
# Skipped (77) where no Python has torchvision: test_inception_torch.sh TEST-PROGRAM MAKE-REFERENCE
set -eu

python=
for candidate in python3 /usr/bin/python3; do
    if [ -z "$python" ] && "$candidate" -c 'import torchvision' 2>/dev/null; then
        python=$candidate
    fi
done
[ -n "$python" ] || { echo "skipped: no python3-torchvision"; exit 77; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" -W ignore "$2" "$work"
"$1" "$work"
