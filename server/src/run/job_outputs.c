/* What the parts of a run gave, see job_run.h. */
#include <string.h>

#include "ebm/io.h"
#include "ebm/memory.h"
#include "run/job_run.h"

ebm_status ebmd_run_make_result(const ebmd_plan *plan, ebmd_result *result)
{
    if (!result->output)
        result->output = ebm_alloc((size_t)plan->outputs, sizeof(*result->output));
    return result->output ? EBM_OK : EBM_ERR_NOMEM;
}

static ebm_status load_outputs(const ebmd_run_env *env, ebmd_run *run, int32_t part)
{
    ebmd_result *result = &run->part[part].result;
    ebm_status st = ebmd_run_make_result(&run->plan, result);

    for (int32_t i = 0; i < run->plan.outputs && st == EBM_OK; i++) {
        char *data = NULL;

        st =
            env->store->ops->blob(env->store, run->lease.id, EBMD_BLOB_PART,
                                  i * run->plan.parts + part, &data, &result->output[i].size, NULL);
        result->output[i].data = (unsigned char *)data;
    }
    return st;
}

void ebmd_run_clear_result(const ebmd_plan *plan, ebmd_result *result)
{
    for (int32_t i = 0; result->output && i < plan->outputs; i++)
        ebm_free(result->output[i].data);
    ebm_free(result->output);
    result->output = NULL;
}

/* Of the digests of the outputs one after another: what they are cut into counts too. */
void ebmd_run_digest(const ebmd_run *run, int32_t part, char digest[65])
{
    const ebmd_result *result = &run->part[part].result;
    char both[2 * 64 + 1] = "";

    if (digest[0] != '\0')
        return;
    for (int32_t i = 0; i < run->plan.outputs; i++) {
        ebm_sha256_hex(result->output[i].data, result->output[i].size, both + 64);
        ebm_sha256_hex(both, sizeof(both) - 1, digest);
        memcpy(both, digest, 64);
    }
}

static ebm_status check_outputs(const ebmd_run *run, int32_t part)
{
    char digest[65] = "";

    ebmd_run_digest(run, part, digest);
    return strcmp(digest, run->part[part].digest) == 0 ? EBM_OK : EBM_ERR_FORMAT;
}

/* Reads back the results that were saved with the checkpoint, and counts what is done. */
ebm_status ebmd_run_load_results(const ebmd_run_env *env, ebmd_run *run)
{
    for (int32_t k = 0; k < run->plan.parts; k++) {
        ebmd_part *p = &run->part[k];
        ebm_status st;

        if (p->phase == EBMD_PART_BEGUN)
            ebmd_run_take_stock(run, k);
        if (p->phase != EBMD_PART_DONE)
            continue;
        p->keepable = true;
        p->spent = run->plan.part_work;
        st = load_outputs(env, run, k);
        if (st == EBM_OK)
            st = check_outputs(run, k);
        if (st != EBM_OK)
            return st;
        p->saved = true;
        run->done++;
    }
    return EBM_OK;
}
