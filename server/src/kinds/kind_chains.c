/* Going on with chains, see kind_chains.h. */
#include "kinds/kind_chains.h"

#include <stdio.h>
#include <string.h>

#include "kinds/chain_traces.h"
#include "ebm/memory.h"
#include "run/job_checkpoint.h"
#include "run/job_run.h"

/* --- plans --------------------------------------------------------------------------------- */

static ebm_status refuse(ebma_problem *problem, ebm_arena *arena, const char *row, const char *code,
                         const char *text)
{
    ebma_problem_row(problem, arena, row, code, text);
    return EBM_ERR_RANGE;
}

/* The request that a run's receipt tells of. Its chains hold where they are: wherever they began,
 * no picture is needed any more. */
static ebma_op_request request_of(const ebma_chains_request *chains)
{
    const ebm_receipt *run = &chains->run;
    ebma_op_request r = {.operation = ebm_operation_of(EBM_OP_MCMC),
                         .metadata = chains->metadata,
                         .params = run->params,
                         .n_models = run->n_models,
                         .priority = -1};

    memcpy(r.model, run->model, sizeof(r.model));
    r.params.init = EBM_INIT_NOISE;
    return r;
}

/* The same weights as when the chains were begun; others with the name would be another model. */
static bool same_models(const ebm_receipt *run, const ebmd_plan *plan)
{
    for (int32_t i = 0; i < plan->n_models; i++) {
        if (strcmp(run->sha256[i], ebm_model_describe(plan->model[i])->sha256) != 0)
            return false;
    }
    return true;
}

static ebm_status plan_run(const ebmd_engine *engine, const ebma_chains_request *chains,
                           ebm_arena *arena, ebmd_plan *plan, ebma_problem *problem)
{
    const ebma_op_request request = request_of(chains);
    ebmd_op *op;
    ebm_status st = ebmd_op_plan(engine, &request, arena, plan, problem);

    if (st != EBM_OK)
        return st;
    if (!same_models(&chains->run, plan)) {
        problem->code = EBMA_MODEL_NOT_FOUND;
        return EBM_ERR_NOT_FOUND;
    }
    op = plan->request;
    op->forked = chains->forked;
    op->continued = true;
    op->receipt.params.init = chains->run.params.init;
    op->receipt.inputs = chains->run.inputs;
    op->request.params.init = chains->run.params.init;
    return ebmd_mcmc_measure(arena, plan, problem);
}

static ebm_status chains_parse(const ebmd_engine *engine, const char *json, size_t size,
                               ebm_arena *arena, ebmd_plan *plan, ebma_problem *problem)
{
    ebma_chains_request *chains = ebm_arena_alloc(arena, 1, sizeof(*chains));

    memset(problem, 0, sizeof(*problem));
    if (!chains) {
        problem->code = EBMA_OUT_OF_MEMORY;
        return EBM_ERR_NOMEM;
    }
    if (ebma_chains_decode(json, size, arena, chains, NULL) != EBM_OK) {
        problem->code = EBMA_INTERNAL; /* nobody but us writes such requests */
        return EBM_ERR_FORMAT;
    }
    return plan_run(engine, chains, arena, plan, problem);
}

static ebm_status chains_canon(const ebmd_plan *plan, char **json, size_t *size, ebm_error *err)
{
    const ebmd_op *op = ebmd_op_of(plan);
    const ebma_chains_request chains = {
        .run = op->receipt, .forked = op->forked, .metadata = op->request.metadata};

    return ebma_chains_encode(&chains, json, size, err);
}

/* --- states -------------------------------------------------------------------------------- */

static bool belongs(const ebmd_chain_layout *l, int32_t k, const ebm_mcmc *chain,
                    const ebm_receipt *old)
{
    return chain->noise.index == (uint32_t)old->params.first_index + (uint32_t)k &&
           chain->noise.seed == (uint64_t)old->params.seed && chain->total <= l->total;
}

/* Chain k of the set into place i of a part. @err FORMAT and what the codecs say */
static ebm_status take_chain(const ebmd_chain_layout *l, void *state, int32_t i,
                             const ebm_chain_set *set, const char *digest)
{
    const int32_t k = l->first + i;
    ebmd_chain_slot *s = ebmd_chain_slot_at(l, state, i);
    ebm_mcmc chain = {.y = ebmd_chain_y(l, state, i)};
    ebm_trace trace = ebmd_chain_trace(l, state, i);
    const ebm_mcmc_room room = {.dim = l->op->dim,
                                .levels = l->op->levels,
                                .model_digest = digest,
                                .y = chain.y,
                                .anchor = chain.y + l->op->dim};
    ebm_mcmc_plan plan;
    ebm_status st = ebm_mcmc_decode(set->chain[k].checkpoint, set->chain[k].checkpoint_bytes, &room,
                                    &chain, &plan, NULL);

    if (st == EBM_OK)
        st = ebm_chain_set_trace(set, k, &trace, NULL);
    if (st == EBM_OK && !belongs(l, k, &chain, &set->run))
        st = EBM_ERR_FORMAT;
    if (st != EBM_OK)
        return st;
    ebmd_chain_put_back(l, state, i, &chain);
    s->running = 1;
    s->rows = (int64_t)trace.count;
    return EBM_OK;
}

