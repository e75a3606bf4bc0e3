/* Job objects and model descriptions: every member, the sign of the energy, posting params back,
 * completing a stored object for a reader, failing allocations. */
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

#include "ebma/op_results.h"
#include "fail_alloc.h"

static int32_t same_steps[2] = {30, 30};
static int32_t mixed_steps[2] = {30, 60};
static const ebm_kernels kernels = {.name = "ref", .kernel_class = "ref-0"};
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

static ebma_op_request make_request(int64_t n, int64_t seed)
{
    ebma_op_request r = {.operation = ebm_operation_of(EBM_OP_SAMPLE), .n_models = 1};

    ebm_op_params_default(r.operation, &r.params);
    r.params.n = n;
    r.params.seed = seed;
    r.params.steps_per_level = 30;
    r.params.noise_scale = 0.99;
    r.model[0] = (ebm_weighted){.id = "m", .weight = 1.0};
    r.delay_ms = 120;
    return r;
}

/* A job with its one model; what it points to lives as long as the caller's. */
typedef struct made {
    const ebm_model_info *models[2];
    ebma_drawn drawn;
    ebma_results results;
    ebma_job job;
} made;

static ebma_job *make_job(made *m, const ebm_model_info *model, const ebma_op_request *request,
                          const ebma_image *images)
{
    *m = (made){.models = {model, model},
                .drawn = {.n = (int32_t)request->params.n,
                          .first_index = request->params.first_index,
                          .image = images},
                .job = {.id = "job_1",
                        .kind = "sample",
                        .created_ms = 1767323045678,
                        .models = m->models,
                        .request = request,
                        .usage = {.grad_evals = 120,
                                  .energy_evals = 2,
                                  .langevin_steps = 120,
                                  .batch_mean = 1.755},
                        .kernel_class = "ref-1",
                        .build = "ebmd 1"}};
    m->results.drawn = &m->drawn;
    m->job.results = images ? &m->results : NULL;
    return &m->job;
}

/* Three images, "PNG" the first, the other two empty. */
static ebm_status read_one(void *self, int32_t index, char **data, size_t *size, ebm_error *err)
{
    (void)self;
    (void)err;
    *data = ebm_alloc(4, 1);
    if (!*data)
        return EBM_ERR_NOMEM;
    memcpy(*data, "PNG", 4);
    *size = index == 0 ? 3 : 0;
    return EBM_OK;
}

static const ebma_images images_of = {read_one, NULL, 3};

static const ebma_job_state well = {.status = EBMA_JOB_SUCCEEDED,
                                    .started_ms = 1767323045700,
                                    .completed_ms = 1767323046000,
                                    .queue_ms = 1.26,
                                    .compute_ms = 3.0,
                                    .encode_ms = 0.5};

