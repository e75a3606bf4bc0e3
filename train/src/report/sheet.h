/* A sheet of samples of a model: what the eye checks during training. */
#ifndef EBMT_SHEET_H
#define EBMT_SHEET_H

#include "ebm/model.h"
#include "ebmt/pool.h"

/* Samples chains 0..n-1 of `seed` with the model's own settings on the pool's threads and writes
 * them as one PNG; fewer, if their sheet would be too large. @err DIVERGED, NOMEM, IO */
ebm_status ebmt__sheet_write(ebm_model *m, ebmt_pool *pool, uint64_t seed, int32_t n,
                             const char *path, ebm_error *err);

#endif
