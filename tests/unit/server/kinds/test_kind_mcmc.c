/* Long chains as jobs: what is shown of those that were stopped, which field a refusal names, and
 * chains that go on: with their own model alone, their snapshots ahead of where they stood. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "ebm/io.h"
#include "ebma/op_request.h"
#include "kinds/chain_state.h"
#include "kinds/kind_chains.h"
#include "run_bench.h"
#include "tiny_model.h"

static run_bench b;

static int setup(void **state)
{
    static const tiny_model wide = {
        .id = "wide", .levels = 4, .steps = 3, .side = 128, .seed = 1, .step_scale = 1.0};

    (void)state;
    return run_bench_open(&b, 4, SIZE_MAX) && tiny_model_write(b.dir, &wide) &&
                   ebmd_catalog_load(b.catalog, "wide", NULL) == EBM_OK
               ? 0
               : -1;
}

static int teardown(void **state)
{
    (void)state;
    run_bench_close(&b);
    return 0;
}

typedef struct job {
    ebm_arena *arena;
    ebmd_engine *engine;
    ebmd_plan plan;
    ebma_problem problem;
} job;

/* Plans a job of the kind "mcmc" with the models that are served now. */
static ebm_status job_open(job *j, const char *body)
{
    memset(j, 0, sizeof(*j));
    j->arena = ebm_arena_create(EBMD_PLAN_ARENA);
    j->engine = ebmd_catalog_take(b.catalog);
    j->plan.kind = &ebmd_kind_mcmc;
    return ebmd_kind_mcmc.parse(j->engine, body, strlen(body), j->arena, &j->plan, &j->problem);
}

static void job_close(job *j)
{
    ebm_arena_free(j->arena);
    ebmd_engine_unref(j->engine);
}

static ebmd_op *op_of(const job *j)
{
    return (ebmd_op *)j->plan.request;
}

/* --- stopped chains ------------------------------------------------------------------------ */

/* A part of a job, driven until it has made so many snapshots. */
static void *part_until(const job *j, int32_t part, int32_t snapshots)
{
    void *state = ebm_alloc(j->plan.state_size, 1);
    const ebmd_chain_head *h = state;

    assert_non_null(state);
    memset(state, 0, j->plan.state_size);
    j->plan.kind->start(&j->plan, part, state);
    while (h->snapshots < snapshots) {
        ebmd_quantum q = {.max_evals = 1};

        assert_int_equal(j->plan.kind->advance(&j->plan, part, state, &b.tools, &q, NULL), EBM_OK);
    }
    return state;
}

static ebmd_result result_of(const job *j, int32_t part, int32_t snapshots)
{
    void *state = part_until(j, part, snapshots);
    ebmd_result r = {.output = ebm_alloc((size_t)j->plan.outputs, sizeof(*r.output))};

    assert_non_null(r.output);
    memset(r.output, 0, (size_t)j->plan.outputs * sizeof(*r.output));
    assert_int_equal(j->plan.kind->collect(&j->plan, part, state, &b.tools, &r, NULL), EBM_OK);
    ebm_free(state);
    return r;
}

/* The outputs of two parts, as a store numbers them. */
static ebm_status read_output(void *self, int32_t index, char **data, size_t *size, ebm_error *err)
{
    const ebmd_result *results = self;
    const ebmd_output *output = &results[index % 2].output[index / 2];

    (void)err;
    *size = output->size;
    *data = ebm_alloc(output->size, 1);
    assert_non_null(*data);
    memcpy(*data, output->data, output->size);
    return EBM_OK;
}

/* The job object of two parts that were stopped, as a client reads it. */
static json_t *shown(const job *j, ebmd_result results[2])
{
    const ebmd_facts facts = {.id = "job_0", .build = "t", .results = results, .partial = true};
    const ebma_images images = {.read = read_output, .self = results, .n = 2};
    const ebma_job_state canceled = {
        .status = EBMA_JOB_CANCELED, .error = EBMA_CANCELED, .images = &images};
    char *json, *text;
    size_t size;
    json_t *root;

    assert_int_equal(j->plan.kind->document(&j->plan, &facts, &json, &size, NULL), EBM_OK);
    assert_int_equal(ebma_job_present(json, size, &canceled, &text, &size, NULL), EBM_OK);
    root = json_loadb(text, size, 0, NULL);
    assert_non_null(root);
    ebm_free(json);
    ebm_free(text);
    return root;
}

