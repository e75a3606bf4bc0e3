/* Inflating gzip data to a size that is known beforehand.
 * Knows bytes only; has never heard of data sets. */
#ifndef EBMT_DATA_GUNZIP_H
#define EBMT_DATA_GUNZIP_H

#include <stdbool.h>
#include <stddef.h>

#include "ebm/status.h"

/* True if the bytes begin like a gzip file. */
bool ebmt__is_gzip(const unsigned char *in, size_t size);

/* Inflates the first `want` bytes of one gzip member into out and never writes more.
 * @shape out [want], want > 0
 * @param whole the member must then be at its end, with a good checksum, and nothing may follow it
 * @err FORMAT (damaged, truncated, shorter or longer than `want`, bytes after the end), NOMEM */
EBM_MUST_CHECK ebm_status ebmt__gunzip(const unsigned char *in, size_t size, unsigned char *out,
                                       size_t want, bool whole, ebm_error *err);

#endif
