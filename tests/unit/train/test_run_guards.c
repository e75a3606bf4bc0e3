/* What guards a run: the stop before a divergence, what is left and said at the end, the validation
 * gap, a start from other weights. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "assert_numbers.h"
#include "ebm/io.h"
#include "ebm/memory.h"
#include "ebmm/models.h"
#include "ebmt/train.h"
#include "random_net.h"
#include "run_scene.h"
#include "temp_dir.h"
#include "trainer.h"
#include "validate.h"
#include "watch.h"

/* A learning rate that no network survives: the run stops, and a model of earlier weights is left.
 */
static void test_last_good_weights(void **state)
{
    char dir[TEMP_PATH_MAX];
    uint8_t pixels[RUN_IMAGES * RUN_DIM];
    const ebmt_dataset data = run_bars(pixels);
    ebm_model *m = NULL;
    ebm_error err = {0};
    assert_true(temp_dir_join(*state, "burnt", dir));
    ebmt_run_options opt = {.config = run_config(EBMT_HYBRID),
                            .data = &data,
                            .out_dir = dir,
                            .checkpoint_every = 1,
                            .threads = 2,
                            .kernels = kernel_set("blas")};
    opt.config.iterations = 300;
    opt.config.lr = opt.config.lr_warm_start = 0.5;
    assert_int_equal(ebmt_run(&opt, &err), EBM_ERR_DIVERGED);
    assert_non_null(strstr(err.text, "diverge"));
    assert_int_equal(ebmm_model_open(dir, kernel_set("ref"), &m, NULL), EBM_OK);
    assert_in_range(strtol(ebm_model_describe(m)->version, NULL, 10), 1, 299);
    ebm_model_unref(m);
}

/* What the hooks of a run on its way to a divergence know. */
typedef struct burning {
    char dir[TEMP_PATH_MAX];
    int64_t last;     /* stops after this iteration */
    int64_t damage;   /* flips a byte of every checkpoint after this one; 0: never */
    char notes[4096]; /* what the run said */
    uint8_t *pixels;  /* [RUN_IMAGES * RUN_DIM] */
    ebmt_dataset data;
    ebmt_run_options opt;
    ebm_error err;
} burning;

static void flip_a_byte(const char *dir, int64_t iteration)
{
    char name[64], path[TEMP_PATH_MAX];
    unsigned char *bytes;
    size_t size;
    (void)snprintf(name, sizeof name, "checkpoint-%lld.safetensors", (long long)iteration);
    assert_true(temp_dir_join(dir, name, path));
    if (access(path, F_OK) != 0)
        return;
    assert_int_equal(ebm_file_read(dir, name, 1 << 24, &bytes, &size, NULL), EBM_OK);
    bytes[size / 2] ^= 1;
    assert_true(temp_dir_write(dir, name, bytes, size));
    ebm_free(bytes);
}

static bool stop_at(void *user, const ebmt_report *report)
{
    const burning *b = user;
    if (report->iteration == b->damage)
        for (int64_t i = 1; i <= report->iteration; i++)
            flip_a_byte(b->dir, i);
    return report->iteration < b->last;
}

static void keep_note(void *user, const char *line)
{
    burning *b = user;
    size_t at = strlen(b->notes);
    (void)snprintf(b->notes + at, sizeof b->notes - at, "%s\n", line);
}

/* A learning rate that ends in a divergence after some tens of iterations. */
static void set_fire(burning *b, const char *parent, const char *name)
{
    *b = (burning){.last = 300};
    b->pixels = malloc(RUN_IMAGES * RUN_DIM);
    assert_non_null(b->pixels);
    assert_true(temp_dir_join(parent, name, b->dir));
    b->data = run_bars(b->pixels);
    b->opt = (ebmt_run_options){.config = run_config(EBMT_HYBRID),
                                .data = &b->data,
                                .out_dir = b->dir,
                                .checkpoint_every = 1,
                                .hooks = {.user = b, .report = stop_at, .note = keep_note},
                                .threads = 2,
                                .kernels = kernel_set("blas")};
    b->opt.config.iterations = 300;
    b->opt.config.lr = b->opt.config.lr_warm_start = 0.002;
}

