/* See validate.h. */
#include "validate.h"

#include <math.h>
#include <stdlib.h>

#include "ebm/rng.h"

#define IMAGES 256 /* pairs of a training and a held-out image */

typedef struct comparison {
    ebmt__trainer *tr;
    const ebmt_dataset *held_out;
    uint64_t seed;
    int32_t images;
    double *difference; /* [images, T]: logp of the training image less that of the other */
    ebm_error *error;   /* [images]: of reading them */
} comparison;

/* Spread over the whole set, since files are often in an order. */
static int64_t nth_image(const ebmt_dataset *data, int32_t i, int32_t n)
{
    return (int64_t)((double)i * (double)data->count / (double)n);
}

static ebm_status logp_of(comparison *c, const ebmt_dataset *data, int32_t i, int32_t t,
                          int32_t worker, double *logp)
{
    const ebm_levels *l = c->tr->levels;
    const ebm_stream noise = {
        .seed = c->seed, .purpose = EBM_PURPOSE_DATA, .chain = (uint32_t)i, .level = (uint32_t)t};
    float *clean = c->tr->work[worker], *y = clean + c->tr->dim;
    float abar = (float)(l->scale[t] * l->abar[t]), sbar = (float)(l->scale[t] * l->sbar[t]);
    ebm_status st = ebmt_dataset_get(data, nth_image(data, i, c->images), 0, clean, &c->error[i]);
    if (st != EBM_OK)
        return st;
    ebm_rng_normal(&noise, 0, c->tr->dim, y);
    for (size_t k = 0; k < c->tr->dim; k++)
        y[k] = abar * clean[k] + sbar * y[k];
    *logp = (double)ebm_session_net(c->tr->session[worker], y, t) / l->step2[t];
    return EBM_OK;
}

static void compare_images(void *user, int32_t i, int32_t worker)
{
    comparison *c = user;
    int32_t levels = c->tr->levels->count;
    ebm_status st = EBM_OK;
    for (int32_t t = c->tr->config.lowest_level; t <= ebmt__highest_level(c->tr) && st == EBM_OK;
         t++) {
        double ours = 0.0, other = 0.0;
        st = logp_of(c, c->tr->data, i, t, worker, &ours);
        if (st == EBM_OK)
            st = logp_of(c, c->held_out, i, t, worker, &other);
        c->difference[i * levels + t] = ours - other;
    }
}

static ebm_status first_error(const comparison *c, ebm_error *err)
{
    for (int32_t i = 0; i < c->images; i++)
        if (c->error[i].status != EBM_OK)
            return ebm_error_set(err, c->error[i].status, c->error[i].where, "%s",
                                 c->error[i].text);
    return EBM_OK;
}

static void mean_and_error(const comparison *c, int32_t t, double *mean, double *error)
{
    double sum = 0.0, square = 0.0, n = (double)c->images;
    int32_t levels = c->tr->levels->count;
    for (int32_t i = 0; i < c->images; i++)
        sum += c->difference[i * levels + t];
    *mean = sum / n;
    for (int32_t i = 0; i < c->images; i++)
        square += pow(c->difference[i * levels + t] - *mean, 2);
    *error = c->images > 1 ? sqrt(square / (n - 1.0) / n) : 0.0;
}

ebm_status ebmt__validate(ebmt__trainer *tr, const ebmt_dataset *held_out, double *gap,
                          double *error, ebm_error *err)
{
    comparison c = {.tr = tr,
                    .held_out = held_out,
                    .seed = ebmt__iteration_seed(tr->config.seed, INT64_MAX),
                    .images = IMAGES};
    if (held_out->width != tr->data->width || held_out->height != tr->data->height ||
        held_out->channels != tr->data->channels)
        return ebm_error_set(err, EBM_ERR_SHAPE, "validation",
                             "held-out images have another shape than the training images");
    if (held_out->count < c.images)
        c.images = (int32_t)held_out->count;
    if (tr->data->count < c.images)
        c.images = (int32_t)tr->data->count;
    c.difference = calloc((size_t)c.images * (size_t)tr->levels->count, sizeof *c.difference);
    c.error = calloc((size_t)c.images, sizeof *c.error);
    ebm_status st = EBM_OK;
    if (c.difference && c.error) {
        ebmt_pool_run(tr->pool, c.images, compare_images, &c);
        st = first_error(&c, err);
    } else {
        st = ebm_error_set(err, EBM_ERR_NOMEM, "validation", "no memory");
    }
    for (int32_t t = 0; t < tr->levels->count && st == EBM_OK; t++) {
        gap[t] = error[t] = NAN;
        if (t >= tr->config.lowest_level && t <= ebmt__highest_level(tr))
            mean_and_error(&c, t, &gap[t], &error[t]);
    }
    free(c.difference);
    free(c.error);
    return st;
}
