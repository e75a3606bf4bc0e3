/* One item of an operation that makes images, from start to end, on one bench.
 * Knows chains; has never heard of files. */
#ifndef EBMT_CLI_OP_DRAW_H
#define EBMT_CLI_OP_DRAW_H

#include "cli/op_run.h"

/* Called when a ladder has left a level; bench->anchor is x_level. NULL: nobody looks. */
typedef struct ebmt__op_watch {
    ebm_status (*on_level)(void *user, ebmt__bench *bench, int32_t k, int32_t level,
                           ebm_error *err);
    void *user;
} ebmt__op_watch;

/* Runs the chain of item k of a call to its end; bench->x becomes its image. `watch` may be NULL.
 * @err DIVERGED, RANGE, and those of on_level */
EBM_MUST_CHECK ebm_status ebmt__op_draw(const ebmt__op_run *run, const ebm_call *call, int32_t k,
                                        ebmt__bench *bench, const ebmt__op_watch *watch,
                                        ebm_error *err);

/* Makes the image that chain k of an mcmc call with init `samples` starts from, in bench->x;
 * returns it, or NULL when the call starts otherwise or *st tells an error. */
const float *ebmt__op_origin(const ebmt__op_run *run, int32_t k, ebmt__bench *bench, ebm_status *st,
                             ebm_error *err);

#endif
