/* `ebm eval`: how far a model's images are from real ones. The order of things, files; the
 * mathematics is in src/eval. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/draw_resumable.h"
#include "cli/eval_args.h"
#include "cli/eval_table.h"
#include "cli/open_any.h"
#include "ebm/io.h"
#include "ebm/memory.h"
#include "eval/image_sets.h"

/* Where the floors of a ruler are kept, and what the ruler is. */
typedef struct floor_place {
    char path[4096], ruler[256];
} floor_place;

/* Everything a run holds. */
typedef struct evaluation {
    const ebmt__eval_args *args;
    ebmt_pool *pool;
    ebm_model *model;
    ebm_calibration calibration; /* of the model, for --ood */
    ebmt_classifier *classifier;
    ebmt_inception *inception;
    ebmt_ruler rulers[EBMT_MAX_RULERS];
    int32_t n_rulers;
    floor_place floors[EBMT_MAX_RULERS];
    ebmt_dataset train, test, samples, foreign;
    char test_from[512], test_sha256[65];
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
    const ebmt__eval_args *a = e->args;
    ebm_error why = {0};
    if (a->classifier) {
        if (ebmt_classifier_open(a->classifier, &e->classifier, &why) != EBM_OK)
            return ebmt__cli_blame("--classifier", a->classifier, &why, err);
        e->facts.classifier = ebmt_classifier_describe(e->classifier);
        e->rulers[e->n_rulers++] = ebmt_classifier_ruler(e->classifier);
    }
    if (a->inception) {
        const ebmt_inception_input input = (ebmt_inception_input)a->input;
        if (ebmt_inception_open(a->inception, input, &e->inception, &why) != EBM_OK)
            return ebmt__cli_blame("--inception", a->inception, &why, err);
        e->facts.inception = ebmt_inception_describe(e->inception);
        e->rulers[e->n_rulers++] = ebmt_inception_ruler(e->inception);
    }
    return EBM_OK;
}

/* A classifier that was trained before images were held out has learned from them. */
static void note_seen(const evaluation *e)
{
    const ebmt_data_options *data = &e->args->real.data.options;
    const ebmt_classifier_info *c = e->facts.classifier;
    if (c && e->train.pixels && data->held_out > 0 && !e->args->real.test_data &&
        c->train_count > e->train.count)
        (void)fprintf(
            stderr,
            "%s: trained on %lld images, %lld are left without those held out: it may have "
            "seen the test images; train it with --held-out, too\n",
            e->args->classifier, (long long)c->train_count, (long long)e->train.count);
}

/* All real images, and whether they can be measured, before hours are spent on drawing. */
static ebm_status open_images(evaluation *e, ebm_error *err)
{
    const ebmt__eval_args *a = e->args;
    ebm_status st = EBM_OK;
    if (!a->distance_only)
        st = ebmt__real_train(&a->real, &e->train, err);
    if (st == EBM_OK)
        st = ebmt__real_test(&a->real, &e->test, err);
    if (st == EBM_OK && !a->distance_only)
        st = ebmt__images_alike(&e->train, "training images", &e->test, "for test images", err);
    if (st == EBM_OK && e->classifier)
        st = ebmt_classifier_fits(e->classifier, &e->test, err);
    if (st == EBM_OK && a->ood)
        st = ebmt__real_foreign(&a->real, a->ood, &e->test, &e->foreign, err);
    if (st == EBM_OK && a->ood)
        st = ebmt__images_alike(&e->foreign, "--ood", &e->test, "for test images", err);
    if (st == EBM_OK)
        note_seen(e);
    return st;
}

static void describe_images(evaluation *e)
{
    const ebmt_dataset *t = &e->test;
    ebm_sha256_hex(t->pixels, (size_t)t->count * ebmt__image_bytes(t), e->test_sha256);
    ebmt__real_test_from(&e->args->real, e->test_from, sizeof e->test_from);
    e->facts.data = e->args->real.data.options.path;
    e->facts.test_from = e->test_from;
    e->facts.test_sha256 = e->test_sha256;
    e->facts.n_test = t->count;
}

static ebm_status open_inputs(evaluation *e, ebm_error *err)
{
    ebm_status st = ebmt_pool_create(e->args->threads, &e->pool, err);
    if (st == EBM_OK)
        st = open_rulers(e, err);
    if (st == EBM_OK)
        st = place_floors(e, err);
    if (st == EBM_OK && e->args->long_images)
        st = ebm_dir_make(e->args->long_images, err);
    if (st == EBM_OK)
        st = open_images(e, err);
    if (st == EBM_OK)
        describe_images(e);
    return st;
}

/* Before any work is done: without its calibration a model has no score. */
static ebm_status read_calibration(evaluation *e, ebm_error *err)
{
    const ebm_model_info *info = ebm_model_describe(e->model);
    const ebm_calibrated of = {info->sha256, info->levels};
    ebm_status st = ebmt__open_calibration("--model", e->args->model, &of, &e->calibration, err);
    if (st == EBM_OK && !e->calibration.mean)
        return ebm_error_set(err, EBM_ERR_NOT_FOUND, "--ood",
                             "the model has no calibration: make one with ebm energy --calibrate");
    return st;
}

/* Test images that the model could not have drawn are most often a forgotten flag. */
static ebm_status open_model(evaluation *e, const ebm_kernels *kernels, ebm_error *err)
{
    ebm_status st = ebmt__open_model("--model", e->args->model, kernels, &e->model, err);
    if (st != EBM_OK)
        return st;
    const ebm_graph_info *g = ebm_model_describe(e->model)->graph;
    const ebmt_dataset own = {.channels = g->channels, .height = g->height, .width = g->width};
    st = ebmt__images_alike(&own, "--model", &e->test,
                            "for test images: see --image-size, --channels, --crop", err);
    return st == EBM_OK && e->args->ood ? read_calibration(e, err) : st;
}

