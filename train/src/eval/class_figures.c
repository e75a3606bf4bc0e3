/* Class shares and the class score from probabilities. Has never heard of images. */
#include <math.h>
#include <string.h>

#include "ebmt/statistics.h"

#define MAX_BLOCKS 10

static double entropy_term(double p)
{
    return p > 0.0 ? -p * log(p) : 0.0;
}

/* exp(H(mean p) - mean H(p)) over rows b, b+blocks, ...: the mean divergence in another order. */
static double block_score(const double *probs, int64_t n, int32_t classes, int32_t blocks,
                          int32_t b)
{
    double mean[EBMT_CLASSES_MAX] = {0.0}, within = 0.0, between = 0.0;
    const double rows = (double)((n - b + blocks - 1) / blocks);
    for (int64_t i = b; i < n; i += blocks)
        for (int32_t c = 0; c < classes; c++) {
            double p = probs[i * classes + c];
            mean[c] += p / rows;
            within += entropy_term(p) / rows;
        }
    for (int32_t c = 0; c < classes; c++)
        between += entropy_term(mean[c]);
    return exp(between - within);
}

static ebmt_number score(const double *probs, int64_t n, int32_t classes)
{
    const int32_t blocks = n / 2 < MAX_BLOCKS ? (n < 2 ? 1 : (int32_t)(n / 2)) : MAX_BLOCKS;
    double v[MAX_BLOCKS], mean = 0.0, spread = 0.0;
    for (int32_t b = 0; b < blocks; b++) {
        v[b] = block_score(probs, n, classes, blocks, b);
        mean += v[b] / blocks;
    }
    for (int32_t b = 0; b < blocks; b++)
        spread += (v[b] - mean) * (v[b] - mean);
    double se = blocks > 1 ? sqrt(spread / (blocks * (blocks - 1.0))) : NAN;
    return (ebmt_number){mean, se, n};
}

static void count_shares(const double *probs, int64_t n, ebmt_class_figures *out)
{
    for (int64_t i = 0; i < n; i++) {
        const double *p = probs + i * out->classes;
        int32_t best = 0;
        for (int32_t c = 1; c < out->classes; c++)
            best = p[c] > p[best] ? c : best;
        out->share[best].value += 1.0;
    }
    for (int32_t c = 0; c < out->classes; c++) {
        double p = out->share[c].value / (double)n;
        out->share[c] = (ebmt_number){p, sqrt(p * (1.0 - p) / (double)n), n};
        out->entropy += entropy_term(p);
    }
}

ebmt_number ebmt_class_entropy(const ebmt_class_figures *figures)
{
    const int64_t n = figures->share[0].n;
    double squares = 0.0;
    for (int32_t c = 0; c < figures->classes; c++) {
        double p = figures->share[c].value, term = entropy_term(p);
        squares += p > 0.0 ? term * term / p : 0.0;
    }
    const double variance = fmax(0.0, squares - figures->entropy * figures->entropy) / (double)n;
    return (ebmt_number){figures->entropy, sqrt(variance), n};
}

ebm_status ebmt_class_figures_measure(const double *probs, int64_t n, int32_t classes,
                                      ebmt_class_figures *out, ebm_error *err)
{
    if (n < 1 || classes < 1 || classes > EBMT_CLASSES_MAX)
        return ebm_error_set(err, EBM_ERR_RANGE, "classes", "%d classes of %lld points", classes,
                             (long long)n);
    memset(out, 0, sizeof *out);
    out->classes = classes;
    out->score = score(probs, n, classes);
    count_shares(probs, n, out);
    return EBM_OK;
}
