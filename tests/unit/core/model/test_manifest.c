/* The manifest reader: a valid text gives its numbers, every changed one an error that names the
 * field. The cases are edits of one valid text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "assert_numbers.h"
#include "fail_alloc.h"
#include "model/manifest.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const char valid[] =
    "{\"format\":1,\"id\":\"fashion-mnist\",\"version\":\"1.0\",\"title\":\"Fashion\","
    "\"licence\":\"CC0\",\"architecture\":\"drl-resnet\","
    "\"image\":{\"width\":28,\"height\":14,\"channels\":3,\"value_range\":[-1,1]},"
    "\"network\":{\"ch\":32,\"ch_mult\":[1,2,4],\"num_res_blocks\":2,"
    "\"activation\":\"leaky_relu\",\"leaky_slope\":0.25},"
    "\"levels\":{\"count\":2,\"a\":[0.8,0.6,0.8],\"sigma\":[0.6,0.8,0.6],"
    "\"step2\":[1e-4,2e-4],\"steps\":[30,40],\"tether\":[1,0],\"scale\":[0.6,1]},"
    "\"sampling\":{\"noise_scale\":0.99},\"weights\":{\"sha256\":\"" HEX64 "\"},"
    "\"training\":{\"seed\":1,\"free\":[{\"x\":null}]},\"quality\":{\"fid\":10.5}}";

/* The valid text with the first `find` replaced. @own free() */
static char *edit(const char *find, const char *replace)
{
    const char *at = strstr(valid, find);
    assert_non_null(at);
    const size_t n = sizeof(valid) + strlen(replace);
    char *text = malloc(n);
    assert_non_null(text);
    (void)snprintf(text, n, "%.*s%s%s", (int)(at - valid), valid, replace, at + strlen(find));
    return text;
}

/* Parses a copy of exactly `size` bytes; what was parsed must be zero after an error. */
static ebm_status parse(const char *text, size_t size, ebm_error *err)
{
    ebm__manifest m;
    char *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    memcpy(copy, text, size);
    *err = (ebm_error){EBM_OK, 0, "", ""};
    const ebm_status st = ebm__manifest_parse(copy, size, &m, err);
    assert_int_equal(err->status, st);
    assert_int_equal(st == EBM_OK, m.levels.count > 0);
    assert_int_equal(st == EBM_OK, m.levels.a != NULL);
    ebm_levels_clear(&m.levels);
    free(copy);
    return st;
}

static void reads_facts_and_network(void **state)
{
    (void)state;
    ebm__manifest m;
    assert_int_equal(ebm__manifest_parse(valid, strlen(valid), &m, NULL), EBM_OK);
    assert_string_equal(m.id, "fashion-mnist");
    assert_string_equal(m.version, "1.0");
    assert_string_equal(m.title, "Fashion");
    assert_string_equal(m.licence, "CC0");
    assert_string_equal(m.sha256, HEX64);
    assert_string_equal(m.network.architecture, "drl-resnet");
    assert_int_equal(m.network.width, 28);
    assert_int_equal(m.network.height, 14);
    assert_int_equal(m.network.channels, 3);
    assert_int_equal(m.network.ch, 32);
    assert_int_equal(m.network.n_mult, 3);
    assert_int_equal(m.network.ch_mult[2], 4);
    assert_int_equal(m.network.num_res_blocks, 2);
    assert_int_equal(m.network.activation, EBM_ACT_LEAKY_RELU);
    assert_close(m.network.leaky_slope, 0.25, 0);
    assert_int_equal(m.network.attention, 0);
    assert_int_equal(m.n_experts, 1);
    assert_int_equal(m.expert_from[0], 0);
    ebm_levels_clear(&m.levels);
}

static void reads_levels_and_computes_products(void **state)
{
    (void)state;
    static const double abar[] = {0.8, 0.48, 0.384}, a[] = {0.8, 0.6, 0.8},
                        sigma[] = {0.6, 0.8, 0.6};
    ebm__manifest m;
    assert_int_equal(ebm__manifest_parse(valid, strlen(valid), &m, NULL), EBM_OK);
    assert_int_equal(m.levels.count, 2);
    for (int i = 0; i < 3; i++) {
        assert_close(m.levels.a[i], a[i], 0);
        assert_close(m.levels.sigma[i], sigma[i], 0);
        assert_close(m.levels.abar[i], abar[i], 1e-15);
        assert_close(m.levels.sbar[i], sqrt(1 - abar[i] * abar[i]), 1e-15);
    }
    assert_close(m.levels.step2[1], 2e-4, 0);
    assert_int_equal(m.levels.steps[0], 30);
    assert_close(m.levels.tether[0], 1, 0);
    assert_close(m.levels.tether[1], 0, 0);
    assert_close(m.levels.scale[0], 0.6, 0);
    assert_close(m.levels.noise_scale, 0.99, 0);
    ebm_levels_clear(&m.levels);
}

