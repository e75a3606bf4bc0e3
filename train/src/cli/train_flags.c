/* See train_flags.h. */
#include "cli/train_flags.h"

#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/open_any.h"
#include "ebm/mcmc.h"
#include "ebm/memory.h"
#include "ebm/model.h"
#include "save/manifest_facts.h"

/* Points of the plane have an architecture of their own. */
static const char *const architectures[] = {"drl-resnet", "drl-unet"};
static const ebm_act activations[] = {EBM_ACT_LEAKY_RELU, EBM_ACT_SILU};

#define AT(field)  offsetof(ebmt_train_args, field)
#define CFG(field) offsetof(ebmt_train_args, config.field)

static const ebmt_option rows[] = {
    EBMT_GROUP("Data"),
    {"--data", EBMT_OPT_STRING, AT(data.options.path), 0, 0, NULL, "PATH",
     "directory or file with the training images (docs/data.md), or toy:checkerboard, toy:rings, "
     "toy:pinwheel, toy:gaussians",
     true},
    EBMT_DATA_ROWS(AT(data)),
    {"--flip", EBMT_OPT_FLAG, CFG(flip), 0, 0, NULL, "", "mirror half of the images", false},

    EBMT_GROUP("Run"),
    {"--config", EBMT_OPT_STRING, AT(config_file), 0, 0, NULL, "FILE",
     "JSON object with options, named as here without the dashes; flags win", false},
    {"--out", EBMT_OPT_STRING, AT(out), 0, 0, NULL, "DIR",
     "checkpoints, metrics, samples and the model; its last part is the model's id", true},
    {"--resume", EBMT_OPT_FLAG, AT(resume), 0, 0, NULL, "",
     "continue from the newest whole checkpoint in --out", false},
    {"--init-from", EBMT_OPT_STRING, AT(init_from), 0, 0, NULL, "DIR",
     "start from the weights of this model directory, of the same network", false},
    {"--iterations", EBMT_OPT_INT64, CFG(iterations), 1, 1e9, NULL, "iterations",
     "length of the run", false},
    {"--seed", EBMT_OPT_SEED, AT(seed), 0, 0, NULL, "", "seed of everything random; -1: drawn",
     false},
    {"--checkpoint-every", EBMT_OPT_INT64, AT(checkpoint_every), 0, 1e9, NULL, "iterations",
     "save a checkpoint so often; 0: only at the end", false},
    {"--samples-every", EBMT_OPT_INT64, AT(samples_every), 0, 1e9, NULL, "iterations",
     "draw a sheet of samples so often; 0: only at the end", false},
    {"--validation-every", EBMT_OPT_INT64, AT(validation_every), 0, 1e9, NULL, "iterations",
     "compare held-out images with training images so often, if there are any; 0: never", false},
    {"--divergence-limit", EBMT_OPT_REAL, CFG(divergence_limit), 0, 1e6, NULL, "",
     "stop with the last good weights when chains run so many times too far; above 1.1, or 0: "
     "never",
     false},
    {"--threads", EBMT_OPT_INT, AT(threads), 1, 256, NULL, "threads", "threads; changes no result",
     false},
    {"--kernels", EBMT_OPT_STRING, AT(kernels), 0, 0, NULL, "SET",
     "kernel set; the best of this CPU if absent", false},

    EBMT_GROUP("Network"),
    {"--architecture", EBMT_OPT_CHOICE, AT(architecture), 0, 0, "drl-resnet|drl-unet", "",
     "the paper's network, or the same led back to full size with an energy of squares; points "
     "have another one",
     false},
    {"--ch", EBMT_OPT_INT, CFG(network.ch), 4, 1024, NULL, "channels",
     "base width of the network, even", false},
    {"--ch-mult", EBMT_OPT_INTS, AT(ch_mult), 1, 64, NULL, "",
     "width of each resolution, as multiples of --ch", false},
    {"--blocks", EBMT_OPT_INT, CFG(network.num_res_blocks), 1, 64, NULL, "",
     "residual blocks per resolution", false},
    {"--attention", EBMT_OPT_INT, CFG(network.attention), 0, 1024, NULL, "pixels",
     "self-attention after each block whose maps are so high, a size that occurs; 0: none", false},
    {"--activation", EBMT_OPT_CHOICE, AT(activation), 0, 0, "leaky_relu|silu", "",
     "nonlinearity of the network", false},
    {"--leaky-slope", EBMT_OPT_REAL, AT(leaky_slope), 0, 1, NULL, "",
     "slope of leaky_relu below zero", false},
    {"--power-iterations", EBMT_OPT_INT, CFG(power_iterations), 0, 100, NULL, "",
     "of spectral normalisation, per update; 0: weights are not normalised", false},

    EBMT_GROUP("Noise levels"),
    {"--schedule", EBMT_OPT_CHOICE, AT(schedule), 0, 0, "paper|geometric|linear", "",
     "where the noise levels lie; geometric is calibrated, linear the paper's T = 1000", false},
    {"--levels", EBMT_OPT_INT, CFG(schedule.count), 2, 1024, NULL, "",
     "transitions between noise levels; absent: 10 if geometric, 999 if linear", false},
    {"--ratio-min", EBMT_OPT_REAL, CFG(ratio_min), 1e-4, 1, NULL, "",
     "--schedule geometric: noise to signal at level 0 ...", false},
    {"--ratio-max", EBMT_OPT_REAL, CFG(ratio_max), 10, 1e4, NULL, "", "... and at the top level",
     false},
    {"--beta-first", EBMT_OPT_REAL, CFG(schedule.beta_first), 1e-9, 0.999, NULL, "",
     "first beta of the fine noise schedule", false},
    {"--beta-last", EBMT_OPT_REAL, CFG(schedule.beta_last), 1e-9, 0.999, NULL, "", "its last one",
     false},
    {"--schedule-base", EBMT_OPT_INT, CFG(schedule.base), 3, 100000, NULL, "",
     "length of the fine noise schedule", false},

    EBMT_GROUP("Langevin steps"),
    {"--langevin-steps", EBMT_OPT_INT, CFG(schedule.steps), 1, 10000, NULL, "steps",
     "Langevin steps per level", false},
    {"--step-rule", EBMT_OPT_CHOICE, AT(step_rule), 0, 0, "paper|variance|curvature|normal", "",
     "how Langevin steps are sized; absent: curvature if geometric, normal if linear", false},
    {"--b2", EBMT_OPT_REAL, CFG(schedule.b2), 1e-12, 1, NULL, "",
     "squared step factor of --step-rule paper", false},
    {"--kappa", EBMT_OPT_REAL, CFG(kappa), 0.1, 64, NULL, "",
     "size of the steps of --step-rule variance", false},
    {"--steps-low", EBMT_OPT_INT, CFG(steps_low), 1, 10000, NULL, "steps",
     "steps at level 0 with --step-rule variance", false},
    {"--curvature-share", EBMT_OPT_REAL, CFG(curvature_share), 0.01, 2, NULL, "",
     "size of the steps of --step-rule curvature, in inverse curvatures", false},

    EBMT_GROUP("Objective"),
    {"--objective", EBMT_OPT_CHOICE, AT(objective), 0, 0, "recovery|matching|hybrid", "",
     "what is minimised", false},
    {"--lowest-level", EBMT_OPT_INT, CFG(lowest_level), 0, 1023, NULL, "level",
     "levels below this one are not trained", false},
    {"--highest-level", EBMT_OPT_INT, CFG(highest_level), -1, 1023, NULL, "level",
     "nor are those above this one; -1: the top", false},
    {"--shared-noise", EBMT_OPT_FLAG, CFG(shared_noise), 0, 0, NULL, "",
     "variance-reduced pairs: one noise for both levels of a pair", false},
    {"--matching-reach", EBMT_OPT_REAL, CFG(matching_reach), 0, 1, NULL, "",
     "matching looks up to this part of the way from y to x_{t+1}", false},
    {"--warm-start", EBMT_OPT_INT64, CFG(warm_start), 0, 1e9, NULL, "iterations",
     "hybrid: iterations of matching alone", false},
    {"--rl-share", EBMT_OPT_REAL, CFG(rl_share), 0, 1, NULL, "",
     "hybrid: part of the batch with the likelihood term; 0 or at least one image", false},
    {"--rl-weight", EBMT_OPT_REAL, CFG(rl_weight), 0, 1e6, NULL, "",
     "hybrid: weight of the likelihood term against matching", false},
    {"--rl-weight-low", EBMT_OPT_REAL, CFG(rl_weight_low), 0, 1e6, NULL, "",
     "hybrid: that weight times this at level 0", false},
    {"--rl-weight-top", EBMT_OPT_REAL, CFG(rl_weight_top), 0, 1e6, NULL, "",
     "hybrid: that weight times this at the top level", false},
    {"--persistent-chains", EBMT_OPT_INT, CFG(persistent_chains), 0, 65536, NULL, "chains",
     "persistent contrastive divergence at level 0 with so many chains; 0: none", false},
    {"--persistent-visits", EBMT_OPT_INT, CFG(persistent_visits), 0, 65536, NULL, "chains",
     "of these chains an iteration visits so many, at most --batch; 0: as many as that", false},
    {"--persistent-moves", EBMT_OPT_INT, CFG(persistent_moves), 1, 10000, NULL, "moves",
     "moves of such a chain when it is visited", false},
    {"--persistent-leapfrog", EBMT_OPT_INT, CFG(persistent_leapfrog), 1, EBM_MCMC_MAX_LEAPFROG,
     NULL, "steps", "leapfrog steps of such a move; 1 is MALA", false},
    {"--persistent-weight", EBMT_OPT_REAL, CFG(persistent_weight), 0, 1e6, NULL, "",
     "weight of what these chains teach against matching", false},

    EBMT_GROUP("Optimisation"),
    {"--batch", EBMT_OPT_INT, CFG(batch), 1, 65536, NULL, "images", "images per iteration", false},
    {"--shards", EBMT_OPT_INT, CFG(shards), 1, 256, NULL, "",
     "gradient accumulators; part of the result, unlike --threads", false},
    {"--lr", EBMT_OPT_REAL, CFG(lr), 1e-12, 1, NULL, "", "Adam's step", false},
    {"--lr-warm-start", EBMT_OPT_REAL, CFG(lr_warm_start), 1e-12, 1, NULL, "",
     "Adam's step during the warm start", false},
    {"--lr-warmup", EBMT_OPT_INT64, CFG(lr_warmup), 0, 1e9, NULL, "iterations",
     "the step grows linearly over so many", false},
    {"--lr-decay", EBMT_OPT_CHOICE, AT(lr_decay), 0, 0, "linear|cosine", "",
     "how the step falls, if it does", false},
    {"--lr-decay-from", EBMT_OPT_REAL, CFG(lr_decay_from), 0, 1, NULL, "",
     "part of the run after which the step falls ...", false},
    {"--lr-final", EBMT_OPT_REAL, CFG(lr_final), 0, 1, NULL, "",
     "... to this part of it at the end", false},
    {"--beta1", EBMT_OPT_REAL, CFG(beta1), 0, 0.9999, NULL, "", "Adam's first decay", false},
    {"--beta2", EBMT_OPT_REAL, CFG(beta2), 0, 0.999999, NULL, "", "Adam's second decay", false},
    {"--adam-eps", EBMT_OPT_REAL, CFG(adam_eps), 1e-16, 1, NULL, "", "Adam's epsilon", false},
    {"--clip", EBMT_OPT_REAL, CFG(clip), 0, 1e6, NULL, "",
     "clip gradients to so many times their running norm, above 1; 0: never", false},
    {"--ema", EBMT_OPT_REAL, CFG(ema), 0, 0.9999999, NULL, "",
     "decay of the averaged weights, which become the model", false},
    {"--ema-ramp", EBMT_OPT_FLAG, CFG(ema_ramp), 0, 0, NULL, "",
     "average over fewer iterations early on", false},

    EBMT_GROUP("The model that is saved"),
    {"--sampling-factor", EBMT_OPT_INT, CFG(sampling_factor), 1, 64, NULL, "",
     "the model samples with so many times the training's Langevin steps", false},
    {"--stride", EBMT_OPT_REAL, CFG(stride), 0.01, 16, NULL, "",
     "the model samples with Langevin steps so many times as long", false},
    {"--paired-noise", EBMT_OPT_FLAG, CFG(paired_noise), 0, 0, NULL, "",
     "the model's steps take the mean of two noises, which lets them be long", false},
    {"--predict", EBMT_OPT_FLAG, CFG(predict), 0, 0, NULL, "",
     "the model's chains begin each level where the level above expects them", false},
    {"--noise-scale", EBMT_OPT_REAL, CFG(noise_scale), 0.01, 2, NULL, "",
     "the model samples with this factor on the noise; absent: 1 if not --schedule paper", false},
    {"--denoise", EBMT_OPT_FLAG, CFG(denoise), 0, 0, NULL, "",
     "the model's chains end with a step to the mean image behind x_0", false},
    {"--title", EBMT_OPT_STRING, AT(title), 0, 0, NULL, "TEXT", "title for the manifest", false},
    {"--licence", EBMT_OPT_STRING, AT(licence), 0, 0, NULL, "TEXT",
     "licence of the weights, for the manifest", false},
};