static void assert_snapshots(const json_t *root, size_t chain, size_t n)
{
    const json_t *item = json_array_get(json_object_get(root, "data"), chain), *all;
    static const char png[] = "iVBORw0KGgo"; /* its first eight bytes in base64 */

    all = json_object_get(item, "snapshots");
    assert_int_equal(json_array_size(all), n);
    for (size_t k = 0; k < n; k++) {
        const char *text = json_string_value(json_array_get(all, k));

        assert_non_null(text);
        assert_memory_equal(text, png, strlen(png) < strlen(text) ? strlen(png) : strlen(text) + 1);
    }
}

static void clear_results(const job *j, ebmd_result results[2])
{
    for (int32_t k = 0; k < 2; k++) {
        for (int32_t i = 0; i < j->plan.outputs; i++)
            ebm_free(results[k].output[i].data);
        ebm_free(results[k].output);
    }
}

/* Chains are parts of their own and may be stopped anywhere: shown are the snapshots that all of
 * them have made, whichever is behind. */
static void snapshots_of_stopped_chains(void **state)
{
    (void)state;
    for (int32_t behind = 0; behind < 2; behind++) {
        job j;
        ebmd_result results[2];
        json_t *root, *marks;

        assert_int_equal(
            job_open(&j, "{\"model\":\"tiny\",\"chains\":2,\"steps\":40,\"keep\":4,\"seed\":4}"),
            EBM_OK);
        assert_int_equal(j.plan.parts, 2);
        for (int32_t k = 0; k < 2; k++)
            results[k] = result_of(&j, k, k == behind ? 2 : 4);
        root = shown(&j, results);
        marks = json_object_get(root, "snapshot_steps");
        assert_int_equal(json_array_size(marks), 2);
        assert_int_equal(json_integer_value(json_array_get(marks, 0)), 10);
        assert_int_equal(json_integer_value(json_array_get(marks, 1)), 20);
        assert_snapshots(root, 0, 2);
        assert_snapshots(root, 1, 2);
        json_decref(root);
        clear_results(&j, results);
        job_close(&j);
    }
}

/* Pixels of an 8x8 PNG, which it frees. */
static void assert_pixels(unsigned char *png, size_t size, const uint8_t want[64], bool same)
{
    ebm_image image;

    assert_int_equal(ebm_png_decode(png, size, &image, NULL), EBM_OK);
    assert_int_equal(image.width * image.height * image.channels, 64);
    assert_true((memcmp(image.pixels, want, 64) == 0) == same);
    ebm_free(image.pixels);
    ebm_free(png);
}

/* States of a high level are fainter than their images, here by half; what is shown on the way is
 * as what is shown at the end. */
static void previews_are_images(void **state)
{
    double scale[2] = {0.5, 0.5};
    ebm_levels levels;
    ebm_image end;
    ebmd_result result;
    unsigned char *png;
    size_t size;
    job j;

    (void)state;
    assert_int_equal(job_open(&j,
                              "{\"model\":\"tiny\",\"chains\":1,\"steps\":8,\"keep\":2,\"level\":1,"
                              "\"seed\":4}"),
                     EBM_OK);
    levels = *op_of(&j)->levels;
    levels.scale = scale;
    op_of(&j)->levels = &levels;
    result = result_of(&j, 0, 2);
    assert_int_equal(
        ebm_png_decode((unsigned char *)result.output[0].data, result.output[0].size, &end, NULL),
        EBM_OK);
    for (int32_t snapshots = 1; snapshots <= 2; snapshots++) {
        void *chain = part_until(&j, 0, snapshots);

        assert_int_equal(j.plan.kind->preview(&j.plan, 0, chain, &b.tools, &png, &size, NULL),
                         EBM_OK);
        assert_pixels(png, size, end.pixels, snapshots == 2);
        ebm_free(chain);
    }
    ebm_free(end.pixels);
    for (int32_t i = 0; i < j.plan.outputs; i++)
        ebm_free(result.output[i].data);
    ebm_free(result.output);
    job_close(&j);
}

/* A chain that was through before its job went on with other kernels tells so; a file of it and the
 * others is of no single class, wherever it stands in it. */
