#!/bin/sh
# Shows that tools/check_layers passes a clean tree and fails on each kind of planted violation.
# Usage: test_check_layers.sh PATH/TO/check_layers
set -eu

check=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# A tree with every room, in which every line is allowed.
plant_clean_tree() {
    rm -rf "$work/tree"
    mkdir -p "$work/tree" && cd "$work/tree"
    mkdir -p core/include/ebm core/src/io core/src/model models/include/ebmm models/src api/include/ebma \
        api/src server/src train/include/ebmt train/src/cli tests/unit/core/io
    printf '#include <stdint.h>\n' >core/include/ebm/status.h
    printf '#include "ebm/status.h"\n#include "io/part.h"\n#include <sys/stat.h>\n' >core/src/io/file.c
    printf '#include <stddef.h>\n' >core/src/io/part.h
    printf '#include "ebm/status.h"\n#include <png.h>\n' >core/src/io/png_io.c
    printf '#include "io/part.h"\n' >core/src/model/net.h
    printf '#include "ebm/status.h"\n' >models/include/ebmm/models.h
    printf '#include "ebmm/models.h"\n' >models/src/table.c
    printf '#include "ebm/status.h"\n' >api/include/ebma/api.h
    printf '#include "ebma/api.h"\n#include <jansson.h>\n' >api/src/codec.c
    printf '#include "ebma/api.h"\n#include "ebmm/models.h"\n' >server/src/main.c
    printf '#include <microhttpd.h>\n' >server/src/http.c
    printf '#include "ebm/status.h"\n' >train/include/ebmt/train.h
    printf '#include "ebmm/models.h"\n#include <curl/curl.h>\n' >train/src/cli/http_call.c
    printf '#include "ebmt/train.h"\n' >train/src/cli/main.c
    printf 'int main(void);\n' >tests/unit/core/io/test_file.c
    printf 'target_link_libraries(ebmmodels PUBLIC ebmcore)\n' >models/CMakeLists.txt
}

# violation NAME FILE LINE PATTERN: with LINE added to FILE the check must fail and say PATTERN.
violation() {
    plant_clean_tree
    mkdir -p "$(dirname "$2")"
    printf '%s\n' "$3" >>"$2"
    if "$check" "$work/tree" >"$work/out" 2>&1; then
        echo "not noticed: $1"
        failures=$((failures + 1))
    elif ! grep -q "^$2.*$4" "$work/out"; then
        echo "wrong message: $1"
        cat "$work/out"
        failures=$((failures + 1))
    fi
}

plant_clean_tree
if ! "$check" "$work/tree" >"$work/out" 2>&1; then
    echo "the clean tree is refused:"
    cat "$work/out"
    failures=$((failures + 1))
fi

violation "core reads models" core/src/io/file.c '#include "ebmm/models.h"' 'no such arrow'
violation "models reads api" models/src/table.c '#include "ebma/api.h"' 'no such arrow'
violation "api reads models" api/src/codec.c '#include "ebmm/models.h"' 'no such arrow'
violation "server reads train" server/src/main.c '#include "ebmt/train.h"' 'no such arrow'
violation "train reads api" train/src/cli/main.c '#include "ebma/api.h"' 'no such arrow'
violation "indented include" core/src/io/file.c '  #  include "ebmm/models.h"' 'no such arrow'
violation "private header of another room" models/src/table.c '#include "io/part.h"' 'is not in models'
violation "private header by path" models/src/table.c '#include "../../core/src/io/part.h"' '"\.\."'
violation "private header in a public one" core/include/ebm/status.h '#include "io/part.h"' 'private'
violation "missing public header" core/src/io/file.c '#include "ebm/absent.h"' 'no such public header'
violation "png elsewhere" core/src/io/file.c '#include <png.h>' 'belongs in'
violation "microhttpd elsewhere" server/src/main.c '#include <microhttpd.h>' 'belongs in'
violation "sqlite elsewhere" server/src/main.c '#include <sqlite3.h>' 'belongs in'
violation "curl elsewhere" train/src/cli/main.c '#include <curl/curl.h>' 'belongs in'
violation "jpeglib elsewhere" train/src/cli/main.c '#include <jpeglib.h>' 'belongs in'
violation "webp elsewhere" train/src/cli/main.c '#include <webp/decode.h>' 'belongs in'
violation "lmdb elsewhere" train/src/cli/main.c '#include <lmdb.h>' 'belongs in'
violation "jansson in a public header" api/include/ebma/api.h '#include <jansson.h>' 'public header'
violation "jansson in models" models/src/table.c '#include <jansson.h>' 'belongs in'
violation "unknown header" core/src/io/file.c '#include <boost/any.hpp>' 'unknown header'
violation "shelves in a ring" core/src/io/file.c '#include "model/net.h"' 'in a ring'
violation "computed include" core/src/io/file.c '#include SOME_MACRO' 'cannot read'
violation "upward link" models/CMakeLists.txt 'target_link_libraries(ebmmodels PUBLIC ebmapi)' 'links ebmapi'
violation "twice the same source name" models/src/file.c 'int x;' 'name is taken'
violation "test named like a source" tests/unit/core/io/part.h 'int x;' 'name is taken'

[ "$failures" -eq 0 ] || exit 1
echo "check_layers notices every planted violation"
