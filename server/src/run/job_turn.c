/* What the scheduler asks of a run and tells it, see job_run.h. */
#include "ebm/memory.h"
#include "run/job_run.h"

#define PAUSE_MS 1000 /* before a job is claimed again that could not be taken up */

void ebmd_run_give_back(const ebmd_run_env *env, const ebmd_lease *lease)
{
    ebmd_save nothing = {.release = true, .pause_ms = PAUSE_MS, .timings = lease->timings};

    /* if this fails too, the lease runs out */
    if (env->store->ops->save(env->store, lease, &nothing, NULL) != EBM_OK)
        return;
}

bool ebmd_run_is_current(const ebmd_run_env *env, const ebmd_run *run)
{
    for (int32_t i = 0; i < run->plan.n_models; i++) {
        if (!ebmd_catalog_serves(env->catalog, run->plan.model[i]))
            return false;
    }
    return true;
}

bool ebmd_run_uses(const ebmd_run *run, const ebm_model *model)
{
    for (int32_t i = 0; i < run->plan.n_models; i++) {
        if (run->plan.model[i] == model)
            return true;
    }
    return false;
}

void ebmd_run_complete(ebmd_run *run, ebmd_part *p)
{
    ebm_free(p->state);
    p->state = NULL;
    p->phase = EBMD_PART_DONE;
    p->keepable = true;
    p->spent = run->plan.part_work;
    p->reading = (ebmd_reading){0};
    run->done++;
    /* who is busy may be changing its phase */
    while (run->first_open < run->plan.parts && !run->part[run->first_open].busy &&
           run->part[run->first_open].phase == EBMD_PART_DONE)
        run->first_open++;
}

bool ebmd_run_wants_save(const ebmd_run_env *env, const ebmd_run *run)
{
    return env->store->durable && run->unsaved_ms >= run->save_after_ms;
}
