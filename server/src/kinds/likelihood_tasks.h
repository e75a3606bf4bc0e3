/* Tasks of a likelihood job: tuning, particles of the ladder and of its top, then each picture, one
 * after the other, because each needs what came before. Knows estimators and where their numbers
 * lie between two quanta; not jobs. A task stops, and is gone on with, between any two moves. */
#ifndef EBMD_LIKELIHOOD_TASKS_H
#define EBMD_LIKELIHOOD_TASKS_H

#include "ebm/likelihood.h"
#include "kinds/op_plan.h"

typedef struct ebmd_likelihood_state {
    int64_t done;        /* tasks: tuning, particles, pictures */
    int64_t spent;       /* evaluations, as estimated */
    ebm_tune_state tune; /* of the present task, which is one of these, or a draw and a particle */
    ebm_origin_state origin;
    ebm_particle_state particle;
    ebm_bound_state bound;
} ebmd_likelihood_state;

/* Where the arrays behind the head lie, in doubles. */
typedef struct ebmd_likelihood_arrays {
    double *tuned;          /* [2,T] */
    double *log_z;          /* [particles,T] */
    double *log_g;          /* [T] */
    ebm_particle *particle; /* [3,particles] */
    ebm_particle *weight;   /* [particles] */
    double *ladder;         /* [n] */
    ebm_bound *bound;       /* [n] */
    float *y;               /* [2,dim]: where the present task stands */
    float *sample;          /* [dim]: what tuning begins at */
} ebmd_likelihood_arrays;

ebmd_likelihood_arrays ebmd_likelihood_arrays_of(const ebmd_op *op, void *state);
/* Bytes of the arrays behind the head. */
size_t ebmd_likelihood_bytes(const ebmd_op *op);
size_t ebmd_likelihood_particles(const ebmd_op *op);
bool ebmd_likelihood_wants(const ebmd_op *op, ebm_method method);
int64_t ebmd_likelihood_tasks(const ebmd_op *op);
/* @unit gradient evaluations of all tasks, estimated */
double ebmd_likelihood_work(const ebmd_op *op);
/* Does the present task, or as much of it as there is time for; a draw is a part of its own.
 * *evals: what it took. @err DIVERGED, NOMEM */
EBM_MUST_CHECK ebm_status ebmd_likelihood_task(const ebmd_op *op, void *state, ebmd_tools *tools,
                                               int64_t max_evals, int64_t *evals, ebm_error *err);
/* log Z of the top level, from what the forward particles carried there. @err NOMEM */
EBM_MUST_CHECK ebm_status ebmd_likelihood_top(const ebmd_op *op, const ebmd_likelihood_arrays *a,
                                              ebm_log_z *top, ebm_error *err);
/* True if it is safe to go on from this state, whatever its other numbers are. */
bool ebmd_likelihood_state_ok(const ebmd_op *op, const ebmd_likelihood_state *s);

#endif
