/* The residual network of diffusion recovery likelihood, led back to full size, with an energy that
 * is a sum of squares. A sum over the last small map sees details of an image only through all
 * layers below; here every pixel has its own term, and slopes reach it by the short way.
 * @eq docs/math/energy_network.md, "drl-unet" */
#include "arch.h"

ebm_status ebmm__drl_unet_build(const ebm_network_config *config, ebm_graph **out, ebm_error *err)
{
    static const ebmm__resnet there_and_back = {.kernel = 3, .pooled = true, .returns = true};
    return ebmm__resnet_build(&there_and_back, config, out, err);
}
