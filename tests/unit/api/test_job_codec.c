/* Job objects and model descriptions: every member, the sign of the energy, posting params back,
 * rewriting a stored object, failing allocations. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "ebma/api.h"
#include "fail_alloc.h"

static int32_t same_steps[2] = {30, 30};
static int32_t mixed_steps[2] = {30, 60};
static const ebm_kernels kernels = {.name = "ref", .kernel_class = "ref-1"};
static const ebm_levels levels = {.count = 2, .steps = same_steps, .noise_scale = 0.99};
static const ebm_levels mixed = {.count = 2, .steps = mixed_steps, .noise_scale = 0.99};

static ebm_model_info make_model(const ebm_levels *l)
{
    ebm_model_info m = {.id = "m",
                        .version = "3",
                        .title = "T \"q\"",
                        .licence = "MIT",
                        .levels = l,
                        .kernels = &kernels};

    memset(m.sha256, 'a', 64);
    m.network.width = 8;
    m.network.height = 9;
    m.network.channels = 1;
    return m;
}

static ebma_job make_job(const ebm_model_info *model, const ebma_sample_request *request,
                         const ebma_image *images)
{
    return (ebma_job){.id = "job_1",
                      .status = EBMA_JOB_SUCCEEDED,
                      .created_ms = 1767323045678,
                      .started_ms = 1767323045700,
                      .completed_ms = 1767323046000,
                      .model = model,
                      .request = request,
                      .images = images,
                      .queue_ms = 1.26,
                      .compute_ms = 3.0,
                      .encode_ms = 0.5,
                      .build = "ebmd 1"};
}

static json_t *encode(const ebma_job *job)
{
    char *text;
    size_t size;
    json_t *root;

    assert_int_equal(ebma_job_encode(job, &text, &size, NULL), EBM_OK);
    assert_int_equal(strlen(text), size);
    root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    ebm_free(text);
    assert_non_null(root);
    return root;
}

static const char *text_at(const json_t *o, const char *key)
{
    return json_string_value(json_object_get(o, key));
}

static void a_finished_job(void **state)
{
    ebm_model_info model = make_model(&levels);
    ebma_image images[2] = {{(const unsigned char *)"PNG", 3, 1.5, "d0"},
                            {(const unsigned char *)"", 0, -0.1f, "d1"}};
    ebma_sample_request request = {.n = 2, .seed = 9007199254740991u, .first_index = 5};
    ebma_job job = make_job(&model, &request, images);
    json_t *root = encode(&job);
    json_t *params = json_object_get(root, "params");
    json_t *usage = json_object_get(root, "usage");
    json_t *first = json_array_get(json_object_get(root, "data"), 0);
    json_t *second = json_array_get(json_object_get(root, "data"), 1);

    (void)state;
    assert_string_equal(text_at(root, "id"), "job_1");
    assert_string_equal(text_at(root, "object"), "job");
    assert_string_equal(text_at(root, "kind"), "sample");
    assert_string_equal(text_at(root, "status"), "succeeded");
    assert_string_equal(text_at(json_object_get(root, "model"), "id"), "m");
    assert_string_equal(text_at(root, "created_at"), "2026-01-02T03:04:05.678Z");
    assert_true(json_integer_value(json_object_get(root, "seed")) == 9007199254740991);
    assert_true(json_integer_value(json_object_get(params, "steps_per_level")) == 30);
    assert_true(json_real_value(json_object_get(params, "noise_scale")) == 0.99);
    assert_int_equal(json_integer_value(json_object_get(usage, "langevin_steps")), 120);
    assert_int_equal(json_integer_value(json_object_get(usage, "energy_evals")), 2);
    assert_int_equal(json_integer_value(json_object_get(first, "index")), 5);
    assert_int_equal(json_integer_value(json_object_get(second, "index")), 6);
    assert_string_equal(text_at(first, "b64_json"), "UE5H");
    assert_string_equal(text_at(second, "b64_json"), "");
    assert_true(json_number_value(json_object_get(first, "energy")) == -1.5);
    assert_true(json_number_value(json_object_get(second, "energy")) == 0.100000001);
    assert_string_equal(text_at(first, "sha256"), "d0");
    assert_true(json_is_null(json_object_get(root, "error")));
    assert_string_equal(text_at(json_object_get(root, "reproducibility"), "kernel_class"), "ref-1");
    json_decref(root);
}

static void no_images_if_not_wanted(void **state)
{
    ebm_model_info model = make_model(&levels);
    ebma_image image = {(const unsigned char *)"PNG", 3, 1.5, "d0"};
    ebma_sample_request request = {.n = 1, .format = EBMA_FORMAT_NONE};
    ebma_job job = make_job(&model, &request, &image);
    json_t *root = encode(&job);
    json_t *first = json_array_get(json_object_get(root, "data"), 0);

    (void)state;
    assert_null(json_object_get(first, "b64_json"));
    assert_string_equal(text_at(first, "sha256"), "d0");
    json_decref(root);
}

/* What the reply calls params is a request that asks for the same images. */
static void params_can_be_posted_back(void **state)
{
    ebm_model_info model = make_model(&mixed);
    ebma_image image = {(const unsigned char *)"PNG", 3, 1.5, "d0"};
    ebma_sample_request request = {
        .n = 1, .seed = 4, .has_noise_scale = true, .noise_scale = 0.1 + 0.2};
    ebma_job job = make_job(&model, &request, &image);
    json_t *root = encode(&job);
    char *text = json_dumps(json_object_get(root, "params"), 0);
    ebm_arena *arena = ebm_arena_create(1u << 16);
    ebma_sample_request again;
    ebma_problem p;

    (void)state;
    assert_int_equal(ebma_sample_decode(text, strlen(text), arena, &again, &p), EBM_OK);
    assert_true(again.seed == 4 && again.n == 1 && again.steps_per_level == 0);
    assert_true(again.noise_scale == 0.1 + 0.2); /* every bit of it */
    free(text);
    json_decref(root);
    ebm_arena_free(arena);
}

