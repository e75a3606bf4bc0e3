/* `ebm eval`: how far a model's images are from real ones. Flags, the order of things, files; the
 * mathematics is in src/eval. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/draw_resumable.h"
#include "cli/eval_table.h"
#include "ebm/io.h"
#include "ebm/memory.h"
#include "ebmm/models.h"
#include "ebmt/eval.h"

typedef struct eval_args {
    const char *model, *data, *classifier, *samples, *save_samples, *json, *html, *kernels, *ood;
    const char *inception, *inception_input, *long_sampler, *long_checkpoint;
    int32_t n, first_index, steps_per_level, threads, likelihood, ais_particles, ais_temperatures;
    int32_t long_chains, long_steps, long_burn_in;
    int64_t seed;
    double noise_scale;
    bool distance_only, fresh_floors;
} eval_args;

#define AT(member) offsetof(eval_args, member)

static const ebmt_option rows[] = {
    {"--model", EBMT_OPT_STRING, AT(model), 0, 0, NULL, "DIR", "model directory to draw from",
     false},
    {"--samples", EBMT_OPT_STRING, AT(samples), 0, 0, NULL, "PATH",
     "images to judge instead: a .npy of bytes, or a directory of PNG", false},
    {"--data", EBMT_OPT_STRING, AT(data), 0, 0, NULL, "DIR",
     "real images, training and test set (IDX)", true},
    {"--classifier", EBMT_OPT_STRING, AT(classifier), 0, 0, NULL, "DIR",
     "what `ebm train-classifier` made of that data: the ruler, or one of two", false},
    {"--inception", EBMT_OPT_STRING, AT(inception), 0, 0, NULL, "FILE",
     "Inception-v3 weights (tools/convert_inception.py): FID, KID and Inception Score", false},
    {"--inception-input", EBMT_OPT_STRING, AT(inception_input), 0, 0, NULL, "NAME",
     "how images become 299x299: bilinear, antialias or tf1", false},
    {"--n", EBMT_OPT_INT, AT(n), 8, 1000000, NULL, "images", "images to draw", false},
    {"--seed", EBMT_OPT_INT64, AT(seed), 0, 9007199254740991.0, NULL, "",
     "of the chains and of the floors", false},
    {"--first-index", EBMT_OPT_INT, AT(first_index), 0, 2147483647.0, NULL, "",
     "number of the first chain", false},
    {"--steps-per-level", EBMT_OPT_INT, AT(steps_per_level), 0, 10000, NULL, "steps",
     "Langevin steps at each level; 0: the model's own", false},
    {"--noise-scale", EBMT_OPT_REAL, AT(noise_scale), 0, 2, NULL, "",
     "factor on the Langevin noise; 0: the model's own", false},
    {"--distance-only", EBMT_OPT_FLAG, AT(distance_only), 0, 0, NULL, "",
     "only the samples' distances and classes: no floors, no search for copies", false},
    {"--fresh-floors", EBMT_OPT_FLAG, AT(fresh_floors), 0, 0, NULL, "",
     "measure floors, and keep none; else those of an earlier call with the same data, ruler, n "
     "and "
     "seed are taken from floors.json of the classifier, or FILE.floors.json of --inception",
     false},
    {"--ood", EBMT_OPT_STRING, AT(ood), 0, 0, NULL, "PATH",
     "foreign images (IDX directory, .npy, or directory of PNG) to tell from test images by the "
     "model's score, which `ebm energy --calibrate` has made",
     false},
    {"--likelihood", EBMT_OPT_INT, AT(likelihood), 0, 1000000, NULL, "images",
     "bits per dimension of so many test images; 0: not measured", false},
    {"--ais-particles", EBMT_OPT_INT, AT(ais_particles), 2, 1000000, NULL, "particles",
     "of the normaliser, each way", false},
    {"--ais-temperatures", EBMT_OPT_INT, AT(ais_temperatures), 1, 1000000, NULL, "",
     "of each annealed path: more of them narrow the sandwich", false},
    {"--long-chains", EBMT_OPT_INT, AT(long_chains), 0, EBMT_LONG_MAX_CHAINS, NULL, "chains",
     "chains that go on from the model's samples at the lowest level; 0: not measured", false},
    {"--long-steps", EBMT_OPT_INT, AT(long_steps), 1, EBMT_LONG_MAX_STEPS, NULL, "steps",
     "how long they go on; measured after 0, 100, 1,000, ... and all of them", false},
    {"--long-sampler", EBMT_OPT_STRING, AT(long_sampler), 0, 0, NULL, "NAME",
     "how they move: langevin, mala or hmc", false},
    {"--long-burn-in", EBMT_OPT_INT, AT(long_burn_in), 0, EBMT_LONG_MAX_STEPS, NULL, "steps",
     "before those, in which mala and hmc find their step sizes", false},
    {"--long-checkpoint", EBMT_OPT_STRING, AT(long_checkpoint), 0, 0, NULL, "FILE",
     "keep the chains there every few minutes; a run that was stopped goes on from it", false},
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

static ebm_status find_input(const char *name, ebmt_inception_input *out, ebm_error *err)
{
    for (int i = 0; i < EBMT_INCEPTION_INPUTS; i++) {
        *out = (ebmt_inception_input)i;
        if (strcmp(name, ebmt_inception_input_name(*out)) == 0)
            return EBM_OK;
    }
    return ebm_error_set(err, EBM_ERR_ARG, "--inception-input",
                         "must be bilinear, antialias or tf1");
}

static ebm_status find_sampler(const char *name, ebm_sampler_kind *out, ebm_error *err)
{
    for (int i = 0; i < EBMT_SAMPLERS; i++) {
        *out = (ebm_sampler_kind)i;
        if (strcmp(name, ebmt_sampler_name(*out)) == 0)
            return EBM_OK;
    }
    return ebm_error_set(err, EBM_ERR_ARG, "--long-sampler", "must be langevin, mala or hmc");
}

/* What only a model can answer. */
static ebm_status check_model_args(const eval_args *a, ebm_error *err)
{
    ebm_sampler_kind sampler;
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
    return find_sampler(a->long_sampler, &sampler, err);
}

