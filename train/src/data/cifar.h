/* The CIFAR-10 binary format: records of one label and 3x32x32 bytes.
 * Knows bytes; has never heard of directories. */
#ifndef EBMT_DATA_CIFAR_H
#define EBMT_DATA_CIFAR_H

#include <stddef.h>
#include <stdint.h>

#include "ebm/status.h"

#define EBMT_CIFAR_SIDE      32
#define EBMT_CIFAR_RECORD    (1 + 3 * EBMT_CIFAR_SIDE * EBMT_CIFAR_SIDE)
#define EBMT_CIFAR_LABEL_MAX 9
#define EBMT_CIFAR_MAX_COUNT (1 << 24) /* of one file */

/* Tells how many records a file of `size` bytes holds.
 * @err FORMAT (none, or not a whole number), LIMIT */
EBM_MUST_CHECK ebm_status ebmt__cifar_count(size_t size, int64_t *count, ebm_error *err);
/* Collects the labels of n records. @shape records [n, EBMT_CIFAR_RECORD], labels [n]
 * @err FORMAT (a label over 9; err->index is its record) */
EBM_MUST_CHECK ebm_status ebmt__cifar_labels(const unsigned char *records, size_t n,
                                             uint8_t *labels, ebm_error *err);

#endif
