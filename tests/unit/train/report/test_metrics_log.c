/* metrics.jsonl: one JSON object per line; on resume nothing torn, nothing twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "ebm/io.h"
#include "ebm/memory.h"
#include "fail_alloc.h"
#include "report/metrics_log.h"
#include "temp_dir.h"

static void append(ebmt_metrics *m, int64_t iteration, double loss)
{
    const double gap[] = {0.25, NAN};
    const int64_t seen[] = {3, 5};
    const ebmt_report report = {.iteration = iteration,
                                .iterations = 100,
                                .seconds = 1.5,
                                .loss = loss,
                                .lr = 1e-4,
                                .levels = 2,
                                .gap = gap,
                                .seen = seen};
    assert_int_equal(ebmt__metrics_append(m, &report, NULL), EBM_OK);
}

static ebmt_metrics *open_log(const char *dir, int64_t keep)
{
    ebmt_metrics *m = NULL;
    assert_int_equal(ebmt__metrics_open(dir, keep, &m, NULL), EBM_OK);
    return m;
}

/* Opens, appends iterations first..last, closes. */
static void write_log(const char *dir, int64_t keep, int64_t first, int64_t last)
{
    ebmt_metrics *m = open_log(dir, keep);
    for (int64_t i = first; i <= last; i++)
        append(m, i, 0.5);
    ebmt__metrics_close(m);
}

static char *read_log(const char *dir)
{
    unsigned char *data = NULL;
    size_t size;
    assert_int_equal(ebm_file_read(dir, "metrics.jsonl", 1 << 20, &data, &size, NULL), EBM_OK);
    return (char *)data;
}

