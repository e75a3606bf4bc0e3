/* What a model consists of. Internal to core. */
#ifndef EBM_MODEL_INTERNAL_H
#define EBM_MODEL_INTERNAL_H

#include <stdatomic.h>

#include "ebm/model.h"
#include "model/weights.h"

struct ebm_model {
    atomic_int references;
    ebm_model_info info;
    ebm_graph *graph;
    ebm_levels levels;
    float *params;
    ebm__weights weights;
};

#endif
