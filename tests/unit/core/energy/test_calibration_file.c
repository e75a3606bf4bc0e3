/* energy.json: there and back, damaged, refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ebm/calibration.h"
#include "ebm/io.h"
#include "ebm/memory.h"
#include "energy/calibration_internal.h"
#include "energy/cholesky.h"
#include "temp_dir.h"

enum { LEVELS = 6, NUMBERS = EBM_FEATURES * LEVELS };
/* of all tables behind each other, and where the weight of the distance stands */
enum { FACTOR = NUMBERS * (NUMBERS + 1) / 2, DISTANCE = 2 * NUMBERS };
enum { TABLES = 4 * NUMBERS + FACTOR + 2 + (LEVELS + 1) * EBM_QUANTILES + 2 * LEVELS };

static const char digest[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/* Of a model, of one with a level more, of the largest, of other weights. */
static ebm_levels some, one_more, largest;
static const ebm_calibrated of = {digest, &some}, more = {digest, &one_more},
                            most = {digest, &largest}, other = {digest + 1, &some};

static int make_levels(void **state)
{
    (void)state;
    return ebm_levels_init(LEVELS, &some, NULL) != EBM_OK ||
           ebm_levels_init(LEVELS + 1, &one_more, NULL) != EBM_OK ||
           ebm_levels_init(EBM_MAX_LEVELS, &largest, NULL) != EBM_OK;
}

static int clear_levels(void **state)
{
    (void)state;
    ebm_levels_clear(&some);
    ebm_levels_clear(&one_more);
    ebm_levels_clear(&largest);
    return 0;
}

/* Numbers with many digits, such as the file allows. */
static void make(int32_t levels, ebm_calibration *c)
{
    assert_int_equal(ebm__calibration_init(levels, c, NULL), EBM_OK);
    const size_t p = EBM_FEATURES * (size_t)c->bands;
    for (size_t i = 0; i < p; i++) {
        c->mean[i] = -1000 * sin((double)i);
        c->sd[i] = 1.5 + cos((double)i);
    }
    for (size_t i = 0; i < ebm__triangle(p); i++)
        c->factor[i] = sin(3.0 * (double)i) / 10;
    for (size_t i = 0; i < p; i++)
        c->factor[ebm__triangle(i) + i] = 0.9;
    for (size_t i = 0; i < EBM__COLUMNS(c->bands) + 1; i++)
        c->weight[i] = -fabs(sin(7.0 * (double)i));
    for (size_t i = 0; i < ((size_t)levels + 1) * EBM_QUANTILES; i++)
        c->quantile[i] = sqrt((double)(i % EBM_QUANTILES)) - (double)i / 1000;
    for (int32_t i = 0; i < 2 * levels; i++)
        c->single[i] = 500 * (i % 2) - 1000 * sin((double)(i - i % 2));
    c->has_single = true;
    c->count = 400;
    c->draws = 4;
    c->seed = 11;
}

static void test_file_round_trip(void **state)
{
    const char *dir = *state;
    ebm_calibration c, back;
    (void)state;
    make(LEVELS, &c);
    assert_int_equal(ebm_calibration_read(dir, &of, &back, NULL), EBM_ERR_NOT_FOUND);
    assert_int_equal(ebm_calibration_write(&c, &of, dir, NULL), EBM_OK);
    assert_int_equal(ebm_calibration_read(dir, &of, &back, NULL), EBM_OK);
    assert_int_equal(back.count, 400);
    assert_int_equal(back.draws, 4);
    assert_int_equal(back.seed, 11);
    assert_memory_equal(back.mean, c.mean, TABLES * sizeof(double));
    assert_true(ebm_calibration_band(&back, 3).high == c.single[7]);
    ebm_calibration_clear(&back);
    ebm_calibration_clear(&c);
}

/* The text without one member and its comma, closed by its digest again. */
static void drop_member(char *text, const char *name)
{
    char key[80], *at, *end;
    snprintf(key, sizeof key, "\"%s\":\"", name);
    at = strstr(text, key);
    assert_non_null(at);
    end = strchr(at + strlen(key), '"') + 2;
    memmove(at, end, strlen(end) + 1);
}

static void close_again(char *text)
{
    char hex[65], *at;
    drop_member(text, "sha256");
    ebm_sha256_hex(text, strlen(text), hex);
    at = strstr(text, "\"single\"");
    assert_non_null(at);
    memmove(at + 76, at, strlen(at) + 1);
    memcpy(at, "\"sha256\":\"", 10);
    memcpy(at + 10, hex, 64);
    memcpy(at + 74, "\",", 2);
}

/* It belongs to levels whose densities are the same, however they are sampled. A file of earlier
 * builds does not say to which. */
static void test_levels(void **state)
{
    const char *dir = *state;
    unsigned char *text;
    size_t size;
    ebm_calibration c, back;
    ebm_error err = {0};
    make(LEVELS, &c);
    assert_int_equal(ebm_calibration_write(&c, &of, dir, NULL), EBM_OK);
    assert_int_equal(ebm_calibration_read(dir, &more, &back, &err), EBM_ERR_NOT_FOUND);
    assert_string_equal(err.where, "levels_sha256");
    some.step2[0] = 0.5;
    assert_int_equal(ebm_calibration_read(dir, &of, &back, NULL), EBM_ERR_NOT_FOUND);
    some.step2[0] = 0;
    some.noise_scale = 0.9;
    some.stride = 0.5;
    some.steps[2] = 7;
    assert_int_equal(ebm_calibration_read(dir, &of, &back, NULL), EBM_OK);
    ebm_calibration_clear(&back);
    assert_int_equal(ebm_file_read(dir, EBM_CALIBRATION_FILE, 1 << 20, &text, &size, NULL), EBM_OK);
    drop_member((char *)text, "levels_sha256");
    close_again((char *)text);
    some.step2[0] = 0.5;
    size = strlen((char *)text);
    assert_int_equal(ebm_calibration_parse((char *)text, size, &of, &back, &err), EBM_OK);
    ebm_calibration_clear(&back);
    assert_int_equal(ebm_calibration_parse((char *)text, size, &more, &back, NULL), EBM_ERR_SHAPE);
    some.step2[0] = 0;
    ebm_calibration_clear(&c);
    ebm_free(text);
}

/* A file of earlier builds, which has no single draws, is read as ever, and has no band. */
static void test_file_without_band(void **state)
{
    const char *dir = *state;
    unsigned char *text;
    size_t size;
    ebm_calibration c, back;
    make(LEVELS, &c);
    c.has_single = false;
    assert_int_equal(ebm_calibration_write(&c, &of, dir, NULL), EBM_OK);
    assert_int_equal(ebm_file_read(dir, EBM_CALIBRATION_FILE, 1 << 20, &text, &size, NULL), EBM_OK);
    assert_null(strstr((char *)text, "single"));
    assert_int_equal(ebm_calibration_read(dir, &of, &back, NULL), EBM_OK);
    assert_false(back.has_single);
    assert_memory_equal(back.mean, c.mean, (TABLES - 2 * LEVELS) * sizeof(double));
    assert_true(ebm_calibration_band(&back, 3).low == 0 &&
                ebm_calibration_band(&back, 3).high == 0);
    ebm_calibration_clear(&back);
    ebm_calibration_clear(&c);
    ebm_free(text);
}

/* A changed text is refused, by digest or before, unless it is another spelling of the numbers. */
static void check_changed(const char *text, size_t size, const ebm_calibration *original)
{
    ebm_calibration c;
    if (ebm_calibration_parse(text, size, &of, &c, NULL) == EBM_OK)
        assert_memory_equal(c.mean, original->mean, TABLES * sizeof(double));
    else
        assert_null(c.mean);
    ebm_calibration_clear(&c);
}

static void test_damaged_file(void **state)
{
    const char *dir = *state;
    unsigned char *text;
    size_t size;
    ebm_calibration original, c;
    make(LEVELS, &original);
    assert_int_equal(ebm_calibration_write(&original, &of, dir, NULL), EBM_OK);
    assert_int_equal(ebm_file_read(dir, EBM_CALIBRATION_FILE, 1 << 20, &text, &size, NULL), EBM_OK);
    for (size_t i = 0; i < size; i += 61) {
        const unsigned char kept = text[i];
        text[i] = kept == '1' ? '2' : '1';
        check_changed((char *)text, size, &original);
        text[i] = kept;
        assert_int_not_equal(ebm_calibration_parse((char *)text, i, &of, &c, NULL), EBM_OK);
    }
    assert_int_equal(ebm_calibration_parse((char *)text, size, &other, &c, NULL),
                     EBM_ERR_NOT_FOUND);
    ebm_calibration_clear(&original);
    ebm_free(text);
}

/* Sound files but for one thing: digest and all. */
static void test_refused_files(void **state)
{
    const char *dir = *state;
    ebm_calibration c, back;
    ebm_error err = {0};
    make(LEVELS, &c);
    const struct {
        double *at, value;
        ebm_status status;
        const char *where;
    } rows[] = {
        {&c.sd[NUMBERS - 1], 0.0, EBM_ERR_RANGE, "sd"},
        {&c.factor[0], 0.0, EBM_ERR_RANGE, "factor"},
        {&c.factor[FACTOR - 1], 0.08, EBM_ERR_RANGE, "factor"},
        {&c.factor[FACTOR - 1], -1.0, EBM_ERR_RANGE, "factor"},
        {&c.factor[0], 2.5, EBM_ERR_RANGE, "factor"},
        {&c.factor[FACTOR - 2], -2.5, EBM_ERR_RANGE, "factor"},
        {&c.weight[2], -1e7, EBM_ERR_RANGE, "weights"},
        {&c.weight[DISTANCE], 1e-9, EBM_ERR_RANGE, "weights"},
        {&c.weight[DISTANCE], -1e7, EBM_ERR_RANGE, "weights"},
        {&c.weight[DISTANCE + 1], 1e7, EBM_ERR_RANGE, "weights"},
        {&c.quantile[1], 1e9, EBM_ERR_RANGE, "quantiles"},
        {&c.single[0], 1e9, EBM_ERR_RANGE, "single"},
        {&c.single[2 * LEVELS - 1], -1e9, EBM_ERR_RANGE, "single"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const double kept = *rows[i].at;
        *rows[i].at = rows[i].value;
        err = (ebm_error){0};
        assert_int_equal(ebm_calibration_write(&c, &of, dir, NULL), EBM_OK);
        assert_int_equal(ebm_calibration_read(dir, &of, &back, &err), rows[i].status);
        assert_string_equal(err.where, rows[i].where);
        *rows[i].at = kept;
    }
    ebm_calibration_clear(&c);
}

/* What to do stands in the message. */
static void test_earlier_format(void **state)
{
    static const char *const text[] = {"{\"format\":1,\"count\":400}",
                                       "{\"format\":2,\"count\":400}"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        ebm_calibration c;
        ebm_error err = {0};
        assert_int_equal(ebm_calibration_parse(text[i], strlen(text[i]), &of, &c, &err),
                         EBM_ERR_FORMAT);
        assert_string_equal(err.where, "format");
        assert_non_null(strstr(err.text, "calibrate the model again"));
    }
}

/* The most levels, all bands, and numbers of the most digits, which need room in the limits of the
 * file; the factor and the weight of the distance are the worst that is allowed, and the score of
 * the farthest image is finite. */
static void test_largest_file(void **state)
{
    const char *dir = *state;
    enum { P = EBM_FEATURES * EBM_BANDS_MAX };
    static double features[EBM_FEATURES * EBM_MAX_LEVELS];
    const double long_number = -1.2345678901234567e-100;
    ebm_calibration c, back;
    make(EBM_MAX_LEVELS, &c);
    for (size_t i = 0; i < ebm__triangle(P); i++)
        c.factor[i] = -2;
    for (size_t i = 0; i < P; i++) {
        c.factor[ebm__triangle(i) + i] = 0.09;
        c.mean[i] = long_number;
        c.sd[i] = -long_number;
    }
    for (size_t i = 0; i <= EBM__COLUMNS(EBM_BANDS_MAX); i++)
        c.weight[i] = long_number;
    c.weight[2 * P] = -1e6;
    for (size_t i = 0; i < (EBM_MAX_LEVELS + 1) * EBM_QUANTILES; i++)
        c.quantile[i] = long_number * (double)(EBM_QUANTILES - i % EBM_QUANTILES);
    for (size_t i = 0; i < 2 * EBM_MAX_LEVELS; i++)
        c.single[i] = long_number * (double)(2 - i % 2);
    c.count = c.draws = 1;
    assert_int_equal(ebm_calibration_write(&c, &most, dir, NULL), EBM_OK);
    assert_int_equal(ebm_calibration_read(dir, &most, &back, NULL), EBM_OK);
    for (size_t i = 0; i < sizeof features / sizeof features[0]; i++)
        features[i] = 1e300;
    assert_true(ebm_calibration_score(&back, features) < -1e200);
    assert_true(isfinite(ebm_calibration_score(&back, features)));
    ebm_calibration_clear(&back);
    ebm_calibration_clear(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_earlier_format),
        TEMP_DIR_TEST(test_file_round_trip),
        TEMP_DIR_TEST(test_levels),
        TEMP_DIR_TEST(test_damaged_file),
        TEMP_DIR_TEST(test_refused_files),
        TEMP_DIR_TEST(test_largest_file),
        TEMP_DIR_TEST(test_file_without_band),
    };
    return cmocka_run_group_tests(tests, make_levels, clear_levels);
}
