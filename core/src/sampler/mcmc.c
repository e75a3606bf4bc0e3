/* Running chains: which move comes next, step sizes in burn-in, the way down the levels.
 *
 * Gradient and log density of the current point are not part of a chain: they are evaluated anew
 * where a run is taken up again and have the same bits, which keeps checkpoints small. */
#include "ebm/mcmc.h"

#include <math.h>
#include <string.h>

#include "sampler/langevin_move.h"
#include "sampler/level_target.h"
#include "sampler/mcmc_internal.h"

/* One call of ebm_mcmc_advance(). */
typedef struct run {
    ebm_mcmc *chain;
    const ebm_mcmc_setup *setup;
    ebm_trace *trace;
    float *grad, *noise; /* Langevin; MALA and HMC use grad, too */
    ebm__level_target level;
    ebm__hmc hmc;
    bool fresh; /* hmc.logp and grad belong to the present y and level */
} run;

size_t ebm_mcmc_work(const ebm_mcmc_plan *plan, size_t dim)
{
    bool plain = plan->sampler == EBM_SAMPLER_LANGEVIN && plan->polish == 0;
    return (plain ? 2 : 4) * dim;
}

/* --- where the chain stands ----------------------------------------------------------------- */

static int64_t steps_of_pass(const ebm_mcmc_setup *s, int32_t level)
{
    return ebm__mcmc_pass_steps(s->plan, s->levels, level);
}

/* Steps of a level before the polish; at one level all of them. */
static int64_t steps_of_level(const ebm_mcmc_setup *s, int32_t level)
{
    return s->plan->ladder ? steps_of_pass(s, level) * s->plan->repeats : s->plan->steps;
}

/* Where a ladder's level 0 has done so many steps. */
static bool at_bottom_after(const run *r, int64_t steps)
{
    return r->setup->plan->ladder && r->chain->level == 0 && r->chain->step >= steps;
}

static bool polishing(const run *r)
{
    return r->setup->plan->polish > 0 && at_bottom_after(r, steps_of_level(r->setup, 0));
}

/* The very last step of a ladder, if the model asks for clean images. */
static bool denoising(const run *r)
{
    return r->setup->levels->denoise &&
           at_bottom_after(r, steps_of_level(r->setup, 0) + r->setup->plan->polish);
}

/* The first step of a pass, where the model asks for it. */
static bool predicting(const run *r)
{
    const ebm_mcmc *c = r->chain;
    const ebm_mcmc_setup *s = r->setup;
    return s->plan->ladder && ebm__mcmc_predicts(s->plan, s->levels, c->level) &&
           c->step < steps_of_level(s, c->level) && c->step % steps_of_pass(s, c->level) == 0;
}

static double tether_of(const run *r)
{
    const ebm_mcmc_plan *plan = r->setup->plan;
    bool on = plan->tether || (plan->ladder && !polishing(r));
    return on ? r->setup->levels->tether[r->chain->level] : 0.0;
}

/* The density of the chain's level; called when that changes. */
static void aim(run *r)
{
    r->level = (ebm__level_target){.density = r->setup->density,
                                   .levels = r->setup->levels,
                                   .level = r->chain->level,
                                   .tether = tether_of(r),
                                   .anchor = r->chain->anchor,
                                   .mask = r->chain->mask};
    r->fresh = false;
}

/* --- moves ---------------------------------------------------------------------------------- */

/* A normal transition is drawn on the way down; at one level a chain has to be a chain. */
static ebm__langevin_coef coef_of(const run *r)
{
    const ebm_mcmc_setup *s = r->setup;
    if (s->plan->ladder && s->levels->steps[r->chain->level] == EBM_STEPS_NORMAL)
        return ebm__normal_coef_of(s->levels, r->chain->level, s->plan->noise_scale);
    return ebm__langevin_coef_of(s->levels, r->chain->level, r->level.tether, s->plan->noise_scale);
}

