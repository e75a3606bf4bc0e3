/* Watches a training run for the signs that come before a divergence. Knows statistics of
 * iterations; has never heard of weights or files. */
#ifndef EBMT_WATCH_H
#define EBMT_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ebm/levels.h"
#include "ebm/status.h"

/* A mean at or below this has settled: healthy runs stand at 0.9 to 1.1. */
#define EBMT__SETTLED 1.1

/* What one iteration says about its levels. @shape each [T]: means, and of how many samples */
typedef struct ebmt__signs {
    const double *displacement, *matching;
    const int64_t *chains, *matched;
} ebmt__signs;

/* One running mean. Of floats alone: a checkpoint stores them as they are. */
typedef struct ebmt__running {
    float mean, weight;
    float settled; /* 1: has once been a healthy run's; random weights may begin anywhere */
} ebmt__running;

/* Running means per level, and over all levels in the last place. */
typedef struct ebmt__watch {
    int32_t levels;
    double limit; /* 0: never alarmed */
    double *expected;
    ebmt__running *displacement, *matching; /* [T+1] */
} ebmt__watch;

/* Floats that the means of T levels take. */
size_t ebmt__watch_floats(int32_t levels);

/* Watches on: `means` are those of the state, 0 in the beginning.
 * @shape means [ebmt__watch_floats()] @own borrows means; clear with ebmt__watch_clear()
 * @err NOMEM */
EBM_MUST_CHECK ebm_status ebmt__watch_init(const ebm_levels *levels, double limit, float *means,
                                           ebmt__watch *out, ebm_error *err);
void ebmt__watch_clear(ebmt__watch *w); /* safe on a zeroed struct */

/* Takes in one iteration. */
void ebmt__watch_see(ebmt__watch *w, const ebmt__signs *signs);

/* How near to divergence the worst level is; 1 is what a healthy run has at most.
 * @eq  the larger of: root mean square of y- - x~ over sigma_{t+1}, which is 1 for a chain that
 *      samples the conditional (sqrt 2 stands for sigma at the top, where both ends are white);
 *      the matching loss, which is at most 1 for a network that is constant.
 *      Running means over about 64 samples; levels with fewer than 32, and those that have not
 *      been at 1.1 or below yet, are not looked at.
 * @shape *level: the worst one, T for all levels together; may be NULL */
double ebmt__watch_alarm(const ebmt__watch *w, int32_t *level);

/* True when the alarm is half way from 1 to the limit: no time to call the weights good. */
bool ebmt__watch_uneasy(const ebmt__watch *w);

/* @err DIVERGED: over the limit; the text names level and iteration */
EBM_MUST_CHECK ebm_status ebmt__watch_check(const ebmt__watch *w, int64_t iteration,
                                            ebm_error *err);

#endif
