/* A fixed set of threads that share a loop. */
#ifndef EBMT_POOL_H
#define EBMT_POOL_H

#include <stdint.h>

#include "ebm/status.h"

typedef struct ebmt_pool ebmt_pool;

/* @range threads 1..256 @own free with ebmt_pool_free() @err RANGE, NOMEM, UNSUPPORTED (no thread)
 */
EBM_API EBM_MUST_CHECK ebm_status ebmt_pool_create(int32_t threads, ebmt_pool **out,
                                                   ebm_error *err);
/* Calls task(user, i, worker) for i = 0..n-1, each once, on the pool's threads (the caller is one
 * of them), in order of i as workers become free; returns when all are done.
 * @range worker 0..threads-1; two calls with the same worker never overlap */
EBM_API void ebmt_pool_run(ebmt_pool *pool, int32_t n,
                           void (*task)(void *user, int32_t i, int32_t worker), void *user);
EBM_API int32_t ebmt_pool_threads(const ebmt_pool *pool);
EBM_API void ebmt_pool_free(ebmt_pool *pool); /* NULL allowed */

#endif
