#!/bin/sh
# Trains the model of this directory from nothing, in three runs: sh train.sh DIR [FLAG...]
# DIR gets the runs `first` and `second` and the model, `fashion-mnist`; further flags go to every
# `ebm train`. Given again after an interruption it goes on where it stopped. EBM is the command.
set -eu
recipe=$(dirname "$0")
out=${1:?usage: sh train.sh DIR [FLAG...]}
shift

# stage NAME [FLAG...]: one run, unless its model is there.
stage() {
    name=$1
    shift
    [ ! -e "$out/$name/model.safetensors" ] || return 0
    if ls "$out/$name"/checkpoint-*.safetensors >/dev/null 2>&1; then
        set -- "$@" --resume
    fi
    "${EBM:-ebm}" train --config "$recipe/$name.json" --out "$out/$name" "$@"
}

stage first "$@"
stage second --init-from "$out/first" "$@"
stage fashion-mnist --init-from "$out/second" "$@"
