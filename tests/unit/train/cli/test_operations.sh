#!/bin/sh
# Runs the examples of docs/operations.md as they stand there, with fewer steps, on the shipped
# model; then what the document promises. usage: test_operations.sh PATH_OF_EBM TOP_OF_TREE
set -u

ebm=${1:?path of ebm}
top=${2:?top of the tree}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failed=0

# the calibration example writes beside the model
mkdir -p "$work/models" "$work/docs" "$work/bin"
cp -r "$top/models/fashion-mnist" "$work/models/"
cp -r "$top/docs/pictures" "$work/docs/"
chmod -R u+w "$work/models"
ln -s "$ebm" "$work/bin/ebm"
PATH=$work/bin:$PATH
cd "$work" || exit 1

complain() {
    echo "$*"
    sed 's/^/    /' err
    failed=1
}

# fewer FILE : the commands of a document that need no daemon, with small numbers in place of its own
fewer() {
    sed -n 's/^    \(ebm .*\)$/\1/p' "$1" | grep -v -e --server | sed \
        -e '/--steps-per-level/!s/^\(ebm \(sample\|inpaint\|interpolate\) .*\)$/\1 --steps-per-level 1/' \
        -e 's/--steps 2000 --warmup 500/--steps 24 --warmup 4/' -e 's/--steps 3000/--steps 30/' \
        -e 's/--frames 9/--frames 3/' -e 's/--temperatures 20/--temperatures 2/' \
        -e 's/--particles 4/--particles 2/' \
        -e 's/--warmup 10/--warmup 2/' -e 's/--limit 2000/--limit 100 --draws 1/'
}

fewer "$top/docs/operations.md" >examples
[ "$(wc -l <examples)" -ge 12 ] || { echo "examples are missing"; failed=1; }
while read -r line; do
    case $line in
        *usr/share/datasets*) [ -e /usr/share/datasets/fashion-mnist ] || continue ;;
    esac
    # shellcheck disable=SC2086  # words of the example
    $line >out.json 2>err || complain "status $? from: $line"
done <examples
for file in out/sample.png out/edit/000003.png out/inpaint/mean.png out/inpaint/q95.png \
    out/traces.json out/longer/chain000003.png out/way.png out/way-moving.png out/pictures/000002.png; do
    [ -s "$file" ] || complain "the examples did not make $file"
done

# expect STATUS TEXT WORDS... : an ebm command, and what it has to say on stderr
expect() {
    want=$1 text=$2
    shift 2
    ebm "$@" >out.json 2>err
    got=$?
    [ "$got" -eq "$want" ] || complain "ebm $*: exit status $got, expected $want"
    grep -q -e "$text" err out.json || complain "ebm $*: does not say '$text'"
}

model="--models models --model fashion-mnist"
small="--steps-per-level 1 --seed 1"
picture=out/sample/000000.png
mask=docs/pictures/lower-half.png
# shellcheck disable=SC2086  # words
{
    # --- one run in parts has the bits of the undivided one, for each sampler ---
    for sampler in langevin mala hmc; do
        run="mcmc $model --chains 2 --sampler $sampler --level 1 --seed 4 --warmup 3 --init image --image $picture"
        expect 0 diagnostics $run --steps 20 --out whole --checkpoint whole.ebm
        expect 0 diagnostics $run --steps 9 --out part --checkpoint part.ebm
        expect 0 diagnostics mcmc $model --resume part.ebm --steps 20 --out part --checkpoint part.ebm
        cmp -s whole.ebm part.ebm || complain "$sampler: a run in parts differs from the whole"
        cmp -s whole/chain000001.png part/chain000001.png || complain "$sampler: its image differs"
        expect 0 '"verified":true' verify --models models --image $picture part/chain000001.png
    done
    expect 64 "at least 20: .* have done 20 steps, their warm-up is 3" mcmc $model --resume whole.ebm --steps 19 --out part
    printf x >>part.ebm
    expect 65 damaged mcmc $model --resume part.ebm --steps 30 --out part

    # --- under another kernel class chains go on, but nobody can make their images again ---
    expect 0 diagnostics mcmc $model --chains 1 --level 1 --seed 4 --steps 4 --kernels ref --out part --checkpoint part.ebm
    expect 0 '"verified":true' verify --models models --kernels ref part/chain000000.png
    expect 0 "class ref go on under blas" mcmc $model --resume part.ebm --steps 6 --kernels blas --out part --checkpoint part.ebm
    expect 65 "part/chain000000.png: has no receipt" verify --models models part/chain000000.png
    expect 0 "class several go on under ref" mcmc $model --resume part.ebm --steps 8 --kernels ref --out part
    expect 65 "part/chain000000.png: has no receipt" verify --models models part/chain000000.png

    # --- receipts ---
    expect 0 '"verified":true' verify --models models out/pictures/000001.png --image out/way/000000.png --to-image out/way/000001.png
    expect 0 '"verified":true' verify --models models out/way/000001.png
    expect 64 "image" verify --models models out/edit/000000.png
    expect 65 "not the one" verify --models models out/edit/000000.png --image out/way/000001.png
    expect 65 "has no receipt" verify --models models $mask
    expect 65 "" verify --models models "$top/README.md"

    # --- threads change nothing ---
    expect 0 index sample $model $small --n 3 --out one --threads 1
    expect 0 index sample $model $small --n 3 --out four --threads 4
    cmp -s one/000002.png four/000002.png || complain "the number of threads shows"

    # --- refusals, each with the name of what is wrong ---
    expect 65 "fit" inpaint $model $small --image out/sample.png --mask $mask --out x
    expect 64 "transparency" inpaint $model $small --image $picture --out x
    expect 65 "mask" inpaint $model $small --image $picture --mask out/sample.png --out x
    expect 64 "--image: is required" inpaint $model $small --mask $mask --out x
    expect 64 "--ensemble: needs n of at least 2" inpaint $model $small --image $picture --mask $mask --ensemble --out x
    expect 64 "--start-level: needs" sample $model $small --start-level 2 --out x
    levels=$(sed -n 's/.*"count": \([0-9]*\).*/\1/p' models/fashion-mnist/model.json | head -n 1)
    expect 65 "--start-level: must be 0..$((levels - 1))" sample $model $small --image $picture --start-level "$levels" --out x
    expect 64 "--warmup" mcmc $model --steps 10 --warmup 10 --out x
    expect 64 "--thin" mcmc $model --steps 10 --thin 11 --out x
    expect 64 "--thin" mcmc $model --steps 100000 --chains 64 --out x
    expect 64 "steps" mcmc $model --steps 100001 --out x
    expect 64 "chains" mcmc $model --chains 65 --out x
    expect 64 "model" sample --models models --model ../fashion-mnist $small --out x
    expect 64 "twice" sample --models models --model fashion-mnist:1,fashion-mnist:1 $small --out x
    expect 66 "model.json" sample --models models --model nothing $small --out x
    expect 64 "either" energy $model
    expect 66 "" energy $model --images nothing.png
    expect 65 "at least 100" energy $model --calibrate out/sample --fit resize
    expect 64 "fit" energy $model --images out/sample
    # --- the manifest decides of chains as much as the weights do ---
    sed -i 's/"stride": 2.0/"stride": 1.5/' models/fashion-mnist/model.json
    expect 65 "levels" verify --models models out/way/000001.png
    expect 65 "levels" mcmc $model --resume whole.ebm --steps 30 --out part
    printf x >>models/fashion-mnist/model.safetensors
    expect 65 "" energy $model --images $picture
}

[ "$failed" -eq 0 ] && echo "test_operations: ok"
exit "$failed"