static void chains_of_several_classes(void **state)
{
    (void)state;
    for (int32_t later = 0; later < 2; later++) {
        static ebm_chain_set set;
        ebmd_result results[2];
        ebmd_output kept[2];
        unsigned char *file;
        size_t size;
        job j;

        assert_int_equal(
            job_open(&j, "{\"model\":\"tiny\",\"chains\":2,\"steps\":40,\"keep\":1,\"seed\":4}"),
            EBM_OK);
        results[1 - later] = result_of(&j, 1 - later, 1);
        ebm_receipt_add_class(&op_of(&j)->receipt, "other");
        results[later] = result_of(&j, later, 1);
        assert_string_equal(j.plan.kernel_class, EBM_KERNEL_CLASS_SEVERAL);
        for (int32_t k = 0; k < 2; k++)
            kept[k] = results[k].output[ebmd_mcmc_kept(&j.plan, k)];
        assert_int_equal(ebmd_kept_file(kept, 2, &file, &size, NULL), EBM_OK);
        assert_int_equal(ebm_chain_set_decode(file, size, &set, NULL), EBM_OK);
        assert_false(ebm_receipt_of_one_class(&set.run));
        ebm_free(file);
        clear_results(&j, results);
        job_close(&j);
    }
}

/* --- which field is to blame --------------------------------------------------------------- */

static void assert_problem(const job *j, size_t row, const char *pointer, const char *code)
{
    if (j->problem.n_errors != 1 || strcmp(j->problem.first->pointer, pointer) != 0 ||
        strcmp(j->problem.first->code, code) != 0)
        fail_msg("row %zu: %d errors, the first at %s: %s", row, (int)j->problem.n_errors,
                 j->problem.n_errors > 0 ? j->problem.first->pointer : "-",
                 j->problem.n_errors > 0 ? j->problem.first->code : "-");
}

