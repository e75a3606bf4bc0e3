/* See sheet.h. */
#include "sheet.h"

#include <stdlib.h>

#include "ebm/io.h"
#include "ebm/memory.h"
#include "ebm/sampler.h"
#include "grid.h"

typedef struct sheet {
    ebm_model *model;
    uint64_t seed;
    size_t dim;
    uint8_t *pixels;       /* [n,H,W,C] */
    ebm_session **session; /* per worker */
    float *floats;         /* per worker: state, anchor, work: 4*dim */
    ebm_error *error;      /* per worker: the first error it met */
} sheet;

static void sample_one(void *user, int32_t i, int32_t worker)
{
    sheet *s = user;
    const ebm_model_info *info = ebm_model_describe(s->model);
    const ebm_density density = ebm_density_of_session(s->session[worker]);
    const ebm_langevin how = {.noise_scale = info->levels->noise_scale};
    float *at = s->floats + 4 * (size_t)worker * s->dim;
    ebm_chain chain = {.y = at, .anchor = at + s->dim};
    ebm_chain_start(&chain, info->levels, s->dim, s->seed, (uint32_t)i);
    ebm_status st = ebm_chain_advance(&chain, &density, info->levels, &how, INT64_MAX,
                                      at + 2 * s->dim, &s->error[worker]);
    if (st == EBM_OK)
        ebm_image_from_tensor(chain.y, info->graph->channels, info->graph->height,
                              info->graph->width, s->pixels + (size_t)i * s->dim);
}

static ebm_status make_workers(sheet *s, int32_t workers, ebm_error *err)
{
    ebm_status st = EBM_OK;
    s->session = calloc((size_t)workers, sizeof *s->session);
    s->error = calloc((size_t)workers, sizeof *s->error);
    s->floats = ebm_alloc(4 * (size_t)workers, s->dim * sizeof *s->floats);
    if (!s->session || !s->error || !s->floats)
        return ebm_error_set(err, EBM_ERR_NOMEM, "samples", "no memory");
    for (int32_t i = 0; i < workers && st == EBM_OK; i++)
        st = ebm_session_create(s->model, NULL, &s->session[i], err);
    return st;
}

static ebm_status first_error(const sheet *s, int32_t workers, ebm_error *err)
{
    for (int32_t i = 0; i < workers; i++)
        if (s->error[i].status != EBM_OK)
            return ebm_error_set(err, s->error[i].status, s->error[i].where, "%s",
                                 s->error[i].text);
    return EBM_OK;
}

ebm_status ebmt__sheet_write(ebm_model *m, ebmt_pool *pool, uint64_t seed, int32_t n,
                             const char *path, ebm_error *err)
{
    const ebm_graph_info *g = ebm_model_describe(m)->graph;
    int32_t workers = ebmt_pool_threads(pool);
    ebmt_grid grid = {
        .n = n, .width = g->width, .height = g->height, .channels = g->channels, .zoom = 2};
    sheet s = {.model = m,
               .seed = seed,
               .dim = (size_t)g->channels * (size_t)g->height * (size_t)g->width};
    ebmt_grid_fit(&grid);
    ebm_status st = make_workers(&s, workers, err);
    if (st != EBM_OK)
        goto out;
    grid.pixels = s.pixels = ebm_alloc((size_t)grid.n, s.dim);
    if (!s.pixels) {
        st = ebm_error_set(err, EBM_ERR_NOMEM, "samples", "no memory");
        goto out;
    }
    ebmt_pool_run(pool, grid.n, sample_one, &s);
    st = first_error(&s, workers, err);
    if (st == EBM_OK)
        st = ebmt_grid_write(path, &grid, err);
out:
    for (int32_t i = 0; s.session && i < workers; i++)
        ebm_session_free(s.session[i]);
    free(s.session);
    free(s.error);
    ebm_free(s.floats);
    ebm_free(s.pixels);
    return st;
}
