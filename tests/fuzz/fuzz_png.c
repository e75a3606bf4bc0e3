/* Feeds bytes to the PNG decoder; what it accepts must survive encoding and decoding. The mutator
 * repairs signature, size and checksums, because otherwise hardly any input gets past them. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "ebm/io.h"
#include "ebm/memory.h"
#include "io/bytes.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Makes the start of a file right: signature, IHDR, sides below 256. */
static void repair_start(uint8_t *data)
{
    static const uint8_t start[16] = {137, 'P', 'N', 'G', 13,  10,  26,  10,
                                      0,   0,   0,   13,  'I', 'H', 'D', 'R'};
    memcpy(data, start, sizeof(start));
    memset(data + 16, 0, 3);
    memset(data + 20, 0, 3);
}

/* One mutation in eight stays as it is. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    size = LLVMFuzzerMutate(data, size, max_size);
    if (seed % 8 == 0 || size < 33) {
        return size;
    }
    repair_start(data);
    for (size_t at = 8; at < size && size - at >= 12;) {
        const uint32_t length = ebm__load_be32(data + at);
        if (length > size - at - 12) {
            break;
        }
        uint8_t *end = data + at + 8 + length;
        const uint32_t crc = (uint32_t)crc32(0, data + at + 4, length + 4);
        for (int i = 0; i < 4; i++) {
            end[i] = (uint8_t)(crc >> (24 - 8 * i));
        }
        at += 12 + (size_t)length;
    }
    return size;
}

static void round_trip(const ebm_image *image)
{
    unsigned char *png = NULL;
    size_t size;
    ebm_image again = {.pixels = NULL};
    if (ebm_png_encode(image, NULL, 0, &png, &size, NULL) != EBM_OK) {
        abort();
    }
    /* noise of the largest size may need more bytes than the decoder takes */
    if (size <= EBM_PNG_MAX_BYTES) {
        const size_t n = (size_t)image->width * (size_t)image->height * (size_t)image->channels;
        if (ebm_png_decode(png, size, &again, NULL) != EBM_OK ||
            again.channels != image->channels || memcmp(again.pixels, image->pixels, n) != 0) {
            abort();
        }
    }
    ebm_free(again.pixels);
    ebm_free(png);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ebm_image image;
    ebm_error err = {EBM_OK, 0, "", ""};
    const ebm_status status = ebm_png_decode(data, size, &image, &err);
    if (status != err.status || (status == EBM_OK) != (image.pixels != NULL)) {
        abort();
    }
    if (image.pixels != NULL) {
        round_trip(&image);
    }
    ebm_free(image.pixels);
    return 0;
}
