/* Bytes from and to outside: files read whole behind a limit, atomic writes, SHA-256,
 * safetensors, PNG. Everything read here is hostile until checked. */
#ifndef EBM_IO_H
#define EBM_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ebm/status.h"

/* --- files -------------------------------------------------------------------------------- */

/* Reads a regular file of at most `limit` bytes into memory, with pread, never mmap: a file that
 * shrinks while it is read is an error, not a signal.
 * `dir` and `name`: the file is opened beneath dir (openat2 RESOLVE_BENEATH, no magic links, no
 * FIFO, no device); dir may be NULL for a plain path. A zero byte follows the data.
 * @own *data: ebm_free()
 * @err NOT_FOUND, IO, LIMIT, FORMAT (not a regular file), NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebm_file_read(const char *dir, const char *name, size_t limit,
                                                unsigned char **data, size_t *size, ebm_error *err);

/* Writes a file so that a reader, a crash or a power cut sees the old content or the new one:
 * temporary file beside it (O_EXCL), write, fsync, rename, fsync of the directory.
 * @err IO; the old file or the new one is then there, whole, and the temporary one gone */
EBM_API EBM_MUST_CHECK ebm_status ebm_file_write(const char *path, const void *data, size_t size,
                                                 ebm_error *err);

/* Makes a directory and those above it that are missing; one that is there is fine.
 * @err IO (not a directory, no permission), ARG (path longer than 4095 bytes) */
EBM_API EBM_MUST_CHECK ebm_status ebm_dir_make(const char *path, ebm_error *err);

/* Writes the digest of data as 64 lower-case hex digits and a zero. */
EBM_API void ebm_sha256_hex(const void *data, size_t size, char out[65]);

/* --- safetensors -------------------------------------------------------------------------- */

typedef enum ebm_dtype { EBM_F32, EBM_F64, EBM_BF16, EBM_I64 } ebm_dtype;

#define EBM_SAFETENSORS_MAX_HEADER  (1u << 20)
#define EBM_SAFETENSORS_MAX_TENSORS 4096
#define EBM_SAFETENSORS_MAX_RANK    8
#define EBM_SAFETENSORS_MAX_NAME    256

typedef struct ebm_st_tensor {
    const char *name;
    ebm_dtype dtype;
    int32_t rank;
    int64_t dim[EBM_SAFETENSORS_MAX_RANK];
    size_t count;              /* product of dim */
    const unsigned char *data; /* little-endian, unaligned */
    size_t bytes;
} ebm_st_tensor;

typedef struct ebm_safetensors ebm_safetensors;

/* Parses a complete safetensors image. Every offset is checked before it is used: contiguous
 * from 0, no hole, no overlap, the last one ends with the file; shape times dtype equals bytes;
 * no duplicate names; header is a UTF-8 JSON object within the limits above.
 * @own takes nothing: `data` must outlive *out; free with ebm_safetensors_free()
 * @err FORMAT, LIMIT, NOMEM; err->where names the tensor */
EBM_API EBM_MUST_CHECK ebm_status ebm_safetensors_parse(const unsigned char *data, size_t size,
                                                        ebm_safetensors **out, ebm_error *err);
EBM_API size_t ebm_safetensors_count(const ebm_safetensors *st);
EBM_API const ebm_st_tensor *ebm_safetensors_at(const ebm_safetensors *st, size_t i);
EBM_API const ebm_st_tensor *ebm_safetensors_find(const ebm_safetensors *st, const char *name);
/* Value of a __metadata__ entry, or NULL. */
EBM_API const char *ebm_safetensors_metadata(const ebm_safetensors *st, const char *key);
EBM_API void ebm_safetensors_free(ebm_safetensors *st); /* NULL allowed */

/* Converts a tensor's values. @err SHAPE if count differs, FORMAT if the dtype does not convert
 * (I64 to float), or a value is NaN or infinite (err->index = element) */
EBM_API EBM_MUST_CHECK ebm_status ebm_st_to_float(const ebm_st_tensor *t, size_t count, float *out,
                                                  ebm_error *err);
EBM_API EBM_MUST_CHECK ebm_status ebm_st_to_double(const ebm_st_tensor *t, size_t count,
                                                   double *out, ebm_error *err);

/* One tensor to write: float32 values, copied during the call. */
typedef struct ebm_st_item {
    const char *name;
    int32_t rank;
    int64_t dim[EBM_SAFETENSORS_MAX_RANK];
    const float *values;
} ebm_st_item;
typedef struct ebm_st_pair {
    const char *key, *value;
} ebm_st_pair;

/* Builds a safetensors image in memory; the same input gives the same bytes. The data section
 * starts at a multiple of 8. @own *data: ebm_free() @err NOMEM, LIMIT, ARG */
EBM_API EBM_MUST_CHECK ebm_status ebm_safetensors_build(const ebm_st_item *items, size_t n_items,
                                                        const ebm_st_pair *metadata,
                                                        size_t n_metadata, unsigned char **data,
                                                        size_t *size, ebm_error *err);