static int64_t least_done(const ebmd_run *run, const ebmd_plan *plan)
{
    int64_t least = INT64_MAX;

    for (int32_t p = 0; p < plan->parts; p++) {
        const ebmd_chain_layout l = ebmd_mcmc_layout(plan, p);

        for (int32_t i = 0; i < l.chains; i++) {
            int64_t total = ebmd_chain_slot_at(&l, run->part[p].state, i)->total;

            least = total < least ? total : least;
        }
    }
    return least;
}

static ebm_status take_part(ebmd_run *run, int32_t part, const ebm_chain_set *set)
{
    const ebmd_chain_layout l = ebmd_mcmc_layout(&run->plan, part);
    ebmd_part *p = &run->part[part];
    ebm_status st = EBM_OK;

    p->state = ebm_alloc(run->plan.state_size, 1);
    if (!p->state)
        return EBM_ERR_NOMEM;
    p->phase = EBMD_PART_BEGUN;
    for (int32_t i = 0; i < l.chains && st == EBM_OK; i++)
        st = take_chain(&l, p->state, i, set, run->plan.digest);
    return st;
}

/* All parts where the set's chains stand. */
static ebm_status take_all(ebmd_run *run, const ebm_chain_set *set)
{
    ebm_status st = EBM_OK;
    int64_t least;

    for (int32_t p = 0; p < run->plan.parts && st == EBM_OK; p++)
        st = take_part(run, p, set);
    if (st != EBM_OK)
        return st;
    least = least_done(run, &run->plan);
    for (int32_t p = 0; p < run->plan.parts && st == EBM_OK; p++) {
        const ebmd_chain_layout l = ebmd_mcmc_layout(&run->plan, p);

        ((ebmd_chain_head *)run->part[p].state)->at = least;
        st = ebmd_chain_state_ok(&l, run->part[p].state) ? EBM_OK : EBM_ERR_FORMAT;
    }
    return st;
}

static int64_t chains_spent(const ebmd_plan *plan, int32_t part, const void *state)
{
    return ebmd_kind_mcmc.spent(plan, part, state);
}

/* A run that has not begun to work, packed. */
static ebm_status pack(ebmd_plan *plan, const ebm_chain_set *set, unsigned char **bytes,
                       size_t *size)
{
    ebmd_run *run = ebm_alloc(1, sizeof(*run));
    ebm_status st = EBM_ERR_NOMEM;

    if (run) {
        run->plan = *plan;
        run->part = ebm_alloc((size_t)plan->parts, sizeof(*run->part));
    }
    if (run && run->part)
        st = take_all(run, set);
    if (st == EBM_OK)
        st = ebmd_job_checkpoint_pack(run, bytes, size, NULL);
    plan->behind = 0;
    for (int32_t p = 0; st == EBM_OK && p < plan->parts; p++)
        plan->behind += chains_spent(plan, p, run->part[p].state);
    for (int32_t p = 0; run && run->part && p < plan->parts; p++)
        ebm_free(run->part[p].state);
    if (run)
        ebm_free(run->part);
    ebm_free(run);
    return st;
}

/* --- orders -------------------------------------------------------------------------------- */

/* The parameters of the set with what is asked for in their place. */
static ebm_status change(const ebmd_chains_order *order, ebma_chains_request *chains,
                         ebm_arena *arena, ebma_problem *problem)
{
    ebm_op_params *p = &chains->run.params;
    const ebma_op_request *asked = order->asked;

    p->keep = asked ? asked->params.keep : 0;
    p->until_ess = asked ? asked->params.until_ess : 0.0;
    p->until_rhat = asked ? asked->params.until_rhat : 0.0;
    p->until_max_seconds = asked ? asked->params.until_max_seconds : 0.0;
    if (!asked || order->call == EBMA_CHAINS_RESUME)
        return EBM_OK;
    if (p->ladder)
        return refuse(problem, arena, "steps", "invalid_combination",
                      "chains down the ladder cannot be extended");
    p->steps += asked->params.steps;
    if (order->call == EBMA_CHAINS_FORK) {
        p->seed = asked->params.seed;
        chains->forked = true;
    }
    return EBM_OK;
}

static bool stand_together(const ebm_chain_set *set)
{
    for (int32_t k = 1; k < set->n; k++) {
        if (set->chain[k].rows != set->chain[0].rows)
            return false;
    }
    return true;
}

