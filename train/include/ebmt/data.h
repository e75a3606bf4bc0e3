/* Data sets in memory, and which sample goes where: pure functions of (seed, iteration). */
#ifndef EBMT_DATA_H
#define EBMT_DATA_H

#include <stddef.h>
#include <stdint.h>

#include "ebm/status.h"

/* 8-bit images. @shape pixels [count, C, H, W]; labels [count] or NULL */
typedef struct ebmt_dataset {
    int64_t count;
    int32_t channels, height, width;
    uint8_t *pixels;
    uint8_t *labels;
} ebmt_dataset;

typedef enum ebmt_split { EBMT_TRAIN, EBMT_TEST } ebmt_split;

/* Reads the IDX files of the MNIST family from a directory: train-images-idx3-ubyte or
 * t10k-images-idx3-ubyte, plain or .gz, labels beside them if there are any.
 * @own clear with ebmt_dataset_clear()
 * @err NOT_FOUND, FORMAT (magic, dimensions, count against size, bytes after the end, truncated or
 *      oversized gzip), LIMIT, NOMEM, IO; err->where names the file */
EBM_API EBM_MUST_CHECK ebm_status ebmt_dataset_read(const char *dir, ebmt_split split,
                                                    ebmt_dataset *out, ebm_error *err);
EBM_API void ebmt_dataset_clear(ebmt_dataset *data); /* safe on a zeroed struct */

/* Parses one IDX image file (idx3, unsigned bytes) already in memory. @own as above */
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

/* Copies sample `index` to a tensor in [-1,1], mirrored left to right if `flip`.
 * @shape x [C,H,W] */
EBM_API void ebmt_dataset_get(const ebmt_dataset *data, int64_t index, int flip, float *x);

#endif
