/* See eval_args.h. */
#include "cli/eval_args.h"

#include <string.h>

#include "cli/cli.h"

#define AT(member) offsetof(ebmt__eval_args, member)

static const ebmt_option rows[] = {
    EBMT_GROUP("What is compared"),
    {"--model", EBMT_OPT_STRING, AT(model), 0, 0, NULL, "DIR", "model directory to draw from",
     false},
    {"--samples", EBMT_OPT_STRING, AT(samples), 0, 0, NULL, "PATH",
     "images to judge instead: a .npy of bytes, or a directory of PNG", false},
    {"--data", EBMT_OPT_STRING, AT(real.data.options.path), 0, 0, NULL, "PATH",
     "what the model was trained on, with the flags of its training (docs/data.md)", true},
    EBMT_REAL_ROWS(AT(real)),

    EBMT_GROUP("Rulers"),
    {"--classifier", EBMT_OPT_STRING, AT(classifier), 0, 0, NULL, "DIR",
     "what `ebm train-classifier` made of that data: the ruler, or one of two", false},
    {"--inception", EBMT_OPT_STRING, AT(inception), 0, 0, NULL, "FILE",
     "Inception-v3 weights (tools/convert_inception.py): FID, KID and Inception Score", false},
    {"--inception-input", EBMT_OPT_CHOICE, AT(input), 0, 0, "bilinear|antialias|tf1", "",
     "how images become 299x299", false},

    EBMT_GROUP("Drawing"),
    {"--n", EBMT_OPT_INT, AT(n), 8, 1000000, NULL, "images", "images to draw", false},
    {"--seed", EBMT_OPT_INT64, AT(seed), 0, 9007199254740991.0, NULL, "",
     "of the chains and of the floors", false},
    {"--first-index", EBMT_OPT_INT, AT(first_index), 0, 2147483647.0, NULL, "",
     "number of the first chain", false},
    {"--steps-per-level", EBMT_OPT_INT, AT(steps_per_level), 0, 10000, NULL, "steps",
     "Langevin steps at each level; 0: the model's own", false},
    {"--noise-scale", EBMT_OPT_REAL, AT(noise_scale), 0, 2, NULL, "",
     "factor on the Langevin noise; 0: the model's own", false},
    {"--begin", EBMT_OPT_CHOICE, AT(begin), 0, 0, "model|above|predicted", "",
     "where chains begin at each level", false},

    EBMT_GROUP("What is measured"),
    {"--distance-only", EBMT_OPT_FLAG, AT(distance_only), 0, 0, NULL, "",
     "only the samples' distances and classes: no floors, no search for copies", false},
    {"--fresh-floors", EBMT_OPT_FLAG, AT(fresh_floors), 0, 0, NULL, "",
     "measure floors, and keep none; else those of an earlier call with the same data, ruler, n "
     "and "
     "seed are taken from floors.json of the classifier, or FILE.floors.json of --inception",
     false},
    {"--ood", EBMT_OPT_STRING, AT(ood), 0, 0, NULL, "PATH",
     "foreign images, any kind of data, to tell from test images by the model's score, which `ebm "
     "energy --calibrate` has made; at most --n of each set, evenly spread",
     false},
    {"--likelihood", EBMT_OPT_INT, AT(likelihood), 0, 1000000, NULL, "images",
     "bits per dimension of so many test images, evenly spread; 0: not measured", false},
    {"--ais-particles", EBMT_OPT_INT, AT(ais_particles), 2, 1000000, NULL, "particles",
     "of the normaliser, each way", false},
    {"--ais-temperatures", EBMT_OPT_INT, AT(ais_temperatures), 1, 1000000, NULL, "",
     "of each annealed path: more of them narrow the sandwich", false},
    {"--long-chains", EBMT_OPT_INT, AT(long_chains), 0, EBMT_LONG_MAX_CHAINS, NULL, "chains",
     "chains that go on from the model's samples at the lowest level; 0: not measured", false},
    {"--long-steps", EBMT_OPT_INT, AT(long_steps), 1, EBMT_LONG_MAX_STEPS, NULL, "steps",
     "how long they go on; measured after 0, 100, 1,000, ... and all of them", false},
    {"--long-sampler", EBMT_OPT_CHOICE, AT(sampler), 0, 0, "langevin|mala|hmc", "", "how they move",
     false},
    {"--long-leapfrog", EBMT_OPT_INT, AT(long_leapfrog), 1, EBM_MCMC_MAX_LEAPFROG, NULL, "steps",
     "leapfrog steps of a move of hmc", false},
    {"--long-burn-in", EBMT_OPT_INT, AT(long_burn_in), 0, EBMT_LONG_MAX_STEPS, NULL, "steps",
     "before those, in which mala and hmc find their step sizes", false},
    {"--long-checkpoint", EBMT_OPT_STRING, AT(long_checkpoint), 0, 0, NULL, "FILE",
     "keep the chains there every minute; a run that was stopped goes on from it", false},
    {"--long-images", EBMT_OPT_STRING, AT(long_images), 0, 0, NULL, "DIR",
     "write the chains' images there at each mark, steps-N.npy, as drawn drawn.npy", false},
    {"--save-samples", EBMT_OPT_STRING, AT(save_samples), 0, 0, NULL, "FILE",
     "keep the drawn images as .npy; a drawing that was stopped goes on from it", false},
    {"--json", EBMT_OPT_STRING, AT(json), 0, 0, NULL, "FILE", "write all numbers as JSON", false},
    {"--html", EBMT_OPT_STRING, AT(html), 0, 0, NULL, "FILE",
     "write a page with numbers, shares and sheets of images", false},
    {"--threads", EBMT_OPT_INT, AT(threads), 1, 256, NULL, "threads", "threads; change no number",
     false},
    {"--kernels", EBMT_OPT_STRING, AT(kernels), 0, 0, NULL, "SET",
     "kernel set; the best of this CPU if absent", false},
};

