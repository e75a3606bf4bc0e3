/* Repeated timing for `ebm bench`. Knows the clock; has never heard of what is being timed. */
#include <stdlib.h>

#include "cli/bench.h"
#include "cli/cli.h"
#include "ebm/memory.h"

#define MAX_ROUNDS 100000

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static ebmt__bench_figures summary(double *ms, int32_t n)
{
    qsort(ms, (size_t)n, sizeof *ms, by_value);
    return (ebmt__bench_figures){
        .median = 0.5 * (ms[(n - 1) / 2] + ms[n / 2]), .min = ms[0], .max = ms[n - 1], .rounds = n};
}

ebm_status ebmt__bench_repeat(double seconds, double share, void (*once)(void *user), void *user,
                              ebmt__bench_figures *out, ebm_error *err)
{
    double *ms = ebm_alloc(MAX_ROUNDS, sizeof *ms);
    int32_t n = 0;
    if (!ms)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for the times");
    once(user); /* warm-up: caches, BLAS buffers */
    double begin = ebmt__cli_now(), now = begin;
    do {
        double start = now;
        once(user);
        now = ebmt__cli_now();
        ms[n++] = (now - start) * 1e3 / share;
    } while (now - begin < seconds && n < MAX_ROUNDS);
    *out = summary(ms, n);
    ebm_free(ms);
    return EBM_OK;
}