static ebm_status check_args(const eval_args *a, ebm_error *err)
{
    ebmt_inception_input input;
    if (!a->model == !a->samples)
        return ebm_error_set(err, EBM_ERR_ARG, "--model", "give either --model or --samples");
    if (a->samples && a->save_samples)
        return ebm_error_set(err, EBM_ERR_ARG, "--save-samples", "nothing is drawn with --samples");
    if (!a->classifier && !a->inception)
        return ebm_error_set(err, EBM_ERR_ARG, "--classifier",
                             "give --classifier, --inception or both");
    if ((int64_t)a->first_index + a->n > INT32_MAX)
        return ebm_error_set(err, EBM_ERR_ARG, "--first-index", "the last index is over %ld",
                             (long)INT32_MAX - 1);
    ebm_status st = find_input(a->inception_input, &input, err);
    return st == EBM_OK ? check_model_args(a, err) : st;
}

/* Where the floors of a ruler are kept, and what the ruler is. */
typedef struct floor_place {
    char path[4096], ruler[256];
} floor_place;

/* Everything a run holds. */
typedef struct evaluation {
    const eval_args *args;
    ebmt_pool *pool;
    ebm_model *model;
    ebm_calibration calibration; /* of the model, for --ood */
    ebmt_classifier *classifier;
    ebmt_inception *inception;
    ebmt_ruler rulers[EBMT_MAX_RULERS];
    int32_t n_rulers;
    floor_place floors[EBMT_MAX_RULERS];
    ebmt_dataset train, test, samples;
    ebmt_draw draw;
    ebmt_eval_options options;
    ebmt_eval_facts facts;
} evaluation;

/* --- the run ------------------------------------------------------------------------------- */

