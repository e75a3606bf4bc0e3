/* See embedding.h and ruler.h. */
#include "eval/embedding.h"

#include <math.h>
#include <string.h>

#include "ebm/memory.h"

ebm_status ebmt__embedding_init(int64_t n, int32_t dim, int32_t classes, ebmt_embedding *out,
                                ebm_error *err)
{
    *out = (ebmt_embedding){.n = n, .dim = dim, .classes = classes};
    out->features = ebm_alloc((size_t)n, (size_t)dim * sizeof(double));
    out->probs = ebm_alloc((size_t)n, (size_t)classes * sizeof(double));
    if (!out->features || !out->probs)
        return ebm_error_set(err, EBM_ERR_NOMEM, "features", "no memory for %lld images",
                             (long long)n);
    return EBM_OK;
}

void ebmt_embedding_clear(ebmt_embedding *e)
{
    ebm_free(e->features);
    ebm_free(e->probs);
    memset(e, 0, sizeof *e);
}

void ebmt__softmax(const float *logits, int32_t classes, double *probs)
{
    double top = -INFINITY, sum = 0.0;
    for (int32_t c = 0; c < classes; c++)
        top = (double)logits[c] > top ? (double)logits[c] : top; /* keeps exp from overflowing */
    for (int32_t c = 0; c < classes; c++)
        sum += probs[c] = exp((double)logits[c] - top);
    for (int32_t c = 0; c < classes; c++)
        probs[c] /= sum;
}

double ebmt_embedding_accuracy(const ebmt_embedding *e, const uint8_t *labels)
{
    int64_t right = 0;
    for (int64_t i = 0; i < e->n; i++) {
        const double *p = e->probs + i * e->classes;
        int32_t best = 0;
        for (int32_t c = 1; c < e->classes; c++)
            best = p[c] > p[best] ? c : best;
        right += best == labels[i];
    }
    return (double)right / (double)e->n;
}
