/* The density that a sampler sees when a network stands behind it. */
#include "ebm/sampler.h"

static void session_gradient(void *self, const float *y, int32_t level, float *net, float *grad)
{
    float value = ebm_session_gradient(self, y, level, grad);
    if (net)
        *net = value;
}

ebm_density ebm_density_of_session(ebm_session *s)
{
    const ebm_graph_info *g = ebm_model_describe(ebm_session_model(s))->graph;
    return (ebm_density){.dim = (size_t)g->channels * (size_t)g->height * (size_t)g->width,
                         .self = s,
                         .gradient = session_gradient};
}