static ebm_status burn(burning *b)
{
    b->err = (ebm_error){0};
    b->notes[0] = '\0';
    return ebmt_run(&b->opt, &b->err);
}

/* Returns the iteration at which an undisturbed run diverges; the text is that of its error. */
static int64_t find_divergence(const char *parent, char text[256])
{
    burning b;
    set_fire(&b, parent, "whole");
    b.opt.checkpoint_every = 0;
    assert_int_equal(burn(&b), EBM_ERR_DIVERGED);
    const char *at = strstr(b.err.text, "at iteration ");
    assert_non_null(at);
    if (text)
        memcpy(text, b.err.text, sizeof b.err.text);
    free(b.pixels);
    return strtol(at + strlen("at iteration "), NULL, 10);
}

static int64_t model_version(const char *dir)
{
    ebm_model *m = NULL;
    assert_int_equal(ebmm_model_open(dir, kernel_set("ref"), &m, NULL), EBM_OK);
    int64_t version = strtol(ebm_model_describe(m)->version, NULL, 10);
    ebm_model_unref(m);
    return version;
}

static bool file_has(const char *dir, const char *name, const char *text)
{
    unsigned char *bytes;
    size_t size;
    assert_int_equal(ebm_file_read(dir, name, 1 << 24, &bytes, &size, NULL), EBM_OK);
    bool has = strstr((const char *)bytes, text) != NULL;
    ebm_free(bytes);
    return has;
}

static void expect_page(const char *dir, const char *text, bool there)
{
    if (file_has(dir, "report.html", text) != there)
        fail_msg("the report %s \"%s\"", there ? "lacks" : "has", text);
}

/* Neither the newest checkpoint nor the model is of weights that look bad: what the guard had seen
 * by then, taken from the file, makes it easy. Returns the iteration. */
static int64_t expect_easy_weights(const burning *b)
{
    ebmt__trainer *tr = NULL;
    ebmt__watch watch;
    char *config = NULL;
    assert_int_equal(run_trainer(&b->opt.config, &b->data, 1, &tr, NULL), EBM_OK);
    assert_int_equal(ebmt_checkpoint_load(b->dir, &tr->state, &config, NULL, NULL, NULL), EBM_OK);
    assert_int_equal(
        ebmt__watch_init(tr->levels, b->opt.config.divergence_limit, tr->state.watch, &watch, NULL),
        EBM_OK);
    assert_true(ebmt__watch_alarm(&watch, NULL) > 0.0); /* it has seen enough to judge */
    assert_false(ebmt__watch_uneasy(&watch));
    int64_t iteration = tr->state.iteration;
    assert_int_equal(model_version(b->dir), iteration);
    ebmt__watch_clear(&watch);
    ebmt__trainer_free(tr);
    ebm_free(config);
    return iteration;
}

/* A run that is stopped and resumed on its way to a divergence diverges where it would have: what
 * the guard has seen is part of the checkpoint, and none is made of weights that look bad. */
static void test_guard_survives_a_stop(void **state)
{
    char said[256], page[400];
    burning b;
    int64_t end = find_divergence(*state, said) - 1;
    set_fire(&b, *state, "cut");
    b.last = end;
    assert_int_equal(burn(&b), EBM_OK); /* a stop that was asked for is no error */
    assert_in_range(expect_easy_weights(&b), 1, end - 1);
    expect_page(b.dir, "Signs of a divergence at the end", true);
    b.opt.resume = true;
    b.last = 300;
    assert_int_equal(burn(&b), EBM_ERR_DIVERGED);
    assert_string_equal(b.err.text, said);
    end = expect_easy_weights(&b);
    (void)snprintf(page, sizeof page, "The run diverged: %s. The model is that of iteration %lld.",
                   said, (long long)end);
    expect_page(b.dir, page, true);
    free(b.pixels);
}

