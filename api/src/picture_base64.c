/* PNG files in base64, as members of a request. Knows base64 and how a PNG file begins; nothing of
 * what is in it. */
#include <string.h>

#include <nettle/base64.h>

#include "api_internal.h"
#include "ebm/io.h"

#define DATA_URL "data:image/png;base64,"

static const unsigned char signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};

ebma__base64_fault ebma__picture_decode(const char *text, size_t len, ebm_arena *arena,
                                        ebma_picture *out)
{
    const size_t prefix = sizeof(DATA_URL) - 1;
    struct base64_decode_ctx ctx;
    unsigned char *bytes;
    size_t n;

    if (len >= prefix && memcmp(text, DATA_URL, prefix) == 0) {
        text += prefix;
        len -= prefix;
    }
    if (len / 4 * 3 > EBM_PNG_MAX_BYTES + 2)
        return EBMA__BASE64_LONG;
    n = BASE64_DECODE_LENGTH(len);
    bytes = ebm_arena_alloc(arena, n + 1, 1);
    if (!bytes)
        return EBMA__BASE64_NOMEM;
    base64_decode_init(&ctx);
    if (!base64_decode_update(&ctx, &n, bytes, len, text) || !base64_decode_final(&ctx))
        return EBMA__BASE64_BAD;
    if (n < sizeof(signature) || memcmp(bytes, signature, sizeof(signature)) != 0)
        return EBMA__BASE64_NOT_PNG;
    *out = (ebma_picture){bytes, n};
    return EBMA__BASE64_OK;
}