const ebmt_command ebmt__train_command = {
    .name = "train",
    .summary = "Trains a model by diffusion recovery likelihood, gradient matching, or both\n"
               "(--objective). SIGINT and SIGTERM finish the iteration, save a checkpoint and end\n"
               "with 0.",
    .options = rows,
    .n_options = sizeof rows / sizeof rows[0],
    .config = "--config",
};

static ebmt_train_args default_args(void)
{
    ebmt_train_args a = {.config = ebmt_config_default(),
                         .data = ebmt__data_args_default(),
                         .checkpoint_every = 1000,
                         .samples_every = 1000,
                         .validation_every = 1000,
                         .threads = ebmt__cli_processors()};
    const ebm_network_config *n = &a.config.network;
    a.ch_mult.n = n->n_mult;
    memcpy(a.ch_mult.item, n->ch_mult, sizeof a.ch_mult.item);
    while (activations[a.activation] != n->activation &&
           (size_t)a.activation + 1 < sizeof activations / sizeof activations[0])
        a.activation++;
    a.leaky_slope = (double)n->leaky_slope;
    a.schedule = (int32_t)a.config.schedule_kind;
    a.step_rule = (int32_t)a.config.step_rule;
    a.objective = (int32_t)a.config.objective;
    a.lr_decay = (int32_t)a.config.lr_decay;
    a.seed = (int64_t)a.config.seed;
    return a;
}

