/* The parameters of all operations: the only place where their bounds stand. */
#include "ebm/params.h"

#include <string.h>

#define AT(member) offsetof(ebm_op_params, member)

/* Rows that several operations have. */
#define ROW_SEED                                                                                   \
    {                                                                                              \
        "seed", EBM_PARAM_SEED, 0, EBM_SEED_MAX, -1, NULL, "",                                     \
            "seed of all noise; drawn and echoed when absent, null or -1", AT(seed)                \
    }
#define ROW_N                                                                                      \
    {                                                                                              \
        "n", EBM_PARAM_INT, 1, 64, 1, NULL, "images", "how many images", AT(n)                     \
    }
#define ROW_FIRST_INDEX(help)                                                                      \
    {                                                                                              \
        "first_index", EBM_PARAM_INT, 0, 2147483647, 0, NULL, "", help, AT(first_index)            \
    }
#define FIRST_OF_IMAGES                                                                            \
    "index of the first image: item k of (seed, n) is the only item of (seed, n=1) with "          \
    "first_index k"
#define ROW_STEPS_PER_LEVEL                                                                        \
    {                                                                                              \
        "steps_per_level", EBM_PARAM_INT, 1, EBM_STEPS_PER_LEVEL_MAX, 0, NULL, "steps",            \
            "Langevin steps at every noise level; absent or null takes the model's own",           \
            AT(steps_per_level)                                                                    \
    }
#define ROW_NOISE_SCALE                                                                            \
    {                                                                                              \
        "noise_scale", EBM_PARAM_REAL, 0.01, 2, 0, NULL, "",                                       \
            "factor on the Langevin noise; absent takes the model's own; 1 is the exact "          \
            "discretisation",                                                                      \
            AT(noise_scale)                                                                        \
    }
#define ROW_BEGIN                                                                                  \
    {                                                                                              \
        "begin", EBM_PARAM_CHOICE, 0, 2, 0, "model|above|predicted", "",                           \
            "where a chain begins at each noise level: as the model says, at the state of the "    \
            "level above, or at a draw predicted from it, which needs fewer steps",                \
            AT(begin)                                                                              \
    }
#define ROW_COMPOSE                                                                                \
    {                                                                                              \
        "compose", EBM_PARAM_CHOICE, 0, 1, 0, "product|mixture", "",                               \
            "how several models are joined: weights are exponents, negative for negation, or "     \
            "shares",                                                                              \
            AT(compose)                                                                            \
    }
#define ROW_FIT                                                                                    \
    {                                                                                              \
        "fit", EBM_PARAM_CHOICE, 0, 2, 0, "exact|resize|crop", "",                                 \
            "pictures of another size or colour type: refuse, resize, or resize the largest part " \
            "in the middle with the model's proportions",                                          \
            AT(fit)                                                                                \
    }
#define ROW_START_LEVEL                                                                            \
    {                                                                                              \
        "start_level", EBM_PARAM_INT, 0, 1023, -1, NULL, "",                                       \
            "noise level from which pictures are drawn again, 0 the lowest; absent: the highest",  \
            AT(start_level)                                                                        \
    }
#define ROW_WARMUP                                                                                 \
    {                                                                                              \
        "warmup", EBM_PARAM_INT, 0, 100000, 0, NULL, "steps",                                      \
            "first steps, in which the step size of mala and hmc adapts and which diagnostics "    \
            "leave out",                                                                           \
            AT(warmup)                                                                             \
    }
#define ROW_LEAPFROG                                                                               \
    {                                                                                              \
        "leapfrog", EBM_PARAM_INT, 1, 64, 2, NULL, "steps", "hmc: leapfrog steps of a move",       \
            AT(leapfrog)                                                                           \
    }
#define ROW_STEP_SCALE                                                                             \
    {                                                                                              \
        "step_scale", EBM_PARAM_REAL, 0.001, 1000, 1, NULL, "",                                    \
            "mala and hmc: factor on the first guess of the step size", AT(step_scale)             \
    }