static const ebmt_command command = {
    .name = "eval",
    .summary = "Compares images drawn from a model, or given, with real ones.",
    .options = rows,
    .n_options = sizeof rows / sizeof rows[0],
};

/* What only a model can answer. */
static ebm_status check_model_args(const ebmt__eval_args *a, ebm_error *err)
{
    if (a->samples && a->ood)
        return ebm_error_set(err, EBM_ERR_ARG, "--ood", "needs a --model to score with");
    if (a->samples && a->likelihood > 0)
        return ebm_error_set(err, EBM_ERR_ARG, "--likelihood", "needs a --model");
    if (a->likelihood == 1)
        return ebm_error_set(err, EBM_ERR_ARG, "--likelihood", "must be 0, or 2 and more");
    if (a->samples && a->long_chains > 0)
        return ebm_error_set(err, EBM_ERR_ARG, "--long-chains", "needs a --model");
    if (a->long_chains > 0 && a->long_chains < 8)
        return ebm_error_set(err, EBM_ERR_ARG, "--long-chains", "must be 0, or 8 and more");
    if ((int64_t)a->first_index + a->long_chains > INT32_MAX)
        return ebm_error_set(err, EBM_ERR_ARG, "--first-index", "the last index is over %ld",
                             (long)INT32_MAX - 1);
    return EBM_OK;
}

/* Flags that say how something is done, and what they are idle without. */
typedef enum need { NEED_MODEL, NEED_LONG, NEED_HMC, NEED_LIKELIHOOD, NEED_INCEPTION } need;