/* --- images ------------------------------------------------------------------------------- */

/* 8-bit image, rows top to bottom, channels interleaved: 1 gray, 2 gray+alpha, 3 RGB, 4 RGBA. */
typedef struct ebm_image {
    int32_t width, height, channels;
    uint8_t *pixels; /* [H,W,C], ebm_free() */
} ebm_image;

#define EBM_PNG_MAX_SIDE  1024
#define EBM_PNG_MAX_BYTES (2u << 20)

/* Decodes a PNG within EBM_PNG_MAX_SIDE and EBM_PNG_MAX_BYTES. Palette and 1/2/4-bit images are
 * expanded, 16-bit ones reduced to their high byte, tRNS becomes alpha; other ancillary chunks are
 * ignored, gamma included. The CRC of every critical chunk and the zlib checksum must hold, an
 * ancillary chunk with a wrong CRC is skipped; nothing may follow IEND.
 * @own image->pixels: ebm_free()
 * @err FORMAT, LIMIT, NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebm_png_decode(const unsigned char *data, size_t size,
                                                 ebm_image *image, ebm_error *err);

/* A key and a text to store in a PNG tEXt chunk. */
typedef struct ebm_png_text {
    const char *key, *text;
} ebm_png_text;

/* Encodes an image as PNG; the same pixels and texts give the same bytes.
 * @own *data: ebm_free() @err NOMEM, ARG */
EBM_API EBM_MUST_CHECK ebm_status ebm_png_encode(const ebm_image *image, const ebm_png_text *texts,
                                                 size_t n_texts, unsigned char **data, size_t *size,
                                                 ebm_error *err);

/* Converts a tensor [C,H,W] in [-1,1] to 8 bits and back.
 * @eq pixel = clip(round-half-up((x+1)*127.5), 0, 255); x = pixel/127.5 - 1. NaN gives 0.
 * @shape pixels [H,W,C] */
EBM_API void ebm_image_from_tensor(const float *x, int32_t c, int32_t h, int32_t w,
                                   uint8_t *pixels);
EBM_API void ebm_image_to_tensor(const uint8_t *pixels, int32_t c, int32_t h, int32_t w, float *x);

/* A part of an image. */
typedef struct ebm_rect {
    int32_t x, y, width, height;
} ebm_rect;

/* The largest part in the middle that has the proportions width : height. */
EBM_API ebm_rect ebm_image_centre(const ebm_image *in, int32_t width, int32_t height);

/* Copies a part of an image, puts transparent pixels on white, converts between gray and colour.
 * @eq    white: (a v + (255 - a) 255)/255; gray: (299 R + 587 G + 114 B)/1000 (Rec. 601); both
 *        rounded half up
 * @range channels 1 or 3, or the image's own: then nothing is converted; the part lies inside
 * @own   out->pixels: ebm_free() @err NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebm_image_cut(const ebm_image *in, const ebm_rect *part,
                                                int32_t channels, ebm_image *out, ebm_error *err);

/* Resizes an image with a triangle filter, as wide as the reduction on each axis.
 * @eq   out(i) = sum_j w_ij in(j) / sum_j w_ij, w_ij = max(0, 1 - |j + 1/2 - s (i + 1/2)| / max(s,
 * 1)), s = in/out; rows after columns, in double, rounded half up once at the end. It is the filter
 * of tf.image.resize(antialias=True), which the DRL code uses for CelebA and LSUN.
 * @range every side 1 or more
 * @own  out->pixels: ebm_free() @err NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebm_image_resize(const ebm_image *in, int32_t width,
                                                   int32_t height, ebm_image *out, ebm_error *err);

/* --- PNG chunks ---------------------------------------------------------------------------- */

/* Copies the text of the first tEXt chunk with this key that stands before the pixels.
 * @own *text: ebm_free()
 * @err FORMAT (not a PNG, chunk cut off or with a wrong CRC, zero byte in the text), NOT_FOUND,
 *      LIMIT (file over EBM_PNG_MAX_BYTES, text over 64 KiB), NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebm_png_find_text(const unsigned char *data, size_t size,
                                                    const char *key, char **text, ebm_error *err);

#define EBM_APNG_MAX_FRAMES 1024

/* Encodes images of one shape as an animated PNG that repeats for ever; the first one is what a
 * reader without animation shows.
 * @range n 1..EBM_APNG_MAX_FRAMES, delay_ms 1..65535: how long a frame is shown
 * @own   *data: ebm_free() @err ARG (shapes differ, numbers), NOMEM
 * @eq    chunks acTL, fcTL, fdAT: PNG specification, third edition, 11.3.6 */
EBM_API EBM_MUST_CHECK ebm_status ebm_apng_encode(const ebm_image *frames, size_t n,
                                                  int32_t delay_ms, unsigned char **data,
                                                  size_t *size, ebm_error *err);

#endif
