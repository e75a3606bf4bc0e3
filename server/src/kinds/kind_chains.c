/* Going on with chains, see kind_chains.h. */
#include "kinds/kind_chains.h"

#include <stdio.h>
#include <string.h>

#include "kinds/chain_traces.h"

/* --- plans --------------------------------------------------------------------------------- */

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

static void chains_add_class(const ebmd_plan *plan, const char *kernel_class)
{
    ebmd_op *op = plan->request;

    ebm_receipt_add_class(&op->receipt, kernel_class);
}

ebm_status ebmd_chains_plan(const ebmd_engine *engine, const ebma_chains_request *chains,
                            ebm_arena *arena, ebmd_plan *plan, ebma_problem *problem)
{
    const ebma_op_request request = request_of(chains);
    ebmd_op *op;
    ebm_status st = ebmd_op_plan(engine, &request, &chains->run, arena, plan, problem);

    if (st != EBM_OK)
        return st;
    op = plan->request;
    op->forked = chains->forked;
    op->receipt.params.init = chains->run.params.init;
    op->receipt.inputs = chains->run.inputs;
    chains_add_class(plan, chains->run.kernel_class);
    op->request.params.init = chains->run.params.init;
    return ebmd_mcmc_measure(arena, plan, problem);
}

ebm_status ebmd_chains_check_keep(const ebmd_plan *plan, ebm_arena *arena, ebma_problem *problem)
{
    const ebmd_chain_layout l = ebmd_mcmc_layout(plan, 0);
    const int64_t done = plan->behind / l.cost / plan->images; /* of a chain, on average */
    const int64_t keep = ebmd_op_of(plan)->call.params.keep;
    char text[80];

    if (keep == 0 || keep <= l.total - done)
        return EBM_OK;
    snprintf(text, sizeof(text), "only %lld steps are ahead of the chains",
             (long long)(l.total - done));
    ebma_problem_row(problem, arena, "keep", "out_of_range", text);
    return EBM_ERR_RANGE;
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
    return ebmd_chains_plan(engine, chains, arena, plan, problem);
}

static ebm_status chains_canon(const ebmd_plan *plan, char **json, size_t *size, ebm_error *err)
{
    const ebmd_op *op = ebmd_op_of(plan);
    const ebma_chains_request chains = {
        .run = op->receipt, .forked = op->forked, .metadata = op->request.metadata};

    return ebma_chains_encode(&chains, json, size, err);
}

/* --- the kind ------------------------------------------------------------------------------ */

static int64_t chains_spent(const ebmd_plan *plan, int32_t part, const void *state)
{
    return ebmd_kind_mcmc.spent(plan, part, state);
}

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
    ebmd_chain_head *h = state;

    if (h->at < 0)
        return ebm_error_set(err, EBM_ERR_FORMAT, "chains", "the chains to go on with are lost");
    if (!h->begun) {
        h->begun = 1;
        h->from = h->at; /* the job's snapshots divide what is ahead */
    }
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
    .add_class = chains_add_class,
};
