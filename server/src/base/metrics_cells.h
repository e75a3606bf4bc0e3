/* The numbers behind metrics.h, shared by the file that records and the file that writes. */
#ifndef EBMD_METRICS_CELLS_H
#define EBMD_METRICS_CELLS_H

#include <stdatomic.h>

#include "base/metrics.h"

typedef atomic_uint_fast64_t ebmd__cell;

#define EBMD__BUCKETS  14 /* upper bounds of a histogram, +Inf not counted */
#define EBMD__STATUSES 24 /* the statuses we send, and "other" at the end */
#define EBMD__OUTCOMES (EBMA_JOB_EXPIRED + 1)

/* A cumulative count is made when it is written; here each value lies in one bucket. */
typedef struct ebmd__histogram {
    ebmd__cell bucket[EBMD__BUCKETS + 1];
    ebmd__cell micros; /* the sum, in millionths */
} ebmd__histogram;

struct ebmd_metrics {
    const char *route[EBMD_METRICS_ROUTES_MAX + 1];
    size_t n_routes;
    ebmd__cell requests[EBMD_METRICS_ROUTES_MAX + 1][EBMD__STATUSES];
    ebmd__histogram latency[EBMD_METRICS_ROUTES_MAX + 1];
    ebmd__cell jobs[EBMD_KINDS][EBMD__OUTCOMES][EBMA_PROBLEM_COUNT];
    ebmd__cell counter[EBMD_COUNTERS];
    ebmd__histogram timer[EBMD_TIMERS];
    ebmd__cell gone[EBMD_GONE_PHASES];
    ebmd__cell denied[EBMD_DENIALS];
    ebmd__cell model_change[EBMD_MODEL_CHANGES];
    atomic_int_fast64_t gauge[EBMD_GAUGES]; /* millionths */
};

/* Upper bounds: seconds from a millisecond to a quarter of an hour, or rows of a batch. */
extern const double ebmd__seconds[EBMD__BUCKETS];
extern const double ebmd__rows[EBMD__BUCKETS];
/* Statuses in the order of the array; the last one, 0, stands for every other. */
extern const int ebmd__statuses[EBMD__STATUSES];

#endif
