/* Walking over the chunks of a PNG and making single ones. Knows lengths and checksums; never
 * pixels. */
#ifndef EBM__PNG_CHUNKS_H
#define EBM__PNG_CHUNKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EBM__PNG_SIGNATURE   8
#define EBM__PNG_CHUNK_EXTRA 12 /* length, type, checksum */

/* One chunk inside a file in memory. */
typedef struct ebm__png_chunk {
    const unsigned char *type; /* [4] */
    const unsigned char *data;
    uint32_t size;
} ebm__png_chunk;

/* Reads the chunk at *at and moves on behind it; *at starts at EBM__PNG_SIGNATURE. Returns false
 * when it is cut off or its checksum is wrong. */
bool ebm__png_next(const unsigned char *file, size_t size, size_t *at, ebm__png_chunk *out);

bool ebm__png_is(const ebm__png_chunk *chunk, const char *type);

/* Writes a chunk; `data` may be the place where it goes: out + 8. Returns its whole size. */
size_t ebm__png_put(unsigned char *out, const char *type, const unsigned char *data, uint32_t size);

#endif
