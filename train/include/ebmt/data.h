/* Data sets: images of one shape by number, from any of the formats of docs/data.md, in memory or
 * read on demand; and which sample goes where, as pure functions of (seed, iteration). */
#ifndef EBMT_DATA_H
#define EBMT_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ebm/status.h"

typedef struct ebmt_stream ebmt_stream; /* where samples that are not in memory come from */

/* 8-bit images of one shape. A set that fits options.cache_bytes is in memory; of a larger one
 * every sample is read and decoded when it is asked for. Zero-initialise before use.
 * @shape pixels [count,C,H,W] or NULL (read on demand); labels [count] or NULL
 * @unit  damaged: images in memory that could not be read, each replaced by the next sound one;
 *        ignored: entries of a folder that are no images */
typedef struct ebmt_dataset {
    int64_t count;
    int32_t channels, height, width;
    uint8_t *pixels;
    uint8_t *labels;
    int64_t damaged, ignored;
    ebmt_stream *stream; /* NULL if pixels is not */
} ebmt_dataset;

typedef enum ebmt_split { EBMT_TRAIN, EBMT_TEST } ebmt_split;

typedef enum ebmt_format {
    EBMT_FORMAT_AUTO, /* by what the path holds */
    EBMT_FORMAT_IDX,
    EBMT_FORMAT_CIFAR10,
    EBMT_FORMAT_IMAGES,
    EBMT_FORMAT_LMDB,
    EBMT_FORMAT_NPY,
    EBMT_FORMAT_CBDT
} ebmt_format;

/* What is kept of an image before its size is changed. */
typedef enum ebmt_crop {
    EBMT_CROP_CENTER, /* the largest part in the middle with the proportions wanted */
    EBMT_CROP_NONE,   /* all of it, even if proportions change */
    EBMT_CROP_CELEBA  /* of 178x218, without 20 rows at top and bottom; other sizes are damaged */
} ebmt_crop;

#define EBMT_DATA_MAX_SIDE      1024
#define EBMT_DATA_CACHE_DEFAULT ((size_t)1 << 30)

/* Which data, and what becomes of it. Zero means the default, but for path and cache_bytes. */
typedef struct ebmt_data_options {
    const char *path;
    ebmt_format format;
    ebmt_split split;   /* formats without parts have EBMT_TRAIN only, unless held_out makes two */
    int32_t image_size; /* width and height, 0: as they are; 1..EBMT_DATA_MAX_SIDE */
    int32_t channels;   /* 1 gray, 3 colour, 0: as they are, without transparency; 2 or 4: as they
                         * are, byte for byte, for images that have so many */
    ebmt_crop crop;
    int64_t held_out;   /* so many images at the end of the training part are the test part,
                           whatever else the format has; 0: none, else 2 and more */
    bool single;        /* one image is enough; else a set has two and more */
    bool strict;        /* a damaged image, or an entry that is none, is an error */
    size_t cache_bytes; /* a set of at most so many decoded bytes is kept in memory; 0: none is */
} ebmt_data_options;

/* Opens a data set of at least two images, or with `single` of one.
 * A damaged image is replaced by the next sound one, so that sample i depends on the files and
 * on i alone, whatever is cached and whoever asks; more than 1000 in a row are an error.
 * @own clear with ebmt_dataset_clear()
 * @err NOT_FOUND (no such file or part), FORMAT, LIMIT, SHAPE (damage that no replacement mends;
 *      with `strict` any), ARG (image_size or channels missing for images that differ), RANGE
 *      (also held_out that leaves fewer than two images), NOMEM, IO; err->where names the file */
EBM_API EBM_MUST_CHECK ebm_status ebmt_dataset_open(const ebmt_data_options *options,
                                                    ebmt_dataset *out, ebm_error *err);
/* Opens a set that must lie in memory as pixels. @own, @err as ebmt_dataset_open(), LIMIT when it
 * takes more than cache_bytes */
EBM_API EBM_MUST_CHECK ebm_status ebmt_dataset_open_whole(const ebmt_data_options *options,
                                                          ebmt_dataset *out, ebm_error *err);
EBM_API void ebmt_dataset_clear(ebmt_dataset *data); /* safe on a zeroed struct */

/* Copies sample `index` to a tensor in [-1,1], mirrored left to right if `flip`.
 * @shape x [C,H,W]
 * @thread any number at the same time
 * @err never for a set in memory; else IO, NOT_FOUND (files changed since they were opened),
 *      NOMEM, and with `strict` FORMAT, LIMIT, SHAPE; err->where names the file */
EBM_API EBM_MUST_CHECK ebm_status ebmt_dataset_get(const ebmt_dataset *data, int64_t index,
                                                   int flip, float *x, ebm_error *err);
/* Images found damaged so far: all of them for a set in memory. @thread as above */
EBM_API int64_t ebmt_dataset_damaged(const ebmt_dataset *data);

/* Name of a format as flags and documents spell it, NULL after the last one. */
EBM_API const char *ebmt_format_name(ebmt_format format);
/* True if images of a format may have labels. @range format as declared */
EBM_API bool ebmt_format_labelled(ebmt_format format);
/* Tells which format the options mean: theirs, or for EBMT_FORMAT_AUTO what the path holds.
 * @err NOT_FOUND, FORMAT, IO, RANGE (no such format) */
EBM_API EBM_MUST_CHECK ebm_status ebmt_data_format(const ebmt_data_options *options,
                                                   ebmt_format *out, ebm_error *err);

/* Tells whether the data have a training and a test part of their own: IDX and CIFAR-10 files, a
 * folder with train/ or test/ in it. A file of one part may be missing. @err as above */
EBM_API EBM_MUST_CHECK ebm_status ebmt_data_has_parts(const ebmt_data_options *options, bool *out,
                                                      ebm_error *err);

/* Parses one IDX image file (idx3, unsigned bytes) already in memory. @own as above
 * @err FORMAT (magic, dimensions, count against size), LIMIT, NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebmt_idx_images(const unsigned char *bytes, size_t size,
                                                  ebmt_dataset *out, ebm_error *err);

/* The order of samples over epochs, made from counters: any iteration can be asked for alone. */
typedef struct ebmt_order ebmt_order;
EBM_API EBM_MUST_CHECK ebm_status ebmt_order_create(int64_t count, uint64_t seed, ebmt_order **out,
                                                    ebm_error *err);
/* Fills index[0..batch) with the samples of an iteration: consecutive pieces of the endless
 * sequence epoch 0, epoch 1, ..., each epoch a permutation of 0..count-1.
 * @eq Fisher-Yates with words of the stream (seed, SHUFFLE, chain = epoch) */
EBM_API void ebmt_order_batch(ebmt_order *order, int64_t iteration, int32_t batch, int64_t *index);
EBM_API void ebmt_order_free(ebmt_order *order); /* NULL allowed */

#endif
