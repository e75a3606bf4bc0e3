/* The manifest writer: one golden text, numbers that come back bit for bit, and nothing written
 * that the reader would refuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ebm/memory.h"
#include "fail_alloc.h"
#include "model/manifest.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const ebm__manifest facts = {
    .id = "toy",
    .version = "1",
    .title = "A \"toy\" \xc3\xa4",
    .licence = "CC0-1.0",
    .sha256 = HEX64,
    .n_experts = 1,
    .network = {.architecture = "drl-resnet",
                .width = 28,
                .height = 28,
                .channels = 1,
                .ch = 32,
                .n_mult = 2,
                .ch_mult = {1, 2},
                .num_res_blocks = 2,
                .activation = EBM_ACT_LEAKY_RELU,
                .leaky_slope = 0.2f},
};

static ebm__manifest make(int32_t count)
{
    ebm__manifest m = facts;
    ebm_schedule_t6 schedule = ebm_schedule_t6_default();
    schedule.count = count;
    schedule.base = count < 400 ? 1000 : 4000;
    assert_int_equal(ebm_levels_t6(&schedule, &m.levels, NULL), EBM_OK);
    return m;
}

static const char golden[] = "{\n"
                             "  \"format\": 1,\n"
                             "  \"id\": \"toy\",\n"
                             "  \"version\": \"1\",\n"
                             "  \"title\": \"A \\\"toy\\\" \xc3\xa4\",\n"
                             "  \"licence\": \"CC0-1.0\",\n"
                             "  \"architecture\": \"drl-resnet\",\n"
                             "  \"image\": {\n"
                             "    \"width\": 28,\n"
                             "    \"height\": 28,\n"
                             "    \"channels\": 1,\n"
                             "    \"value_range\": [-1, 1]\n"
                             "  },\n"
                             "  \"network\": {\n"
                             "    \"ch\": 32,\n"
                             "    \"ch_mult\": [1, 2],\n"
                             "    \"num_res_blocks\": 2,\n"
                             "    \"activation\": \"leaky_relu\",\n"
                             "    \"leaky_slope\": 0.25\n"
                             "  },\n"
                             "  \"levels\": {\n"
                             "    \"count\": 1,\n"
                             "    \"a\": [0.59999999999999998, 0.80000000000000004],\n"
                             "    \"sigma\": [0.80000000000000004, 0.59999999999999998],\n"
                             "    \"step2\": [0.125],\n"
                             "    \"steps\": [30],\n"
                             "    \"tether\": [0.0],\n"
                             "    \"scale\": [1.0]\n"
                             "  },\n"
                             "  \"sampling\": {\n"
                             "    \"noise_scale\": 1.0\n"
                             "  },\n"
                             "  \"weights\": {\n"
                             "    \"sha256\": \"" HEX64 "\"\n"
                             "  },\n"
                             "  \"training\": {\n"
                             "    \"seed\": 7,\n"
                             "    \"data\": {\"name\": \"f\"}\n"
                             "  },\n"
                             "  \"quality\": {}\n"
                             "}\n";

static void golden_text(void **state)
{
    (void)state;
    double a[] = {0.6, 0.8}, sigma[] = {0.8, 0.6}, none[] = {0, 0}, step2[] = {0.125},
           tether[] = {0}, scale[] = {1};
    int32_t steps[] = {30};
    ebm__manifest m = facts;
    m.network.leaky_slope = 0.25f;
    m.levels = (ebm_levels){.count = 1,
                            .a = a,
                            .sigma = sigma,
                            .abar = none,
                            .sbar = none,
                            .step2 = step2,
                            .steps = steps,
                            .tether = tether,
                            .scale = scale,
                            .noise_scale = 1,
                            .stride = 1};
    char *json;
    size_t size;
    assert_int_equal(
        ebm__manifest_build(&m, "{\"seed\":7,\"data\":{\"name\":\"f\"}}", "{}", &json, &size, NULL),
        EBM_OK);
    assert_int_equal(size, strlen(json));
    assert_string_equal(json, golden);
    ebm_free(json);
}

static void assert_same_levels(const ebm_levels *a, const ebm_levels *b)
{
    const size_t t = (size_t)a->count;
    assert_int_equal(a->count, b->count);
    assert_memory_equal(a->a, b->a, (t + 1) * sizeof(double));
    assert_memory_equal(a->sigma, b->sigma, (t + 1) * sizeof(double));
    assert_memory_equal(a->step2, b->step2, t * sizeof(double));
    assert_memory_equal(a->steps, b->steps, t * sizeof(int32_t));
    assert_memory_equal(a->tether, b->tether, t * sizeof(double));
    assert_memory_equal(a->scale, b->scale, t * sizeof(double));
    assert_memory_equal(&a->noise_scale, &b->noise_scale, sizeof(double));
}

/* Up to the longest schedule there is. The products are recomputed with the same operations. */
static void every_bit_comes_back(void **state)
{
    (void)state;
    static const int32_t counts[] = {2, 6, 100, 501};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        ebm__manifest m = make(counts[i]), back;
        m.levels.denoise = i % 2 == 1;
        m.network.attention = i % 2 == 1 ? 14 : 0;
        m.levels.paired_noise = i % 3 == 1;
        m.levels.predict = i % 5 == 1;
        m.levels.stride = i % 3 == 2 ? 2.5 : 1.0;
        char *json;
        size_t size;
        ebm_error err = {EBM_OK, 0, "", ""};
        assert_int_equal(ebm__manifest_build(&m, NULL, NULL, &json, &size, &err), EBM_OK);
        assert_int_equal(ebm__manifest_parse(json, size, &back, &err), EBM_OK);
        assert_same_levels(&m.levels, &back.levels);
        assert_memory_equal(&m.levels.abar[counts[i]], &back.levels.abar[counts[i]],
                            sizeof(double));
        assert_memory_equal(&m.levels.sbar[counts[i]], &back.levels.sbar[counts[i]],
                            sizeof(double));
        assert_true(m.network.leaky_slope == back.network.leaky_slope);
        assert_int_equal(back.network.n_mult, 2);
        assert_int_equal(back.network.attention, m.network.attention);
        assert_true((strstr(json, "attention") != NULL) == (m.network.attention != 0));
        assert_string_equal(m.title, back.title);
        assert_true(back.levels.denoise == m.levels.denoise);
        assert_true(back.levels.paired_noise == m.levels.paired_noise);
        assert_true(back.levels.predict == m.levels.predict);
        assert_true(back.levels.stride == m.levels.stride);
        ebm_free(json);
        ebm_levels_clear(&m.levels);
        ebm_levels_clear(&back.levels);
    }
}