/* Beside the classifier, and beside the weights of Inception. */
static ebm_status place_floors(evaluation *e, ebm_error *err)
{
    const ebmt_classifier_info *c = e->facts.classifier;
    const ebmt_inception_info *in = e->facts.inception;
    floor_place *p = e->floors;
    int n = 0;
    if (c) {
        n = snprintf(p->path, sizeof p->path, "%s/floors.json", e->args->classifier);
        (void)snprintf(p->ruler, sizeof p->ruler, "classifier %s", c->sha256);
        p++;
    }
    if (in && n < (int)sizeof p->path) {
        n = snprintf(p->path, sizeof p->path, "%s.floors.json", e->args->inception);
        (void)snprintf(p->ruler, sizeof p->ruler, "inception %s %s %s", in->sha256,
                       ebmt_inception_graph_name(in->graph), ebmt_inception_input_name(in->input));
    }
    return n < (int)sizeof p->path
               ? EBM_OK
               : ebm_error_set(err, EBM_ERR_ARG, "--classifier", "the path is too long");
}

static void note_floors(void *user, const char *line)
{
    (void)user;
    (void)fprintf(stderr, "%s\n", line);
}

static ebm_status open_rulers(evaluation *e, ebm_error *err)
{
    const eval_args *a = e->args;
    ebmt_inception_input input;
    ebm_status st = find_input(a->inception_input, &input, err);
    if (st == EBM_OK && a->classifier) {
        st = ebmt_classifier_open(a->classifier, &e->classifier, err);
        if (st != EBM_OK)
            return st;
        e->facts.classifier = ebmt_classifier_describe(e->classifier);
        e->rulers[e->n_rulers++] = ebmt_classifier_ruler(e->classifier);
    }
    if (st == EBM_OK && a->inception) {
        st = ebmt_inception_open(a->inception, input, &e->inception, err);
        if (st != EBM_OK)
            return st;
        e->facts.inception = ebmt_inception_describe(e->inception);
        e->rulers[e->n_rulers++] = ebmt_inception_ruler(e->inception);
    }
    return st;
}

static ebm_status open_inputs(evaluation *e, ebm_error *err)
{
    const eval_args *a = e->args;
    ebm_status st = ebmt_pool_create(a->threads, &e->pool, err);
    if (st == EBM_OK)
        st = open_rulers(e, err);
    if (st == EBM_OK)
        st = place_floors(e, err);
    if (st == EBM_OK)
        st = ebmt_dataset_read_whole(a->data, EBMT_TEST, &e->test, err);
    if (st == EBM_OK && !a->distance_only)
        st = ebmt_dataset_read_whole(a->data, EBMT_TRAIN, &e->train, err);
    return st;
}

/* Before any work is done: without its calibration a model has no score. */
static ebm_status read_calibration(evaluation *e, ebm_error *err)
{
    const ebm_model_info *info = ebm_model_describe(e->model);
    ebm_error inner = {0};
    ebm_status st = ebm_calibration_read(e->args->model, info->sha256, info->levels->count,
                                         &e->calibration, &inner);
    if (st == EBM_ERR_NOT_FOUND)
        return ebm_error_set(err, st, "--ood",
                             "the model has no calibration: make one with ebm energy --calibrate");
    return st == EBM_OK ? EBM_OK
                        : ebm_error_set(err, st, EBM_CALIBRATION_FILE, "%s: %.200s", inner.where,
                                        inner.text);
}

