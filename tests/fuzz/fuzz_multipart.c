/* Feeds a body to two multipart parsers, whole and in pieces: both must say the same. The first
 * byte chooses the pieces; the boundary is fixed, so that mutations find their way inside. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "ebma/multipart.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A running hash of everything the sink was told. */
static void mix(uint64_t *hash, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;

    for (size_t i = 0; i < n; i++)
        *hash = (*hash ^ p[i]) * 1099511628211u;
}

static bool on_begin(void *arg, const ebma_multipart_part *part)
{
    for (const char *c = part->name; *c; c++)
        mix(arg, c, 1);
    mix(arg, part->has_file ? "<" : "[", 1);
    for (const char *c = part->type; *c; c++)
        mix(arg, c, 1);
    return true;
}

static bool on_data(void *arg, const char *bytes, size_t n)
{
    if (n == 0)
        abort();
    mix(arg, bytes, n);
    return true;
}

static bool on_end(void *arg)
{
    mix(arg, "]", 1);
    return true;
}

static ebma_multipart_fault read_all(const char *body, size_t n, size_t piece, uint64_t *hash)
{
    static const ebma_multipart_limits limits = {
        .parts = 8, .header_bytes = 512, .part_bytes = 256, .total_bytes = 2048};
    const ebma_multipart_sink sink = {on_begin, on_data, on_end, hash};
    ebma_multipart p;

    ebma_multipart_init(&p, "b", &limits, &sink);
    while (n > 0) {
        size_t k = piece < n ? piece : n;

        if (ebma_multipart_feed(&p, body, k) != EBMA_MULTIPART_OK)
            break;
        body += k;
        n -= k;
    }
    return ebma_multipart_finish(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *body = (const char *)data + 1;
    char boundary[EBMA_MULTIPART_BOUNDARY_MAX + 1];
    uint64_t whole = 1, pieces = 1;
    ebma_multipart_fault fault;
    char *type;

    if (size < 2)
        return 0;
    fault = read_all(body, size - 1, size, &whole);
    if (read_all(body, size - 1, data[0] % 64 + 1u, &pieces) != fault ||
        (fault == EBMA_MULTIPART_OK && whole != pieces))
        abort();
    type = calloc(size, 1);
    if (type) {
        for (size_t i = 0; i + 1 < size; i++)
            type[i] = body[i];
        if (ebma_multipart_boundary(type, boundary) && boundary[0] == '\0')
            abort();
    }
    free(type);
    return 0;
}