static void refused_requests(void **state)
{
    static const struct {
        const char *body, *pointer, *code;
    } rows[] = {
        {"{\"model\":\"tiny\",\"chains\":64,\"steps\":15000}", "/thin", "result_too_large"},
        {"{\"model\":\"tiny\",\"chains\":64,\"steps\":100000}", "/thin", "out_of_range"},
        {"{\"model\":\"wide\",\"chains\":64,\"steps\":100,\"keep\":64}", "/keep",
         "result_too_large"},
        {"{\"model\":\"tiny\",\"steps\":100,\"warmup\":90,\"keep\":11}", "/keep", "out_of_range"},
        /* four levels, 50 gradients a step */
        {"{\"model\":\"wide\",\"chains\":64,\"steps\":100000,\"thin\":1000,\"sampler\":\"hmc\","
         "\"leapfrog\":50,\"ladder\":true}",
         "/steps", "too_much_work"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        job j;

        assert_int_equal(job_open(&j, rows[i].body), EBM_ERR_RANGE);
        assert_problem(&j, i, rows[i].pointer, rows[i].code);
        job_close(&j);
    }
}

/* The run of a request, to go on with. */
static ebm_receipt run_of(const char *body)
{
    job j;
    ebm_receipt run;

    assert_int_equal(job_open(&j, body), EBM_OK);
    run = ebmd_op_of(&j.plan)->receipt;
    job_close(&j);
    return run;
}

/* Plans a job that goes on with chains. */
static ebm_status go_on(job *j, const ebm_receipt *run)
{
    const ebma_chains_request chains = {.run = *run};

    memset(j, 0, sizeof(*j));
    j->arena = ebm_arena_create(EBMD_PLAN_ARENA);
    j->engine = ebmd_catalog_take(b.catalog);
    j->plan.kind = &ebmd_kind_chains;
    return ebmd_chains_plan(j->engine, &chains, j->arena, &j->plan, &j->problem);
}

/* Who goes on with chains names steps, snapshots and rules; the rest is as it was. */
static void refused_extensions(void **state)
{
    static const struct {
        const char *body;
        int64_t steps, keep;
        const char *pointer, *code;
    } rows[] = {
        {"{\"model\":\"tiny\",\"chains\":64,\"steps\":100}", 15000, 0, "/steps",
         "result_too_large"},
        {"{\"model\":\"tiny\",\"chains\":64,\"steps\":100}", 100000, 0, "/steps", "out_of_range"},
        {"{\"model\":\"wide\",\"chains\":64,\"steps\":100}", 200, 64, "/keep", "result_too_large"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ebm_receipt run = run_of(rows[i].body);
        job j;

        run.params.steps = rows[i].steps;
        run.params.keep = rows[i].keep;
        assert_int_equal(go_on(&j, &run), EBM_ERR_RANGE);
        assert_problem(&j, i, rows[i].pointer, rows[i].code);
        job_close(&j);
    }
}

/* --- going on ------------------------------------------------------------------------------ */

/* Behind the model's name there are other weights, or fewer levels, by now. */
static void another_model(void **state)
{
    static const tiny_model before = {
        .id = "again", .levels = 3, .steps = 3, .seed = 1, .step_scale = 1.0};
    const tiny_model now[] = {
        {.id = "again", .levels = 3, .steps = 3, .seed = 2, .step_scale = 1.0},
        {.id = "again", .levels = 3, .steps = 4, .seed = 1, .step_scale = 1.0},
        {.id = "again", .levels = 2, .steps = 3, .seed = 1, .step_scale = 1.0}};
    ebm_receipt run;
    job j;

    (void)state;
    assert_true(tiny_model_write(b.dir, &before));
    assert_int_equal(ebmd_catalog_load(b.catalog, "again", NULL), EBM_OK);
    run = run_of("{\"model\":\"again\",\"chains\":2,\"steps\":20,\"level\":2}");
    assert_int_equal(go_on(&j, &run), EBM_OK);
    job_close(&j);
    for (size_t i = 0; i < sizeof(now) / sizeof(now[0]); i++) {
        assert_true(tiny_model_write(b.dir, &now[i]));
        assert_int_equal(ebmd_catalog_load(b.catalog, "again", NULL), EBM_OK);
        assert_int_equal(go_on(&j, &run), EBM_ERR_DIGEST);
        assert_int_equal(j.problem.code, EBMA_OTHER_MODEL);
        assert_int_equal(ebma_problem_describe(j.problem.code)->status, 409);
        job_close(&j);
    }
}

/* Ten chains at step 1000 of 1040: as many snapshots as steps are ahead, no more. */
static void snapshots_ahead(void **state)
{
    ebm_receipt run = run_of("{\"model\":\"tiny\",\"chains\":10,\"steps\":1000}");

    (void)state;
    run.params.steps = 1040;
    for (int64_t keep = 39; keep <= 41; keep++) {
        job j;

        run.params.keep = keep;
        assert_int_equal(go_on(&j, &run), EBM_OK);
        j.plan.behind = 10 * 1000;
        assert_int_equal(ebmd_chains_check_keep(&j.plan, j.arena, &j.problem),
                         keep <= 40 ? EBM_OK : EBM_ERR_RANGE);
        if (keep > 40)
            assert_problem(&j, 0, "/keep", "out_of_range");
        job_close(&j);
    }
}

/* The four snapshots of a job that goes on from step 200 to 300, through its bytes each time. */
static void marks_ahead(void **state)
{
    ebm_receipt run = run_of("{\"model\":\"tiny\",\"chains\":1,\"steps\":200,\"seed\":4}");
    job j;
    void *room;
    ebmd_chain_layout l;
    ebmd_chain_head *h;
    unsigned char *bytes;
    ebmd_quantum q = {0};

    (void)state;
    run.params.keep = 4;
    run.params.steps = 300;
    assert_int_equal(go_on(&j, &run), EBM_OK);
    l = ebmd_mcmc_layout(&j.plan, 0);
    room = ebm_alloc(j.plan.state_size, 1);
    bytes = ebm_alloc(j.plan.state_size, 1);
    memset(room, 0, j.plan.state_size);
    h = room;
    ebmd_kind_mcmc.start(&j.plan, 0, room);
    while (ebmd_chain_slot_at(&l, room, 0)->total < 200) {
        q = (ebmd_quantum){.max_evals = 1};
        assert_int_equal(ebmd_kind_mcmc.advance(&j.plan, 0, room, &b.tools, &q, NULL), EBM_OK);
    }
    memset(h, 0, sizeof(*h)); /* as the job begins that goes on */
    h->at = 200;
    while (!q.finished) {
        q = (ebmd_quantum){.max_evals = 7};
        assert_int_equal(ebmd_kind_chains.advance(&j.plan, 0, room, &b.tools, &q, NULL), EBM_OK);
        ebmd_kind_chains.checkpoint(&j.plan, 0, room, bytes);
        memset(room, 0x55, j.plan.state_size);
        assert_int_equal(ebmd_kind_chains.restore(&j.plan, 0, bytes, room), EBM_OK);
    }
    assert_int_equal(h->snapshots, 4);
    for (int32_t i = 0; i < 4; i++)
        assert_int_equal(h->mark[i], 200 + 25 * (i + 1));
    ebm_free(room);
    ebm_free(bytes);
    job_close(&j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(snapshots_of_stopped_chains),
        cmocka_unit_test(previews_are_images),
        cmocka_unit_test(chains_of_several_classes),
        cmocka_unit_test(refused_requests),
        cmocka_unit_test(refused_extensions),
        cmocka_unit_test(another_model),
        cmocka_unit_test(snapshots_ahead),
        cmocka_unit_test(marks_ahead),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