/* What a reader gets: the stored object, completed. */
static json_t *present(const ebma_job *job, const ebma_job_state *job_state)
{
    char *text, *shown;
    size_t size, shown_size;
    json_t *root;

    assert_int_equal(ebma_job_encode(job, &text, &size, NULL), EBM_OK);
    assert_int_equal(strlen(text), size);
    assert_int_equal(ebma_job_present(text, size, job_state, &shown, &shown_size, NULL), EBM_OK);
    root = json_loadb(shown, shown_size, JSON_REJECT_DUPLICATES, NULL);
    ebm_free(shown);
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
    const ebma_image images[2] = {{1.5, "d0"}, {-0.1f, "d1"}};
    ebma_job_state job_state = well;
    ebma_op_request request = make_request(2, 9007199254740991);
    json_t *root, *params, *usage, *first, *second;
    made m;

    (void)state;
    request.params.first_index = 5;
    job_state.images = &images_of;
    root = present(make_job(&m, &model, &request, images), &job_state);
    params = json_object_get(root, "params");
    usage = json_object_get(root, "usage");
    first = json_array_get(json_object_get(root, "data"), 0);
    second = json_array_get(json_object_get(root, "data"), 1);
    assert_string_equal(text_at(root, "id"), "job_1");
    assert_string_equal(text_at(root, "object"), "job");
    assert_string_equal(text_at(root, "kind"), "sample");
    assert_string_equal(text_at(root, "status"), "succeeded");
    assert_string_equal(text_at(json_object_get(root, "model"), "id"), "m");
    assert_string_equal(text_at(root, "created_at"), "2026-01-02T03:04:05.678Z");
    assert_string_equal(text_at(root, "started_at"), "2026-01-02T03:04:05.700Z");
    assert_true(json_real_value(json_object_get(json_object_get(root, "timings"), "queue_ms")) ==
                1.3);
    assert_true(json_real_value(json_object_get(usage, "batch_mean")) == 1.76);
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

/* Pictures are linked when they can be had, also if they are not in the object. */
static void links(void **state)
{
    ebm_model_info model = make_model(&levels);
    ebma_image image = {1.5, "d0"};
    ebma_op_request request = make_request(1, 0);
    ebma_job_state ended = well, queued = {.status = EBMA_JOB_QUEUED};
    json_t *root, *with;
    made m;

    (void)state;
    request.format = EBMA_FORMAT_NONE;
    ended.images = &images_of;
    root = present(make_job(&m, &model, &request, &image), &ended);
    with = json_object_get(root, "links");
    assert_string_equal(text_at(with, "self"), "/v1/jobs/job_1");
    assert_string_equal(text_at(with, "events"), "/v1/jobs/job_1/events");
    assert_string_equal(text_at(with, "cancel"), "/v1/jobs/job_1/cancel");
    assert_string_equal(text_at(with, "images"), "/v1/jobs/job_1/images/{k}.png");
    json_decref(root);
    root = present(make_job(&m, &model, &request, NULL), &queued);
    with = json_object_get(root, "links");
    assert_int_equal(json_object_size(with), 3);
    assert_null(json_object_get(with, "images"));
    json_decref(root);
}

static void no_images_if_not_wanted(void **state)
{
    ebm_model_info model = make_model(&levels);
    ebma_image image = {1.5, "d0"};
    ebma_op_request request = make_request(1, 0);
    ebma_job_state job_state = well;
    json_t *root, *first;
    made m;

    (void)state;
    request.format = EBMA_FORMAT_NONE;
    job_state.images = &images_of;
    root = present(make_job(&m, &model, &request, &image), &job_state);
    first = json_array_get(json_object_get(root, "data"), 0);
    assert_null(json_object_get(first, "b64_json"));
    assert_string_equal(text_at(first, "sha256"), "d0");
    json_decref(root);
}

/* What the reply calls params is a request that asks for the same images. */
static void params_can_be_posted_back(void **state)
{
    ebm_model_info model = make_model(&mixed);
    ebma_image image = {1.5, "d0"};
    ebma_op_request request = make_request(1, 4), again;
    ebm_arena *arena = ebm_arena_create(1u << 16);
    ebma_problem p;
    json_t *root;
    char *text;
    made m;

    (void)state;
    request.params.steps_per_level = 0;
    request.params.noise_scale = 0.1 + 0.2;
    root = present(make_job(&m, &model, &request, &image), &well);
    text = json_dumps(json_object_get(root, "params"), 0);
    assert_int_equal(ebma_op_decode(request.operation, text, strlen(text), arena, &again, &p),
                     EBM_OK);
    assert_true(again.params.seed == 4 && again.params.n == 1);
    assert_true(again.params.steps_per_level == 0);
    assert_true(again.params.noise_scale == 0.1 + 0.2); /* every bit of it */
    free(text);
    json_decref(root);
    ebm_arena_free(arena);
}

/* One document, every state a reader can meet it in. */
static void states(void **state)
{
    static const struct {
        ebma_job_state with;
        const char *status, *member; /* the member that is not null */
    } rows[] = {{{.status = EBMA_JOB_QUEUED, .position = 3, .eta_s = 1.25}, "queued", "queue"},
                {{.status = EBMA_JOB_RUNNING,
                  .progress = {0.5, 1, 3, 6, 12, 30},
                  .eta_s = 1.94,
                  .started_ms = 5},
                 "running",
                 "progress"},
                {{.status = EBMA_JOB_FAILED, .error = EBMA_DIVERGED}, "failed", "error"},
                {{.status = EBMA_JOB_CANCELED, .error = EBMA_CANCELED}, "canceled", "error"},
                {{.status = EBMA_JOB_EXPIRED, .error = EBMA_DEADLINE}, "expired", "error"}};
    static const char *const members[] = {"queue", "progress", "error", "data", "timings"};
    ebm_model_info model = make_model(&levels);
    ebma_op_request request = make_request(1, 0);
    made made_job;
    const ebma_job *job = make_job(&made_job, &model, &request, NULL);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        json_t *root = present(job, &rows[i].with);

        assert_string_equal(text_at(root, "status"), rows[i].status);
        for (size_t m = 0; m < sizeof(members) / sizeof(members[0]); m++)
            assert_int_equal(json_is_null(json_object_get(root, members[m])),
                             strcmp(members[m], rows[i].member) != 0);
        json_decref(root);
    }
}

