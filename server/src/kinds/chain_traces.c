/* Traces, see chain_traces.h. */
#include "kinds/chain_traces.h"

#include <math.h>

#include "ebm/memory.h"
#include "kinds/kind_mcmc.h"

static ebm_status of_result(const ebmd_plan *plan, const ebmd_result *result, int32_t chain,
                            ebm_trace *out, ebm_error *err)
{
    const ebmd_output *kept = &result->output[ebmd_mcmc_kept(plan, chain)];
    ebmd_kept head;
    ebm_chain_part part;
    ebm_status st = ebmd_kept_read(kept->data, kept->size, &head, &part, err);

    if (st != EBM_OK)
        return st;
    *out = ebmd_kept_trace(kept, &ebmd_op_of(plan)->call.params, &part);
    return EBM_OK;
}

ebm_status ebmd_chain_traces(const ebmd_plan *plan, const ebmd_standing *parts, ebm_trace *out,
                             ebm_error *err)
{
    ebm_status st = EBM_OK;

    for (int32_t k = 0; k < plan->parts && st == EBM_OK; k++) {
        const ebmd_chain_layout l = ebmd_mcmc_layout(plan, k);

        for (int32_t i = 0; i < l.chains && st == EBM_OK; i++) {
            const int32_t chain = plan->parts == 1 ? i : k;

            out[chain] = (ebm_trace){.thin = ebmd_op_of(plan)->call.params.thin,
                                     .n_directions = EBM_TRACE_DIRECTIONS};
            if (parts[k].result)
                st = of_result(plan, parts[k].result, chain, &out[chain], err);
            else if (parts[k].state)
                out[chain] = ebmd_chain_trace(&l, parts[k].state, i);
        }
    }
    return st;
}

/* Moves those that have come far enough to the front; returns how many they are. */
static size_t far_ones(ebm_trace *traces, size_t n)
{
    size_t longest = 0, far = 0;

    for (size_t i = 0; i < n; i++)
        longest = traces[i].count > longest ? traces[i].count : longest;
    for (size_t i = 0; i < n; i++) {
        if (longest > 0 && 2 * traces[i].count >= longest)
            traces[far++] = traces[i];
    }
    return far;
}

ebm_status ebmd_chain_diagnose(const ebmd_plan *plan, const ebmd_standing *parts,
                               ebm_chains_report *out, ebm_error *err)
{
    const ebmd_op *op = ebmd_op_of(plan);
    ebm_trace *traces = ebm_alloc((size_t)plan->images, sizeof(*traces));
    size_t n = 0;
    ebm_status st;

    if (!traces)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for diagnostics");
    st = ebmd_chain_traces(plan, parts, traces, err);
    if (st == EBM_OK)
        n = far_ones(traces, (size_t)plan->images);
    if (st == EBM_OK && n == 0)
        st = ebm_error_set(err, EBM_ERR_NOT_FOUND, NULL, "no chain has begun");
    if (st == EBM_OK)
        st = ebmd_chain_report(op, traces, n, out, err);
    if (op->chains.sampler == EBM_SAMPLER_LANGEVIN)
        out->acceptance = (double)NAN; /* there is none */
    ebm_free(traces);
    return st;
}
