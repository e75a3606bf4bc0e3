/* Jobs of the kind "energy": each part is one picture, scored at every noise level.
 * Knows scores and calibrations; not who asks, nor where results are kept. */
#include <string.h>

#include "ebm/calibration.h"
#include "ebm/memory.h"
#include "kinds/op_plan.h"

/* Sums between two quanta. */
typedef struct score_state {
    int64_t done;
    char pad[EBM_ALIGN - sizeof(int64_t)];
    double features[]; /* [EBM_FEATURES,T]; then gradient [dim] of floats, if it is wanted */
} score_state;

static size_t features_of(const ebmd_op *op)
{
    return EBM_FEATURES * (size_t)op->levels->count;
}

static float *gradient_of(const ebmd_op *op, score_state *s)
{
    return op->call.params.gradient ? (float *)(void *)(s->features + features_of(op)) : NULL;
}

static ebm_scoring how_of(const ebmd_op *op, const ebm_density *density)
{
    return (ebm_scoring){.density = density,
                         .levels = op->levels,
                         .seed = (uint64_t)op->call.params.seed,
                         .draws = (int32_t)op->call.params.draws};
}

/* --- requests ------------------------------------------------------------------------------ */

static ebm_status energy_parse(const ebmd_engine *engine, const char *json, size_t size,
                               ebm_arena *arena, ebmd_plan *plan, ebma_problem *problem)
{
    ebm_status st = ebmd_op_parse(engine, json, size, arena, plan, problem);
    const ebmd_op *op = ebmd_op_of(plan);
    ebm_scoring how;
    size_t numbers;

    if (st != EBM_OK)
        return st;
    how = how_of(op, NULL);
    numbers =
        features_of(op) * sizeof(double) + (op->call.params.gradient ? op->dim : 0) * sizeof(float);
    plan->parts = op->request.n_images;
    plan->outputs = 1;
    plan->images = 0;
    plan->part_work = ebm_score_evals(&how, op->call.params.gradient);
    plan->state_size = sizeof(score_state) + numbers;
    plan->work = 3 * op->dim;
    /* a number has some ten digits in JSON */
    return ebmd_op_bound(arena, "images", 3.0 * (double)numbers * plan->parts,
                         (double)plan->part_work * plan->parts, problem);
}

/* --- documents ----------------------------------------------------------------------------- */

/* The results of all parts behind each other, as an output holds them one by one. */
static bool gather(const ebmd_op *op, const ebmd_result *results, int32_t n, double *features,
                   float *gradient)
{
    const size_t head = features_of(op) * sizeof(double),
                 tail = gradient ? op->dim * sizeof(float) : 0;

    for (int32_t k = 0; k < n; k++) {
        const ebmd_output *o = &results[k].output[0];

        if (o->size != head + tail)
            return false;
        memcpy(features + (size_t)k * features_of(op), o->data, head);
        if (gradient)
            memcpy(gradient + (size_t)k * op->dim, o->data + head, tail);
    }
    return true;
}

/* An average over another number of draws spreads differently: no percentiles then. */
static const ebm_calibration *calibration_of(const ebmd_op *op)
{
    const ebm_calibration *c = &op->calibration;

    return c->mean && c->draws == op->call.params.draws ? c : NULL;
}

static ebm_status energy_document(const ebmd_plan *plan, const ebmd_facts *facts, char **json,
                                  size_t *size, ebm_error *err)
{
    const ebmd_op *op = ebmd_op_of(plan);
    const size_t n = (size_t)plan->parts;
    ebma_scores scores = {.n = plan->parts,
                          .levels = op->levels->count,
                          .dim = op->dim,
                          .calibration = calibration_of(op)};
    const ebma_results results = {.scores = &scores};
    double *features;
    float *gradient = NULL;
    ebm_status st;

    if (!facts->results)
        return ebmd_op_document(plan, facts, NULL, json, size, err);
    features = ebm_alloc(n * features_of(op), sizeof(*features));
    if (op->call.params.gradient)
        gradient = ebm_alloc(n * op->dim, sizeof(*gradient));
    scores.features = features;
    scores.gradient = gradient;
    memcpy(scores.comparable_within, plan->chain_digest, sizeof(scores.comparable_within));
    if (!features || (op->call.params.gradient && !gradient))
        st = ebm_error_set(err, EBM_ERR_NOMEM, facts->id, "no memory for a job object");
    else if (!gather(op, facts->results, plan->parts, features, gradient))
        st = ebm_error_set(err, EBM_ERR_FORMAT, facts->id, "a result of another size");
    else
        st = ebmd_op_document(plan, facts, &results, json, size, err);
    ebm_free(features);
    ebm_free(gradient);
    return st;
}

/* --- scores -------------------------------------------------------------------------------- */

static void energy_start(const ebmd_plan *plan, int32_t part, void *state)
{
    (void)plan;
    (void)part;
    ((score_state *)state)->done = 0;
}

static int64_t energy_spent(const ebmd_plan *plan, int32_t part, const void *state)
{
    (void)plan;
    (void)part;
    return ((const score_state *)state)->done;
}

static ebm_status energy_advance(const ebmd_plan *plan, int32_t part, void *state,
                                 ebmd_tools *tools, ebmd_quantum *q, ebm_error *err)
{
    const ebmd_op *op = ebmd_op_of(plan);
    const ebm_scoring how = how_of(op, &tools->density);
    score_state *s = state;
    ebm_score score = {.done = s->done, .features = s->features, .grad = gradient_of(op, s)};

    (void)err;
    ebm_score_advance(&how, op->images + (size_t)part * op->dim, (uint32_t)part, q->max_evals,
                      tools->work, &score);
    q->evals = score.done - s->done;
    s->done = score.done;
    q->finished = s->done >= plan->part_work;
    return EBM_OK;
}

static ebm_status energy_collect(const ebmd_plan *plan, int32_t part, void *state,
                                 ebmd_tools *tools, ebmd_result *out, ebm_error *err)
{
    const ebmd_op *op = ebmd_op_of(plan);
    score_state *s = state;
    const size_t size = plan->state_size - sizeof(score_state);

    (void)tools;
    if (!ebm_score_is_finite(s->features, op->levels->count))
        return ebm_error_set(err, EBM_ERR_DIVERGED, NULL, "the energy of picture %d is not finite",
                             (int)part);
    out->output[0].data = ebm_alloc(size, 1);
    if (!out->output[0].data)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for a result");
    memcpy(out->output[0].data, s->features, size);
    out->output[0].size = size;
    return EBM_OK;
}

/* --- checkpoints --------------------------------------------------------------------------- */

static void energy_checkpoint(const ebmd_plan *plan, int32_t part, const void *state, void *bytes)
{
    (void)part;
    memcpy(bytes, state, plan->state_size);
}

/* Whatever the sums are, going on with them is safe. */
static ebm_status energy_restore(const ebmd_plan *plan, int32_t part, const void *bytes,
                                 void *state)
{
    score_state *s = state;

    (void)part;
    memcpy(s, bytes, plan->state_size);
    return s->done >= 0 && s->done <= plan->part_work ? EBM_OK : EBM_ERR_FORMAT;
}

const ebmd_kind ebmd_kind_energy = {
    .name = "energy",
    .operation = EBM_OP_ENERGY,
    .parse = energy_parse,
    .canon = ebmd_op_canon,
    .document = energy_document,
    .start = energy_start,
    .advance = energy_advance,
    .collect = energy_collect,
    .spent = energy_spent,
    .checkpoint = energy_checkpoint,
    .restore = energy_restore,
};
