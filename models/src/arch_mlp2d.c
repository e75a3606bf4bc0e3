/* A residual network of dense layers for densities of points in the plane: an "image" of one pixel
 * whose two channels are the coordinates, so that all that knows images knows points too. A wider
 * one is that many independent points, whose log densities add up: training in that form fills
 * vector registers, and the weights are the same.
 * @eq the energy network of docs/math/energy_network.md with 1x1 convolutions and no pooling */
#include "arch.h"

ebm_status ebmm__mlp2d_build(const ebm_network_config *config, ebm_graph **out, ebm_error *err)
{
    static const ebmm__resnet plane = {.kernel = 1, .pooled = false};
    *out = NULL;
    if (config->height != 1 || config->channels != 2)
        return ebm_error_set(err, EBM_ERR_SHAPE, "/image",
                             "mlp2d takes points: height 1, channels 2");
    return ebmm__resnet_build(&plane, config, out, err);
}