/* The most levels there can be, beside facts, below the limit. */
static void thousand_levels_fit(void **state)
{
    (void)state;
    const ebm_schedule_linear schedule = {
        .count = EBM_MAX_LEVELS, .beta_first = 1e-4, .beta_last = 0.02};
    ebm__manifest m = facts, back;
    char *json;
    size_t size;
    ebm_error err = {EBM_OK, 0, "", ""};
    assert_int_equal(ebm_levels_linear(&schedule, &m.levels, &err), EBM_OK);
    assert_int_equal(ebm__manifest_build(&m, "{\"a\":1}", NULL, &json, &size, &err), EBM_OK);
    assert_in_range(size, 64 << 10, 120 << 10);
    assert_int_equal(ebm__manifest_parse(json, size, &back, &err), EBM_OK);
    assert_same_levels(&m.levels, &back.levels);
    ebm_free(json);
    ebm_levels_clear(&m.levels);
    ebm_levels_clear(&back.levels);
}

static void expect_refusal(const ebm__manifest *m, const char *training, ebm_status want,
                           const char *where)
{
    char *json = NULL;
    size_t size = 1;
    ebm_error err = {EBM_OK, 0, "", ""};
    const ebm_status st = ebm__manifest_build(m, training, NULL, &json, &size, &err);
    if (st != want || strcmp(err.where, where) != 0) {
        fail_msg("%s at %s (%s)", ebm_status_name(st), err.where, err.text);
    }
    assert_null(json);
    assert_int_equal(size, 0);
}

