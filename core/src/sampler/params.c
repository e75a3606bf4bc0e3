/* The parameters of sampling: the only place where their bounds stand. */
#include "ebm/params.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

static const ebm_param sample_params[] = {
    {"n", EBM_PARAM_INT, 1, 64, 1, NULL, "images", "how many images"},
    {"seed", EBM_PARAM_SEED, 0, EBM_SEED_MAX, -1, NULL, "",
     "seed of all noise; drawn and echoed when absent, null or -1"},
    {"first_index", EBM_PARAM_INT, 0, 2147483647, 0, NULL, "",
     "index of the first image: item k of (seed, n) is the only item of (seed, n=1) with "
     "first_index k"},
    {"steps_per_level", EBM_PARAM_INT, 1, 2000, 0, NULL, "steps",
     "Langevin steps at every noise level; absent or null takes the model's own"},
    {"noise_scale", EBM_PARAM_REAL, 0.01, 2, 0.99, NULL, "",
     "factor on the Langevin noise; absent takes the model's own; 1 is the exact discretisation"},
};

const ebm_param *ebm_sample_params(size_t *n)
{
    *n = sizeof sample_params / sizeof sample_params[0];
    return sample_params;
}

const ebm_param *ebm_param_find(const ebm_param *table, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}

ebm_status ebm_param_check(const ebm_param *row, double value, ebm_error *err)
{
    bool whole = row->type == EBM_PARAM_INT || row->type == EBM_PARAM_SEED;
    if (!(value >= row->min && value <= row->max))
        return ebm_error_set(err, EBM_ERR_RANGE, row->name, "must be %.17g..%.17g", row->min,
                             row->max);
    if (whole && value != floor(value))
        return ebm_error_set(err, EBM_ERR_RANGE, row->name, "must be a whole number");
    return EBM_OK;
}
