/* report.html: what is in it, that nothing from outside becomes markup, and that it stays small. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ebm/io.h"
#include "ebm/memory.h"
#include "fail_alloc.h"
#include "report/report_sheets.h"
#include "report/run_report.h"
#include "report/svg_chart.h"
#include "temp_dir.h"

enum { LEVELS = 40 };

static const char signature[] = "\x89PNG\r\n\x1a\n";

/* A file that begins like a PNG; the report does not look further. */
static void write_sheet(const char *dir, long long iteration, size_t size)
{
    char name[64], *bytes = calloc(size, 1);
    assert_non_null(bytes);
    memcpy(bytes, signature, sizeof signature - 1);
    (void)snprintf(name, sizeof name, EBMT_SHEET_NAME, iteration);
    assert_true(temp_dir_write(dir, name, bytes, size));
    free(bytes);
}

static ebmt__history *course(int64_t iterations)
{
    static double values[LEVELS];
    static int64_t seen[LEVELS];
    ebmt__history *h = NULL;
    assert_int_equal(ebmt__history_create(0, LEVELS - 1, &h, NULL), EBM_OK);
    for (int t = 0; t < LEVELS; t++)
        seen[t] = 1;
    for (int64_t i = 1; i <= iterations; i++) {
        for (int t = 0; t < LEVELS; t++)
            values[t] = 1e5 * sin((double)(i * (t + 3)));
        const ebmt_report r = {.iteration = i,
                               .loss = values[0],
                               .matching = values[1],
                               .grad_norm = values[2],
                               .lr = values[3],
                               .levels = LEVELS,
                               .gap = values,
                               .displacement = values,
                               .acceptance = values,
                               .level_matching = values,
                               .seen = seen,
                               .validation_gap = values,
                               .validation_error = values};
        ebmt__history_add(h, &r);
    }
    return h;
}

/* The page of a run; @own free with ebm_free() */
static char *page_of(const char *dir, const ebmt__history *h, size_t *size)
{
    unsigned char *text = NULL;
    const ebmt__run_report report = {.history = h,
                                     .dir = dir,
                                     .title = "<b>Title & \"more\"",
                                     .config_json = "{\"x\": \"</pre><script>\"}",
                                     .outcome = "The run is complete."};
    assert_int_equal(ebmt__run_report_write(&report, NULL), EBM_OK);
    assert_int_equal(ebm_file_read(dir, "report.html", (size_t)64 << 20, &text, size, NULL),
                     EBM_OK);
    return (char *)text;
}

static int occurrences(const char *text, const char *word)
{
    int n = 0;
    for (; (text = strstr(text, word)) != NULL; text++)
        n++;
    return n;
}

static void test_page(void **state)
{
    static const char *const parts[] = {"<!DOCTYPE html>",
                                        "Energy gap per level",
                                        "Displacement per level",
                                        "Acceptance per level",
                                        "Loss",
                                        "Validation gap per level",
                                        "level 39",
                                        "40 iterations. The run is complete.",
                                        "&#60;b&#62;Title &#38; &#34;more&#34;",
                                        "&#60;/pre&#62;&#60;script&#62;",
                                        "<h3>Iteration 20</h3>",
                                        "base64,iVBORw0KGgo",
                                        "</html>\n"};
    ebmt__history *h = course(40);
    size_t size = 0;
    write_sheet(*state, 20, 100);
    char *page = page_of(*state, h, &size);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (!strstr(page, parts[i]))
            fail_msg("no '%s'", parts[i]);
    assert_null(strstr(page, "<script"));
    assert_null(strstr(page, "http")); /* nothing from elsewhere */
    assert_null(strstr(page, "nan"));
    assert_int_equal(occurrences(page, "<svg"), occurrences(page, "</svg>"));
    ebm_free(page);
    ebmt__history_free(h);
}

static void test_empty_run(void **state)
{
    ebmt__history *h = course(0);
    size_t size = 0;
    char *page = page_of(*state, h, &size);
    assert_null(strstr(page, "<svg"));
    assert_null(strstr(page, "Samples"));
    ebm_free(page);
    ebmt__history_free(h);
}