static void optional_parts_may_be_missing(void **state)
{
    (void)state;
    static const char *const parts[] = {
        "\"version\":\"1.0\",", "\"title\":\"Fashion\",", "\"licence\":\"CC0\",",
        "\"training\":{\"seed\":1,\"free\":[{\"x\":null}]},", ",\"quality\":{\"fid\":10.5}"};
    ebm_error err;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        char *text = edit(parts[i], "");
        assert_int_equal(parse(text, strlen(text), &err), EBM_OK);
        free(text);
    }
}

static const struct {
    const char *find, *replace;
    ebm_status status;
    const char *where;
} cases[] = {
    /* still valid */
    {"leaky_relu", "silu", EBM_OK, ""},
    {"\"leaky_slope\":0.25", "\"leaky_slope\":0", EBM_OK, ""},
    {"[-1,1]", "[-1.0,1.0]", EBM_OK, ""},
    {"\"title\":\"Fashion\"",
     "\"title\":\"M\xc3\xb6"
     "de\"",
     EBM_OK, ""},
    {"0.25", "0.25,\"attention\":14", EBM_OK, ""},
    {"0.25", "0.25,\"attention\":0", EBM_OK, ""},
    {"\"fid\":10.5", "\"anything\":[1,\"x\",true]", EBM_OK, ""},
    /* unknown and repeated fields */
    {"\"format\":1", "\"format\":1,\"x\":1", EBM_ERR_FORMAT, "/x"},
    {"\"width\":28", "\"width\":28,\"depth\":1", EBM_ERR_FORMAT, "/image/depth"},
    {"\"ch\":32", "\"ch\":32,\"CH\":1", EBM_ERR_FORMAT, "/network/CH"},
    {"\"count\":2", "\"count\":2,\"abar\":[]", EBM_ERR_FORMAT, "/levels/abar"},
    {"\"noise_scale\":0.99", "\"noise_scale\":0.99,\"n\":1", EBM_ERR_FORMAT, "/sampling/n"},
    {"\"sha256\"", "\"md5\":\"\",\"sha256\"", EBM_ERR_FORMAT, "/weights/md5"},
    {"\"ch\":32", "\"ch\":32,\"ch\":32", EBM_ERR_FORMAT, "model.json"},
    {"\"seed\":1", "\"seed\":1,\"seed\":1", EBM_ERR_FORMAT, "model.json"},
    /* identity */
    {"\"format\":1,", "", EBM_ERR_FORMAT, "/format"},
    {"\"format\":1", "\"format\":2", EBM_ERR_RANGE, "/format"},
    {"\"format\":1", "\"format\":1.0", EBM_ERR_FORMAT, "/format"},
    {"\"id\":\"fashion-mnist\",", "", EBM_ERR_FORMAT, "/id"},
    {"fashion-mnist", "", EBM_ERR_FORMAT, "/id"},
    {"fashion-mnist", "../x", EBM_ERR_FORMAT, "/id"},
    {"fashion-mnist", "Fashion", EBM_ERR_FORMAT, "/id"},
    {"fashion-mnist", HEX64 "x", EBM_ERR_RANGE, "/id"},
    {"\"1.0\"", "1.0", EBM_ERR_FORMAT, "/version"},
    {"\"1.0\"", "\"12345678901234567890123456789012\"", EBM_ERR_RANGE, "/version"},
    {"\"Fashion\"", "null", EBM_ERR_FORMAT, "/title"},
    {"\"Fashion\"", "\"a\\nb\"", EBM_ERR_FORMAT, "/title"},
    {"\"Fashion\"", "\"\\u001b[31m\"", EBM_ERR_FORMAT, "/title"},
    {"\"Fashion\"", "\"" HEX64 HEX64 "\"", EBM_ERR_RANGE, "/title"},
    {"\"CC0\"", "\"" HEX64 "\"", EBM_ERR_RANGE, "/licence"},
    {"drl-resnet", "", EBM_ERR_FORMAT, "/architecture"},
    {"drl-resnet", "DRL resnet", EBM_ERR_FORMAT, "/architecture"},
    {"drl-resnet", HEX64, EBM_ERR_RANGE, "/architecture"},
    /* image */
    {"\"image\":{\"width\":28,\"height\":14,\"channels\":3,\"value_range\":[-1,1]},", "",
     EBM_ERR_FORMAT, "/image"},
    {"{\"width\":28,\"height\":14,\"channels\":3,\"value_range\":[-1,1]}", "[]", EBM_ERR_FORMAT,
     "/image"},
    {"\"width\":28,", "", EBM_ERR_FORMAT, "/image/width"},
    {"\"width\":28", "\"width\":\"28\"", EBM_ERR_FORMAT, "/image/width"},
    {"\"width\":28", "\"width\":28.0", EBM_ERR_FORMAT, "/image/width"},
    {"\"width\":28", "\"width\":0", EBM_ERR_RANGE, "/image/width"},
    {"\"width\":28", "\"width\":1025", EBM_ERR_RANGE, "/image/width"},
    {"\"width\":28", "\"width\":4294967324", EBM_ERR_RANGE, "/image/width"},
    {"\"height\":14", "\"height\":-1", EBM_ERR_RANGE, "/image/height"},
    {"\"channels\":3", "\"channels\":5", EBM_ERR_RANGE, "/image/channels"},
    {"[-1,1]", "[0,1]", EBM_ERR_RANGE, "/image/value_range"},
    {"[-1,1]", "[-1]", EBM_ERR_RANGE, "/image/value_range"},
    {"[-1,1]", "[-1,\"1\"]", EBM_ERR_FORMAT, "/image/value_range/1"},
    {"[-1,1]", "null", EBM_ERR_FORMAT, "/image/value_range"},
    /* network */
    {"\"ch\":32", "\"ch\":1025", EBM_ERR_RANGE, "/network/ch"},
    {"\"ch\":32,", "", EBM_ERR_FORMAT, "/network/ch"},
    {"[1,2,4]", "[]", EBM_ERR_RANGE, "/network/ch_mult"},
    {"[1,2,4]", "[1,1,1,1,1,1,1,1,1]", EBM_ERR_RANGE, "/network/ch_mult"},
    {"[1,2,4]", "[1,65]", EBM_ERR_RANGE, "/network/ch_mult/1"},
    {"[1,2,4]", "[1,2,0]", EBM_ERR_RANGE, "/network/ch_mult/2"},
    {"[1,2,4]", "[1,2.5]", EBM_ERR_FORMAT, "/network/ch_mult/1"},
    {"[1,2,4]", "4", EBM_ERR_FORMAT, "/network/ch_mult"},
    {"\"num_res_blocks\":2", "\"num_res_blocks\":65", EBM_ERR_RANGE, "/network/num_res_blocks"},
    {"leaky_relu", "relu", EBM_ERR_FORMAT, "/network/activation"},
    {"leaky_relu", "leaky_relu_that_is_long", EBM_ERR_RANGE, "/network/activation"},
    {"0.25", "1.5", EBM_ERR_RANGE, "/network/leaky_slope"},
    {"0.25", "-0.1", EBM_ERR_RANGE, "/network/leaky_slope"},
    {"0.25", "\"0.25\"", EBM_ERR_FORMAT, "/network/leaky_slope"},
    {"0.25", "1e999", EBM_ERR_FORMAT, "model.json"},
    {"0.25", "NaN", EBM_ERR_FORMAT, "model.json"},
    {"0.25", "0.25,\"attention\":-1", EBM_ERR_RANGE, "/network/attention"},
    {"0.25", "0.25,\"attention\":1025", EBM_ERR_RANGE, "/network/attention"},
    {"0.25", "0.25,\"attention\":14.0", EBM_ERR_FORMAT, "/network/attention"},
    {"0.25", "0.25,\"attention\":\"14\"", EBM_ERR_FORMAT, "/network/attention"},
    {"0.25", "0.25,\"attention\":[14]", EBM_ERR_FORMAT, "/network/attention"},
    {"0.25", "0.25,\"attention\":true", EBM_ERR_FORMAT, "/network/attention"},
    {"0.25", "0.25,\"attention\":null", EBM_ERR_FORMAT, "/network/attention"},
    {"0.25", "0.25,\"attention\":14,\"attention\":14", EBM_ERR_FORMAT, "model.json"},
    {"0.25", "0.25,\"use_attention\":true", EBM_ERR_FORMAT, "/network/use_attention"},
    /* levels */
    {"\"count\":2", "\"count\":0", EBM_ERR_RANGE, "/levels/count"},
    {"\"count\":2", "\"count\":1025", EBM_ERR_RANGE, "/levels/count"},
    {"\"count\":2", "\"count\":3", EBM_ERR_RANGE, "/levels/a"},
    {"[0.8,0.6,0.8]", "[0.8,0.6]", EBM_ERR_RANGE, "/levels/a"},
    {"[0.8,0.6,0.8]", "[0.8,true,0.8]", EBM_ERR_FORMAT, "/levels/a/1"},
    {"[0.8,0.6,0.8]", "[0.8,0,0.8]", EBM_ERR_RANGE, "/levels/a/1"},
    {"[0.8,0.6,0.8]", "[0.8,-0.6,0.8]", EBM_ERR_RANGE, "/levels/a/1"},
    /* a level without noise: what divides by its noise would divide by 0 */
    {"[0.8,0.6,0.8],\"sigma\":[0.6,", "[1,0.6,0.8],\"sigma\":[0.001,", EBM_ERR_RANGE,
     "/levels/a/0"},
    {"[0.6,0.8,0.6]", "[0.6,0.8,0.61]", EBM_ERR_RANGE, "/levels/sigma/2"},
    {"[0.8,0.6,0.8],\"sigma\":[0.6,", "[0.9999999,0.6,0.8],\"sigma\":[1e-200,", EBM_ERR_RANGE,
     "/levels/sigma/0"},
    {"[0.8,0.6,0.8],\"sigma\":[0.6,", "[0.9999999,0.6,0.8],\"sigma\":[0.000448,", EBM_ERR_RANGE,
     "/levels/sigma/0"},
    {"[0.6,0.8,0.6]", "[0.6,0.8,0.6,0.6]", EBM_ERR_RANGE, "/levels/sigma"},
    {"[1e-4,2e-4]", "[1e-4,0]", EBM_ERR_RANGE, "/levels/step2/1"},
    {"[1e-4,2e-4]", "[-1e-4,0]", EBM_ERR_RANGE, "/levels/step2/0"},
    {"[1e-4,2e-4]", "[1e-4,null]", EBM_ERR_FORMAT, "/levels/step2/1"},
    {"[30,40]", "[30,10001]", EBM_ERR_RANGE, "/levels/steps/1"},
    {"[30,40]", "[-1,40]", EBM_ERR_RANGE, "/levels/steps/0"},
    {"[30,40]", "[30,0]", EBM_ERR_RANGE, "/levels/steps/1"}, /* no tether there */
    {"[30,40]", "[30,40.5]", EBM_ERR_FORMAT, "/levels/steps/1"},
    {"\"tether\":[1,0]", "\"tether\":[1,0.5]", EBM_ERR_RANGE, "/levels/tether/1"},
    {"\"scale\":[0.6,1]", "\"scale\":[0.6,0]", EBM_ERR_RANGE, "/levels/scale/1"},
    {",\"scale\":[0.6,1]", "", EBM_ERR_FORMAT, "/levels/scale"},
    {"\"sampling\":{\"noise_scale\":0.99},", "", EBM_ERR_FORMAT, "/sampling"},
    {"0.99", "1e9", EBM_ERR_RANGE, "/sampling/noise_scale"},
    {"0.99", "0.99,\"denoise\":1", EBM_ERR_FORMAT, "/sampling/denoise"},
    {"0.99", "0.99,\"paired_noise\":0", EBM_ERR_FORMAT, "/sampling/paired_noise"},
    {"0.99", "0.99,\"predict\":1", EBM_ERR_FORMAT, "/sampling/predict"},
    {"0.99", "0.99,\"stride\":17", EBM_ERR_RANGE, "/sampling/stride"},
    {"0.99", "0.99,\"stride\":\"1\"", EBM_ERR_FORMAT, "/sampling/stride"},
    {"0.99", "0.99,\"sharpen\":true", EBM_ERR_FORMAT, "/sampling/sharpen"},
    {"0.99", "[]", EBM_ERR_FORMAT, "/sampling/noise_scale"},
    /* weights and facts */
    {"\"weights\"", "\"weight\"", EBM_ERR_FORMAT, "/weight"},
    {HEX64, "abc", EBM_ERR_FORMAT, "/weights/sha256"},
    {HEX64, HEX64 "0", EBM_ERR_RANGE, "/weights/sha256"},
    {"0123456789abcdef", "0123456789ABCDEF", EBM_ERR_FORMAT, "/weights/sha256"},
    {HEX64 "\"", HEX64 "\",\"experts\":[0,1]", EBM_OK, ""},
    {HEX64 "\"", HEX64 "\",\"experts\":[0]", EBM_ERR_RANGE, "/weights/experts"},
    {HEX64 "\"", HEX64 "\",\"experts\":[]", EBM_ERR_RANGE, "/weights/experts"},
    {HEX64 "\"", HEX64 "\",\"experts\":[0,0,0,0,0,0,0,0,1]", EBM_ERR_RANGE, "/weights/experts"},
    {HEX64 "\"", HEX64 "\",\"experts\":1", EBM_ERR_FORMAT, "/weights/experts"},
    {HEX64 "\"", HEX64 "\",\"experts\":[1,1]", EBM_ERR_RANGE, "/weights/experts/0"},
    {HEX64 "\"", HEX64 "\",\"experts\":[0,0]", EBM_ERR_RANGE, "/weights/experts/1"},
    {HEX64 "\"", HEX64 "\",\"experts\":[0,2]", EBM_ERR_RANGE, "/weights/experts/1"},
    {HEX64 "\"", HEX64 "\",\"experts\":[0,0.5]", EBM_ERR_FORMAT, "/weights/experts/1"},
    {"{\"fid\":10.5}", "10.5", EBM_ERR_FORMAT, "/quality"},
    {"[{\"x\":null}]", "[[[[[[[[]]]]]]]]", EBM_ERR_LIMIT, "model.json"},
    {"{\"format\"", "[{\"format\"", EBM_ERR_FORMAT, "model.json"},
    {"\"CC0\"", "\"\xff\"", EBM_ERR_FORMAT, "model.json"},
};

