/* Scores of images. Knows a density and levels; not what scores are compared with. */
#include <string.h>

#include "ebm/calibration.h"
#include "ebm/rng.h"

/* y = A_t (abar_t x + sbar_t e), with the e of (image, level, draw). @shape y, e [dim] */
static void noised(const ebm_scoring *how, const float *image, uint32_t index, int32_t level,
                   int32_t draw, float *y, float *e)
{
    const ebm_levels *l = how->levels;
    const ebm_stream stream = {.seed = how->seed,
                               .purpose = EBM_PURPOSE_DATA,
                               .chain = index,
                               .level = (uint32_t)level,
                               .step = (uint32_t)draw};
    const float keep = (float)(l->scale[level] * l->abar[level]);
    const float add = (float)(l->scale[level] * l->sbar[level]);
    ebm_rng_normal(&stream, 0, how->density->dim, e);
    for (size_t i = 0; i < how->density->dim; i++)
        y[i] = keep * image[i] + add * e[i];
}

void ebm_score_image(const ebm_scoring *how, const float *image, uint32_t index, float *work,
                     double *logp)
{
    const ebm_density *d = how->density;
    float *y = work, *e = work + d->dim, *grad = e + d->dim;
    for (int32_t t = 0; t < how->levels->count; t++) {
        double sum = 0.0;
        for (int32_t k = 0; k < how->draws; k++) {
            float net = 0.0f;
            noised(how, image, index, t, k, y, e);
            d->gradient(d->self, y, t, &net, grad);
            sum += (double)net / how->levels->step2[t];
        }
        logp[t] = sum / how->draws;
    }
}

void ebm_score_gradient(const ebm_scoring *how, const float *image, uint32_t index, float *work,
                        float *grad)
{
    const ebm_density *d = how->density;
    const ebm_levels *l = how->levels;
    float *y = work, *e = work + d->dim, *one = e + d->dim;
    /* nats, chain rule through y, mean */
    const float factor = (float)(l->scale[0] * l->abar[0] / l->step2[0] / (double)how->draws);
    memset(grad, 0, d->dim * sizeof *grad);
    for (int32_t k = 0; k < how->draws; k++) {
        noised(how, image, index, 0, k, y, e);
        d->gradient(d->self, y, 0, NULL, one);
        for (size_t i = 0; i < d->dim; i++)
            grad[i] += factor * one[i];
    }
}