static ebm_status draw_samples(evaluation *e, ebm_error *err)
{
    const eval_args *a = e->args;
    const ebm_kernels *kernels = NULL;
    const double start = ebmt__cli_now();
    ebm_status st = ebmt__cli_kernels(a->kernels, &kernels, err);
    if (st == EBM_OK)
        st = ebmm_model_open(a->model, kernels, &e->model, err);
    if (st == EBM_OK && a->ood)
        st = read_calibration(e, err);
    if (st != EBM_OK)
        return st;
    const ebm_model_info *info = ebm_model_describe(e->model);
    e->draw = (ebmt_draw){.n = a->n,
                          .first_index = a->first_index,
                          .steps_per_level = a->steps_per_level,
                          .noise_scale =
                              a->noise_scale > 0.0 ? a->noise_scale : info->levels->noise_scale,
                          .seed = (uint64_t)a->seed};
    st = ebmt__draw_resumable(e->model, &e->draw, e->pool, a->save_samples, &e->samples, err);
    e->facts.draw = &e->draw;
    e->facts.model_sha256 = info->sha256;
    e->facts.kernel_class = kernels->kernel_class;
    e->facts.seconds = ebmt__cli_now() - start;
    return st;
}

static ebm_status get_samples(evaluation *e, ebm_error *err)
{
    const eval_args *a = e->args;
    e->facts.source = a->model ? a->model : a->samples;
    e->facts.data = a->data;
    return a->model ? draw_samples(e, err) : ebmt_images_read(a->samples, &e->samples, err);
}

/* A directory with IDX files, else whatever ebmt_images_read() knows. */
static ebm_status read_foreign(const char *path, ebmt_dataset *out, ebm_error *err)
{
    ebm_error inner = {0};
    if (ebmt_dataset_read_whole(path, EBMT_TEST, out, &inner) == EBM_OK)
        return EBM_OK;
    if (inner.status != EBM_ERR_NOT_FOUND && inner.status != EBM_ERR_IO)
        return ebm_error_set(err, inner.status, inner.where, "%s", inner.text);
    return ebmt_images_read(path, out, err);
}

/* At most --n of each set: the command's time stays in one flag's hands. */
static ebm_status measure_ood(evaluation *e, ebmt_ood_report *out, ebm_error *err)
{
    ebmt_dataset foreign = {0}, test = e->test;
    ebm_status st = read_foreign(e->args->ood, &foreign, err);
    if (st == EBM_OK) {
        foreign.count = foreign.count < e->args->n ? foreign.count : e->args->n;
        test.count = test.count < e->args->n ? test.count : e->args->n;
        const ebmt_ood_options opt = {.test = &test,
                                      .foreign = &foreign,
                                      .calibration = &e->calibration,
                                      .pool = e->pool,
                                      .seed = (uint64_t)e->args->seed};
        st = ebmt_ood_test(e->model, &opt, out, err);
    }
    if (st == EBM_OK)
        ebmt__print_ood(out);
    ebmt_dataset_clear(&foreign);
    return st;
}

static ebm_status measure_bits(evaluation *e, ebmt_bits_report *out, ebm_error *err)
{
    ebmt_dataset test = e->test;
    ebmt_bits_options opt = ebmt_bits_options_default();
    test.count = test.count < e->args->likelihood ? test.count : e->args->likelihood;
    opt.images = &test;
    opt.pool = e->pool;
    opt.seed = (uint64_t)e->args->seed;
    opt.particles = e->args->ais_particles;
    opt.temperatures = e->args->ais_temperatures;
    ebm_status st = ebmt_bits_per_dim(e->model, &opt, out, err);
    if (st == EBM_OK)
        ebmt__print_bits(out);
    return st;
}

/* Chains start where the drawn images do, by the first ruler's distance. */
static ebm_status measure_long(evaluation *e, ebmt_long_report *out, ebm_error *err)
{
    const eval_args *a = e->args;
    ebm_sampler_kind sampler;
    ebm_status st = find_sampler(a->long_sampler, &sampler, err);
    ebmt_long_options opt = {.ruler = &e->rulers[0],
                             .test = &e->test,
                             .pool = e->pool,
                             .draw = e->draw,
                             .plan = ebm_mcmc_plan_default(sampler),
                             .checkpoint = a->long_checkpoint,
                             .ruler_id = e->floors[0].ruler,
                             .on_mark = ebmt__print_long_mark};
    opt.draw.n = a->long_chains;
    opt.plan.steps = a->long_steps;
    opt.plan.burn_in = a->long_burn_in;
    opt.plan.noise_scale = e->draw.noise_scale;
    return st == EBM_OK ? ebmt_long_chains(e->model, &opt, out, err) : st;
}

