/* Chains of images. See op_draw.h. */
#include "cli/op_draw.h"

/* Ends after each level, so that somebody may look. */
static ebm_status advance_watched(ebm_mcmc *chain, const ebm_mcmc_setup *setup, int32_t k,
                                  ebmt__bench *b, const ebmt__op_watch *watch, ebm_error *err)
{
    ebm_status st = EBM_OK;
    while (st == EBM_OK && !ebm_mcmc_done(chain, setup->plan)) {
        const int32_t level = chain->level;
        while (st == EBM_OK && chain->level == level && !ebm_mcmc_done(chain, setup->plan))
            st = ebm_mcmc_advance(chain, setup, 1, NULL, b->work, err);
        if (st == EBM_OK)
            st = watch->on_level(watch->user, b, k, level, err);
    }
    return st;
}

ebm_status ebmt__op_draw(const ebmt__op_run *run, const ebm_call *call, int32_t k, ebmt__bench *b,
                         const ebmt__op_watch *watch, ebm_error *err)
{
    const ebm_mcmc_plan plan = ebm_call_plan(call);
    const ebm_mcmc_setup setup = {&b->density, run->levels, &plan};
    ebm_mcmc chain = {.y = b->y, .anchor = b->anchor};
    ebm_status st = EBM_OK;
    const float *from = NULL;
    if (call->operation->kind == EBM_OP_MCMC)
        from = ebmt__op_origin(run, k, b, &st, err);
    if (st == EBM_OK)
        st = ebm_call_start(call, &setup, k, from, b->path, &chain, err);
    if (st == EBM_OK && watch && watch->on_level)
        st = advance_watched(&chain, &setup, k, b, watch, err);
    else if (st == EBM_OK)
        st = ebm_mcmc_advance(&chain, &setup, INT64_MAX, NULL, b->work, err);
    if (st == EBM_OK)
        ebm_call_image(run->levels, run->dim, &chain, b->x);
    return st;
}

const float *ebmt__op_origin(const ebmt__op_run *run, int32_t k, ebmt__bench *b, ebm_status *st,
                             ebm_error *err)
{
    if (run->call.operation->kind != EBM_OP_MCMC || run->call.params.init != EBM_INIT_SAMPLES)
        return NULL;
    const ebm_call sampling = ebm_call_sampling(&run->call);
    *st = ebmt__op_draw(run, &sampling, k, b, NULL, err);
    return *st == EBM_OK ? b->x : NULL;
}