static ebm_status draw_samples(evaluation *e, ebm_error *err)
{
    const ebmt__eval_args *a = e->args;
    const ebm_kernels *kernels = NULL;
    const double start = ebmt__cli_now();
    ebm_status st = ebmt__cli_kernels(a->kernels, &kernels, err);
    if (st == EBM_OK)
        st = open_model(e, kernels, err);
    if (st != EBM_OK)
        return st;
    const ebm_model_info *info = ebm_model_describe(e->model);
    e->draw = (ebmt_draw){.n = a->n,
                          .first_index = a->first_index,
                          .steps_per_level = a->steps_per_level,
                          .noise_scale =
                              a->noise_scale > 0.0 ? a->noise_scale : info->levels->noise_scale,
                          .begin = (ebm_begin)a->begin,
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
    const ebmt__eval_args *a = e->args;
    e->facts.source = a->model ? a->model : a->samples;
    return a->model ? draw_samples(e, err) : ebmt_images_read(a->samples, &e->samples, err);
}

/* At most --n of each set: the command's time stays in one flag's hands. */
static ebm_status measure_ood(evaluation *e, ebmt_ood_report *out, ebm_error *err)
{
    ebmt_dataset foreign = {0}, test = {0};
    const ebmt_ood_options opt = {.test = &test,
                                  .foreign = &foreign,
                                  .calibration = &e->calibration,
                                  .pool = e->pool,
                                  .seed = (uint64_t)e->args->seed};
    ebm_status st = ebmt__images_spread(&e->foreign, e->args->n, &foreign, err);
    if (st == EBM_OK)
        st = ebmt__images_spread(&e->test, e->args->n, &test, err);
    if (st == EBM_OK)
        st = ebmt_ood_test(e->model, &opt, out, err);
    if (st == EBM_OK)
        ebmt__print_ood(out);
    ebmt_dataset_clear(&foreign);
    ebmt_dataset_clear(&test);
    return st;
}

static ebm_status measure_bits(evaluation *e, ebmt_bits_report *out, ebm_error *err)
{
    ebmt_dataset test = {0};
    ebmt_bits_options opt = ebmt_bits_options_default();
    opt.images = &test;
    opt.pool = e->pool;
    opt.seed = (uint64_t)e->args->seed;
    opt.particles = e->args->ais_particles;
    opt.temperatures = e->args->ais_temperatures;
    ebm_status st = ebmt__images_spread(&e->test, e->args->likelihood, &test, err);
    if (st == EBM_OK)
        st = ebmt_bits_per_dim(e->model, &opt, out, err);
    if (st == EBM_OK)
        ebmt__print_bits(out);
    ebmt_dataset_clear(&test);
    return st;
}

/* A file for each mark. user: the evaluation */
static ebm_status write_long_images(void *user, int64_t steps, const ebmt_dataset *images,
                                    ebm_error *err)
{
    const evaluation *e = user;
    char name[32], path[4096];
    (void)snprintf(name, sizeof name, "steps-%lld", (long long)steps);
    int n =
        snprintf(path, sizeof path, "%s/%s.npy", e->args->long_images, steps < 0 ? "drawn" : name);
    if (n >= (int)sizeof path)
        return ebm_error_set(err, EBM_ERR_ARG, "--long-images", "the path is too long");
    return ebmt_images_write_npy(path, images, err);
}

/* Chains start where the drawn images do, by the first ruler's distance, if there is one. */
static ebm_status measure_long(evaluation *e, ebmt_long_report *out, ebm_error *err)
{
    const ebmt__eval_args *a = e->args;
    ebmt_long_options opt = {.ruler = e->n_rulers > 0 ? &e->rulers[0] : NULL,
                             .test = &e->test,
                             .pool = e->pool,
                             .draw = e->draw,
                             .plan = ebm_mcmc_plan_default((ebm_sampler_kind)a->sampler),
                             .checkpoint = a->long_checkpoint,
                             .checkpoint_seconds = 60,
                             .ruler_id = e->n_rulers > 0 ? e->floors[0].ruler : "none",
                             .on_mark = ebmt__print_long_mark,
                             .on_images = a->long_images ? write_long_images : NULL,
                             .user = e};
    opt.draw.n = a->long_chains;
    opt.plan.steps = a->long_steps;
    opt.plan.burn_in = a->long_burn_in;
    opt.plan.leapfrog = a->long_leapfrog;
    opt.plan.noise_scale = e->draw.noise_scale;
    return ebmt_long_chains(e->model, &opt, out, err);
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
    ebmt_dataset_clear(&e->foreign);
    ebmt_classifier_free(e->classifier);
    ebmt_inception_free(e->inception);
    ebm_calibration_clear(&e->calibration);
    ebm_model_unref(e->model);
    ebmt_pool_free(e->pool);
}

int ebmt__cmd_eval(int argc, char **argv)
{
    ebmt__eval_args args;
    evaluation e = {.args = &args};
    ebm_error err = {0};
    int code;
    if (!ebmt__eval_args_parse(argc, argv, &args, &code))
        return code;
    ebmt_eval_report *report = ebm_alloc(1, sizeof *report);
    ebm_status st = report ? run(&e, report, &err)
                           : ebm_error_set(&err, EBM_ERR_NOMEM, NULL, "no memory for a report");
    clear(&e);
    ebm_free(report);
    return st == EBM_OK ? EBMT_EXIT_OK : ebmt__cli_fail("eval", &err);
}
