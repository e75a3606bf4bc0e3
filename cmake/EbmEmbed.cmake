# ebm_embed(TARGET FILE SYMBOL): compiles a file into a target as
#   extern const unsigned char SYMBOL[]; extern const size_t SYMBOL_size;
#   extern const char SYMBOL_sha256[65];
# By CMake alone, so that a build needs no other tool. Also the script that does it.
if(CMAKE_SCRIPT_MODE_FILE)
    file(READ ${IN} bytes HEX)
    file(SHA256 ${IN} digest)
    string(LENGTH "${bytes}" digits)
    math(EXPR size "${digits} / 2")
    string(REGEX REPLACE "(................................)" "\\1\n" bytes "${bytes}")
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
    file(WRITE ${OUT} "/* Written by the build from ${NAME}. */
#include <stddef.h>

extern const unsigned char ${SYMBOL}[];
extern const size_t ${SYMBOL}_size;
extern const char ${SYMBOL}_sha256[65];

const unsigned char ${SYMBOL}[] = {
${bytes}
};
const size_t ${SYMBOL}_size = ${size};
const char ${SYMBOL}_sha256[65] = \"${digest}\";
")
    return()
endif()

set(EBM_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_FILE})
function(ebm_embed target file symbol)
    get_filename_component(in ${file} ABSOLUTE)
    set(out ${CMAKE_CURRENT_BINARY_DIR}/${symbol}.c)
    add_custom_command(OUTPUT ${out}
        COMMAND ${CMAKE_COMMAND} -DIN=${in} -DOUT=${out} -DSYMBOL=${symbol} -DNAME=${file}
                -P ${EBM_EMBED_SCRIPT}
        DEPENDS ${in} ${EBM_EMBED_SCRIPT} VERBATIM)
    target_sources(${target} PRIVATE ${out})
endfunction()
