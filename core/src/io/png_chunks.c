/* PNG chunks without libpng: its reader skips texts, its writer knows no animation.
 * See png_chunks.h. */
#include "io/png_chunks.h"

#include <string.h>

#include "ebm/io.h"
#include "ebm/memory.h"
#include "io/bytes.h"

#define MAX_TEXT 65536

static const unsigned char signature[EBM__PNG_SIGNATURE] = {137, 'P', 'N', 'G', 13, 10, 26, 10};

/* CRC-32 of PNG, polynomial 0xEDB88320, bit by bit: chunks that come here are small. */
static uint32_t crc_of(const unsigned char *bytes, size_t n)
{
    uint32_t crc = 0xFFFFFFFFu;
    for (size_t i = 0; i < n; i++) {
        crc ^= bytes[i];
        for (int k = 0; k < 8; k++)
            crc = crc & 1u ? crc >> 1 ^ 0xEDB88320u : crc >> 1;
    }
    return ~crc;
}

bool ebm__png_next(const unsigned char *file, size_t size, size_t *at, ebm__png_chunk *out)
{
    const unsigned char *p = file + *at;
    if (*at > size || size - *at < EBM__PNG_CHUNK_EXTRA)
        return false;
    const uint32_t n = ebm__load_be32(p);
    if (n > size - *at - EBM__PNG_CHUNK_EXTRA)
        return false;
    if (ebm__load_be32(p + 8 + n) != crc_of(p + 4, (size_t)n + 4))
        return false;
    *out = (ebm__png_chunk){.type = p + 4, .data = p + 8, .size = n};
    *at += (size_t)n + EBM__PNG_CHUNK_EXTRA;
    return true;
}

bool ebm__png_is(const ebm__png_chunk *chunk, const char *type)
{
    return memcmp(chunk->type, type, 4) == 0;
}

size_t ebm__png_put(unsigned char *out, const char *type, const unsigned char *data, uint32_t size)
{
    ebm__store_be32(out, size);
    memcpy(out + 4, type, 4);
    if (size > 0 && data != out + 8)
        memcpy(out + 8, data, size);
    ebm__store_be32(out + 8 + size, crc_of(out + 4, (size_t)size + 4));
    return (size_t)size + EBM__PNG_CHUNK_EXTRA;
}

static ebm_status take_text(const ebm__png_chunk *c, size_t key_bytes, char **text, ebm_error *err)
{
    const size_t n = c->size - key_bytes;
    if (n > MAX_TEXT)
        return ebm_error_set(err, EBM_ERR_LIMIT, "png", "text of over %d bytes", MAX_TEXT);
    if (memchr(c->data + key_bytes, 0, n))
        return ebm_error_set(err, EBM_ERR_FORMAT, "png", "text with a zero byte");
    *text = ebm_alloc(n + 1, 1);
    if (!*text)
        return ebm_error_set(err, EBM_ERR_NOMEM, "png", "no memory for a text");
    memcpy(*text, c->data + key_bytes, n);
    return EBM_OK;
}

ebm_status ebm_png_find_text(const unsigned char *data, size_t size, const char *key, char **text,
                             ebm_error *err)
{
    const size_t key_bytes = strlen(key) + 1;
    size_t at = EBM__PNG_SIGNATURE;
    ebm__png_chunk c;
    *text = NULL;
    if (size > EBM_PNG_MAX_BYTES)
        return ebm_error_set(err, EBM_ERR_LIMIT, "png", "file has %zu bytes, at most %u", size,
                             EBM_PNG_MAX_BYTES);
    if (size < EBM__PNG_SIGNATURE || memcmp(data, signature, EBM__PNG_SIGNATURE) != 0)
        return ebm_error_set(err, EBM_ERR_FORMAT, "png", "not a PNG file");
    while (ebm__png_next(data, size, &at, &c)) {
        if (ebm__png_is(&c, "IDAT") || ebm__png_is(&c, "IEND"))
            return ebm_error_set(err, EBM_ERR_NOT_FOUND, "png", "has no text '%s'", key);
        if (ebm__png_is(&c, "tEXt") && c.size >= key_bytes && memcmp(c.data, key, key_bytes) == 0)
            return take_text(&c, key_bytes, text, err);
    }
    return ebm_error_set(err, EBM_ERR_FORMAT, "png", "a chunk is damaged or cut off");
}
