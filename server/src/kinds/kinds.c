/* The kinds of jobs there are, and the work of their plans. */
#include <string.h>

#include "kinds/kind_chains.h"

static const ebmd_kind *const kinds[] = {
    &ebmd_kind_sample, &ebmd_kind_inpaint, &ebmd_kind_interpolate, &ebmd_kind_energy,
    &ebmd_kind_mcmc,   &ebmd_kind_chains,  &ebmd_kind_likelihood};

int64_t ebmd_plan_work(const ebmd_plan *plan)
{
    return plan->part_work * plan->parts - plan->behind;
}

const ebmd_kind *ebmd_kind_at(size_t i)
{
    return i < sizeof(kinds) / sizeof(kinds[0]) ? kinds[i] : NULL;
}

const ebmd_kind *ebmd_kind_find(const char *name)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i]->name, name) == 0)
            return kinds[i];
    }
    return NULL;
}
