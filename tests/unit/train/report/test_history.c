/* The thinned course of a run: means over bins, whatever its length, and the same again from
 * metrics.jsonl. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "assert_numbers.h"
#include "fail_alloc.h"
#include "report/history_read.h"
#include "report/metrics_log.h"
#include "temp_dir.h"

enum { LEVELS = 3 };

/* Iteration i has loss i, and level t a gap of 10 t + i from t + 1 samples. */
static void add(ebmt__history *h, ebmt_metrics *log, int64_t i)
{
    double gap[LEVELS], displacement[LEVELS] = {0.5, 0.5, 0.5}, matching[LEVELS] = {0.0, 0.25, 0.0};
    double validation[LEVELS] = {1.0, 2.0, 3.0}, acceptance[LEVELS] = {0.5, 0.75, (double)NAN};
    int64_t seen[LEVELS] = {0, 2, 3};
    for (int t = 0; t < LEVELS; t++)
        gap[t] = 10.0 * t + (double)i;
    const ebmt_report r = {.iteration = i,
                           .loss = i == 5 ? (double)NAN : (double)i,
                           .grad_norm = 1.0,
                           .lr = 1e-3,
                           .levels = LEVELS,
                           .gap = gap,
                           .displacement = displacement,
                           .acceptance = acceptance,
                           .level_matching = matching,
                           .persistent = i >= 50,
                           .persistent_gap = -(double)i,
                           .persistent_acceptance = 0.5,
                           .seen = seen,
                           .validation_gap = i % 100 == 0 ? validation : NULL,
                           .validation_error = i % 100 == 0 ? validation : NULL};
    ebmt__history_add(h, &r);
    if (log)
        assert_int_equal(ebmt__metrics_append(log, &r, NULL), EBM_OK);
}

static ebmt__history *make(int32_t levels)
{
    ebmt__history *h = NULL;
    assert_int_equal(ebmt__history_create(0, levels - 1, &h, NULL), EBM_OK);
    return h;
}

static void test_short_run_is_kept_whole(void **state)
{
    ebmt__history *h = make(LEVELS);
    double x, mean;
    (void)state;
    assert_true(ebmt__history_last(h) == 0);
    assert_false(ebmt__history_at(h, EBMT_LOSS, 0, 0, &x, &mean));
    for (int64_t i = 1; i <= EBMT_HISTORY_BINS; i++)
        add(h, NULL, i);
    for (int32_t b = 0; b < EBMT_HISTORY_BINS; b++) {
        bool there = ebmt__history_at(h, EBMT_LOSS, 0, b, &x, &mean);
        assert_true(there == (b != 4)); /* iteration 5 was not a number */
        assert_true(!there || (x == b + 1.0 && mean == b + 1.0));
    }
    assert_true(ebmt__history_at(h, EBMT_LEVEL_GAP, 2, 6, &x, &mean) && mean == 27.0);
    assert_false(ebmt__history_at(h, EBMT_LEVEL_GAP, 0, 6, &x, &mean)); /* no samples */
    assert_true(ebmt__history_at(h, EBMT_LEVEL_VALIDATION, 1, 99, &x, &mean) && mean == 2.0);
    assert_false(ebmt__history_at(h, EBMT_LEVEL_VALIDATION, 1, 98, &x, &mean));
    assert_true(ebmt__history_at(h, EBMT_LEVEL_ACCEPTANCE, 1, 0, &x, &mean) && mean == 0.75);
    assert_false(ebmt__history_at(h, EBMT_LEVEL_ACCEPTANCE, 0, 0, &x, &mean)); /* no samples */
    assert_false(ebmt__history_at(h, EBMT_LEVEL_ACCEPTANCE, 2, 0, &x, &mean)); /* no moves */
    assert_true(ebmt__history_at(h, EBMT_LEVEL_MATCHING, 1, 0, &x, &mean) && mean == 0.25);
    assert_false(ebmt__history_at(h, EBMT_LEVEL_MATCHING, 2, 0, &x, &mean));
    assert_false(ebmt__history_at(h, EBMT_PERSISTENT_GAP, 0, 48, &x, &mean)); /* none yet */
    assert_true(ebmt__history_at(h, EBMT_PERSISTENT_GAP, 0, 99, &x, &mean) && mean == -100.0);
    assert_true(ebmt__history_at(h, EBMT_PERSISTENT_ACCEPTANCE, 0, 99, &x, &mean) && mean == 0.5);
    ebmt__history_free(h);
}

/* Iterations without chains, those of matching alone, have no loss: 0 would look like a good one.
 */