/* All iterations done, with bad signs at the end: the model is that of the newest checkpoint, and
 * neither the status nor the report says that all is well. */
static void test_uneasy_end(void **state)
{
    int64_t newest, end = find_divergence(*state, NULL) - 1;
    char text[96];
    burning b;
    set_fire(&b, *state, "short");
    b.opt.config.iterations = end;
    assert_int_equal(burn(&b), EBM_ERR_DIVERGED);
    newest = expect_easy_weights(&b);
    assert_in_range(newest, 1, end - 1);
    (void)snprintf(text, sizeof text, "the model is that of iteration %lld", (long long)newest);
    assert_non_null(strstr(b.err.text, text));
    expect_page(b.dir, text, true);
    expect_page(b.dir, "The run is complete.", false);
    (void)snprintf(text, sizeof text, "kept the weights of iteration %lld\n", (long long)newest);
    assert_non_null(strstr(b.notes, text));
    free(b.pixels);
}

/* Without a checkpoint to go back to, weights that look bad are better than none; it is said. */
static void test_uneasy_end_without_checkpoints(void **state)
{
    static const char *const names[] = {"none", "damaged"};
    int64_t end = find_divergence(*state, NULL) - 1;
    for (int i = 0; i < 2; i++) {
        burning b;
        set_fire(&b, *state, names[i]);
        b.opt.config.iterations = end;
        b.opt.checkpoint_every = i;
        b.damage = i ? end : 0;
        assert_int_equal(burn(&b), EBM_OK);
        assert_int_equal(model_version(b.dir), end);
        assert_true((strstr(b.notes, "skipping damaged") != NULL) == (i == 1));
        assert_non_null(strstr(b.notes, "no earlier weights to keep: no whole checkpoint"));
        assert_non_null(strstr(b.notes, "saved all the same"));
        assert_null(strstr(b.notes, "kept the weights"));
        expect_page(b.dir, "The run is complete.", true);
        free(b.pixels);
    }
}

/* A run of four iterations that goes on for another length: how fast it learns may jump, of which
 * it tells. */
