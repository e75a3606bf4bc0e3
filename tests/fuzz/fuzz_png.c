/* Feeds bytes to the PNG decoder; what it accepts must survive encoding and decoding. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ebm/io.h"
#include "ebm/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