static void test_no_chains_no_loss(void **state)
{
    double none[LEVELS] = {0.0}, x, mean;
    int64_t seen[LEVELS] = {0};
    ebmt_report r = {.matching = 0.5,
                     .levels = LEVELS,
                     .gap = none,
                     .displacement = none,
                     .level_matching = none,
                     .seen = seen};
    ebmt__history *h = make(LEVELS);
    (void)state;
    for (r.iteration = 1; r.iteration <= 4; r.iteration++) {
        seen[LEVELS - 1] = r.iteration == 4;
        ebmt__history_add(h, &r);
    }
    for (int32_t b = 0; b < 3; b++) {
        assert_false(ebmt__history_at(h, EBMT_LOSS, 0, b, &x, &mean));
        assert_true(ebmt__history_at(h, EBMT_MATCHING_LOSS, 0, b, &x, &mean) && mean == 0.5);
    }
    assert_true(ebmt__history_at(h, EBMT_LOSS, 0, 3, &x, &mean) && mean == 0.0);
    ebmt__history_free(h);
}

/* One iteration more halves the resolution; means are those of the pairs. */
static void test_long_run_is_thinned(void **state)
{
    ebmt__history *h = make(LEVELS);
    double x, mean;
    (void)state;
    for (int64_t i = 1; i <= 4 * EBMT_HISTORY_BINS - 3; i++)
        add(h, NULL, i);
    assert_true(ebmt__history_at(h, EBMT_LOSS, 0, 0, &x, &mean));
    assert_true(x == 2.5 && mean == 2.5); /* 1, 2, 3, 4 */
    assert_true(ebmt__history_at(h, EBMT_LOSS, 0, 1, &x, &mean));
    assert_close(mean, (6.0 + 7.0 + 8.0) / 3.0, 1e-15);
    assert_true(ebmt__history_at(h, EBMT_LOSS, 0, EBMT_HISTORY_BINS - 1, &x, &mean));
    assert_true(mean == 4.0 * EBMT_HISTORY_BINS - 3.0); /* alone in its bin */
    ebmt__history_free(h);
}

static void test_levels_are_spread(void **state)
{
    ebmt__history *h = make(1000);
    (void)state;
    assert_int_equal(ebmt__history_rows(h), EBMT_HISTORY_LEVELS);
    assert_int_equal(ebmt__history_level(h, 0), 0);
    assert_int_equal(ebmt__history_level(h, EBMT_HISTORY_LEVELS - 1), 999);
    ebmt__history_free(h);
    h = make(1);
    assert_int_equal(ebmt__history_level(h, 0), 0);
    ebmt__history_free(h);
    assert_int_equal(ebmt__history_create(5, 7, &h, NULL), EBM_OK); /* those that are trained */
    assert_int_equal(ebmt__history_rows(h), 3);
    for (int32_t row = 0; row < 3; row++)
        assert_int_equal(ebmt__history_level(h, row), 5 + row);
    ebmt__history_free(h);
}

static void expect_same(const ebmt__history *a, const ebmt__history *b)
{
    assert_true(ebmt__history_last(a) == ebmt__history_last(b));
    for (int q = 0; q < EBMT_QUANTITIES; q++)
        for (int32_t row = 0; row < (q < EBMT_LEVEL_GAP ? 1 : LEVELS); row++)
            for (int32_t bin = 0; bin < EBMT_HISTORY_BINS; bin++) {
                double x[2], mean[2];
                bool there = ebmt__history_at(a, (ebmt__quantity)q, row, bin, &x[0], &mean[0]);
                assert_true(there ==
                            ebmt__history_at(b, (ebmt__quantity)q, row, bin, &x[1], &mean[1]));
                /* the file has nine digits */
                assert_true(!there ||
                            (x[0] == x[1] && fabs(mean[0] - mean[1]) <= 1e-8 * fabs(mean[0])));
            }
}

static void test_read_back(void **state)
{
    char dir[TEMP_PATH_MAX];
    ebmt_metrics *log = NULL;
    ebmt__history *h = make(LEVELS), *again = make(LEVELS), *other = make(LEVELS + 1);
    (void)state;
    assert_true(temp_dir_make(dir));
    assert_int_equal(ebmt__history_read(again, LEVELS, dir, EBMT_HISTORY_BYTES, NULL),
                     EBM_OK); /* no file yet */
    assert_int_equal(ebmt__metrics_open(dir, 0, &log, NULL), EBM_OK);
    for (int64_t i = 1; i <= 700; i++)
        add(h, log, i);
    ebmt__metrics_close(log);
    assert_int_equal(ebmt__history_read(again, LEVELS, dir, EBMT_HISTORY_BYTES, NULL), EBM_OK);
    expect_same(h, again);
    /* lines of another number of levels are not ours */
    assert_int_equal(ebmt__history_read(other, LEVELS + 1, dir, EBMT_HISTORY_BYTES, NULL), EBM_OK);
    assert_true(ebmt__history_last(other) == 0);
    ebmt__history_free(h);
    ebmt__history_free(again);
    ebmt__history_free(other);
    temp_dir_remove(dir);
}