/* The schedule brings its own levels, step rule and noise scale, unless they were given. */
static void finish_schedule(ebmt_train_args *a)
{
    const ebmt_parsed *parsed = &a->parsed;
    double noise_scale = a->config.noise_scale;
    int32_t count = a->config.schedule.count;
    ebmt_config_use_schedule(&a->config, (ebmt_schedule)a->schedule);
    if (ebmt__option_given(&ebmt__train_command, parsed, "--levels"))
        a->config.schedule.count = count;
    if (ebmt__option_given(&ebmt__train_command, parsed, "--step-rule"))
        a->config.step_rule = (ebmt_step_rule)a->step_rule;
    if (ebmt__option_given(&ebmt__train_command, parsed, "--noise-scale"))
        a->config.noise_scale = noise_scale;
}

/* Moves what the rows could not write themselves into the configuration. */
static ebm_status finish_config(ebmt_train_args *a, ebm_error *err)
{
    ebm_network_config *n = &a->config.network;
    n->n_mult = a->ch_mult.n;
    memcpy(n->ch_mult, a->ch_mult.item, sizeof n->ch_mult);
    (void)snprintf(n->architecture, sizeof n->architecture, "%s", architectures[a->architecture]);
    n->activation = activations[a->activation];
    n->leaky_slope = (float)a->leaky_slope;
    const ebmt_data_options data = ebmt__data_options_of(&a->data);
    a->config.data = (ebmt_data_facts){.format = data.format,
                                       .image_size = data.image_size,
                                       .channels = data.channels,
                                       .crop = data.crop};
    finish_schedule(a);
    a->config.objective = (ebmt_objective)a->objective;
    a->config.lr_decay = (ebmt_decay)a->lr_decay;
    a->seed_drawn = a->seed < 0;
    if (a->seed_drawn) {
        ebm_status st = ebmt__cli_draw_seed(&a->seed, err);
        if (st != EBM_OK)
            return st;
    }
    a->config.seed = (uint64_t)a->seed;
    return EBM_OK;
}

