/* Densities made of densities of one shape: products, negations, mixtures. A result is a density
 * like any other, for every sampler; it has never heard of networks or requests. */
#ifndef EBM_COMPOSE_H
#define EBM_COMPOSE_H

#include <stddef.h>

#include "ebm/levels.h"
#include "ebm/sampler.h"
#include "ebm/status.h"

#define EBM_COMPOSE_MAX_PARTS 16

/* One part. Its net is in units of its own levels' step2.
 * weight: exponent in a product, negative for negation; share (>= 0) in a mixture.
 * log_z: [T], log normaliser of the part at each level, for mixtures; NULL means zero */
typedef struct ebm_compose_part {
    ebm_density density;
    const ebm_levels *levels;
    double weight;
    const double *log_z;
} ebm_compose_part;

typedef enum ebm_compose_kind {
    EBM_COMPOSE_PRODUCT, /* logp = sum_i w_i logp_i */
    EBM_COMPOSE_MIXTURE  /* logp = log sum_i w_i exp(logp_i - log_z_i) */
} ebm_compose_kind;

/* The whole. Its net is in units of `levels`, those of the chain that samples it.
 * @shape scratch [n_parts, dim] @own borrows everything; must stay where it is while used */
typedef struct ebm_composition {
    ebm_compose_kind kind;
    const ebm_compose_part *parts;
    size_t n_parts;
    const ebm_levels *levels;
    float *scratch;
} ebm_composition;

/* Checks that the parts fit together and returns the density of the whole.
 * At a noisy level a product of the parts' densities is not the noised product of the clean ones:
 * use several MCMC steps at each level.
 * @eq    Du et al. 2023, section 3; docs/math/composition.md
 * @thread one thread at a time, as its scratch is shared by the calls
 * @err   RANGE (number, weights, log_z), SHAPE (dimensions, levels; err->index = part) */
EBM_API EBM_MUST_CHECK ebm_status ebm_compose(ebm_composition *whole, ebm_density *out,
                                              ebm_error *err);

#endif
