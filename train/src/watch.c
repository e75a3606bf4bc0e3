/* See watch.h. */
#include "watch.h"

#include <math.h>
#include <stdlib.h>

#define MEMORY 64.0 /* samples a running mean remembers */
#define ENOUGH 32.0 /* samples before it is looked at */

size_t ebmt__watch_floats(int32_t levels)
{
    return 2 * ((size_t)levels + 1) * (sizeof(ebmt__running) / sizeof(float));
}

ebm_status ebmt__watch_init(const ebm_levels *levels, double limit, float *means, ebmt__watch *out,
                            ebm_error *err)
{
    size_t places = (size_t)levels->count + 1;
    *out = (ebmt__watch){.levels = levels->count, .limit = limit};
    out->displacement = (ebmt__running *)(void *)means;
    out->matching = out->displacement + places;
    out->expected = calloc(places, sizeof *out->expected);
    if (!out->expected)
        return ebm_error_set(err, EBM_ERR_NOMEM, "watch", "no memory");
    for (int32_t t = 0; t < levels->count; t++)
        out->expected[t] = levels->tether[t] != 0.0 ? levels->sigma[t + 1] : sqrt(2.0);
    return EBM_OK;
}

void ebmt__watch_clear(ebmt__watch *w)
{
    free(w->expected);
    *w = (ebmt__watch){0};
}

static void add(ebmt__running *r, double mean, int64_t n)
{
    double keep = exp(-(double)n / MEMORY) * (double)r->weight;
    double weight = keep + (double)n;
    if (n == 0)
        return;
    r->mean = (float)((keep * (double)r->mean + (double)n * mean) / weight);
    r->weight = (float)weight;
    if (weight >= ENOUGH && (double)r->mean <= EBMT__SETTLED)
        r->settled = 1.0f;
}

void ebmt__watch_see(ebmt__watch *w, const ebmt__signs *signs)
{
    double moved = 0.0, missed = 0.0;
    int64_t chains = 0, matched = 0;
    for (int32_t t = 0; t < w->levels; t++) {
        double far = signs->displacement[t] / w->expected[t];
        add(&w->displacement[t], far, signs->chains[t]);
        add(&w->matching[t], signs->matching[t], signs->matched[t]);
        moved += far * (double)signs->chains[t];
        missed += signs->matching[t] * (double)signs->matched[t];
        chains += signs->chains[t];
        matched += signs->matched[t];
    }
    add(&w->displacement[w->levels], chains ? moved / (double)chains : 0.0, chains);
    add(&w->matching[w->levels], matched ? missed / (double)matched : 0.0, matched);
}

/* A mean that is no number is the worst of all. */
static double judged(const ebmt__running *r)
{
    if (r->settled == 0.0f)
        return 0.0;
    return isnan(r->mean) ? (double)INFINITY : (double)r->mean;
}

double ebmt__watch_alarm(const ebmt__watch *w, int32_t *level)
{
    double worst = 0.0;
    for (int32_t t = 0; t <= w->levels; t++) {
        double here = fmax(judged(&w->displacement[t]), judged(&w->matching[t]));
        if (here <= worst)
            continue;
        worst = here;
        if (level)
            *level = t;
    }
    return worst;
}

bool ebmt__watch_uneasy(const ebmt__watch *w)
{
    return w->limit > 0.0 && ebmt__watch_alarm(w, NULL) > 0.5 * (1.0 + w->limit);
}

ebm_status ebmt__watch_check(const ebmt__watch *w, int64_t iteration, ebm_error *err)
{
    int32_t level = w->levels;
    double alarm = ebmt__watch_alarm(w, &level);
    if (w->limit == 0.0 || alarm <= w->limit)
        return EBM_OK;
    if (level == w->levels)
        return ebm_error_set(err, EBM_ERR_DIVERGED, "levels",
                             "training diverges at iteration %lld: over all levels chains or "
                             "gradients are %.3g times as far out as they should be",
                             (long long)iteration, alarm);
    return ebm_error_set(err, EBM_ERR_DIVERGED, "levels",
                         "training diverges at iteration %lld: at level %d chains or gradients "
                         "are %.3g times as far out as they should be",
                         (long long)iteration, (int)level, alarm);
}
