/* The IDX format of the MNIST family: header rules shared by images and labels.
 * Knows bytes in memory; has never heard of files or compression. */
#ifndef EBMT_DATA_IDX_H
#define EBMT_DATA_IDX_H

#include <stddef.h>
#include <stdint.h>

#include "ebm/status.h"
#include "ebmt/data.h"

#define EBMT_IDX_IMAGE_HEADER 16
#define EBMT_IDX_LABEL_HEADER 8
#define EBMT_IDX_MAX_COUNT    (1 << 24)
#define EBMT_IDX_MAX_SIDE     1024
#define EBMT_IDX_MAX_BYTES    ((size_t)1 << 30)
#define EBMT_IDX_LABEL_MAX    61 /* the widest split of the family, EMNIST by class, has 62 */

/* Reads an image header and tells how many bytes the whole file must have.
 * @shape head [EBMT_IDX_IMAGE_HEADER]
 * @err FORMAT (magic, a dimension of zero or "negative"), LIMIT */
EBM_MUST_CHECK ebm_status ebmt__idx_images_size(const unsigned char *head, size_t *total,
                                                ebm_error *err);
/* As above for a label file, which must hold `count` labels. */
EBM_MUST_CHECK ebm_status ebmt__idx_labels_size(const unsigned char *head, int64_t count,
                                                size_t *total, ebm_error *err);
/* Tells number and sides of the images; the header has been found to be right. */
void ebmt__idx_shape(const unsigned char *head, int64_t *count, int32_t *height, int32_t *width);
/* Parses a complete label file that must hold `count` labels.
 * @shape *labels [count] @own *labels: ebm_free() @err FORMAT, NOMEM */
EBM_MUST_CHECK ebm_status ebmt__idx_labels(const unsigned char *bytes, size_t size, int64_t count,
                                           uint8_t **labels, ebm_error *err);

#endif