/* A normal transition is no step of a chain: its noise is all there is. */
static bool noise_is_paired(const run *r)
{
    const ebm_mcmc_setup *s = r->setup;
    bool normal = s->plan->ladder && s->levels->steps[r->chain->level] == EBM_STEPS_NORMAL;
    return s->levels->paired_noise && !normal;
}

/* Which noise of the level closes the present step: that which the next one begins with. The state
 * at the end of a pass becomes the anchor of the next pass, whose first step must not meet the same
 * noise again: each of these has a place behind all steps of the level, as the end of the level
 * has. */
static int64_t closing_place(const run *r)
{
    const ebm_mcmc *c = r->chain;
    const int64_t next = c->step + 1;
    if (!r->setup->plan->ladder)
        return next;
    const int64_t pass = steps_of_pass(r->setup, c->level),
                  end = steps_of_level(r->setup, c->level);
    return next < end && next % pass == 0 ? end + (end - next) / pass : next;
}

/* Adds half of the noise that the next step will begin with; the gradient has been used up. */
static void add_next_noise(run *r, ebm__langevin_coef c, ebm_draw draw)
{
    ebm_mcmc *chain = r->chain;
    const size_t dim = r->setup->density->dim;
    const ebm__langevin_coef noise_only = {.spread = c.spread};
    draw.step = closing_place(r);
    ebm_noise_normal(&chain->noise, draw, 0, dim, r->noise);
    memset(r->grad, 0, dim * sizeof *r->grad);
    ebm__langevin_move(noise_only, dim, chain->anchor, r->grad, r->noise, chain->mask, chain->y);
}

static void langevin_step(run *r)
{
    ebm_mcmc *c = r->chain;
    const ebm_density *density = r->setup->density;
    const ebm_draw draw = {.purpose = EBM_PURPOSE_LANGEVIN, .level = c->level, .step = c->step};
    const bool due = ebm__trace_due(r->trace, c), paired = noise_is_paired(r);
    ebm__langevin_coef coef = coef_of(r);
    float net = 0.0f;
    density->gradient(density->self, c->y, c->level, due ? &net : NULL, r->grad);
    if (due)
        ebm__trace_record(r->trace, c, density->dim, ebm__level_logp(&r->level, net, c->y));
    ebm_noise_normal(&c->noise, draw, 0, density->dim, r->noise);
    coef.spread *= paired ? 0.5f : 1.0f;
    ebm__langevin_move(coef, density->dim, c->anchor, r->grad, r->noise, c->mask, c->y);
    if (paired)
        add_next_noise(r, coef, draw);
    r->fresh = false;
}

/* Acceptance that burn-in steers at, around 0.57 for MALA (Roberts and Rosenthal 1998) and in the
 * middle of the paper's band for HMC; docs/math/mcmc.md. */
static void band_of(const run *r, double band[2])
{
    bool hmc = r->setup->plan->sampler == EBM_SAMPLER_HMC && !polishing(r);
    band[0] = hmc ? 0.6 : 0.52;
    band[1] = hmc ? 0.9 : 0.62;
}

/* Chooses the step size where none is chosen yet. */
static void prepare_step_size(run *r)
{
    ebm_mcmc *c = r->chain;
    double band[2];
    if (c->step_size > 0.0)
        return;
    band_of(r, band);
    c->running = 0.5 * (band[0] + band[1]);
    c->step_size = r->setup->plan->step_scale *
                   ebm__hmc_guess(ebm__level_curvature(r->setup->levels, c->level, r->level.tether),
                                  r->setup->density->dim);
}

/* In burn-in the step size follows the running acceptance, by 2 % a step at first and then by
 * less, so that what is frozen is no chance value; afterwards the acceptance is counted. */
