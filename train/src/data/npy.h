/* The header of NumPy's .npy format, versions 1 to 3.
 * Knows bytes; has never heard of files or images. */
#ifndef EBMT_DATA_NPY_H
#define EBMT_DATA_NPY_H

#include <stddef.h>
#include <stdint.h>

#include "ebm/status.h"

#define EBMT_NPY_MAX_HEADER 65536
#define EBMT_NPY_MAX_RANK   4

/* @unit header: bytes before the data */
typedef struct ebmt__npy {
    size_t header;
    int32_t rank;
    int64_t dim[EBMT_NPY_MAX_RANK];
} ebmt__npy;

/* Tells how long a header is. @shape head [12] @err FORMAT (magic, version), LIMIT */
EBM_MUST_CHECK ebm_status ebmt__npy_length(const unsigned char *head, size_t *header,
                                           ebm_error *err);
/* Parses a whole header: a Python dictionary of exactly descr, fortran_order and shape, as NumPy
 * writes it.
 * @shape head [size], size as ebmt__npy_length() tells
 * @err FORMAT (syntax, missing, unknown or double key, another type than unsigned bytes, Fortran
 *      order), LIMIT (rank, a dimension over 2^31-1) */
EBM_MUST_CHECK ebm_status ebmt__npy_parse(const unsigned char *head, size_t size, ebmt__npy *out,
                                          ebm_error *err);

#endif
