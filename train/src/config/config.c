/* Training configurations: defaults, bounds, and the level tables they mean. */
#include "ebmt/train.h"

#include <math.h>
#include <string.h>

#include "ebm/mcmc.h"
#include "watch.h"

ebmt_config ebmt_config_default(void)
{
    ebmt_config c = {
        .network = {.architecture = "drl-resnet",
                    .width = 28,
                    .height = 28,
                    .channels = 1,
                    .ch = 32,
                    .n_mult = 3,
                    .ch_mult = {1, 2, 2},
                    .num_res_blocks = 2,
                    .activation = EBM_ACT_LEAKY_RELU,
                    .leaky_slope = 0.2f},
        .schedule = ebm_schedule_t6_default(),
        .ratio_min = 0.01,
        .ratio_max = 100.0,
        .kappa = 8.0,
        .steps_low = 30,
        .curvature_share = 0.5,
        .objective = EBMT_RECOVERY,
        .highest_level = -1,
        .matching_reach = 1.0,
        .warm_start = 2000,
        .iterations = 100000,
        .batch = 64,
        .rl_share = 0.5,
        .rl_weight = 5.0,
        .rl_weight_low = 0.3,
        .rl_weight_top = 4.0,
        .persistent_moves = 8,
        .persistent_leapfrog = 16,
        .persistent_weight = 0.3,
        .lr = 1e-4,
        .lr_warm_start = 1e-3,
        .lr_warmup = 1000,
        .lr_decay = EBMT_DECAY_LINEAR,
        .lr_decay_from = 1.0,
        .lr_final = 1.0,
        .beta1 = 0.9,
        .beta2 = 0.999,
        .adam_eps = 1e-7, /* Keras' default, which the paper's code uses */
        .ema = 0.999,
        .ema_ramp = false,
        .clip = 0.0,
        .power_iterations = 4,
        .divergence_limit = 1.5,
        .flip = false,
        .seed = 1,
        .shards = 8,
        .sampling_factor = 1,
        .stride = 1.0,
    };
    ebmt_config_use_schedule(&c, EBMT_SCHEDULE_PAPER);
    return c;
}

void ebmt_config_use_schedule(ebmt_config *config, ebmt_schedule kind)
{
    static const struct {
        int32_t count;
        ebmt_step_rule rule;
        double noise_scale;
    } own[] = {[EBMT_SCHEDULE_PAPER] = {6, EBMT_STEPS_PAPER, 0.99},
               [EBMT_SCHEDULE_GEOMETRIC] = {10, EBMT_STEPS_CURVATURE, 1.0},
               [EBMT_SCHEDULE_LINEAR] = {999, EBMT_STEPS_NORMAL, 1.0}};
    config->schedule_kind = kind;
    config->schedule.count = own[kind].count;
    config->step_rule = own[kind].rule;
    config->noise_scale = own[kind].noise_scale;
}

/* A bound on one number; NaN fails it. */
static bool outside(double value, double min, double max)
{
    return !(value >= min && value <= max);
}

typedef struct bound {
    const char *name;
    double value, min, max;
} bound;

static ebm_status check_bounds(const bound *rows, size_t n, ebm_error *err)
{
    for (size_t i = 0; i < n; i++)
        if (outside(rows[i].value, rows[i].min, rows[i].max))
            return ebm_error_set(err, EBM_ERR_RANGE, rows[i].name, "must be %.9g..%.9g",
                                 rows[i].min, rows[i].max);
    return EBM_OK;
}

static ebm_status check_network(const ebm_network_config *n, ebm_error *err)
{
    const bound rows[] = {
        {"width", n->width, 1, 1024},         {"height", n->height, 1, 1024},
        {"channels", n->channels, 1, 4},      {"ch", n->ch, 4, 1024},
        {"ch-mult", n->n_mult, 1, 8},         {"blocks", n->num_res_blocks, 1, 64},
        {"attention", n->attention, 0, 1024},
    };
    return check_bounds(rows, sizeof rows / sizeof rows[0], err);
}

/* Numbers that are fine by themselves, and that no run can be made of. */
static ebm_status check_rules(const ebmt_config *c, ebm_error *err)
{
    const bool chains = c->persistent_chains > 0;
    const long likelihood = lround(c->rl_share * (double)c->batch); /* as in step.c */
    const struct {
        bool broken;
        const char *name, *why;
    } rows[] = {
        {chains && c->step_rule == EBMT_STEPS_NORMAL, "persistent-chains",
         "levels with normal transitions learn no density that chains could stay in"},
        {chains && c->lowest_level > 0, "persistent-chains",
         "their level, 0, is not trained (lowest-level)"},
        /* the running norm is that of clipped gradients: it would only fall */
        {c->clip > 0.0 && c->clip <= 1.0, "clip",
         "must be 0 or above 1: it is a factor on the running norm"},
        {c->divergence_limit > 0.0 && c->divergence_limit <= EBMT__SETTLED, "divergence-limit",
         "must be 0 or above 1.1: healthy runs stand at 0.9 to 1.1"},
        {c->objective == EBMT_HYBRID && c->rl_share > 0.0 && likelihood == 0, "rl-share",
         "is less than half an image of a batch: give 0, or more"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].broken)
            return ebm_error_set(err, EBM_ERR_RANGE, rows[i].name, "%s", rows[i].why);
    return EBM_OK;
}

