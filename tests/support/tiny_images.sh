# For shell tests that train: a data set too small for anything else. To be sourced.

# tiny_images DIR SIDE: 24 gray images of SIDE x SIDE pixels (at most 255) as an IDX file: header, then
# bytes that do not repeat from image to image
tiny_images() {
    side=$(printf '\\%03o' "$2")
    mkdir "$1"
    {
        printf "\000\000\010\003\000\000\000\030\000\000\000$side\000\000\000$side"
        yes 'energy-based models, denoised, one step at a time ~!' | tr -d '\n' |
            head -c $((24 * $2 * $2))
    } >"$1/train-images-idx3-ubyte"
}
