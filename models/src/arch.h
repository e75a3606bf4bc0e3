/* The architectures of this room; one file each. */
#ifndef EBMM_ARCH_H
#define EBMM_ARCH_H

#include "ebm/model.h"

ebm_status ebmm__drl_resnet_build(const ebm_network_config *config, ebm_graph **out,
                                  ebm_error *err);

#endif