static void test_another_length(void **state)
{
    static const struct {
        const char *name;
        double decay_from, final;
        int64_t iterations;
        const char *note; /* NULL: none about the length */
    } rows[] = {
        {"longer", 0.5, 0.1, 8,
         "planned for 4 iterations before, for 8 now: learning rate 0.0002 before, 0.002 now\n"},
        {"equal", 0.5, 0.1, 4, NULL},
        {"flat", 1.0, 0.1, 8, NULL},
        {"steady", 0.5, 1.0, 8, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        burning b;
        set_fire(&b, *state, rows[i].name);
        b.opt.config.iterations = 4;
        b.opt.config.lr_decay_from = rows[i].decay_from;
        b.opt.config.lr_final = rows[i].final;
        assert_int_equal(burn(&b), EBM_OK);
        assert_null(strstr(b.notes, "planned for"));
        b.opt.resume = true;
        b.opt.config.iterations = rows[i].iterations;
        assert_int_equal(burn(&b), EBM_OK);
        const char *said = strstr(b.notes, rows[i].note ? rows[i].note : "planned for");
        assert_true((said != NULL) == (rows[i].note != NULL));
        free(b.pixels);
    }
}

/* A hybrid that ends before its second part begins is told; it may be meant, to be gone on with. */
static void test_nothing_but_a_warm_start(void **state)
{
    static const struct {
        const char *name;
        ebmt_objective objective;
        int64_t warm_start;
        bool told;
    } rows[] = {
        {"short", EBMT_HYBRID, 1, false},
        {"all", EBMT_HYBRID, 2, true},
        {"beyond", EBMT_HYBRID, 2000, true},
        {"matching", EBMT_MATCHING, 2000, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        burning b;
        set_fire(&b, *state, rows[i].name);
        b.opt.config.objective = rows[i].objective;
        b.opt.config.warm_start = rows[i].warm_start;
        b.opt.config.iterations = 2;
        assert_int_equal(burn(&b), EBM_OK);
        const char *said = strstr(b.notes, "the warm start takes all iterations: matching alone\n");
        assert_true((said != NULL) == rows[i].told);
        free(b.pixels);
    }
}

/* Puts a directory where the run wants to write a file. */
static void block(const burning *b, const char *name)
{
    char path[TEMP_PATH_MAX];
    assert_true(temp_dir_join(b->dir, name, path));
    assert_true(mkdir(b->dir, 0700) == 0 && mkdir(path, 0700) == 0);
}

/* After a divergence that leaves no model nobody is told of weights that were kept. */
static void test_nothing_kept(void **state)
{
    burning b;
    set_fire(&b, *state, "full");
    block(&b, "model.json");
    assert_int_equal(burn(&b), EBM_ERR_DIVERGED);
    assert_non_null(strstr(b.notes, "no model of earlier weights saved"));
    assert_null(strstr(b.notes, "kept the weights"));
    expect_page(b.dir, b.err.text, true);
    expect_page(b.dir, "No model of earlier weights was saved.", true);
    free(b.pixels);
}

/* The report of a run that cannot write a file tells of the error: of the last one, of one on its
 * way, of one before there was a page. */
static void test_end_with_an_error(void **state)
{
    static const struct {
        const char *name, *file;
        int64_t iterations;
    } rows[] = {
        {"torn", "samples.png", 2},
        {"halved", "samples-000000002.png", 4},
        {"nipped", "samples-000000001.png", 4},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        burning b;
        set_fire(&b, *state, rows[i].name);
        b.opt.config.iterations = rows[i].iterations;
        b.opt.samples_every = 1;
        block(&b, rows[i].file);
        assert_int_equal(burn(&b), EBM_ERR_IO);
        expect_page(b.dir, "The run ended with an error: ", true);
        expect_page(b.dir, rows[i].file, true);
        expect_page(b.dir, "The run is complete.", false);
        free(b.pixels);
    }
}

/* What is refused before it has begun leaves the page of the run that was there. */
static void test_refused_run_leaves_the_page(void **state)
{
    burning b;
    set_fire(&b, *state, "whole");
    b.opt.config.iterations = 2;
    assert_int_equal(burn(&b), EBM_OK);
    b.opt.resume = true;
    b.opt.config.lr = 1.0;
    assert_int_equal(burn(&b), EBM_ERR_ARG);
    expect_page(b.dir, "The run is complete.", true);
    expect_page(b.dir, "ended with an error", false);
    free(b.pixels);
}

/* Samples that are no numbers make no sheet; the model is there all the same. */
static void test_samples_that_diverge(void **state)
{
    char sheet[TEMP_PATH_MAX];
    burning b;
    set_fire(&b, *state, "wild");
    b.opt.config.iterations = 2;
    b.opt.config.sampling_factor = 16;
    b.opt.config.stride = 16.0;
    assert_int_equal(burn(&b), EBM_OK);
    assert_non_null(strstr(b.notes, "samples diverged"));
    assert_true(temp_dir_join(b.dir, "samples.png", sheet));
    assert_int_equal(access(sheet, F_OK), -1);
    assert_int_equal(model_version(b.dir), 2);
    expect_page(b.dir, "The run is complete.", true);
    free(b.pixels);
}

/* What the first look at held-out images would stumble over ends the run before it begins. */
static void test_held_out_of_another_shape(void **state)
{
    char dir[TEMP_PATH_MAX], saved[TEMP_PATH_MAX];
    uint8_t pixels[RUN_IMAGES * RUN_DIM];
    const ebmt_dataset data = run_bars(pixels);
    ebmt_dataset wide = data;
    ebm_error err = {0};
    wide.width *= 2;
    wide.height /= 2;
    assert_true(temp_dir_join(*state, "wide", dir) && temp_dir_join(dir, "metrics.jsonl", saved));
    ebmt_run_options opt = {.config = run_config(EBMT_RECOVERY),
                            .data = &data,
                            .held_out = &wide,
                            .validation_every = 1000,
                            .out_dir = dir,
                            .threads = 2,
                            .kernels = kernel_set("blas")};
    assert_int_equal(ebmt_run(&opt, &err), EBM_ERR_SHAPE);
    assert_string_equal(err.where, "held-out");
    assert_int_equal(access(saved, F_OK), -1);
}

/* Log density of one image at a level: at the mean of its noised versions. */
static double logp_of_image(ebmt__trainer *tr, const ebmt_dataset *data, int64_t i, int32_t t)
{
    const ebm_levels *l = tr->levels;
    float *x = tr->work[0];
    assert_int_equal(ebmt_dataset_get(data, i, 0, x, NULL), EBM_OK);
    for (size_t k = 0; k < tr->dim; k++)
        x[k] *= (float)(l->scale[t] * l->abar[t]);
    return (double)ebm_session_net(tr->session[0], x, t) / l->step2[t];
}

/* Held-out images that are the training images have no gap; others, here white ones, have one. It
 * is positive where the network finds training images likelier, as on one image of each kind
 * without noise: where those differ by much, noise does not turn the sign. */
static void test_validation_gap(void **state)
{
    uint8_t pixels[RUN_IMAGES * RUN_DIM], bright[RUN_IMAGES * RUN_DIM];
    const ebmt_dataset data = run_bars(pixels);
    const ebmt_config c = run_config(EBMT_RECOVERY);
    ebmt_dataset other = data;
    ebmt__trainer *tr = NULL;
    double gap[6], error[6];
    (void)state;
    assert_int_equal(run_trainer(&c, &data, 2, &tr, NULL), EBM_OK);
    assert_int_equal(ebmt__trainer_step(tr, NULL), EBM_OK);
    assert_int_equal(ebmt__validate(tr, &data, gap, error, NULL), EBM_OK);
    for (int t = 0; t < 6; t++)
        assert_true(gap[t] == 0.0 && error[t] == 0.0);
    memset(bright, 255, sizeof bright);
    other.pixels = bright;
    assert_int_equal(ebmt__validate(tr, &other, gap, error, NULL), EBM_OK);
    for (int t = 0; t < 6; t++)
        assert_true(fabs(gap[t]) > error[t] && error[t] > 0.0);
    for (int t = 0; t < 6; t++) {
        double likelier = logp_of_image(tr, &data, 0, t) - logp_of_image(tr, &other, 0, t);
        assert_true(likelier != 0.0 && (gap[t] > 0.0) == (likelier > 0.0));
    }
    const double first = gap[0];
    assert_int_equal(ebmt__validate(tr, &other, gap, error, NULL), EBM_OK);
    assert_true(gap[0] == first);
    other.width = 4;
    assert_int_equal(ebmt__validate(tr, &other, gap, error, NULL), EBM_ERR_SHAPE);
    ebmt__trainer_free(tr);
}

static bool count_gaps(void *user, const ebmt_report *report)
{
    int *seen = user;
    *seen += report->validation_gap && report->validation_error;
    return true;
}

/* A run looks at held-out images when it is asked to, and is not changed by looking. The model it
 * leaves can be started from: same energies, other settings. */
static void test_start_from_a_model(void **state)
{
    char dir[2][TEMP_PATH_MAX];
    uint8_t pixels[RUN_IMAGES * RUN_DIM];
    const ebmt_dataset data = run_bars(pixels);
    ebmt_config c = run_config(EBMT_RECOVERY);
    ebm_model *m[2] = {NULL, NULL};
    int seen = 0;
    assert_true(temp_dir_join(*state, "one", dir[0]) && temp_dir_join(*state, "two", dir[1]));
    for (int i = 0; i < 2; i++) {
        ebmt_run_options opt = {.config = c,
                                .data = &data,
                                .held_out = i ? NULL : &data,
                                .validation_every = 3,
                                .out_dir = dir[i],
                                .threads = 2,
                                .hooks = {.user = &seen, .report = count_gaps},
                                .kernels = kernel_set("blas")};
        assert_int_equal(ebmt_run(&opt, NULL), EBM_OK);
        assert_int_equal(ebmm_model_open(dir[i], kernel_set("blas"), &m[i], NULL), EBM_OK);
    }
    assert_int_equal(seen, 2); /* iterations 3 and 6 of 8 */
    assert_string_equal(ebm_model_describe(m[0])->sha256, ebm_model_describe(m[1])->sha256);

    ebmt__trainer *tr = NULL;
    ebmt_run_options opt = {
        .config = c, .data = &data, .threads = 1, .kernels = kernel_set("blas"), .init = m[0]};
    opt.config.lr = 1e-12;
    assert_int_equal(ebmt__trainer_create(&opt, "t", &tr, NULL), EBM_OK);
    assert_int_equal(ebmt__trainer_step(tr, NULL), EBM_OK);
    /* the saved weights have norm 1 as far as 20 power iterations tell, which on such a young
     * network is some per cent too little */
    assert_rel_l2(tr->used, ebm_model_params(m[0], 0), tr->g->n_params, 0.05);
    ebmt__trainer_free(tr);

    ebm_error err = {0};
    opt.config.network.ch_mult[1] = 3;
    assert_int_equal(ebmt__trainer_create(&opt, "t", &tr, &err), EBM_ERR_SHAPE);
    assert_non_null(strstr(err.text, "another network"));
    ebm_model_unref(m[0]);
    ebm_model_unref(m[1]);
}

/* The weights that a run began with need not be there when it goes on: its own are in the
 * checkpoint. It still tells which they were, also in the checkpoints of later on. */
static void test_resume_without_the_first_weights(void **state)
{
    char source[TEMP_PATH_MAX], heir[TEMP_PATH_MAX];
    uint8_t pixels[RUN_IMAGES * RUN_DIM];
    const ebmt_dataset data = run_bars(pixels);
    ebm_model *m = NULL;
    assert_true(temp_dir_join(*state, "source", source) && temp_dir_join(*state, "heir", heir));
    ebmt_run_options opt = {.config = run_config(EBMT_RECOVERY),
                            .data = &data,
                            .out_dir = source,
                            .threads = 2,
                            .kernels = kernel_set("blas")};
    opt.config.iterations = 2;
    assert_int_equal(ebmt_run(&opt, NULL), EBM_OK);
    assert_int_equal(ebmm_model_open(source, kernel_set("blas"), &m, NULL), EBM_OK);
    const char *digest = ebm_model_describe(m)->sha256;
    opt.out_dir = heir;
    opt.init = m;
    memcpy(opt.config.init_sha256, digest, sizeof opt.config.init_sha256);
    for (int part = 0; part < 3; part++) {
        assert_int_equal(ebmt_run(&opt, NULL), EBM_OK);
        assert_true(file_has(heir, "model.json", digest));
        assert_true(file_has(heir, "report.html", digest));
        assert_int_equal(model_version(heir), opt.config.iterations);
        opt.resume = true;
        opt.init = NULL;
        opt.config.init_sha256[0] = '\0';
        opt.config.iterations++;
    }
    ebm_error err = {0};
    memset(opt.config.init_sha256, 'a', sizeof opt.config.init_sha256 - 1);
    assert_int_equal(ebmt_run(&opt, &err), EBM_ERR_ARG);
    assert_non_null(strstr(err.text, "init_sha256 is"));
    ebm_model_unref(m);
}

/* A run that ends between the sheet of an iteration and its checkpoint, here because the sheet
 * can't be written, has no checkpoint of that iteration: when resumed it draws the sheet after all.
 */
static void test_no_checkpoint_without_its_sheet(void **state)
{
    char dir[TEMP_PATH_MAX], sheet[TEMP_PATH_MAX], saved[TEMP_PATH_MAX];
    uint8_t pixels[RUN_IMAGES * RUN_DIM];
    const ebmt_dataset data = run_bars(pixels);
    assert_true(temp_dir_join(*state, "cut", dir) &&
                temp_dir_join(dir, "samples-000000004.png", sheet) &&
                temp_dir_join(dir, "checkpoint-4.safetensors", saved));
    ebmt_run_options opt = {.config = run_config(EBMT_RECOVERY),
                            .data = &data,
                            .out_dir = dir,
                            .checkpoint_every = 2,
                            .samples_every = 4,
                            .threads = 2,
                            .kernels = kernel_set("blas")};
    opt.config.iterations = 5;
    assert_true(mkdir(dir, 0700) == 0 && mkdir(sheet, 0700) == 0);
    assert_int_equal(ebmt_run(&opt, NULL), EBM_ERR_IO);
    assert_int_equal(access(saved, F_OK), -1);
    assert_int_equal(rmdir(sheet), 0);
    opt.resume = true;
    assert_int_equal(ebmt_run(&opt, NULL), EBM_OK);
    assert_int_equal(access(sheet, F_OK), 0);
    assert_int_equal(access(saved, F_OK), 0);
}

/* A title that the manifest cannot hold ends a run before it begins; a command line never does. */
static void test_texts_for_the_manifest(void **state)
{
    char dir[TEMP_PATH_MAX];
    uint8_t pixels[RUN_IMAGES * RUN_DIM];
    const ebmt_dataset data = run_bars(pixels);
    ebm_model *m = NULL;
    ebm_error err = {0};
    assert_true(temp_dir_join(*state, "named", dir));
    ebmt_run_options opt = {.config = run_config(EBMT_RECOVERY),
                            .data = &data,
                            .out_dir = dir,
                            .title = "two\nlines",
                            .threads = 2,
                            .kernels = kernel_set("blas")};
    opt.config.iterations = 1;
    assert_int_equal(ebmt_run(&opt, &err), EBM_ERR_ARG);
    assert_string_equal(err.where, "title");
    opt.title = "\xc3\x84pfel";
    opt.licence = "\xff";
    err = (ebm_error){0};
    assert_int_equal(ebmt_run(&opt, &err), EBM_ERR_ARG);
    assert_string_equal(err.where, "licence");
    assert_int_equal(access(dir, F_OK), -1);
    opt.licence = "CC0";
    opt.command_line = "ebm train --data \"d\xff\n\\\"";
    assert_int_equal(ebmt_run(&opt, &err), EBM_OK);
    assert_int_equal(ebmm_model_open(dir, kernel_set("ref"), &m, NULL), EBM_OK);
    assert_string_equal(ebm_model_describe(m)->title, opt.title);
    ebm_model_unref(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEMP_DIR_TEST(test_last_good_weights),
        TEMP_DIR_TEST(test_guard_survives_a_stop),
        TEMP_DIR_TEST(test_uneasy_end),
        TEMP_DIR_TEST(test_uneasy_end_without_checkpoints),
        TEMP_DIR_TEST(test_another_length),
        TEMP_DIR_TEST(test_nothing_but_a_warm_start),
        TEMP_DIR_TEST(test_nothing_kept),
        TEMP_DIR_TEST(test_end_with_an_error),
        TEMP_DIR_TEST(test_refused_run_leaves_the_page),
        TEMP_DIR_TEST(test_samples_that_diverge),
        TEMP_DIR_TEST(test_held_out_of_another_shape),
        cmocka_unit_test(test_validation_gap),
        TEMP_DIR_TEST(test_start_from_a_model),
        TEMP_DIR_TEST(test_resume_without_the_first_weights),
        TEMP_DIR_TEST(test_no_checkpoint_without_its_sheet),
        TEMP_DIR_TEST(test_texts_for_the_manifest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
