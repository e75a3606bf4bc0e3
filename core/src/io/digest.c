/* SHA-256 in hexadecimal, by nettle. Knows bytes, not what they stand for. */
#include "ebm/io.h"

#include <nettle/sha2.h>

void ebm_sha256_hex(const void *data, size_t size, char out[65])
{
    static const char digits[] = "0123456789abcdef";
    struct sha256_ctx ctx;
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_init(&ctx);
    if (size > 0) {
        sha256_update(&ctx, size, data);
    }
    sha256_digest(&ctx, sizeof(digest), digest);
    for (size_t i = 0; i < sizeof(digest); i++) {
        out[2 * i] = digits[digest[i] >> 4];
        out[2 * i + 1] = digits[digest[i] & 15];
    }
    out[64] = '\0';
}
