/* The list of architectures, and opening models with it. */
#include "ebmm/models.h"

#include <string.h>

#include "arch.h"

static const ebm_architecture architectures[] = {
    {"drl-resnet", ebmm__drl_resnet_build},
    {"drl-unet", ebmm__drl_unet_build},
    {"mlp2d", ebmm__mlp2d_build},
};

const ebm_architecture *ebmm_architectures(int32_t *n)
{
    *n = (int32_t)(sizeof architectures / sizeof architectures[0]);
    return architectures;
}

ebm_status ebmm_graph_build(const ebm_network_config *config, ebm_graph **out, ebm_error *err)
{
    int32_t n;
    const ebm_architecture *table = ebmm_architectures(&n);
    *out = NULL;
    for (int32_t i = 0; i < n; i++)
        if (strcmp(table[i].name, config->architecture) == 0)
            return table[i].build(config, out, err);
    return ebm_error_set(err, EBM_ERR_NOT_FOUND, "/architecture", "unknown architecture '%.31s'",
                         config->architecture);
}

ebm_status ebmm_model_open(const char *dir, const ebm_kernels *kernels, ebm_model **out,
                           ebm_error *err)
{
    ebm_model_options opt = {.dir = dir, .kernels = kernels};
    opt.architectures = ebmm_architectures(&opt.n_architectures);
    return ebm_model_open(&opt, out, err);
}