static ebm_status write_text(const char *path, char *text, ebm_status st, ebm_error *err)
{
    if (st == EBM_OK)
        st = ebm_file_write(path, text, strlen(text), err);
    ebm_free(text);
    return st;
}

static ebm_status write_files(const evaluation *e, const ebmt_eval_report *report, ebm_error *err)
{
    char *text = NULL;
    ebm_status st = EBM_OK;
    if (e->args->json) {
        st = ebmt_eval_json(report, &e->facts, &text, err);
        st = write_text(e->args->json, text, st, err);
    }
    if (e->args->html && st == EBM_OK) {
        st = ebmt_eval_html(report, &e->facts, &e->options, &text, err);
        st = write_text(e->args->html, text, st, err);
    }
    return st;
}

static ebm_status run(evaluation *e, ebmt_eval_report *report, ebm_error *err)
{
    ebm_status st = open_inputs(e, err);
    if (st == EBM_OK)
        st = get_samples(e, err);
    if (st != EBM_OK)
        return st;
    e->options = (ebmt_eval_options){.rulers = e->rulers,
                                     .n_rulers = e->n_rulers,
                                     .samples = &e->samples,
                                     .train = &e->train,
                                     .test = &e->test,
                                     .pool = e->pool,
                                     .seed = (uint64_t)e->args->seed,
                                     .distance_only = e->args->distance_only};
    for (int32_t i = 0; i < e->n_rulers && !e->args->fresh_floors; i++)
        e->options.floors[i] = (ebmt_floor_file){
            .path = e->floors[i].path, .ruler = e->floors[i].ruler, .note = note_floors};
    st = ebmt_evaluate(&e->options, report, err);
    if (st == EBM_OK)
        ebmt__print_report(report, &e->facts);
    if (st == EBM_OK && e->args->ood)
        st = measure_ood(e, &report->ood, err);
    if (st == EBM_OK && e->args->likelihood > 0)
        st = measure_bits(e, &report->bits, err);
    if (st == EBM_OK && e->args->long_chains > 0)
        st = measure_long(e, &report->longer, err);
    return st == EBM_OK ? write_files(e, report, err) : st;
}

static void clear(evaluation *e)
{
    ebmt_dataset_clear(&e->samples);
    ebmt_dataset_clear(&e->train);
    ebmt_dataset_clear(&e->test);
    ebmt_classifier_free(e->classifier);
    ebmt_inception_free(e->inception);
    ebm_calibration_clear(&e->calibration);
    ebm_model_unref(e->model);
    ebmt_pool_free(e->pool);
}

int ebmt__cmd_eval(int argc, char **argv)
{
    const ebmt_bits_options bits = ebmt_bits_options_default();
    eval_args args = {.n = 10000,
                      .seed = 1,
                      .threads = ebmt__cli_processors(),
                      .inception_input = "bilinear",
                      .long_steps = 10000,
                      .long_sampler = "mala",
                      .long_burn_in = 1000,
                      .ais_particles = bits.particles,
                      .ais_temperatures = bits.temperatures};
    evaluation e = {.args = &args};
    ebmt_parsed parsed;
    ebm_error err = {0};
    int code;
    if (!ebmt__cli_parse(&command, argc, argv, &args, &parsed, &code))
        return code;
    if (check_args(&args, &err) != EBM_OK)
        return ebmt__cli_usage(command.name, &err);
    ebmt_eval_report *report = ebm_alloc(1, sizeof *report);
    ebm_status st = report ? run(&e, report, &err)
                           : ebm_error_set(&err, EBM_ERR_NOMEM, NULL, "no memory for a report");
    clear(&e);
    ebm_free(report);
    return st == EBM_OK ? EBMT_EXIT_OK : ebmt__cli_fail(command.name, &err);
}