static void account(run *r, double probability)
{
    ebm_mcmc *c = r->chain;
    const ebm_mcmc_plan *plan = r->setup->plan;
    int64_t first = polishing(r) ? steps_of_level(r->setup, c->level) : 0;
    double band[2], gain = 100.0 / fmax(100.0, (double)(c->step - first));
    if (c->step - first >= plan->burn_in) {
        c->moves++;
        c->accept += probability;
        return;
    }
    band_of(r, band);
    c->running += (probability - c->running) / 20.0;
    if (c->running > band[1])
        c->step_size *= 1.0 + 0.02 * gain;
    else if (c->running < band[0])
        c->step_size *= 1.0 - 0.02 * gain;
}

static void metropolis_step(run *r)
{
    ebm_mcmc *c = r->chain;
    const ebm_draw draw = {.purpose = EBM_PURPOSE_METROPOLIS, .level = c->level, .step = c->step};
    const bool due = ebm__trace_due(r->trace, c);
    double probability;
    prepare_step_size(r);
    if (!r->fresh)
        ebm__hmc_refresh(&r->hmc);
    r->fresh = true;
    if (due)
        ebm__trace_record(r->trace, c, r->setup->density->dim, r->hmc.logp);
    r->hmc.eps = c->step_size;
    r->hmc.leapfrog =
        r->setup->plan->sampler == EBM_SAMPLER_HMC && !polishing(r) ? r->setup->plan->leapfrog : 1;
    probability = ebm__hmc_move(&r->hmc, draw);
    if (due)
        ebm__trace_probability(r->trace, probability);
    account(r, probability);
}

/* Tells the trace of x_{t+1} as a point of the level above, where it still is. */
static void record_above(run *r, float net, const float *y)
{
    ebm_mcmc at = *r->chain;
    ebm__level_target above = r->level;
    at.level = above.level = r->chain->level + 1;
    above.tether = 0.0;
    ebm__trace_record(r->trace, &at, r->setup->density->dim, ebm__level_logp(&above, net, y));
}

static void predict_step(run *r)
{
    ebm_mcmc *c = r->chain;
    const ebm_density *density = r->setup->density;
    const ebm_levels *levels = r->setup->levels;
    const ebm_draw draw = {.purpose = EBM_PURPOSE_PREDICT, .level = c->level, .step = c->step};
    const float scale = (float)levels->scale[c->level + 1];
    const bool due = ebm__trace_due(r->trace, c);
    float net = 0.0f, *start = r->noise;
    for (size_t i = 0; i < density->dim; i++)
        start[i] = scale * c->anchor[i];
    density->gradient(density->self, start, c->level + 1, due ? &net : NULL, r->grad);
    if (due)
        record_above(r, net, start);
    ebm_noise_normal(&c->noise, draw, 0, density->dim, r->noise);
    ebm_predict_update(levels, c->level, density->dim, c->anchor, r->grad, r->noise, r->grad);
    for (size_t i = 0; i < density->dim; i++) {
        const float known = c->mask ? c->mask[i] : 0.0f;
        c->y[i] = known * c->y[i] + (1.0f - known) * r->grad[i];
    }
    r->fresh = false;
}

static void denoise_step(run *r)
{
    const ebm_density *density = r->setup->density;
    density->gradient(density->self, r->chain->y, 0, NULL, r->grad);
    ebm_denoise_update(r->setup->levels, density->dim, r->grad, r->chain->y);
    r->fresh = false;
}

/* --- between steps -------------------------------------------------------------------------- */

/* Divides by the level's scale: y becomes x_t. */
static void unscale(run *r)
{
    const float scale = (float)r->setup->levels->scale[r->chain->level];
    for (size_t i = 0; i < r->setup->density->dim; i++)
        r->chain->y[i] /= scale;
}

/* x_t is the next level's starting point, or the result. */
static void finish_level(run *r)
{
    ebm_mcmc *c = r->chain;
    const size_t dim = r->setup->density->dim;
    unscale(r);
    memcpy(c->anchor, c->y, dim * sizeof *c->y);
    if (c->level == 0) {
        ebm__mcmc_restore(c, dim);
        c->level = -1;
        c->step = 0;
        return;
    }
    ebm__mcmc_enter(c, r->setup, c->level - 1);
    aim(r);
}

