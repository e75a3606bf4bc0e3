/* What a worker works with on one plan: the density of its models on this thread, and scratch.
 * Knows sessions and compositions; not which job is worked on. */
#ifndef EBMD_TOOLS_H
#define EBMD_TOOLS_H

#include "ebm/compose.h"
#include "kinds/workbench.h"

typedef struct ebmd_tools {
    ebmd_workbench *bench[EBM_COMPOSE_MAX_PARTS]; /* borrowed */
    ebm_compose_part part[EBM_COMPOSE_MAX_PARTS];
    int32_t n;
    ebm_composition whole;
    ebm_density density; /* of all of them together; points into this struct */
    float *floats;       /* the block that holds work and what compositions need */
    size_t room;
    float *work;     /* as many as were asked for */
    uint8_t *pixels; /* [dim] of the largest model so far */
    size_t dim;
} ebmd_tools;

/* What is wanted: bench[i] with weight[i], and `work` floats of scratch. */
typedef struct ebmd_tools_order {
    ebmd_workbench *bench[EBM_COMPOSE_MAX_PARTS];
    double weight[EBM_COMPOSE_MAX_PARTS];
    int32_t n;
    ebm_compose_kind compose;
    size_t work;
} ebmd_tools_order;

/* Puts the tools together for the next quantum; allocates only when something is larger than it
 * has been before. @own ebmd_tools_clear() @err NOMEM, what ebm_compose() says */
EBM_MUST_CHECK ebm_status ebmd_tools_aim(ebmd_tools *t, const ebmd_tools_order *order,
                                         ebm_error *err);
void ebmd_tools_clear(ebmd_tools *t); /* zeroed allowed */
/* As ebmd_workbench_note() and _evals_in(), for all models together. */
void ebmd_tools_note(ebmd_tools *t, int64_t evals, double ms);
int64_t ebmd_tools_evals_in(const ebmd_tools *t, double ms);

#endif
