/* Builds PNG files by hand, good and bad ones, of zlib alone: an encoder that shares nothing with
 * the code under test. */
#ifndef PNG_MAKER_H
#define PNG_MAKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PNG_MAKER_ROOM (4u << 20)

/* A growing file. */
typedef struct png_file {
    unsigned char *bytes;
    size_t size;
} png_file;

/* What to draw; the samples follow from it. */
typedef struct png_spec {
    uint32_t width, height;
    int depth, type;
    bool interlaced;
    bool transparent; /* with a tRNS chunk */
    int palette;      /* entries of PLTE, for type 3 */
} png_spec;

void png_begin(png_file *f); /* the signature; clear with png_clear() */
void png_chunk(png_file *f, const char *type, const void *data, size_t size);
void png_bytes(png_file *f, const void *data, size_t size); /* raw, for damage */
void png_header(png_file *f, const png_spec *spec);         /* IHDR, PLTE, tRNS */
/* The filtered rows as they go into zlib. @own free() */
unsigned char *png_rows(const png_spec *spec, size_t *size);
void png_image_data(png_file *f, const png_spec *spec); /* one IDAT */
void png_whole(png_file *f, const png_spec *spec);      /* a valid file */
void png_clear(png_file *f);

/* The pixel that a decoder must give for (x,y): returns the number of channels. */
int png_expected(const png_spec *spec, uint32_t x, uint32_t y, uint8_t out[4]);

#endif