static void what_is_not_a_job_object(void **state)
{
    static const char *const bad[] = {"[1]", "{", "", "null", "{\"a\":1,\"a\":2}", "{\"id\":7}"};
    static const char good[] = "{\"seed\":3,\"data\":[{\"energy\":0.5}]}";
    double energy;
    uint64_t seed;
    char *out;
    size_t size;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(ebma_job_present(bad[i], strlen(bad[i]), &well, &out, &size, NULL),
                         EBM_ERR_FORMAT);
        assert_null(out);
        assert_int_equal(ebma_job_read(bad[i], strlen(bad[i]), &seed, &energy, NULL),
                         EBM_ERR_FORMAT);
    }
    assert_int_equal(ebma_job_read(good, strlen(good), &seed, &energy, NULL), EBM_OK);
    assert_true(seed == 3 && energy == 0.5);
}

static void digests_of_images(void **state)
{
    static const char d[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    static const struct {
        const char *format; /* %s: the digest */
        int32_t k;
        ebm_status want;
    } rows[] = {{"{\"data\":[{\"sha256\":\"%s\"}]}", 0, EBM_OK},
                {"{\"data\":[{\"sha256\":\"\"},{\"sha256\":\"%s\"}]}", 1, EBM_OK},
                {"{\"data\":[{\"sha256\":\"%s\"}]}", 1, EBM_ERR_NOT_FOUND},
                {"{\"data\":[{\"sha256\":\"%s\"}]}", INT32_MAX, EBM_ERR_NOT_FOUND},
                {"{\"data\":[{\"energies\":\"%s\"}]}", 0, EBM_ERR_NOT_FOUND},
                {"{\"data\":null,\"a\":\"%s\"}", 0, EBM_ERR_NOT_FOUND},
                {"{\"data\":[{\"sha256\":\"%s0\"}]}", 0, EBM_ERR_FORMAT},
                {"{\"data\":[{\"sha256\":[\"%s\"]}]}", 0, EBM_ERR_FORMAT},
                {"[\"%s\"]", 0, EBM_ERR_FORMAT},
                {"{\"%s\"", 0, EBM_ERR_FORMAT}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *mark = strstr(rows[i].format, "%s");
        char text[256], got[65] = "";

        snprintf(text, sizeof(text), "%.*s%s%s", (int)(mark - rows[i].format), rows[i].format, d,
                 mark + 2);
        assert_int_equal(ebma_job_image_digest(text, strlen(text), rows[i].k, got, NULL),
                         rows[i].want);
        assert_string_equal(got, rows[i].want == EBM_OK ? d : "");
    }
}

static void one_form_of_a_body(void **state)
{
    static const char *const same[] = {"{\"n\":1,\"seed\":2}", " {\"seed\": 2,\n\"n\":1 }"};
    char *first, *second;
    size_t size;

    (void)state;
    assert_int_equal(ebma_body_canonical(same[0], strlen(same[0]), &first, &size, NULL), EBM_OK);
    assert_int_equal(ebma_body_canonical(same[1], strlen(same[1]), &second, &size, NULL), EBM_OK);
    assert_string_equal(first, second);
    assert_string_equal(first, "{\"n\":1,\"seed\":2}");
    ebm_free(first);
    ebm_free(second);
    assert_int_equal(ebma_body_canonical("{", 1, &first, &size, NULL), EBM_ERR_ARG);
}

/* Several models, levels of each image, images of all of them together. */
static void compositions_and_more(void **state)
{
    ebm_model_info model = make_model(&levels);
    const ebma_image images[2] = {{1.5, "d0"}, {2.5, "d1"}};
    const ebma_joint_image joint[] = {{"sheet", (const unsigned char *)"PNG", 3},
                                      {"ensemble.mean", (const unsigned char *)"PNG", 3}};
    ebma_op_request request = make_request(2, 1);
    ebma_job_state job_state = well;
    json_t *root, *list, *first;
    made m;

    (void)state;
    request.n_models = 2;
    request.model[1] = (ebm_weighted){.id = "m2", .weight = -0.5};
    make_job(&m, &model, &request, images);
    m.drawn.levels = 2;
    m.drawn.joint = joint;
    m.drawn.n_joint = 2;
    m.drawn.mask_coverage = 0.25;
    job_state.images = &images_of;
    root = present(&m.job, &job_state);
    list = json_object_get(root, "models");
    assert_int_equal(json_array_size(list), 2);
    assert_true(json_real_value(json_object_get(json_array_get(list, 1), "weight")) == -0.5);
    assert_int_equal(json_array_size(json_object_get(json_object_get(root, "params"), "model")), 2);
    first = json_array_get(json_object_get(root, "data"), 0);
    assert_int_equal(json_array_size(json_object_get(first, "levels")), 2);
    assert_string_equal(json_string_value(json_array_get(json_object_get(first, "levels"), 1)), "");
    assert_string_equal(text_at(root, "sheet"), "UE5H");
    assert_string_equal(text_at(json_object_get(root, "ensemble"), "mean"), "UE5H");
    assert_true(json_real_value(json_object_get(root, "mask_coverage")) == 0.25);
    json_decref(root);
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
    assert_int_equal(json_array_size(params), ebma_op_table(EBM_OP_SAMPLE).n);
    for (size_t i = 0; i < json_array_size(params); i++)
        assert_string_equal(text_at(json_array_get(params, i), "name"),
                            ebma_op_table(EBM_OP_SAMPLE).row[i]->name);
    json_decref(root);
}

static void without_memory(void **state)
{
    ebm_model_info model = make_model(&levels);
    ebma_image image = {1.5, "d0"};
    ebma_op_request request = make_request(1, 0);
    made m;
    const ebma_job *job = make_job(&m, &model, &request, &image);

    (void)state;
    FOR_EACH_ALLOC_FAILURE
    {
        char *text = NULL;
        size_t size;
        ebm_status st = ebma_job_encode(job, &text, &size, NULL);

        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        ebm_free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_finished_job),
        cmocka_unit_test(links),
        cmocka_unit_test(no_images_if_not_wanted),
        cmocka_unit_test(params_can_be_posted_back),
        cmocka_unit_test(states),
        cmocka_unit_test(what_is_not_a_job_object),
        cmocka_unit_test(digests_of_images),
        cmocka_unit_test(one_form_of_a_body),
        cmocka_unit_test(compositions_and_more),
        cmocka_unit_test(energies),
        cmocka_unit_test(times),
        cmocka_unit_test(a_model),
        cmocka_unit_test(without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
