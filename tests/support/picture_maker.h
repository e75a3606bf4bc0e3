/* Makes pictures, and files of them in the formats that data sets come in, with the libraries of
 * those formats or by hand: nothing here is shared with the readers under test. */
#ifndef PICTURE_MAKER_H
#define PICTURE_MAKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ebm/io.h"

/* Bytes of a file. @own free(bytes) */
typedef struct made_file {
    unsigned char *bytes;
    size_t size;
} made_file;

/* A smooth picture that differs for each seed; with 2 or 4 channels alpha varies too.
 * @own free(pixels) */
ebm_image picture_make(int32_t width, int32_t height, int32_t channels, int seed);

made_file picture_png(const ebm_image *image);
/* @param channels of image: 1, 3, or 4 for CMYK */
made_file picture_jpeg(const ebm_image *image, int quality, bool progressive);
made_file picture_webp(const ebm_image *image); /* lossless; 3 or 4 channels */

/* A NumPy array: version 1..3, the dictionary as given, padded as NumPy does, then the data. */
made_file npy_make(int version, const char *dictionary, const void *data, size_t size);

/* A font of n glyphs in one strike: index format 1 or 3, image format 17, 18 or 19. */
typedef struct font_spec {
    int index_format, image_format;
    const made_file *png; /* [n] */
    int n;
} font_spec;
made_file font_make(const font_spec *spec);

/* Writes an LMDB database of n values with the keys "00000000", "00000001", ... into a directory
 * that exists; value i is values[i % n_values]. */
bool lmdb_make(const char *dir, int n, const made_file *values, int n_values);

#endif