static void a_failed_job(void **state)
{
    ebm_model_info model = make_model(&levels);
    ebma_sample_request request = {.n = 1};
    ebma_job job = make_job(&model, &request, NULL);
    json_t *root;

    (void)state;
    job.status = EBMA_JOB_FAILED;
    job.error = EBMA_DIVERGED;
    root = encode(&job);
    assert_string_equal(text_at(root, "status"), "failed");
    assert_true(json_is_null(json_object_get(root, "data")));
    assert_string_equal(text_at(json_object_get(root, "error"), "code"), "diverged");
    json_decref(root);
}

static void a_stored_job_is_restated(void **state)
{
    ebm_model_info model = make_model(&levels);
    ebma_sample_request request = {.n = 1};
    ebma_job job = make_job(&model, &request, NULL);
    char *text, *again;
    size_t size, again_size;
    json_t *root;

    (void)state;
    job.status = EBMA_JOB_QUEUED;
    job.started_ms = job.completed_ms = 0;
    assert_int_equal(ebma_job_encode(&job, &text, &size, NULL), EBM_OK);
    assert_int_equal(ebma_job_restate(text, size, EBMA_JOB_FAILED, 1000, EBMA_INTERRUPTED, &again,
                                      &again_size, NULL),
                     EBM_OK);
    root = json_loadb(again, again_size, 0, NULL);
    assert_string_equal(text_at(root, "status"), "failed");
    assert_string_equal(text_at(root, "completed_at"), "1970-01-01T00:00:01.000Z");
    assert_string_equal(text_at(json_object_get(root, "error"), "code"), "interrupted");
    assert_string_equal(text_at(root, "id"), "job_1");
    json_decref(root);
    ebm_free(again);
    assert_int_equal(
        ebma_job_restate("[1]", 3, EBMA_JOB_FAILED, 1, EBMA_INTERRUPTED, &again, &again_size, NULL),
        EBM_ERR_FORMAT);
    assert_int_equal(
        ebma_job_restate("{", 1, EBMA_JOB_FAILED, 1, EBMA_INTERRUPTED, &again, &again_size, NULL),
        EBM_ERR_FORMAT);
    ebm_free(text);
}

static void energies(void **state)
{
    (void)state;
    assert_true(ebma_energy(1.5) == -1.5);
    assert_true(ebma_energy(-2.0) == 2.0);
    assert_false(signbit(ebma_energy(0.0))); /* not -0 */
    assert_true(ebma_energy(1.0 / 3.0) == -0.333333333);
}

static void times(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } rows[] = {{0, "1970-01-01T00:00:00.000Z"},
                {951782400007, "2000-02-29T00:00:00.007Z"},
                {253402300799999, "9999-12-31T23:59:59.999Z"},
                {253402300800000, "1970-01-01T00:00:00.000Z"},
                {-1, "1970-01-01T00:00:00.000Z"}};
    char text[EBMA_TIME_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ebma_time_format(rows[i].ms, text);
        assert_string_equal(text, rows[i].text);
    }
}

static void a_model(void **state)
{
    ebm_model_info model = make_model(&mixed);
    const ebm_model_info *list[1] = {&model};
    char *text;
    size_t size;
    json_t *root, *m, *params;

    (void)state;
    assert_int_equal(ebma_model_list_encode(list, 1, &text, &size, NULL), EBM_OK);
    root = json_loadb(text, size, 0, NULL);
    ebm_free(text);
    assert_string_equal(text_at(root, "object"), "list");
    m = json_array_get(json_object_get(root, "data"), 0);
    assert_string_equal(text_at(m, "title"), "T \"q\"");
    assert_true(json_is_true(json_object_get(m, "default")));
    assert_int_equal(json_integer_value(json_object_get(json_object_get(m, "image"), "height")), 9);
    assert_int_equal(json_array_size(json_object_get(m, "default_steps")), 2);
    params = json_object_get(m, "parameters");
    assert_int_equal(json_array_size(params), ebma_sample_table().n);
    for (size_t i = 0; i < json_array_size(params); i++)
        assert_string_equal(text_at(json_array_get(params, i), "name"),
                            ebma_sample_table().row[i]->name);
    json_decref(root);
}

static void without_memory(void **state)
{
    ebm_model_info model = make_model(&levels);
    ebma_image image = {(const unsigned char *)"PNG", 3, 1.5, "d0"};
    ebma_sample_request request = {.n = 1};
    ebma_job job = make_job(&model, &request, &image);

    (void)state;
    FOR_EACH_ALLOC_FAILURE
    {
        char *text = NULL;
        size_t size;
        ebm_status st = ebma_job_encode(&job, &text, &size, NULL);

        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        ebm_free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_finished_job),
        cmocka_unit_test(no_images_if_not_wanted),
        cmocka_unit_test(params_can_be_posted_back),
        cmocka_unit_test(a_failed_job),
        cmocka_unit_test(a_stored_job_is_restated),
        cmocka_unit_test(energies),
        cmocka_unit_test(times),
        cmocka_unit_test(a_model),
        cmocka_unit_test(without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
