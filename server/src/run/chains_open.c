/* Going on with a set of chains, see chains_open.h. */
#include "run/chains_open.h"

#include <string.h>

#include "ebm/memory.h"
#include "kinds/kind_chains.h"
#include "run/job_checkpoint.h"
#include "run/job_run.h"

static ebm_status refuse(ebma_problem *problem, ebm_arena *arena, const char *row, const char *code,
                         const char *text)
{
    ebma_problem_row(problem, arena, row, code, text);
    return EBM_ERR_RANGE;
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
        plan->behind += ebmd_kind_chains.spent(plan, p, run->part[p].state);
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
                                  .forked = set->forked,
                                  .metadata = order->asked ? order->asked->metadata : NULL};
    ebm_status st = change(order, &chains, arena, problem);

    if (st == EBM_OK && chains.run.params.keep > 0 && !stand_together(set))
        st = refuse(problem, arena, "keep", "invalid_combination",
                    "the chains stand at different steps: no snapshots of all");
    if (st == EBM_OK)
        st = ebmd_chains_plan(engine, &chains, arena, plan, problem);
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
