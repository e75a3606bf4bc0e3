/* The progress line, with the time as an argument: what it says, when, and how wide. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "report/progress.h"

/* A stream into memory. */
typedef struct sheet {
    char *text;
    size_t size;
    FILE *file;
} sheet;

static void begin(sheet *s, ebmt_progress *p, bool terminal, int32_t width)
{
    *s = (sheet){NULL, 0, NULL};
    s->file = open_memstream(&s->text, &s->size);
    assert_non_null(s->file);
    ebmt__progress_init(p, s->file, terminal, width);
}

static void end(sheet *s)
{
    fclose(s->file);
    free(s->text);
}

static void tell(ebmt_progress *p, int64_t iteration, int64_t iterations, double now)
{
    const ebmt_report report = {
        .iteration = iteration, .iterations = iterations, .loss = 0.125, .grad_norm = 2.5};
    ebmt__progress_update(p, &report, now);
}

static size_t count(const char *text, char c)
{
    size_t n = 0;
    for (; *text; text++)
        n += *text == c;
    return n;
}

static void test_plain_lines(void **state)
{
    ebmt_progress p;
    sheet s;
    (void)state;
    begin(&s, &p, false, 80);
    for (int64_t i = 1; i <= 100; i++)
        tell(&p, i, 1000, 5000.0 + 0.5 * (double)i);
    fflush(s.file);
    /* 49.5 s: the first report and one every ten seconds */
    assert_int_equal(count(s.text, '\n'), 5);
    assert_null(strchr(s.text, '\r'));
    assert_non_null(strstr(s.text, "1/1000   0%  -- it/s  ETA --  loss 0.125  grad 2.5\n"));
    assert_non_null(strstr(s.text, "81/1000   8%  2.0 it/s  ETA 7m40s  loss 0.125  grad 2.5\n"));
    end(&s);
}

static void test_last_line_is_shown(void **state)
{
    ebmt_progress p;
    sheet s;
    (void)state;
    begin(&s, &p, false, 80);
    tell(&p, 1, 3, 0.0);
    tell(&p, 2, 3, 1.0);
    tell(&p, 3, 3, 2.0);
    fflush(s.file);
    assert_int_equal(count(s.text, '\n'), 2);
    assert_non_null(strstr(s.text, "3/3 100%  1.0 s/it  ETA 0s"));
    end(&s);
}

/* A resumed run is timed from where it began, not from iteration 0. */
static void test_resumed(void **state)
{
    ebmt_progress p;
    sheet s;
    (void)state;
    begin(&s, &p, false, 80);
    tell(&p, 5001, 10000, 100.0);
    tell(&p, 5011, 10000, 120.0);
    fflush(s.file);
    assert_non_null(strstr(s.text, "5011/10000  50%  2.0 s/it  ETA 2h46m"));
    end(&s);
}

static void test_terminal_pace(void **state)
{
    ebmt_progress p;
    sheet s;
    (void)state;
    begin(&s, &p, true, 80);
    for (int64_t i = 0; i <= 100; i++)
        tell(&p, i + 1, 1000, 0.01 * (double)i); /* one second at 100 per second */
    fflush(s.file);
    assert_in_range(count(s.text, '\r'), 9, 11);
    assert_int_equal(count(s.text, '\n'), 0);
    ebmt__progress_finish(&p);
    fflush(s.file);
    assert_int_equal(count(s.text, '\n'), 1);
    end(&s);
}

/* A shorter line wipes what a longer one left. */
static void test_terminal_overwrites(void **state)
{
    ebmt_progress p;
    sheet s;
    (void)state;
    begin(&s, &p, true, 200);
    const ebmt_report wide = {.iteration = 1, .iterations = 9, .loss = -1.2345e-300};
    const ebmt_report slim = {.iteration = 2, .iterations = 9};
    ebmt__progress_update(&p, &wide, 0.0);
    fflush(s.file);
    size_t first = strlen(s.text) - 1;
    ebmt__progress_update(&p, &slim, 1.0);
    fflush(s.file);
    const char *second = strrchr(s.text, '\r') + 1;
    assert_int_equal(strlen(second), first);
    assert_int_equal(second[strlen(second) - 1], ' ');
    ebmt__progress_note(&p, "hello");
    fflush(s.file);
    assert_non_null(strstr(s.text, "\rhello\n"));
    assert_int_equal(p.on_screen, 0);
    end(&s);
}

static void test_fits_every_width(void **state)
{
    const ebmt_report report = {.iteration = 123456,
                                .iterations = 1000000,
                                .loss = -0.00123456,
                                .grad_norm = 12.5,
                                .matching = 0.5};
    ebmt_progress plain;
    char facts[600];
    (void)state;
    ebmt__progress_init(&plain, NULL, false, 80);
    plain.per_iteration = 0.25;
    ebmt__progress_format(&plain, &report, facts, sizeof facts);
    assert_string_equal(facts, "123456/1000000  12%  4.0 it/s  ETA 60h52m  loss -0.001235  "
                               "grad 12.5  match 0.5");
    for (int32_t width = -1; width <= 500; width++) {
        ebmt_progress p;
        char line[600];
        ebmt__progress_init(&p, NULL, true, width);
        p.per_iteration = 0.25;
        ebmt__progress_format(&p, &report, line, sizeof line);
        size_t room = width < 20 ? 19 : width > 400 ? 399 : (size_t)width - 1;
        assert_true(strlen(line) <= room);
        bool bar = line[0] == '[';
        assert_true(bar == (room >= strlen(facts) + 11)); /* 8 cells, brackets, a blank */
        if (bar)
            assert_true(line[strcspn(line, "]") - 1] == ' ');
    }
}

static const struct {
    int64_t iteration;
    const char *bar;
} bars[] = {
    {0, "[>                             ] "},   {50, "[===============>              ] "},
    {99, "[=============================>] "},  {100, "[==============================] "},
    {250, "[==============================] "}, /* more than promised is still full */
};

static void test_bar(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bars / sizeof bars[0]; i++) {
        const ebmt_report report = {.iteration = bars[i].iteration, .iterations = 100};
        ebmt_progress p;
        char line[600];
        ebmt__progress_init(&p, NULL, true, 200);
        ebmt__progress_format(&p, &report, line, sizeof line);
        assert_int_equal(strncmp(line, bars[i].bar, strlen(bars[i].bar)), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_lines),
        cmocka_unit_test(test_last_line_is_shown),
        cmocka_unit_test(test_resumed),
        cmocka_unit_test(test_terminal_pace),
        cmocka_unit_test(test_terminal_overwrites),
        cmocka_unit_test(test_fits_every_width),
        cmocka_unit_test(test_bar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
