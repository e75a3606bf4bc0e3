/* What the chains of a run say together on their way, see job_run.h. */
#include "base/clock.h"
#include "ebm/memory.h"
#include "run/job_run.h"

#define DIAGNOSE_RATIO 20.0 /* a diagnosis may take a twentieth of the time between two */

void ebmd_run_standing(const ebmd_run *run, ebmd_standing *out)
{
    for (int32_t k = 0; k < run->plan.parts; k++) {
        const ebmd_part *p = &run->part[k];

        out[k] = (ebmd_standing){p->phase == EBMD_PART_BEGUN ? p->state : NULL,
                                 p->phase == EBMD_PART_DONE ? &p->result : NULL};
    }
}

/* What cannot be found out is not told: chains go on without. */
void ebmd_run_diagnose(ebmd_run *run)
{
    const ebmd_kind *kind = run->plan.kind;
    const double start = ebmd_clock_ms();
    ebmd_standing *parts;
    ebm_chains_report report;

    if (!kind->diagnose || start - run->found.at_ms < DIAGNOSE_RATIO * run->found.for_ms)
        return;
    parts = ebm_alloc((size_t)run->plan.parts, sizeof(*parts));
    if (!parts)
        return;
    ebmd_run_standing(run, parts);
    if (kind->diagnose(&run->plan, parts, &report, NULL) == EBM_OK)
        run->found =
            (ebmd_diagnosis){report, run->found.number + 1, start, ebmd_clock_ms() - start};
    ebm_free(parts);
}

void ebmd_run_tell(ebmd_run *run)
{
    run->told = run->found;
}
