/* The architectures of this room; one file each. */
#ifndef EBMM_ARCH_H
#define EBMM_ARCH_H

#include <stdbool.h>

#include "ebm/model.h"

/* What residual networks differ in. */
typedef struct ebmm__resnet {
    int32_t kernel; /* side of all convolutions, 1 or 3 */
    bool pooled;    /* halve the map between the entries of ch_mult */
    bool returns;   /* go back to full size past the maps of the way down, to a head of squares */
} ebmm__resnet;

ebm_status ebmm__resnet_build(const ebmm__resnet *kind, const ebm_network_config *config,
                              ebm_graph **out, ebm_error *err);

ebm_status ebmm__drl_resnet_build(const ebm_network_config *config, ebm_graph **out,
                                  ebm_error *err);

ebm_status ebmm__drl_unet_build(const ebm_network_config *config, ebm_graph **out, ebm_error *err);

ebm_status ebmm__mlp2d_build(const ebm_network_config *config, ebm_graph **out, ebm_error *err);

#endif
