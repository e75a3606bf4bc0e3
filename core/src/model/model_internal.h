/* What a model consists of. Internal to core. */
#ifndef EBM_MODEL_INTERNAL_H
#define EBM_MODEL_INTERNAL_H

#include <stdatomic.h>

#include "ebm/model.h"
#include "model/weights.h"

#define EBM__WEIGHTS     "model.safetensors"
#define EBM__WEIGHTS_NEW "model.safetensors.new" /* until the manifest of their digest is there */

/* A set of parameters, and what a pass reads of it. */
typedef struct ebm__expert {
    float *params; /* NULL once the model is sealed */
    ebm__weights weights;
} ebm__expert;

struct ebm_model {
    atomic_int references;
    ebm_model_info info;
    ebm_graph *graph;
    ebm_levels levels;
    ebm__expert expert[EBM_MAX_EXPERTS]; /* [info.n_experts], from info.expert_from */
};

/* Name of a tensor in the weights file: the graph's, behind "from<lowest level>." where there are
 * several experts, so that the file's digest tells who has which levels. */
typedef char ebm__tensor_name[EBM_TENSOR_NAME_MAX + 24];
const char *ebm__tensor_file_name(const char *name, int32_t from, int32_t n_experts,
                                  ebm__tensor_name out);

/* The expert that serves a level. */
static inline const ebm__expert *ebm__expert_at(const ebm_model *m, int32_t level)
{
    int32_t i = m->info.n_experts - 1;
    while (i > 0 && m->info.expert_from[i] > level)
        i--;
    return &m->expert[i];
}

#endif