static void refuses_facts(void **state)
{
    (void)state;
    ebm__manifest m = make(6);
    expect_refusal(&m, "", EBM_ERR_FORMAT, "training");
    expect_refusal(&m, "[]", EBM_ERR_FORMAT, "training");
    expect_refusal(&m, "{\"a\":1,\"a\":2}", EBM_ERR_FORMAT, "training");
    expect_refusal(&m, "{\"a\":NaN}", EBM_ERR_FORMAT, "training");
    expect_refusal(&m, "{\"a\":[[[[[[[]]]]]]]}", EBM_ERR_LIMIT, "training");
    char *large = malloc(EBM__MANIFEST_MAX_BYTES + 16);
    assert_non_null(large);
    memset(large, 'x', EBM__MANIFEST_MAX_BYTES + 16);
    memcpy(large, "{\"a\":\"", 6);
    memcpy(large + EBM__MANIFEST_MAX_BYTES, "\"}", 3);
    expect_refusal(&m, large, EBM_ERR_LIMIT, "model.json");
    free(large);
    ebm_levels_clear(&m.levels);
}

static void refuses_what_the_reader_would_refuse(void **state)
{
    (void)state;
    const ebm__manifest good = make(6);
    ebm__manifest m = good;
    m.id[0] = '/';
    expect_refusal(&m, NULL, EBM_ERR_FORMAT, "/id");
    m = good;
    m.title[0] = '\n';
    expect_refusal(&m, NULL, EBM_ERR_FORMAT, "/title");
    m = good;
    m.title[0] = (char)0xFF;
    expect_refusal(&m, NULL, EBM_ERR_ARG, "model.json");
    m = good;
    m.sha256[63] = '\0';
    expect_refusal(&m, NULL, EBM_ERR_FORMAT, "/weights/sha256");
    m = good;
    m.network.width = 0;
    expect_refusal(&m, NULL, EBM_ERR_RANGE, "/image/width");
    m = good;
    m.network.n_mult = 100000;
    expect_refusal(&m, NULL, EBM_ERR_RANGE, "/network/ch_mult");
    m = good;
    m.network.leaky_slope = NAN;
    expect_refusal(&m, NULL, EBM_ERR_RANGE, "/network/leaky_slope");
    m = good;
    m.network.activation = EBM_ACT_RELU;
    expect_refusal(&m, NULL, EBM_ERR_RANGE, "/network/activation");
    m = good;
    m.n_experts = 9;
    expect_refusal(&m, NULL, EBM_ERR_RANGE, "/weights/experts");
    m = good;
    m.n_experts = 2; /* both from level 0 */
    expect_refusal(&m, NULL, EBM_ERR_RANGE, "/weights/experts/1");
    m = good;
    m.levels.noise_scale = NAN;
    expect_refusal(&m, NULL, EBM_ERR_RANGE, "/sampling/noise_scale");
    m = good;
    m.levels.count = 0;
    expect_refusal(&m, NULL, EBM_ERR_RANGE, "/levels/count");
    good.levels.step2[3] = INFINITY;
    expect_refusal(&good, NULL, EBM_ERR_RANGE, "/levels/step2/3");
    ebm_levels_clear(&m.levels);
}

static void no_memory(void **state)
{
    (void)state;
    ebm__manifest m = make(6);
    FOR_EACH_ALLOC_FAILURE
    {
        char *json;
        size_t size;
        const ebm_status st = ebm__manifest_build(&m, "{\"a\":1}", "{}", &json, &size, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        ebm_free(json);
    }
    ebm_levels_clear(&m.levels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_text),   cmocka_unit_test(every_bit_comes_back),
        cmocka_unit_test(refuses_facts), cmocka_unit_test(refuses_what_the_reader_would_refuse),
        cmocka_unit_test(no_memory),     cmocka_unit_test(thousand_levels_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