static void edits(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *text = edit(cases[i].find, cases[i].replace);
        ebm_error err;
        const ebm_status st = parse(text, strlen(text), &err);
        if (st != cases[i].status || strcmp(err.where, cases[i].where) != 0) {
            fail_msg("%s -> %s: %s at %s (%s)", cases[i].find, cases[i].replace,
                     ebm_status_name(st), err.where, err.text);
        }
        free(text);
    }
}

static void truncated_everywhere(void **state)
{
    (void)state;
    ebm_error err;
    for (size_t n = 0; n < strlen(valid); n++) {
        assert_int_equal(parse(valid, n, &err), EBM_ERR_FORMAT);
    }
}

/* Some flips make another valid manifest; none may crash. */
static void every_bit_flipped(void **state)
{
    (void)state;
    char text[sizeof(valid)];
    ebm_error err;
    memcpy(text, valid, sizeof(valid));
    for (size_t bit = 0; bit < 8 * strlen(valid); bit++) {
        text[bit / 8] = (char)(text[bit / 8] ^ (1 << bit % 8));
        (void)parse(text, strlen(valid), &err);
        text[bit / 8] = (char)(text[bit / 8] ^ (1 << bit % 8));
    }
}

static void large_texts_are_refused(void **state)
{
    (void)state;
    const size_t n = EBM__MANIFEST_MAX_BYTES + 1;
    char *text = malloc(n);
    ebm_error err;
    assert_non_null(text);
    memset(text, ' ', n);
    memcpy(text, valid, strlen(valid));
    assert_int_equal(parse(text, n, &err), EBM_ERR_LIMIT);
    assert_int_equal(parse(text, n - 1, &err), EBM_OK);
    memset(text, ',', n);
    text[0] = '{';
    assert_int_equal(parse(text, n - 1, &err), EBM_ERR_LIMIT);
    free(text);
}

/* A normal transition is marked by 0 steps. */
static void normal_transitions(void **state)
{
    (void)state;
    char *text = edit("[30,40]", "[0,40]");
    ebm__manifest m;
    ebm_error err = {EBM_OK, 0, "", ""};
    assert_int_equal(ebm__manifest_parse(text, strlen(text), &m, &err), EBM_OK);
    assert_int_equal(m.levels.steps[0], EBM_STEPS_NORMAL);
    ebm_levels_clear(&m.levels);
    free(text);
}

static void no_memory(void **state)
{
    (void)state;
    FOR_EACH_ALLOC_FAILURE
    {
        ebm__manifest m;
        const ebm_status st = ebm__manifest_parse(valid, strlen(valid), &m, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        ebm_levels_clear(&m.levels);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_facts_and_network),
        cmocka_unit_test(reads_levels_and_computes_products),
        cmocka_unit_test(optional_parts_may_be_missing),
        cmocka_unit_test(edits),
        cmocka_unit_test(truncated_everywhere),
        cmocka_unit_test(every_bit_flipped),
        cmocka_unit_test(large_texts_are_refused),
        cmocka_unit_test(normal_transitions),
        cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
