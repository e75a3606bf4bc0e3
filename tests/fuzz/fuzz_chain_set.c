/* Feeds bytes, signed so that they reach the fields, to the reader of sets of chains; every part of
 * one that it accepts must lie within the file. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ebm/io.h"
#include "ebm/memory.h"
#include "ebm/receipt.h"

#define DIGEST 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_part(const ebm_chain_part *part, const unsigned char *data, size_t size,
                       int32_t columns)
{
    const unsigned char *end = data + size;

    if (part->checkpoint < data || part->checkpoint > end ||
        part->checkpoint_bytes > (size_t)(end - part->checkpoint) || part->scalars < data ||
        part->scalars > end || part->rows * (size_t)columns * 8 > (size_t)(end - part->scalars))
        abort();
}

static void try_bytes(const unsigned char *data, size_t size)
{
    ebm_chain_set *set = ebm_alloc(1, sizeof(*set));

    if (set && ebm_chain_set_decode(data, size, set, NULL) == EBM_OK) {
        for (int32_t k = 0; k < set->n; k++)
            check_part(&set->chain[k], data, size, set->columns);
    }
    ebm_free(set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned char *bytes = malloc(size + DIGEST);
    char hex[DIGEST + 1];

    try_bytes(data, size);
    if (!bytes)
        return 0;
    if (size > 0)
        memcpy(bytes, data, size);
    ebm_sha256_hex(data, size, hex);
    memcpy(bytes + size, hex, DIGEST);
    try_bytes(bytes, size + DIGEST);
    free(bytes);
    return 0;
}
