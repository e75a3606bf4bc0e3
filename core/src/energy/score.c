/* Scores of images. Knows a density and levels; not what scores are compared with. */
#include <float.h>
#include <math.h>
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

/* Adds |e - g|^2 and |g|^2 for the model's guess g of the noise e. @shape e, grad [dim] */
static void add_guess(const ebm_scoring *how, int32_t level, const float *e, const float *grad,
                      double *miss, double *pull)
{
    const ebm_levels *l = how->levels;
    const double factor = -l->scale[level] * l->sbar[level] / l->step2[level];
    double miss2 = 0, pull2 = 0;
    for (size_t i = 0; i < how->density->dim; i++) {
        const double guess = factor * (double)grad[i], left = (double)e[i] - guess;
        miss2 += left * left;
        pull2 += guess * guess;
    }
    *miss += miss2;
    *pull += pull2;
}

/* The logarithm of a mean square; an exact guess has no finite one. */
static double log_of(double mean)
{
    return log(mean < DBL_MIN ? DBL_MIN : mean);
}

/* One draw of a level's means; after the last one the sums become the features. */
static void add_draw(const ebm_scoring *how, const float *image, uint32_t index, float *work,
                     ebm_score *score)
{
    const ebm_density *d = how->density;
    const int64_t number = score->done;
    double *features = score->features;
    const int32_t t = (int32_t)(number / how->draws), k = (int32_t)(number % how->draws);
    const int32_t levels = how->levels->count;
    double *logp = features + EBM_FEATURE_LOGP * levels + t;
    double *miss = features + EBM_FEATURE_MISS * levels + t;
    double *pull = features + EBM_FEATURE_PULL * levels + t;
    float net = 0.0f;
    if (k == 0)
        *logp = *miss = *pull = 0.0;
    noised(how, image, index, t, k, work, work + d->dim);
    d->gradient(d->self, work, t, &net, work + 2 * d->dim);
    *logp += (double)net / how->levels->step2[t];
    if (score->single)
        score->single[number] = (double)net / how->levels->step2[t];
    add_guess(how, t, work + d->dim, work + 2 * d->dim, miss, pull);
    if (k < how->draws - 1)
        return;
    *logp /= how->draws;
    *miss = log_of(*miss / how->draws);
    *pull /= how->draws;
}

static void add_gradient(const ebm_scoring *how, const float *image, uint32_t index, int32_t draw,
                         float *work, float *grad)
{
    const ebm_density *d = how->density;
    const ebm_levels *l = how->levels;
    float *one = work + 2 * d->dim;
    /* nats, chain rule through y, mean */
    const float factor = (float)(l->scale[0] * l->abar[0] / l->step2[0] / (double)how->draws);
    if (draw == 0)
        memset(grad, 0, d->dim * sizeof *grad);
    noised(how, image, index, 0, draw, work, work + d->dim);
    d->gradient(d->self, work, 0, NULL, one);
    for (size_t i = 0; i < d->dim; i++)
        grad[i] += factor * one[i];
}

int64_t ebm_score_evals(const ebm_scoring *how, bool gradient)
{
    return (int64_t)how->draws * (how->levels->count + (gradient ? 1 : 0));
}

void ebm_score_advance(const ebm_scoring *how, const float *image, uint32_t index,
                       int64_t max_evals, float *work, ebm_score *score)
{
    const int64_t all = ebm_score_evals(how, score->grad != NULL);
    const int64_t levels = ebm_score_evals(how, false);
    for (; max_evals > 0 && score->done < all; max_evals--, score->done++) {
        if (score->done < levels)
            add_draw(how, image, index, work, score);
        else
            add_gradient(how, image, index, (int32_t)(score->done - levels), work, score->grad);
    }
}

void ebm_score_image(const ebm_scoring *how, const float *image, uint32_t index, float *work,
                     double *features)
{
    ebm_score score = {.features = features};
    ebm_score_advance(how, image, index, INT64_MAX, work, &score);
}

void ebm_score_gradient(const ebm_scoring *how, const float *image, uint32_t index, float *work,
                        float *grad)
{
    for (int32_t k = 0; k < how->draws; k++)
        add_gradient(how, image, index, k, work, grad);
}

bool ebm_score_is_finite(const double *features, int32_t levels)
{
    for (int32_t i = 0; i < EBM_FEATURES * levels; i++)
        if (!isfinite(features[i]))
            return false;
    return true;
}