static void test_sheets_are_spread(void **state)
{
    static const char *const ends[] = {"<h3>Iteration 100</h3>", "<h3>Iteration 10000</h3>"};
    ebmt__history *h = course(1);
    size_t size = 0;
    for (int i = 1; i <= 100; i++)
        write_sheet(*state, 100LL * i, 64);
    assert_true(temp_dir_write(*state, "samples-5.png", signature, 8));
    assert_true(temp_dir_write(*state, "samples-0000000xx.png", signature, 8));
    char *page = page_of(*state, h, &size);
    assert_int_equal(occurrences(page, "<img"), EBMT_SHEETS_SHOWN);
    for (size_t i = 0; i < 2; i++)
        assert_non_null(strstr(page, ends[i]));
    ebm_free(page);
    ebmt__history_free(h);
}

/* Sheets of large colour images are megabytes each: fewer of them, the newest in any case. */
static void test_size_is_bounded(void **state)
{
    ebmt__history *h = course(3000);
    size_t size = 0;
    for (int i = 1; i <= 12; i++)
        write_sheet(*state, i, (size_t)1 << 20);
    char *page = page_of(*state, h, &size);
    assert_true(size < EBMT_REPORT_MAX_BYTES);
    assert_int_equal(occurrences(page, "<img"), 3);
    assert_non_null(strstr(page, "<h3>Iteration 12</h3>"));
    ebm_free(page);
    for (int i = 1; i <= 12; i++)
        write_sheet(*state, i, (size_t)4 << 20);
    page = page_of(*state, h, &size);
    assert_true(size < EBMT_REPORT_MAX_BYTES);
    assert_int_equal(occurrences(page, "<img"), 1);
    assert_non_null(strstr(page, "<h3>Iteration 12</h3>"));
    ebm_free(page);
    for (int i = 1; i <= 12; i++)
        write_sheet(*state, i, (size_t)5 << 20);
    page = page_of(*state, h, &size);
    assert_true(size < EBMT_REPORT_MAX_BYTES / 4); /* the curves of 12 levels, all bins full */
    assert_null(strstr(page, "<img"));
    ebm_free(page);
    ebmt__history_free(h);
}

static void test_no_png(void **state)
{
    char name[64];
    ebmt__history *h = course(2);
    size_t size = 0;
    (void)snprintf(name, sizeof name, EBMT_SHEET_NAME, 7LL);
    assert_true(temp_dir_write(*state, name, "<script>", 8));
    char *page = page_of(*state, h, &size);
    assert_null(strstr(page, "<img"));
    ebm_free(page);
    ebmt__history_free(h);
}

static void test_no_memory_and_no_directory(void **state)
{
    ebmt__history *h = course(5);
    const ebmt__run_report report = {
        .history = h, .dir = *state, .title = "", .config_json = "{}", .outcome = NULL};
    ebmt__run_report elsewhere = report;
    elsewhere.dir = "/nonexistent";
    assert_int_equal(ebmt__run_report_write(&elsewhere, NULL), EBM_ERR_IO);
    write_sheet(*state, 1, 64);
    FOR_EACH_ALLOC_FAILURE
    {
        ebm_status st = ebmt__run_report_write(&report, NULL);
        assert_true(fail_alloc_hit() ? st == EBM_ERR_NOMEM || st == EBM_ERR_IO : st == EBM_OK);
    }
    ebmt__history_free(h);
}

/* A straight line goes from corner to corner; what is far outside is cut, not drawn. */
static void test_chart(void **state)
{
    double x[200], y[200];
    char *text = NULL;
    size_t size = 0;
    (void)state;
    for (int i = 0; i < 200; i++) {
        x[i] = i + 1.0;
        y[i] = i;
    }
    y[0] = -1e9; /* below the first percentile */
    const ebmt__curve curve = {.x = x, .y = y, .n = 200, .label = "one"};
    const ebmt__chart chart = {.curve = &curve, .n = 1, .x_max = 200.0};
    FILE *f = open_memstream(&text, &size);
    assert_non_null(f);
    assert_int_equal(ebmt__chart_put(f, &chart, NULL), EBM_OK);
    (void)fclose(f);
    /* percentiles 1 and 198 with 5 % of room on both sides: 216.7 on 205 units of height */
    assert_non_null(strstr(text, "L650.0 18.4\"")); /* 215 - 205 (199 + 8.85) / 216.7 */
    assert_non_null(strstr(text, "M72.9 420.0L"));  /* one height below the axis */
    assert_non_null(strstr(text, ">-8.85<"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEMP_DIR_TEST(test_page),
        TEMP_DIR_TEST(test_empty_run),
        TEMP_DIR_TEST(test_sheets_are_spread),
        TEMP_DIR_TEST(test_size_is_bounded),
        TEMP_DIR_TEST(test_no_png),
        TEMP_DIR_TEST(test_no_memory_and_no_directory),
        cmocka_unit_test(test_chart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
