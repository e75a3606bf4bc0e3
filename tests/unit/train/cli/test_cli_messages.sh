#!/bin/sh
# What `ebm` says of files and directories that are missing, damaged or of another kind: one line that
# names the flag or the path. usage: test_cli_messages.sh PATH_OF_EBM GOLDEN_DIRECTORY
set -u

ebm=${1:?path of ebm}
golden=${2:?directory with golden cases}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
. "$(dirname "$0")/../../../support/ebm_command.sh"
cd "$work" || exit 1

# refuses STATUS TEXT WORDS... : the last line of stderr is `ebm COMMAND: TEXT`
refuses() {
    status=$1 text=$2
    shift 2
    expect "$status" "$@"
    [ "$(grep -v '^usage: ' err | tail -n 1)" = "ebm $1: $text" ] || {
        echo "ebm $*: does not say '$text' but"
        sed 's/^/    /' err
        failed=1
    }
}

# --- a small model, and what can be wrong with one ---
mkdir data empty models
: >nothing
echo words >file
{
    printf '\000\000\010\003\000\000\000\024\000\000\000\034\000\000\000\034'
    yes 'abcdefghijklmnop~!' | tr -d '\n' | head -c 15680
} >data/train-images-idx3-ubyte
expect 0 train --data data --out models/demo --ch 4 --ch-mult 1 --blocks 1 --levels 2 --langevin-steps 2 \
    --batch 4 --kernels ref --iterations 1
here="--models models --model demo --kernels ref"
# shellcheck disable=SC2086  # words
expect 0 sample $here --n 1 --seed 1 --out made --sheet made/sheet.png
cp -r models/demo models/lacking
rm models/lacking/model.safetensors
cp -r models/demo models/braces
echo '{' >models/braces/model.json
cp -r models/demo models/badly
echo '{}' >models/badly/energy.json

# --- models ---
while read -r code name why; do
    for command in sample mcmc; do
        refuses "$code" "--models: models/$name: $why" "$command" --models models --model "$name" --out made
    done
    refuses "$code" "--models: models/$name: $why" energy --models models --model "$name" --images made/000000.png
    refuses "$code" "--model: models/$name: $why" eval --model "models/$name" --data data --held-out 8 --n 8 --kernels ref
    refuses "$code" "--model: models/$name: $why" bench --model "models/$name" --seconds 0.01
    refuses "$code" "models/$name: $why" inspect "models/$name"
    refuses "$code" "models/$name: $why" eval2d "models/$name" --toy rings
    refuses "$code" "--parts: models/$name: $why" join --parts "models/demo,models/$name" --from 1 --out joined
    refuses "$code" "--init-from: models/$name: $why" train --data data --out new --batch 4 --init-from "models/$name"
done <<END
66 none model.json: no such file
66 lacking model.safetensors: no such file
65 braces model.json: not valid JSON at line 2, column 0
END
refuses 66 "--models: nowhere/demo: model.json: no such file" sample --models nowhere --model demo --out made
refuses 66 "--models: nowhere/demo: model.json: no such file" verify --models nowhere made/000000.png
refuses 65 "models/demo: model: is not a model of points" eval2d models/demo --toy rings
refuses 65 "--models: models/badly/energy.json: format: missing, or not a whole number" \
    energy --models models --model badly --images made/000000.png
long=$(printf '%0150d' 0)
refuses 66 "--models: ...$(printf '%0108d' 0)/models/demo: model.json: no such file" sample --models "$long/models" --model demo --out made

# --- golden directories ---
refuses 66 "none: config.json: no such file" check none
cp -r "$golden/tiny-gray28" cut
chmod -R u+w cut
head -c 400 "$golden/tiny-gray28/expected.safetensors" >cut/expected.safetensors
refuses 65 "cut: safetensors: header runs past the file's end" check cut
rm cut/expected.safetensors
refuses 66 "cut: expected.safetensors: no such file" check cut

# --- rulers ---
evaluate="eval --model models/demo --data data --held-out 8 --n 8 --kernels ref"
# shellcheck disable=SC2086  # words
{
    refuses 66 "--classifier: none: classifier.json: no such file" $evaluate --classifier none
    refuses 66 "--inception: none: no such file" $evaluate --inception none
    refuses 65 "--inception: file: safetensors: file has only 6 bytes" $evaluate --inception file
    refuses 65 "--inception: empty: not a regular file" $evaluate --inception empty
}

# --- files of chains, pictures, keys ---
# shellcheck disable=SC2086  # words
{
    refuses 66 "--resume: none: no such file" mcmc $here --resume none --out made
    refuses 65 "--resume: nothing: chains: not a file of chains" mcmc $here --resume nothing --out made
    refuses 66 "--image: none.png: no such file" sample $here --image none.png --out made
    refuses 65 "--image: file: not a PNG file" sample $here --image file --out made
    refuses 65 "--image: empty: not a regular file" sample $here --image empty --out made
}
refuses 66 "--image: none.png: no such file" sample --server http://127.0.0.1:1/ --image none.png --out made
refuses 66 "--api-key-file: none: no such file" sample --server http://127.0.0.1:1/ --api-key-file none --out made

# --- chains that go on: steps beyond those that are done, and nothing that their file has decided ---
# shellcheck disable=SC2086  # words
{
    expect 0 mcmc $here --chains 2 --steps 40 --warmup 30 --until-max-seconds 1000 --seed 4 --out made --checkpoint kept
    for steps in 30 39; do
        refuses 64 "--steps: must be at least 40: the chains of --resume have done 40 steps, their warm-up is 30" \
            mcmc $here --resume kept --steps $steps --out made
    done
    while read -r flag value; do
        refuses 64 "$flag: differs from what the chains of --resume have: leave it out" \
            mcmc $here --resume kept --steps 41 --out made "$flag" "$value"
    done <<END
--seed 5
--chains 4
--warmup 31
--sampler mala
--image made/000000.png
END
    expect 0 mcmc $here --resume kept --steps 41 --seed 4 --chains 2 --warmup 30 --sampler langevin --out made
}

# --- what does not go together is known before a model is opened, and named as on the command line ---
while read -r text; do
    # shellcheck disable=SC2086  # words
    read -r words && refuses 64 "$text" $words --models none --model none --out made
done <<END
--image: is required
inpaint
--image: is required
inpaint --mask made/000000.png
--to-image: is needed beside the other one
interpolate --from-image made/000000.png
--image: is needed with init image
mcmc --init image
--warmup: must be less than steps
mcmc --steps 4 --warmup 4
--start-level: needs an image to start from
sample --n 3000 --start-level 1
END

# --- receipts ---
refuses 65 "made/sheet.png: has no receipt to make it again from" verify --models models made/sheet.png
refuses 65 "file: not a PNG file" verify --models models file
refuses 66 "none.png: no such file" verify --models models none.png

# --- a file of flags ---
refuses 66 "none: no such file" train --out new --config none
refuses 65 "empty: not a regular file" train --out new --config empty
refuses 65 "file: line 1: '[' or '{' expected near 'words'" train --out new --config file

[ "$failed" -eq 0 ] && echo "test_cli_messages: ok"
exit "$failed"