static const ebm_param sample_rows[] = {
    ROW_N,
    ROW_SEED,
    ROW_FIRST_INDEX(FIRST_OF_IMAGES),
    ROW_STEPS_PER_LEVEL,
    ROW_NOISE_SCALE,
    ROW_BEGIN,
    {"image", EBM_PARAM_IMAGE, 0, 0, 0, NULL, "PNG",
     "picture to edit: it is noised to start_level and drawn from there", AT(image)},
    ROW_START_LEVEL,
    ROW_FIT,
    {"progressive", EBM_PARAM_BOOL, 0, 1, 0, NULL, "",
     "also give the state after every noise level", AT(progressive)},
    ROW_COMPOSE,
};

static const ebm_param inpaint_rows[] = {
    {"image", EBM_PARAM_IMAGE, 0, 0, 0, NULL, "PNG", "picture to complete", AT(image)},
    {"mask", EBM_PARAM_IMAGE, 0, 0, 0, NULL, "PNG",
     "what to repaint, of the picture's size; absent: where the picture is transparent", AT(mask)},
    {"mask_mode", EBM_PARAM_CHOICE, 0, 2, 0, "white|black|alpha", "",
     "repaint where the mask is white, black or transparent", AT(mask_mode)},
    {"mask_soft", EBM_PARAM_BOOL, 0, 1, 0, NULL, "",
     "blend by the mask's grays; else 128 and above is white", AT(mask_soft)},
    ROW_FIT,
    ROW_N,
    ROW_SEED,
    ROW_FIRST_INDEX(FIRST_OF_IMAGES),
    ROW_STEPS_PER_LEVEL,
    ROW_NOISE_SCALE,
    ROW_BEGIN,
    {"repeats", EBM_PARAM_INT, 1, 100, 1, NULL, "passes",
     "passes of each level, noised up again between them", AT(repeats)},
    {"polish", EBM_PARAM_INT, 0, 10000, 0, NULL, "steps", "MALA steps more at the lowest level",
     AT(polish)},
    {"ensemble", EBM_PARAM_BOOL, 0, 1, 0, NULL, "",
     "also give mean, standard deviation and quantiles of every pixel over the n images",
     AT(ensemble)},
    ROW_COMPOSE,
};

static const ebm_param mcmc_rows[] = {
    {"chains", EBM_PARAM_INT, 1, 64, 4, NULL, "chains", "how many chains", AT(chains)},
    {"steps", EBM_PARAM_INT, 1, 100000, 1000, NULL, "steps",
     "steps of each chain, with ladder of each level", AT(steps)},
    ROW_WARMUP,
    {"thin", EBM_PARAM_INT, 1, 100000, 1, NULL, "steps", "record every thin-th step", AT(thin)},
    {"sampler", EBM_PARAM_CHOICE, 0, 2, 0, "langevin|mala|hmc", "", "kind of move", AT(sampler)},
    ROW_LEAPFROG,
    ROW_STEP_SCALE,
    ROW_NOISE_SCALE,
    {"level", EBM_PARAM_INT, 0, 1023, -1, NULL, "",
     "noise level of the chains, 0 the lowest; absent: 0, with ladder the highest", AT(level)},
    {"ladder", EBM_PARAM_BOOL, 0, 1, 0, NULL, "", "go down to the lowest level, not stay at one",
     AT(ladder)},
    {"init", EBM_PARAM_CHOICE, 0, 2, 0, "noise|samples|image", "",
     "where chains start: white noise, a sample each, or the picture", AT(init)},
    {"image", EBM_PARAM_IMAGE, 0, 0, 0, NULL, "PNG", "picture to start from, with init image",
     AT(image)},
    ROW_FIT,
    ROW_SEED,
    ROW_FIRST_INDEX("index of the first chain: chain k of (seed, chains) is the only one of (seed, "
                    "chains=1) with first_index k"),
    {"keep", EBM_PARAM_INT, 0, 64, 0, NULL, "images", "snapshots of each chain on its way",
     AT(keep)},
    {"until.ess", EBM_PARAM_REAL, 1, 1e9, 0, NULL, "draws",
     "stop when bulk and tail ESS of all tracked scalars have come to this", AT(until_ess)},
    {"until.rhat", EBM_PARAM_REAL, 1.0001, 10, 0, NULL, "",
     "stop when R-hat of all tracked scalars has come down to this", AT(until_rhat)},
    {"until.max_seconds", EBM_PARAM_REAL, 0.001, 1e7, 0, NULL, "seconds",
     "stop after so much time, whatever the diagnostics say", AT(until_max_seconds)},
    ROW_COMPOSE,
};