/* Every line is JSON and the iterations are first..last. */
static void assert_iterations(const char *dir, int64_t first, int64_t last)
{
    char *text = read_log(dir), *line = text;
    for (int64_t i = first; i <= last; i++) {
        char *end = strchr(line, '\n');
        assert_non_null(end);
        json_t *root = json_loadb(line, (size_t)(end - line), JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(root);
        assert_int_equal(json_integer_value(json_object_get(root, "iteration")), i);
        json_decref(root);
        line = end + 1;
    }
    assert_int_equal(*line, '\0');
    ebm_free(text);
}

static void test_a_line(void **state)
{
    ebmt_metrics *m = open_log(*state, 0);
    append(m, 1, INFINITY);
    ebmt__metrics_close(m);
    char *text = read_log(*state);
    assert_string_equal(text, "{\"iteration\":1,\"seconds\":1.5,\"loss\":null,\"matching\":0,"
                              "\"grad_norm\":0,\"lr\":0.0001,\"gap\":[0.25,null],"
                              "\"seen\":[3,5]}\n");
    ebm_free(text);
}

/* Acceptance is there when some move was judged. */
static void test_acceptance(void **state)
{
    static const struct {
        double acceptance[2];
        const char *text; /* NULL: left out */
    } rows[] = {
        {{0.5, 0.25}, ",\"acceptance\":[0.5,0.25]"},
        {{(double)NAN, 0.25}, ",\"acceptance\":[null,0.25]"},
        {{(double)NAN, (double)NAN}, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ebmt_metrics *m = open_log(*state, 0);
        const ebmt_report report = {.iteration = 1, .levels = 2, .acceptance = rows[i].acceptance};
        assert_int_equal(ebmt__metrics_append(m, &report, NULL), EBM_OK);
        ebmt__metrics_close(m);
        char *text = read_log(*state);
        const char *found = strstr(text, rows[i].text ? rows[i].text : "acceptance");
        assert_true((found != NULL) == (rows[i].text != NULL));
        ebm_free(text);
    }
}

/* What chains say is there when there are chains. */
static void test_persistent_chains(void **state)
{
    ebmt_metrics *m = open_log(*state, 0);
    const ebmt_report report = {
        .iteration = 1, .persistent = true, .persistent_gap = -2.5, .persistent_acceptance = 0.625};
    assert_int_equal(ebmt__metrics_append(m, &report, NULL), EBM_OK);
    ebmt__metrics_close(m);
    char *text = read_log(*state);
    assert_non_null(strstr(text, ",\"persistent_gap\":-2.5,\"persistent_acceptance\":0.625"));
    ebm_free(text);
}

static void test_visible_at_once(void **state)
{
    ebmt_metrics *m = open_log(*state, 0);
    append(m, 1, 0.5);
    assert_iterations(*state, 1, 1);
    ebmt__metrics_close(m);
}

static void test_cut_on_resume(void **state)
{
    write_log(*state, 0, 1, 9);
    write_log(*state, 6, 7, 12);
    assert_iterations(*state, 1, 12);
    write_log(*state, 12, 13, 13);
    assert_iterations(*state, 1, 13);
    write_log(*state, 0, 1, 2);
    assert_iterations(*state, 1, 2);
}

/* What a crash or a careless hand may leave behind the three whole lines. */
static void test_torn_tails(void **state)
{
    static const char *const tails[] = {"{\"iteration\":4,\"sec",
                                        "{\"iteration\":4,\"seconds\":1}",
                                        "{}\n",
                                        "{\"iteration\":4,\"a\":{}}",
                                        "\n",
                                        "junk\n",
                                        "{}\n",
                                        "{\"iteration\":3,\"a\":1}\n",
                                        "{\"iteration\":x,\"a\":1}\n",
                                        "{\"iteration\":-4,\"a\":1}\n",
                                        "{\"iteration\":99999999999999999999,\"a\":1}\n",
                                        "{\"iteration\":9,\"a\":1}\n{\"iteration\":4,\"a\":1}\n"};
    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
        write_log(*state, 0, 1, 3);
        char *text = read_log(*state);
        size_t n = strlen(text);
        char *longer = malloc(n + strlen(tails[i]) + 1);
        assert_non_null(longer);
        memcpy(longer, text, n);
        memcpy(longer + n, tails[i], strlen(tails[i]) + 1);
        assert_true(temp_dir_write(*state, "metrics.jsonl", longer, strlen(longer)));
        write_log(*state, 3 + (i % 2 ? 1 : 0), 4, 4);
        assert_iterations(*state, 1, 4);
        free(longer);
        ebm_free(text);
    }
}

/* A "line" of a megabyte is none of ours and is not read into memory whole. */
static void test_endless_line(void **state)
{
    const size_t n = 1 << 20;
    char *junk = malloc(n);
    assert_non_null(junk);
    memset(junk, 'x', n);
    assert_true(temp_dir_write(*state, "metrics.jsonl", junk, n));
    write_log(*state, 5, 6, 6);
    assert_iterations(*state, 6, 6);
    free(junk);
}

static void test_cannot_open(void **state)
{
    ebmt_metrics *m;
    (void)state;
    assert_int_equal(ebmt__metrics_open("/nonexistent", 0, &m, NULL), EBM_ERR_IO);
    assert_null(m);
    ebmt__metrics_close(NULL);
}

static void test_full_disk(void **state)
{
    char path[TEMP_PATH_MAX];
    ebmt_report report = {.iteration = 1};
    ebm_error err = {0};
    ebmt_metrics *m = NULL;
    assert_true(temp_dir_join(*state, "metrics.jsonl", path));
    assert_int_equal(symlink("/dev/full", path), 0);
    /* a device cannot be cut: either step may be the one that says so */
    ebm_status st = ebmt__metrics_open(*state, 0, &m, &err);
    if (st == EBM_OK)
        st = ebmt__metrics_append(m, &report, &err);
    assert_int_equal(st, EBM_ERR_IO);
    ebmt__metrics_close(m);
}

static void test_no_memory(void **state)
{
    FOR_EACH_ALLOC_FAILURE
    {
        ebmt_metrics *m;
        ebm_status st = ebmt__metrics_open(*state, 0, &m, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        ebmt__metrics_close(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEMP_DIR_TEST(test_a_line),
        TEMP_DIR_TEST(test_acceptance),
        TEMP_DIR_TEST(test_persistent_chains),
        TEMP_DIR_TEST(test_visible_at_once),
        TEMP_DIR_TEST(test_cut_on_resume),
        TEMP_DIR_TEST(test_torn_tails),
        TEMP_DIR_TEST(test_endless_line),
        TEMP_DIR_TEST(test_cannot_open),
        TEMP_DIR_TEST(test_full_disk),
        TEMP_DIR_TEST(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