static ebm_status decode_set(const ebmd_chains_order *order, ebm_chain_set *set, ebm_arena *arena,
                             ebma_problem *problem)
{
    ebm_error err = {0};
    ebm_status st = ebm_chain_set_decode(order->set, order->size, set, &err);

    if (st == EBM_OK || st == EBM_ERR_NOMEM) {
        problem->code = st == EBM_OK ? EBMA_OK : EBMA_OUT_OF_MEMORY;
        return st;
    }
    return refuse(problem, arena, "chains", "bad_chains",
                  "not a file of chains, or one that is damaged");
}

static ebm_status begin(const ebmd_engine *engine, const ebmd_chains_order *order,
                        const ebm_chain_set *set, ebm_arena *arena, ebmd_plan *plan,
                        ebma_problem *problem)
{
    ebma_chains_request chains = {.run = set->run,
                                  .forked = order->forked,
                                  .metadata = order->asked ? order->asked->metadata : NULL};
    ebm_status st = change(order, &chains, arena, problem);

    if (st == EBM_OK && chains.run.params.keep > 0 && !stand_together(set))
        st = refuse(problem, arena, "keep", "invalid_combination",
                    "the chains stand at different steps: no snapshots of all");
    if (st == EBM_OK)
        st = plan_run(engine, &chains, arena, plan, problem);
    if (st == EBM_OK && order->asked) {
        plan->priority = order->asked->priority;
        plan->timeout_ms = (int64_t)(order->asked->timeout_s * 1e3);
    }
    return st;
}

ebm_status ebmd_chains_open(const ebmd_engine *engine, const ebmd_chains_order *order,
                            ebm_arena *arena, ebmd_plan *plan, unsigned char **checkpoint,
                            size_t *checkpoint_size, ebma_problem *problem)
{
    ebm_chain_set *set = ebm_arena_alloc(arena, 1, sizeof(*set));
    ebm_status st;

    *checkpoint = NULL;
    memset(problem, 0, sizeof(*problem));
    if (!set) {
        problem->code = EBMA_OUT_OF_MEMORY;
        return EBM_ERR_NOMEM;
    }
    plan->kind = &ebmd_kind_chains;
    st = decode_set(order, set, arena, problem);
    if (st == EBM_OK)
        st = begin(engine, order, set, arena, plan, problem);
    if (st != EBM_OK)
        return st;
    st = pack(plan, set, checkpoint, checkpoint_size);
    if (st == EBM_ERR_NOMEM)
        problem->code = EBMA_OUT_OF_MEMORY;
    else if (st != EBM_OK)
        st = refuse(problem, arena, "chains", "bad_chains",
                    "the chains do not fit what the file says of them");
    return st;
}

/* --- the kind ------------------------------------------------------------------------------ */

static void chains_start(const ebmd_plan *plan, int32_t part, void *state)
{
    /* Without their checkpoint there is nothing to go on with: advance() says so. */
    (void)plan;
    (void)part;
    ((ebmd_chain_head *)state)->at = -1;
}

static ebm_status chains_advance(const ebmd_plan *plan, int32_t part, void *state,
                                 ebmd_tools *tools, ebmd_quantum *q, ebm_error *err)
{
    if (((const ebmd_chain_head *)state)->at < 0)
        return ebm_error_set(err, EBM_ERR_FORMAT, "chains", "the chains to go on with are lost");
    return ebmd_kind_mcmc.advance(plan, part, state, tools, q, err);
}

static ebm_status chains_collect(const ebmd_plan *plan, int32_t part, void *state,
                                 ebmd_tools *tools, ebmd_result *out, ebm_error *err)
{
    return ebmd_kind_mcmc.collect(plan, part, state, tools, out, err);
}

static void chains_checkpoint(const ebmd_plan *plan, int32_t part, const void *state, void *bytes)
{
    ebmd_kind_mcmc.checkpoint(plan, part, state, bytes);
}

static ebm_status chains_restore(const ebmd_plan *plan, int32_t part, const void *bytes,
                                 void *state)
{
    return ebmd_kind_mcmc.restore(plan, part, bytes, state);
}

static void chains_look(const ebmd_plan *plan, int32_t part, const void *state, ebmd_sight *out)
{
    ebmd_kind_mcmc.look(plan, part, state, out);
}

static ebm_status chains_preview(const ebmd_plan *plan, int32_t part, const void *state,
                                 ebmd_tools *tools, unsigned char **png, size_t *size,
                                 ebm_error *err)
{
    return ebmd_kind_mcmc.preview(plan, part, state, tools, png, size, err);
}

const ebmd_kind ebmd_kind_chains = {
    .name = "chains",
    .operation = EBM_OP_MCMC,
    .lasts = true,
    .keeps = true,
    .parse = chains_parse,
    .canon = chains_canon,
    .document = ebmd_mcmc_document,
    .start = chains_start,
    .advance = chains_advance,
    .collect = chains_collect,
    .spent = chains_spent,
    .look = chains_look,
    .preview = chains_preview,
    .diagnose = ebmd_chain_diagnose,
    .checkpoint = chains_checkpoint,
    .restore = chains_restore,
};
