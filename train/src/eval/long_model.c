/* Long chains on a model: a session for each thread. Has never heard of files. */
#include <string.h>

#include "ebm/memory.h"
#include "ebm/session.h"
#include "eval/long_chains.h"

const char *ebmt_sampler_name(ebm_sampler_kind kind)
{
    static const char *const name[] = {"langevin", "mala", "hmc"};
    return name[kind];
}

ebm_status ebmt_long_chains(ebm_model *m, const ebmt_long_options *opt, ebmt_long_report *out,
                            ebm_error *err)
{
    const ebm_model_info *info = ebm_model_describe(m);
    const int32_t threads = ebmt_pool_threads(opt->pool);
    const ebmt_dataset like = {.channels = info->graph->channels,
                               .height = info->graph->height,
                               .width = info->graph->width};
    ebm_session **session = ebm_alloc((size_t)threads, sizeof(ebm_session *));
    ebm_density *density = ebm_alloc((size_t)threads, sizeof *density);
    const ebmt__long_ground ground = {density, info->levels, &like, info->sha256,
                                      info->kernels->kernel_class};
    ebm_status st = EBM_OK;
    memset(out, 0, sizeof *out);
    if (!session || !density)
        st = ebm_error_set(err, EBM_ERR_NOMEM, "long chains", "no memory");
    for (int32_t i = 0; i < threads && st == EBM_OK; i++) {
        st = ebm_session_create(m, NULL, &session[i], err);
        if (st == EBM_OK)
            density[i] = ebm_density_of_session(session[i]);
    }
    if (st == EBM_OK)
        st = ebmt__long_chains_run(&ground, opt, out, err);
    for (int32_t i = 0; session && i < threads; i++)
        ebm_session_free(session[i]);
    ebm_free(session);
    ebm_free(density);
    return st;
}
