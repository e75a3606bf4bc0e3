/* What the commands of operations share: models, pictures, one bench for each thread, results in
 * order. Knows operations and files; has never heard of flags' spelling. */
#ifndef EBMT_CLI_OP_RUN_H
#define EBMT_CLI_OP_RUN_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "cli/op_args.h"
#include "ebm/receipt.h"
#include "ebm/session.h"
#include "ebmt/pool.h"

/* Everything one thread needs.
 * @shape y, anchor, x [dim]; path [T+1, dim]; work [10 dim]; pixels [H,W,C] */
typedef struct ebmt__bench {
    ebm_session *session[EBM_COMPOSE_MAX_PARTS];
    ebm_team *team; /* NULL: one thread */
    ebm_compose_part part[EBM_COMPOSE_MAX_PARTS];
    ebm_composition whole;
    ebm_density density;
    float *floats; /* the block that holds what follows */
    float *y, *anchor, *x, *path, *work;
    uint8_t *pixels;
} ebmt__bench;

typedef struct ebmt__op_run {
    const ebmt__op_args *args;
    ebm_model *model[EBM_COMPOSE_MAX_PARTS];
    ebm_weighted part[EBM_COMPOSE_MAX_PARTS];
    int32_t n_models;
    const ebm_levels *levels;
    ebm_shape shape;
    size_t dim;
    ebm_call call;                  /* effective parameters, pictures as tensors */
    float *image, *image_b, *known; /* [dim] or NULL: those tensors */
    double coverage;
    ebm_receipt receipt; /* of the whole run */
    ebmt_pool *pool;
    ebmt__bench *bench;
    int32_t n_benches;
    pthread_mutex_t lock; /* of error, and of what a command prints */
    ebm_error error;      /* the first one */
} ebmt__op_run;

/* Opens models and pictures, resolves the parameters, makes benches for at most `items` threads.
 * @own close with ebmt__op_close(), also after an error; `args` must outlive it
 * @err as of the parts; err->where names the flag of what was given wrongly */
EBM_MUST_CHECK ebm_status ebmt__op_open(ebmt__op_run *run, ebm_op_kind kind,
                                        const ebmt__op_args *args, int32_t items, ebm_error *err);
void ebmt__op_close(ebmt__op_run *run);

/* Calls task(user, k, bench) for k = 0..n-1 on all benches until one fails.
 * @err the first one */
typedef ebm_status (*ebmt__op_task)(void *user, int32_t k, ebmt__bench *bench, ebm_error *err);
EBM_MUST_CHECK ebm_status ebmt__op_each(ebmt__op_run *run, int32_t n, ebmt__op_task task,
                                        void *user, ebm_error *err);

/* Reads a picture from a file as a tensor of the models' shape. @shape x [dim] */
EBM_MUST_CHECK ebm_status ebmt__op_picture(const ebmt__op_run *run, const char *flag,
                                           const char *file, float *x, ebm_error *err);

/* Writes pixels as DIR/NAME with a receipt (NULL: none). @shape pixels [H,W,C]; sha256 [65] or
 * NULL: digest of the file */
EBM_MUST_CHECK ebm_status ebmt__op_write(const ebmt__op_run *run, const char *name,
                                         const uint8_t *pixels, const ebm_receipt *receipt,
                                         char *sha256, ebm_error *err);

/* Prints a number, or null when it is not finite: `,"name":value`. */
void ebmt__op_print_number(const char *name, double value);

#endif