static const ebm_param interpolate_rows[] = {
    {"frames", EBM_PARAM_INT, 2, 64, 9, NULL, "images", "images of the path, both ends included",
     AT(frames)},
    {"from.seed", EBM_PARAM_SEED, 0, EBM_SEED_MAX, -1, NULL, "",
     "seed of the first end; drawn and echoed when absent, null or -1", AT(seed)},
    {"to.seed", EBM_PARAM_SEED, 0, EBM_SEED_MAX, -1, NULL, "", "seed of the other end, likewise",
     AT(seed_b)},
    {"from.image", EBM_PARAM_IMAGE, 0, 0, 0, NULL, "PNG",
     "picture at the first end; then to.image is needed, too", AT(image)},
    {"to.image", EBM_PARAM_IMAGE, 0, 0, 0, NULL, "PNG", "picture at the other end", AT(image_b)},
    {"level", EBM_PARAM_INT, 0, 1023, -1, NULL, "",
     "noise level at which pictures are mixed; absent: the middle one", AT(level)},
    ROW_FIT,
    ROW_FIRST_INDEX("index of the noise, which all frames share: another one is another path "
                    "between the same seeds"),
    ROW_STEPS_PER_LEVEL,
    ROW_NOISE_SCALE,
    ROW_BEGIN,
    ROW_COMPOSE,
};

static const ebm_param energy_rows[] = {
    {"draws", EBM_PARAM_INT, 1, 1000, 4, NULL, "draws",
     "noise draws over which the energy of each level is averaged", AT(draws)},
    {"gradient", EBM_PARAM_BOOL, 0, 1, 0, NULL, "",
     "also give the gradient at the lowest level in every pixel", AT(gradient)},
    ROW_FIT,
    ROW_SEED,
    ROW_COMPOSE,
};

static const ebm_param likelihood_rows[] = {
    {"method", EBM_PARAM_CHOICE, 0, 2, 0, "both|ais|recovery", "",
     "ladder of annealed importance sampling, recovery bound, or both", AT(method)},
    {"particles", EBM_PARAM_INT, 2, 10000, 16, NULL, "particles",
     "of each direction and each normaliser", AT(particles)},
    {"temperatures", EBM_PARAM_INT, 1, 100000, 100, NULL, "temperatures", "of each annealing path",
     AT(temperatures)},
    {"moves", EBM_PARAM_INT, 1, 1000, 1, NULL, "moves", "HMC moves at each temperature", AT(moves)},
    {"paths", EBM_PARAM_INT, 2, 1000, 4, NULL, "paths", "forward paths of the recovery bound",
     AT(paths)},
    {"warmup", EBM_PARAM_INT, 0, 100000, 50, NULL, "steps",
     "moves that tune the step size of each level and that forget where reverse paths start",
     AT(warmup)},
    ROW_LEAPFROG,
    ROW_STEP_SCALE,
    ROW_FIT,
    ROW_SEED,
    ROW_COMPOSE,
};

#define ROWS(table) table, sizeof table / sizeof table[0]

static const ebm_operation operations[] = {
    {EBM_OP_SAMPLE, "sample", "Draws images, or edits one by noising it and drawing it again.",
     ROWS(sample_rows)},
    {EBM_OP_INPAINT, "inpaint",
     "Repaints the masked part of a picture and leaves the rest as it is.", ROWS(inpaint_rows)},
    {EBM_OP_MCMC, "mcmc", "Runs long Markov chains with traces and diagnostics.", ROWS(mcmc_rows)},
    {EBM_OP_INTERPOLATE, "interpolate", "Interpolates between two seeds or two pictures.",
     ROWS(interpolate_rows)},
    {EBM_OP_ENERGY, "energy", "Tells how likely pictures are to a model, level by level.",
     ROWS(energy_rows)},
    {EBM_OP_LIKELIHOOD, "likelihood", "Estimates normalised likelihoods, with their errors.",
     ROWS(likelihood_rows)},
};

const ebm_operation *ebm_operation_of(ebm_op_kind kind)
{
    return &operations[kind];
}

const ebm_operation *ebm_operation_find(const char *name)
{
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
        if (strcmp(operations[i].name, name) == 0)
            return &operations[i];
    return NULL;
}
