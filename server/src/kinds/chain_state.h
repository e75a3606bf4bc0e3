/* Long chains of one part of a job between two quanta: plain bytes, so they can be written down at
 * any step. Knows chains and traces; not jobs, nor where the bytes are kept.
 *
 * A part holds one chain, or all of them if a rule of `until` looks at all together. */
#ifndef EBMD_CHAIN_STATE_H
#define EBMD_CHAIN_STATE_H

#include "kinds/op_plan.h"

#define EBMD_TRACE_COLUMNS (2 + EBM_TRACE_DIRECTIONS)

/* The layout of a part's bytes: a head, then for each chain its slot. */
typedef struct ebmd_chain_layout {
    const ebmd_op *op;
    ebm_call origin; /* with init samples: what draws the starting points */
    ebm_mcmc_plan origin_plan;
    int32_t chains, first; /* how many, and the number of the first one */
    int64_t origin_steps;  /* 0: chains start at once */
    int64_t total;         /* steps of a whole chain */
    int64_t cost;          /* gradient evaluations of a step */
    size_t room;           /* rows of a trace */
    size_t slot, size;     /* bytes of a chain, of all */
    const float *directions;
} ebmd_chain_layout;

#define EBMD_SNAPSHOTS_MAX 64 /* as the row `keep` says */

typedef struct ebmd_chain_head {
    int64_t at;     /* where the chains were looked at last: all have come so far */
    double seconds; /* of work so far */
    int64_t mark[EBMD_SNAPSHOTS_MAX]; /* steps at which snapshots were made */
    int32_t snapshots;                /* made so far */
    int32_t stopped;                  /* by a rule of `until` */
    int64_t from;  /* snapshots divide what is behind it: where the job's chains went on, or 0 */
    int32_t begun; /* chains that go on: `from` is known */
    char pad[EBM_ALIGN - 2 * sizeof(int64_t) - sizeof(double) - 3 * sizeof(int32_t)];
} ebmd_chain_head;

/* The numbers of a chain. */
typedef struct ebmd_chain_slot {
    int32_t level, running; /* running 0: the starting point is being drawn */
    int64_t step, total, moves, rows;
    double step_size, adapted, accept;
} ebmd_chain_slot;

ebmd_chain_layout ebmd_chain_layout_of(const ebmd_op *op, int32_t part, bool together,
                                       const float *directions);
ebmd_chain_slot *ebmd_chain_slot_at(const ebmd_chain_layout *l, void *state, int32_t i);
/* State and anchor of chain i. @shape [2, dim] */
float *ebmd_chain_y(const ebmd_chain_layout *l, void *state, int32_t i);
/* The chain i of the part, whose arrays lie in the state. */
ebm_mcmc ebmd_chain_view(const ebmd_chain_layout *l, void *state, int32_t i);
void ebmd_chain_put_back(const ebmd_chain_layout *l, void *state, int32_t i, const ebm_mcmc *chain);
ebm_trace ebmd_chain_trace(const ebmd_chain_layout *l, void *state, int32_t i);
/* Pixels of snapshot j of chain i. @shape [dim] */
uint8_t *ebmd_chain_snapshot(const ebmd_chain_layout *l, void *state, int32_t i, int32_t j);

/* Puts chain i where it begins. */
void ebmd_chain_begin(const ebmd_chain_layout *l, void *state, int32_t i);
/* Goes on with chain i for at most `evals` evaluations, up to `until` steps in all; returns how
 * many were spent. @err DIVERGED */
EBM_MUST_CHECK ebm_status ebmd_chain_step(const ebmd_chain_layout *l, void *state, int32_t i,
                                          int64_t until, ebmd_tools *tools, int64_t *evals,
                                          ebm_error *err);
/* Evaluations that chain i has behind it. */
int64_t ebmd_chain_spent(const ebmd_chain_layout *l, const void *state, int32_t i);
/* True for bytes that going on with is safe. */
bool ebmd_chain_state_ok(const ebmd_chain_layout *l, void *state);
/* Diagnoses chains [n] by their traces. band NULL: none @err NOMEM, RANGE */
EBM_MUST_CHECK ebm_status ebmd_chain_report(const ebmd_op *op, const ebm_trace *traces, size_t n,
                                            ebm_chains_report *out, ebm_error *err);

#endif
