/* The order of samples over epochs, from counters: no state but a cache of one permutation.
 * Has never heard of pixels. */
#include <assert.h>

#include "ebm/memory.h"
#include "ebm/rng.h"
#include "ebmt/data.h"

struct ebmt_order {
    int64_t count;
    uint64_t seed;
    int64_t epoch;    /* whose permutation is in `sample`; -1: none yet */
    uint32_t *sample; /* [count] */
};

ebm_status ebmt_order_create(int64_t count, uint64_t seed, ebmt_order **out, ebm_error *err)
{
    *out = NULL;
    if (count < 1 || count > INT32_MAX)
        return ebm_error_set(err, EBM_ERR_RANGE, "count", "%lld samples, allowed 1..%ld",
                             (long long)count, (long)INT32_MAX);
    ebmt_order *order = ebm_alloc(1, sizeof *order);
    uint32_t *sample = ebm_alloc((size_t)count, sizeof *sample);
    if (!order || !sample) {
        ebm_free(order);
        ebm_free(sample);
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for the order of %lld samples",
                             (long long)count);
    }
    *order = (ebmt_order){.count = count, .seed = seed, .epoch = -1, .sample = sample};
    *out = order;
    return EBM_OK;
}

/* Word i decides whom position i changes places with. The multiply-shift maps 32 random bits to
 * 0..i with a bias below i/2^32, far under anything that training could notice. */
static void shuffle(ebmt_order *order, int64_t epoch)
{
    const ebm_stream stream = {
        .seed = order->seed, .purpose = EBM_PURPOSE_SHUFFLE, .chain = (uint32_t)epoch};
    const uint32_t n = (uint32_t)order->count;
    for (uint32_t i = 0; i < n; i++)
        order->sample[i] = i;
    for (uint32_t i = n - 1; i > 0; i--) {
        uint32_t j = (uint32_t)(((uint64_t)ebm_rng_word(&stream, i) * ((uint64_t)i + 1)) >> 32);
        uint32_t kept = order->sample[i];
        order->sample[i] = order->sample[j];
        order->sample[j] = kept;
    }
    order->epoch = epoch;
}

void ebmt_order_batch(ebmt_order *order, int64_t iteration, int32_t batch, int64_t *index)
{
    assert(iteration >= 0 && batch > 0 && iteration <= INT64_MAX / batch - 1);
    const int64_t first = iteration * batch;
    for (int32_t k = 0; k < batch; k++) {
        int64_t epoch = (first + k) / order->count;
        if (epoch != order->epoch)
            shuffle(order, epoch);
        index[k] = order->sample[(first + k) % order->count];
    }
}

void ebmt_order_free(ebmt_order *order)
{
    if (!order)
        return;
    ebm_free(order->sample);
    ebm_free(order);
}
