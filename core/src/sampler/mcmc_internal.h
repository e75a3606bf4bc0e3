/* What the files of the general chain share: entering a level, and steps of a level. */
#ifndef EBM__MCMC_INTERNAL_H
#define EBM__MCMC_INTERNAL_H

#include "ebm/mcmc.h"

/* Puts the chain at step 0 of `level`; y and anchor hold x_{t+1} (or a start). Known values are
 * laid over both. */
void ebm__mcmc_enter(ebm_mcmc *chain, const ebm_mcmc_setup *setup, int32_t level);

/* True where a pass of the level begins with an ebm_predict_update(), a step of its own. */
bool ebm__mcmc_predicts(const ebm_mcmc_plan *plan, const ebm_levels *levels, int32_t level);

/* Steps of one pass of a level: the plan's, or the level's own, and one where it is predicted; 1
 * for a normal transition, which Langevin chains draw once whatever the plan says. */
int64_t ebm__mcmc_pass_steps(const ebm_mcmc_plan *plan, const ebm_levels *levels, int32_t level);

/* Lays the known values of this level over y and anchor, if there are any.
 * @eq y = m A k_t + (1-m) y, anchor = m k_{t+1} + (1-m) anchor */
void ebm__mcmc_overlay(ebm_mcmc *chain, const ebm_mcmc_setup *setup);

/* Lays the clean image over x_0: where the mask is 1 the bits are the image's.
 * @eq x = m image + (1-m) x_0 */
void ebm__mcmc_restore(ebm_mcmc *chain, size_t dim);

/* Records the state in front of a step, with acceptance 1. */
void ebm__trace_record(ebm_trace *trace, const ebm_mcmc *chain, size_t dim, double logp);
/* Sets the acceptance probability of the row recorded last. */
void ebm__trace_probability(ebm_trace *trace, double probability);
/* True when this step has to be recorded. */
bool ebm__trace_due(const ebm_trace *trace, const ebm_mcmc *chain);

#endif