ebm_status ebmt_config_check(const ebmt_config *c, ebm_error *err)
{
    const bound rows[] = {
        {"iterations", (double)c->iterations, 1, 1e9},
        {"batch", c->batch, 1, 65536},
        {"lowest-level", c->lowest_level, 0, c->schedule.count - 1},
        {"highest-level", c->highest_level, c->highest_level == -1 ? -1 : c->lowest_level,
         c->schedule.count - 1},
        {"warm-start", (double)c->warm_start, 0, 1e9},
        {"matching-reach", c->matching_reach, 0, 1},
        {"rl-share", c->rl_share, 0, 1},
        {"rl-weight", c->rl_weight, 0, 1e6},
        {"rl-weight-low", c->rl_weight_low, 0, 1e6},
        {"rl-weight-top", c->rl_weight_top, 0, 1e6},
        {"persistent-chains", c->persistent_chains, 0, 65536},
        {"persistent-visits", c->persistent_visits, 0, c->batch},
        {"persistent-moves", c->persistent_moves, 1, 10000},
        {"persistent-leapfrog", c->persistent_leapfrog, 1, EBM_MCMC_MAX_LEAPFROG},
        {"persistent-weight", c->persistent_weight, 0, 1e6},
        {"kappa", c->kappa, 0.1, 64},
        {"steps-low", c->steps_low, 1, 10000},
        {"curvature-share", c->curvature_share, 0.01, 2},
        {"noise-scale", c->noise_scale, 0.01, 2},
        {"sampling-factor", c->sampling_factor, 1, 64},
        {"stride", c->stride, 0.01, 16},
        {"lr", c->lr, 1e-12, 1},
        {"lr-warm-start", c->lr_warm_start, 1e-12, 1},
        {"lr-warmup", (double)c->lr_warmup, 0, 1e9},
        {"lr-decay-from", c->lr_decay_from, 0, 1},
        {"lr-final", c->lr_final, 0, 1},
        {"beta1", c->beta1, 0, 0.9999},
        {"beta2", c->beta2, 0, 0.999999},
        {"adam-eps", c->adam_eps, 1e-16, 1},
        {"ema", c->ema, 0, 0.9999999},
        {"clip", c->clip, 0, 1e6},
        {"power-iterations", c->power_iterations, 0, 100},
        {"divergence-limit", c->divergence_limit, 0, 1e6},
        {"shards", c->shards, 1, 256},
        {"seed", (double)c->seed, 0, 9007199254740991.0},
    };
    ebm_status st = check_network(&c->network, err);
    if (st == EBM_OK)
        st = check_bounds(rows, sizeof rows / sizeof rows[0], err);
    return st == EBM_OK ? check_rules(c, err) : st;
}

static ebm_status make_levels(const ebmt_config *c, ebm_levels *out, ebm_error *err)
{
    const ebm_schedule_geometric geometric = {.count = c->schedule.count,
                                              .ratio_min = c->ratio_min,
                                              .ratio_max = c->ratio_max,
                                              .steps = c->schedule.steps};
    const ebm_schedule_linear linear = {.count = c->schedule.count,
                                        .beta_first = c->schedule.beta_first,
                                        .beta_last = c->schedule.beta_last};
    switch (c->schedule_kind) {
    case EBMT_SCHEDULE_PAPER:
        return ebm_levels_t6(&c->schedule, out, err);
    case EBMT_SCHEDULE_GEOMETRIC:
        return ebm_levels_geometric(&geometric, out, err);
    case EBMT_SCHEDULE_LINEAR:
        return ebm_levels_linear(&linear, out, err);
    }
    return ebm_error_set(err, EBM_ERR_INTERNAL, "schedule", "no such schedule");
}

static ebm_status size_steps(const ebmt_config *c, ebm_levels *levels, ebm_error *err)
{
    int32_t steps = c->schedule.steps;
    switch (c->step_rule) {
    case EBMT_STEPS_PAPER:
        return ebm_levels_match_paper(levels, c->schedule.b2, steps, err);
    case EBMT_STEPS_VARIANCE:
        return ebm_levels_match_variance(levels, c->kappa, c->steps_low, steps, err);
    case EBMT_STEPS_CURVATURE:
        return ebm_levels_match_curvature(levels, c->curvature_share, steps, err);
    case EBMT_STEPS_NORMAL:
        ebm_levels_use_normal(levels);
        return EBM_OK;
    }
    return ebm_error_set(err, EBM_ERR_INTERNAL, "step_rule", "no such rule");
}

ebm_status ebmt_config_levels(const ebmt_config *config, ebm_levels *out, ebm_error *err)
{
    ebm_status st = make_levels(config, out, err);
    if (st == EBM_OK)
        st = size_steps(config, out, err);
    if (st == EBM_OK) {
        out->noise_scale = config->noise_scale;
        out->denoise = config->denoise;
        st = ebm_levels_check(out, err);
    }
    if (st != EBM_OK)
        ebm_levels_clear(out);
    return st;
}
