/* PNG files in base64, as members of a request. Knows base64 and how a PNG file begins; nothing of
 * what is in it. */
#include <string.h>
#include <strings.h>

#include <nettle/base64.h>

#include "api_internal.h"
#include "ebm/io.h"

#define TYPE_CHARACTERS                                                                            \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$&-^_.+" /* RFC 6838 */
#define TYPE_MAX 64u /* of either half of a type: enough for any that browsers know */

static const unsigned char signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};

/* Skips a word in whatever case. */
static bool skip(const char **at, const char *word)
{
    size_t n = strlen(word);
    bool there = strncasecmp(*at, word, n) == 0;

    *at += there ? n : 0;
    return there;
}

static bool skip_name(const char **at)
{
    size_t n = strspn(*at, TYPE_CHARACTERS);

    *at += n;
    return n > 0 && n <= TYPE_MAX;
}

/* Bytes of "data:<type>/<subtype>;base64,"; 0: there is none. What the type says does not matter:
 * the bytes tell what they are, and browsers name files by their endings. */
static size_t data_url_head(const char *text)
{
    const char *at = text;
    bool whole = skip(&at, "data:") && skip_name(&at) && skip(&at, "/") && skip_name(&at) &&
                 skip(&at, ";base64,");

    return whole ? (size_t)(at - text) : 0;
}

ebma__base64_fault ebma__picture_decode(const char *text, size_t len, ebm_arena *arena,
                                        ebma_picture *out)
{
    const size_t head = data_url_head(text);
    struct base64_decode_ctx ctx;
    unsigned char *bytes;
    size_t n;

    text += head;
    len -= head;
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
