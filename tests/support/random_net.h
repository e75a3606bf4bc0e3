/* Networks with random weights of the size that trained ones have, made in memory. */
#ifndef RANDOM_NET_H
#define RANDOM_NET_H

#include "ebm/model.h"

/* A small configuration to start from: 8x8 gray, ch 8, ch_mult [1,2], one block, leaky ReLU. */
ebm_network_config small_network(void);

/* That configuration with an activation, as a drl-resnet (0) or a drl-unet (1); 2 and 3: the same
 * with attention, among 4x4 and among 8x8 pixels. */
#define SMALL_NETWORKS 4
ebm_network_config small_network_of(int which, ebm_act act);

/* Makes a model of the configuration on a kernel set, with the paper's six levels; weights are
 * normal with standard deviation 1/sqrt(fan in), gains between 0.2 and 1. Fails the test on any
 * error. @own ebm_model_unref() */
ebm_model *random_net(const ebm_network_config *network, const ebm_kernels *kernels, uint64_t seed);

/* The kernel set of a name, or NULL when this CPU lacks it. */
const ebm_kernels *kernel_set(const char *name);

/* Calls check with every kernel set that this CPU can run. */
void for_each_own_set(void (*check)(const ebm_kernels *set));

/* n standard normals that depend on seed and which only. */
void random_floats(uint64_t seed, uint32_t which, size_t n, float *out);

#endif
