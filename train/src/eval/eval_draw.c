/* Drawing a set of images from a model on a pool of threads: the chain's index alone decides its
 * noise, threads only decide who computes it. Has never heard of files. */
#include <string.h>

#include "ebm/io.h"
#include "ebm/memory.h"
#include "ebm/sampler.h"
#include "ebm/session.h"
#include "ebmt/eval.h"
#include "eval/image_sets.h"

/* Scratch of one thread. @shape floats [4*dim]: state, anchor, work; hwc [H,W,C] */
typedef struct chain_worker {
    ebm_session *session;
    float *floats;
    uint8_t *hwc;
    ebm_error error; /* the first one it met */
} chain_worker;

typedef struct drawing {
    const ebm_model_info *info;
    const ebmt_draw *how;
    ebm_langevin langevin;
    size_t dim;
    chain_worker *workers;
    ebmt_dataset *out;
} drawing;

static void chain_task(void *user, int32_t k, int32_t worker)
{
    drawing *d = user;
    chain_worker *w = &d->workers[worker];
    const ebm_levels *levels = d->info->levels;
    if (w->error.status != EBM_OK)
        return;
    const ebm_density density = ebm_density_of_session(w->session);
    ebm_chain chain = {.y = w->floats, .anchor = w->floats + d->dim};
    ebm_chain_start(&chain, levels, d->dim, d->how->seed, (uint32_t)(d->how->first_index + k));
    ebm_status st = ebm_chain_advance(&chain, &density, levels, &d->langevin, INT64_MAX,
                                      w->floats + 2 * d->dim, &w->error);
    if (st != EBM_OK)
        return;
    ebm_image_from_tensor(chain.y, d->out->channels, d->out->height, d->out->width, w->hwc);
    ebmt__image_from_hwc(w->hwc, d->out, k);
}

static ebm_status init_worker(ebm_model *m, const drawing *d, chain_worker *w, ebm_error *err)
{
    w->floats = ebm_alloc(4 * d->dim, sizeof *w->floats);
    w->hwc = ebm_alloc(d->dim, 1);
    if (!w->floats || !w->hwc)
        return ebm_error_set(err, EBM_ERR_NOMEM, "draw", "no memory for a chain");
    return ebm_session_create(m, NULL, &w->session, err);
}

static ebm_status init_workers(ebm_model *m, drawing *d, int32_t n, ebm_error *err)
{
    ebm_status st = EBM_OK;
    d->workers = ebm_alloc((size_t)n, sizeof *d->workers);
    if (!d->workers)
        return ebm_error_set(err, EBM_ERR_NOMEM, "draw", "no memory for %d threads", n);
    for (int32_t i = 0; i < n && st == EBM_OK; i++)
        st = init_worker(m, d, &d->workers[i], err);
    return st;
}

static ebm_status finish_workers(drawing *d, int32_t n, ebm_status st, ebm_error *err)
{
    for (int32_t i = 0; d->workers && i < n; i++) {
        chain_worker *w = &d->workers[i];
        if (st == EBM_OK && w->error.status != EBM_OK) {
            st = w->error.status;
            if (err && err->status == EBM_OK)
                *err = w->error;
        }
        ebm_session_free(w->session);
        ebm_free(w->floats);
        ebm_free(w->hwc);
    }
    ebm_free(d->workers);
    return st;
}

ebm_status ebmt_draw_images(ebm_model *m, const ebmt_draw *how, ebmt_pool *pool, ebmt_dataset *out,
                            ebm_error *err)
{
    const ebm_model_info *info = ebm_model_describe(m);
    const int32_t threads = ebmt_pool_threads(pool);
    drawing d = {.info = info, .how = how, .out = out};
    const ebmt_dataset like = {.channels = info->graph->channels,
                               .height = info->graph->height,
                               .width = info->graph->width};
    memset(out, 0, sizeof *out);
    if (how->n < 1 || how->first_index < 0 || how->n > INT32_MAX - how->first_index)
        return ebm_error_set(err, EBM_ERR_RANGE, "draw", "chains %d to %lld", how->first_index,
                             (long long)(how->first_index + how->n - 1));
    d.dim = ebmt__image_bytes(&like);
    d.langevin.steps_per_level = how->steps_per_level;
    d.langevin.begin = how->begin;
    d.langevin.noise_scale = how->noise_scale > 0.0 ? how->noise_scale : info->levels->noise_scale;
    ebm_status st = ebm_begin_check(info->levels, how->begin, err);
    if (st == EBM_OK)
        st = ebmt__images_init(&like, how->n, out, err);
    if (st == EBM_OK)
        st = init_workers(m, &d, threads, err);
    if (st == EBM_OK)
        ebmt_pool_run(pool, (int32_t)how->n, chain_task, &d);
    st = finish_workers(&d, threads, st, err);
    if (st != EBM_OK)
        ebmt_dataset_clear(out);
    return st;
}
