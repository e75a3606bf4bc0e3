#!/bin/sh
# Trains the model of this directory from nothing, in eight runs: sh train.sh DIR [FLAG...]
# DIR gets the runs, named as their files here, and the model, `fashion-mnist`; further flags go to
# every `ebm train`. Given again after an interruption it goes on where it stopped. EBM is the command.
set -eu
recipe=$(dirname "$0")
out=${1:?usage: sh train.sh DIR [FLAG...]}
shift

# complete DIR: the model is that of the last iteration. One that was interrupted leaves a model too,
# whose manifest tells of fewer iterations than its configuration.
complete() {
    [ -e "$1/model.json" ] &&
        [ "$(grep -o '"iterations": *[0-9]*' "$1/model.json" | sort -u | wc -l)" -eq 1 ]
}

# stage NAME [FLAG...]: one run, from where it is.
stage() {
    name=$1
    shift
    ! complete "$out/$name" || return 0
    if ls "$out/$name"/checkpoint-*.safetensors >/dev/null 2>&1; then
        set -- "$@" --resume
    fi
    "${EBM:-ebm}" train --config "$recipe/$name.json" --out "$out/$name" "$@"
    complete "$out/$name" || { echo "$name was stopped; the same command goes on" >&2; exit 1; }
}

stage first "$@"
stage second --init-from "$out/first" "$@"
stage third --init-from "$out/second" "$@"
stage level-0-slopes --init-from "$out/third" "$@"
stage level-0 --init-from "$out/level-0-slopes" "$@"
stage levels-1-5 --init-from "$out/third" "$@"
stage levels-6-11 --init-from "$out/third" "$@"
stage levels-12-17 --init-from "$out/third" "$@"
[ -e "$out/fashion-mnist/model.json" ] ||
    "${EBM:-ebm}" join --from 1,6,12 --model-version 2 --out "$out/fashion-mnist" \
        --parts "$out/level-0,$out/levels-1-5,$out/levels-6-11,$out/levels-12-17"