/* Noises x_t up to x_{t+1} again, for another pass of the level. */
static void repeat_level(run *r)
{
    ebm_mcmc *c = r->chain;
    const size_t dim = r->setup->density->dim;
    const ebm_draw draw = {.purpose = EBM_PURPOSE_RENOISE, .level = c->level + 1, .step = c->step};
    unscale(r);
    ebm_forward_step(r->setup->levels, &c->noise, draw, dim, c->y, c->y);
    memcpy(c->anchor, c->y, dim * sizeof *c->y);
    ebm__mcmc_overlay(c, r->setup);
    r->fresh = false;
}

/* The polish samples the marginal, unless the plan says otherwise, with step sizes of its own. */
static void start_polish(run *r)
{
    r->chain->step_size = 0.0;
    aim(r);
}

static void after_step(run *r)
{
    ebm_mcmc *c = r->chain;
    c->step++;
    c->total++;
    if (!r->setup->plan->ladder)
        return;
    int64_t end = steps_of_level(r->setup, c->level);
    int64_t more = c->level == 0 ? r->setup->plan->polish + r->setup->levels->denoise : 0;
    if (c->step < end && c->step % steps_of_pass(r->setup, c->level) == 0)
        repeat_level(r);
    else if (c->step >= end + more)
        finish_level(r);
    else if (c->step == end)
        start_polish(r);
}

/* --- a run ---------------------------------------------------------------------------------- */

static void lay_out(run *r, float *work)
{
    const size_t dim = r->setup->density->dim;
    const bool room = ebm_mcmc_work(r->setup->plan, dim) > 2 * dim;
    r->grad = work;
    r->noise = work + dim;
    r->hmc = (ebm__hmc){.target = ebm__level_target_of(&r->level),
                        .noise = &r->chain->noise,
                        .mask = r->chain->mask,
                        .y = r->chain->y,
                        .grad = r->grad,
                        .momentum = r->noise,
                        .y_new = room ? work + 2 * dim : NULL,
                        .grad_new = room ? work + 3 * dim : NULL};
}

static ebm_status check_state(const run *r, ebm_error *err)
{
    const size_t dim = r->setup->density->dim;
    bool finite = !r->fresh || isfinite(r->hmc.logp);
    for (size_t i = 0; i < dim; i++)
        finite &= isfinite(r->chain->y[i]) != 0;
    if (finite)
        return EBM_OK;
    if (err)
        err->index = r->chain->noise.index;
    return ebm_error_set(err, EBM_ERR_DIVERGED, "chain", "chain %u diverged",
                         (unsigned)r->chain->noise.index);
}

static bool trace_full(const run *r)
{
    return ebm__trace_due(r->trace, r->chain) && r->trace->count >= r->trace->room;
}

ebm_status ebm_mcmc_advance(ebm_mcmc *chain, const ebm_mcmc_setup *setup, int64_t max_steps,
                            ebm_trace *trace, float *work, ebm_error *err)
{
    run r = {.chain = chain, .setup = setup, .trace = trace};
    if (ebm_mcmc_done(chain, setup->plan))
        return check_state(&r, err);
    aim(&r);
    lay_out(&r, work);
    for (int64_t done = 0; done < max_steps && !ebm_mcmc_done(chain, setup->plan); done++) {
        if (trace_full(&r))
            break;
        if (predicting(&r))
            predict_step(&r);
        else if (denoising(&r))
            denoise_step(&r);
        else if (setup->plan->sampler == EBM_SAMPLER_LANGEVIN && !polishing(&r))
            langevin_step(&r);
        else
            metropolis_step(&r);
        after_step(&r);
    }
    return check_state(&r, err);
}