/* "models/x/" names the model x as "models/x" does. */
static ebm_status trim_out(ebmt_train_args *a, ebm_error *err)
{
    size_t n = strlen(a->out);
    while (n > 1 && a->out[n - 1] == '/')
        n--;
    a->out_path = ebm_alloc(n + 1, 1);
    if (!a->out_path)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for a path");
    memcpy(a->out_path, a->out, n);
    a->out = a->out_path;
    return EBM_OK;
}

/* What can be told from the command line alone. */
static ebm_status check_args(const ebmt_train_args *a, ebm_error *err)
{
    char id[EBM_MODEL_ID_MAX + 1];
    if (!ebmt__id_of_path(a->out, id))
        return ebm_error_set(err, EBM_ERR_ARG, "--out",
                             "its last part must be a model id: small letters, digits, . _ -");
    if (a->resume && a->seed_drawn)
        return ebm_error_set(err, EBM_ERR_ARG, "--seed",
                             "give the seed of the run, it is in model.json");
    ebm_levels levels = {0};
    ebm_status st =
        ebmt__manifest_text_check("--title", a->title, sizeof((ebm_model_info *)0)->title, err);
    if (st == EBM_OK)
        st = ebmt__manifest_text_check("--licence", a->licence,
                                       sizeof((ebm_model_info *)0)->licence, err);
    if (st == EBM_OK)
        st = ebmt_config_check(&a->config, err);
    if (st == EBM_OK)
        st = ebmt_config_levels(&a->config, &levels, err);
    ebm_levels_clear(&levels);
    return st;
}

bool ebmt__train_flags_parse(int argc, char **argv, ebmt_train_args *out, int *code)
{
    ebm_error err = {0};
    *out = default_args();
    if (!ebmt__cli_parse(&ebmt__train_command, argc, argv, out, &out->parsed, code))
        return false;
    if (trim_out(out, &err) != EBM_OK || finish_config(out, &err) != EBM_OK)
        *code = ebmt__cli_fail(ebmt__train_command.name, &err);
    else if (check_args(out, &err) != EBM_OK)
        *code = ebmt__cli_usage(ebmt__train_command.name, &err);
    else
        return true;
    return false;
}

void ebmt__train_flags_clear(ebmt_train_args *args)
{
    ebm_free(args->out_path);
    ebmt__options_clear(&args->parsed);
}
