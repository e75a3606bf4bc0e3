/* Jobs of the kind "likelihood": requests, results, checkpoints. What is computed in between is in
 * likelihood_tasks.h. Knows neither who asks nor where results are kept. */
#include <string.h>

#include "ebm/memory.h"
#include "kinds/likelihood_tasks.h"

static ebm_status likelihood_parse(const ebmd_engine *engine, const char *json, size_t size,
                                   ebm_arena *arena, ebmd_plan *plan, ebma_problem *problem)
{
    ebm_status st = ebmd_op_parse(engine, json, size, arena, plan, problem);
    const ebmd_op *op = ebmd_op_of(plan);

    if (st != EBM_OK)
        return st;
    st = ebmd_op_bound(arena, "particles",
                       (double)ebmd_likelihood_particles(op) * (op->levels->count + 8) *
                           sizeof(double),
                       ebmd_likelihood_work(op), problem);
    if (st != EBM_OK)
        return st;
    plan->parts = plan->outputs = 1;
    plan->part_work = (int64_t)ebmd_likelihood_work(op);
    plan->state_size = sizeof(ebmd_likelihood_state) + ebmd_likelihood_bytes(op);
    /* work, x, start, path */
    plan->work = ebm_ais_work(op->dim) + (3 + (size_t)op->levels->count) * op->dim;
    return EBM_OK;
}

static void likelihood_start(const ebmd_plan *plan, int32_t part, void *state)
{
    (void)part;
    memset(state, 0, plan->state_size);
}

static int64_t likelihood_spent(const ebmd_plan *plan, int32_t part, const void *state)
{
    const ebmd_likelihood_state *s = state;

    (void)part;
    return s->spent < plan->part_work ? s->spent : plan->part_work;
}

static ebm_status likelihood_advance(const ebmd_plan *plan, int32_t part, void *state,
                                     ebmd_tools *tools, ebmd_quantum *q, ebm_error *err)
{
    const ebmd_op *op = ebmd_op_of(plan);
    ebmd_likelihood_state *s = state;
    ebm_status st = EBM_OK;

    (void)part;
    while (st == EBM_OK && q->evals < q->max_evals && s->done < ebmd_likelihood_tasks(op)) {
        int64_t evals = 0;

        st = ebmd_likelihood_task(op, state, tools, q->max_evals - q->evals, &evals, err);
        q->evals += evals;
        s->spent += evals;
    }
    q->finished = s->done >= ebmd_likelihood_tasks(op);
    return st;
}

/* The state is the result, but for the head: how it came about. */
static ebm_status likelihood_collect(const ebmd_plan *plan, int32_t part, void *state,
                                     ebmd_tools *tools, ebmd_result *out, ebm_error *err)
{
    (void)part;
    (void)tools;
    out->output[0].data = ebm_alloc(plan->state_size, 1);
    if (!out->output[0].data)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for a result");
    memcpy(out->output[0].data, state, plan->state_size);
    memset(out->output[0].data, 0, sizeof(ebmd_likelihood_state));
    out->output[0].size = plan->state_size;
    return EBM_OK;
}

/* --- documents ----------------------------------------------------------------------------- */

static ebm_status normalise(const ebmd_op *op, const ebmd_likelihood_arrays *a, ebma_likelihoods *l,
                            ebm_error *err)
{
    const size_t n = ebmd_likelihood_particles(op);
    ebm_status st = ebm_log_z_of(a->particle, n, false, &l->forward, err);

    if (st == EBM_OK && l->ais)
        st = ebm_log_z_of(a->particle + n, n, true, &l->reverse, err);
    return st == EBM_OK ? ebmd_likelihood_top(op, a, &l->top, err) : st;
}

static ebm_status likelihood_document(const ebmd_plan *plan, const ebmd_facts *facts, char **json,
                                      size_t *size, ebm_error *err)
{
    const ebmd_op *op = ebmd_op_of(plan);
    ebma_likelihoods l = {.n = op->request.n_images,
                          .dim = op->dim,
                          .levels = op->levels,
                          .ais = ebmd_likelihood_wants(op, EBM_METHOD_AIS),
                          .recovery = ebmd_likelihood_wants(op, EBM_METHOD_RECOVERY)};
    const ebma_results results = {.likelihoods = &l};
    const ebmd_output *o;
    ebmd_likelihood_arrays a;
    ebm_status st;

    if (!facts->results)
        return ebmd_op_document(plan, facts, NULL, json, size, err);
    o = &facts->results[0].output[0];
    if (o->size != plan->state_size)
        return ebm_error_set(err, EBM_ERR_FORMAT, facts->id, "a result of another size");
    a = ebmd_likelihood_arrays_of(op, o->data);
    l.ladder = a.ladder;
    l.bound = a.bound;
    memcpy(l.comparable_within, plan->chain_digest, sizeof(l.comparable_within));
    st = normalise(op, &a, &l, err);
    return st == EBM_OK ? ebmd_op_document(plan, facts, &results, json, size, err) : st;
}

/* --- checkpoints --------------------------------------------------------------------------- */

static void likelihood_checkpoint(const ebmd_plan *plan, int32_t part, const void *state,
                                  void *bytes)
{
    (void)part;
    memcpy(bytes, state, plan->state_size);
}

static ebm_status likelihood_restore(const ebmd_plan *plan, int32_t part, const void *bytes,
                                     void *state)
{
    (void)part;
    memcpy(state, bytes, plan->state_size);
    return ebmd_likelihood_state_ok(ebmd_op_of(plan), state) ? EBM_OK : EBM_ERR_FORMAT;
}

const ebmd_kind ebmd_kind_likelihood = {
    .name = "likelihood",
    .operation = EBM_OP_LIKELIHOOD,
    .parse = likelihood_parse,
    .canon = ebmd_op_canon,
    .document = likelihood_document,
    .start = likelihood_start,
    .advance = likelihood_advance,
    .collect = likelihood_collect,
    .spent = likelihood_spent,
    .checkpoint = likelihood_checkpoint,
    .restore = likelihood_restore,
};