static void expect_same_points(const ebmt__history *a, const ebmt__history *b, ebmt__quantity what)
{
    for (int32_t row = 0; row < LEVELS; row++)
        for (int32_t bin = 0; bin < EBMT_HISTORY_BINS; bin++) {
            double x[2], mean[2];
            bool there = ebmt__history_at(a, what, row, bin, &x[0], &mean[0]);
            assert_true(there == ebmt__history_at(b, what, row, bin, &x[1], &mean[1]));
            assert_true(!there || (x[0] == x[1] && mean[0] == mean[1]));
        }
}

static int64_t size_of(const char *dir, const char *name)
{
    char path[TEMP_PATH_MAX];
    struct stat s;
    assert_true(temp_dir_join(dir, name, path));
    assert_int_equal(stat(path, &s), 0);
    return (int64_t)s.st_size;
}

/* Of a long file every second line is left out, but none of the few with a validation gap, whose
 * iterations are all even. */
static void test_thinned_reading(void **state)
{
    char dir[TEMP_PATH_MAX];
    double x, mean;
    ebmt_metrics *log = NULL;
    ebmt__history *h = make(LEVELS), *again = make(LEVELS);
    (void)state;
    assert_true(temp_dir_make(dir));
    assert_int_equal(ebmt__metrics_open(dir, 0, &log, NULL), EBM_OK);
    for (int64_t i = 1; i <= 250; i++)
        add(h, log, i);
    ebmt__metrics_close(log);
    int64_t bytes = size_of(dir, "metrics.jsonl");
    assert_int_equal(ebmt__history_read(again, LEVELS, dir, bytes, NULL), EBM_OK);
    expect_same_points(h, again, EBMT_LEVEL_VALIDATION);
    expect_same_points(h, again, EBMT_LEVEL_VALIDATION_ERROR);
    for (int32_t b = 0; b < 250; b++) /* odd iterations, and those with a validation */
        assert_true(ebmt__history_at(again, EBMT_GRAD_NORM, 0, b, &x, &mean) ==
                    (b % 2 == 0 || (b + 1) % 100 == 0));
    ebmt__history_free(h);
    ebmt__history_free(again);
    temp_dir_remove(dir);
}

static void test_hostile_lines(void **state)
{
    static const char text[] =
        "\n{}\nnull\n[1]\n{\"iteration\":1e300}\n"
        "{\"iteration\":-1,\"gap\":[1],\"displacement\":[1],\"level_matching\":[1],\"seen\":[1]}\n"
        "{\"iteration\":9223372036854775807,\"gap\":[1],\"displacement\":[1],"
        "\"level_matching\":[1],\"seen\":[1]}\n"
        "{\"iteration\":3,\"gap\":[\"x\"],\"displacement\":[null],\"level_matching\":[1],"
        "\"seen\":[1]}\n"
        "{\"iteration\":4,\"gap\":{},\"displacement\":[1],\"level_matching\":[1],\"seen\":[1]}\n"
        "{\"iteration\":5,\"torn";
    char dir[TEMP_PATH_MAX];
    double x, mean;
    ebmt__history *h = make(1);
    (void)state;
    assert_true(temp_dir_make(dir));
    assert_true(temp_dir_write(dir, "metrics.jsonl", text, sizeof text - 1));
    assert_int_equal(ebmt__history_read(h, 1, dir, EBMT_HISTORY_BYTES, NULL), EBM_OK);
    assert_true(ebmt__history_last(h) == 3);
    assert_false(ebmt__history_at(h, EBMT_LEVEL_GAP, 0, 2, &x, &mean));
    assert_true(ebmt__history_at(h, EBMT_LEVEL_MATCHING, 0, 2, &x, &mean) && mean == 1.0);
    ebmt__history_free(h);
    temp_dir_remove(dir);
}

static void test_no_memory(void **state)
{
    char dir[TEMP_PATH_MAX];
    (void)state;
    assert_true(temp_dir_make(dir));
    assert_true(temp_dir_write(dir, "metrics.jsonl", "{}\n", 3));
    FOR_EACH_ALLOC_FAILURE
    {
        ebmt__history *h = NULL;
        ebm_status st = ebmt__history_create(0, LEVELS - 1, &h, NULL);
        if (st == EBM_OK)
            st = ebmt__history_read(h, LEVELS, dir, EBMT_HISTORY_BYTES, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        ebmt__history_free(h);
    }
    temp_dir_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_short_run_is_kept_whole),
        cmocka_unit_test(test_no_chains_no_loss),
        cmocka_unit_test(test_long_run_is_thinned),
        cmocka_unit_test(test_levels_are_spread),
        cmocka_unit_test(test_read_back),
        cmocka_unit_test(test_thinned_reading),
        cmocka_unit_test(test_hostile_lines),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