static const struct {
    const char *flag;
    need need;
} dependent[] = {
    {"--n", NEED_MODEL},
    {"--first-index", NEED_MODEL},
    {"--steps-per-level", NEED_MODEL},
    {"--noise-scale", NEED_MODEL},
    {"--begin", NEED_MODEL},
    {"--save-samples", NEED_MODEL},
    {"--long-steps", NEED_LONG},
    {"--long-sampler", NEED_LONG},
    {"--long-leapfrog", NEED_HMC},
    {"--long-burn-in", NEED_LONG},
    {"--long-checkpoint", NEED_LONG},
    {"--long-images", NEED_LONG},
    {"--ais-particles", NEED_LIKELIHOOD},
    {"--ais-temperatures", NEED_LIKELIHOOD},
    {"--inception-input", NEED_INCEPTION},
};

/* What is given and changes nothing is most often a mistake. */
static ebm_status check_dependent(const ebmt__eval_args *a, const ebmt_parsed *parsed,
                                  ebm_error *err)
{
    const struct {
        bool met;
        const char *lack;
    } needs[] = {
        [NEED_MODEL] = {a->model != NULL, "nothing is drawn with --samples"},
        [NEED_LONG] = {a->long_chains > 0, "there are no --long-chains"},
        [NEED_HMC] = {a->long_chains > 0 && a->sampler == EBM_SAMPLER_HMC,
                      "no --long-chains move by hmc"},
        [NEED_LIKELIHOOD] = {a->likelihood > 0, "there is no --likelihood"},
        [NEED_INCEPTION] = {a->inception != NULL, "there is no --inception"},
    };
    for (size_t i = 0; i < sizeof dependent / sizeof dependent[0]; i++)
        if (!needs[dependent[i].need].met &&
            ebmt__option_given(&command, parsed, dependent[i].flag))
            return ebm_error_set(err, EBM_ERR_ARG, dependent[i].flag, "%s",
                                 needs[dependent[i].need].lack);
    return EBM_OK;
}

/* Without a ruler there are no distances, but there is all the rest. */
static bool is_empty(const ebmt__eval_args *a)
{
    return !a->classifier && !a->inception && a->distance_only && !a->ood && a->likelihood == 0 &&
           a->long_chains == 0;
}

static ebm_status check_args(const ebmt__eval_args *a, const ebmt_parsed *parsed, ebm_error *err)
{
    if (!a->model == !a->samples)
        return ebm_error_set(err, EBM_ERR_ARG, "--model", "give either --model or --samples");
    if (check_dependent(a, parsed, err) != EBM_OK)
        return EBM_ERR_ARG;
    if (a->real.test_data && a->real.data.options.held_out > 0 &&
        strcmp(a->real.test_data, a->real.data.options.path) == 0)
        return ebm_error_set(err, EBM_ERR_ARG, "--held-out",
                             "holds out test images, and --test-data asks for all of them");
    if (is_empty(a))
        return ebm_error_set(err, EBM_ERR_ARG, "--distance-only",
                             "leaves nothing to measure without --classifier or --inception");
    if ((int64_t)a->first_index + a->n > INT32_MAX)
        return ebm_error_set(err, EBM_ERR_ARG, "--first-index", "the last index is over %ld",
                             (long)INT32_MAX - 1);
    return check_model_args(a, err);
}

bool ebmt__eval_args_parse(int argc, char **argv, ebmt__eval_args *out, int *code)
{
    const ebmt_bits_options bits = ebmt_bits_options_default();
    ebmt_parsed parsed;
    ebm_error err = {0};
    *out = (ebmt__eval_args){.real.data = ebmt__data_args_default(),
                             .n = 10000,
                             .seed = 1,
                             .threads = ebmt__cli_processors(),
                             .input = EBMT_INCEPTION_BILINEAR,
                             .long_steps = 10000,
                             .sampler = EBM_SAMPLER_MALA,
                             .long_leapfrog = 2,
                             .long_burn_in = 1000,
                             .ais_particles = bits.particles,
                             .ais_temperatures = bits.temperatures};
    if (!ebmt__cli_parse(&command, argc, argv, out, &parsed, code))
        return false;
    if (check_args(out, &parsed, &err) == EBM_OK)
        return true;
    *code = ebmt__cli_usage(command.name, &err);
    return false;
}
