/* Options from a file: the same values and bounds as on the command line, flags win, and every way
 * to be wrong names file and key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/option_file.h"
#include "demo_options.h"
#include "temp_dir.h"

#define MAX_WORDS 12

/* Writes the file and parses "--config FILE" and the words of `line`, which are changed. */
static ebm_status parse(const char *dir, const char *json, char *line, demo_values *v,
                        ebmt_parsed *parsed, ebm_error *err)
{
    static char path[TEMP_PATH_MAX];
    char flag[] = "--config", *words[MAX_WORDS] = {flag, path};
    int n = 2;
    assert_true(temp_dir_write(dir, "run.json", json, strlen(json)));
    assert_true(temp_dir_join(dir, "run.json", path));
    for (char *word = strtok(line, " "); word && n < MAX_WORDS; word = strtok(NULL, " "))
        words[n++] = word;
    return ebmt__options_parse(&demo_command, n, words, v, parsed, err);
}

static const char every_kind[] =
    "{\"batch\": 7, \"iterations\": 1000000000000, \"seed\": 5, "
    "\"lr\": 0.12345678901234567, \"out\": \"x y\", \"flip\": true, \"mode\": "
    "\"fast\", \"mult\": [1, 2, 9]}";

static void test_every_kind(void **state)
{
    char none[] = "";
    demo_values v = {0};
    ebmt_parsed parsed;
    assert_int_equal(parse(*state, every_kind, none, &v, &parsed, NULL), EBM_OK);
    assert_int_equal(v.batch, 7);
    assert_true(v.iterations == 1000000000000);
    assert_true(v.seed == 5);
    assert_true(v.lr == 0.12345678901234567); /* 17 digits bring back the same double */
    assert_string_equal(v.out, "x y");
    assert_true(v.flip);
    assert_int_equal(v.mode, 1);
    assert_int_equal(v.mult.n, 3);
    assert_int_equal(v.mult.item[2], 9);
    assert_true(ebmt__option_given(&demo_command, &parsed, "--lr"));
    ebmt__options_clear(&parsed);
}

static void test_flags_win(void **state)
{
    char line[] = "--lr 0.5 --flip=false --mode slow --mult 3";
    demo_values v = {0};
    ebmt_parsed parsed;
    assert_int_equal(parse(*state, every_kind, line, &v, &parsed, NULL), EBM_OK);
    assert_true(v.lr == 0.5);
    assert_false(v.flip);
    assert_int_equal(v.mode, 0);
    assert_int_equal(v.mult.n, 1);
    assert_int_equal(v.batch, 7);
    ebmt__options_clear(&parsed);
}

static void test_defaults_stay(void **state)
{
    char line[] = "--out x";
    demo_values v = {.batch = 3, .lr = 0.25};
    ebmt_parsed parsed;
    assert_int_equal(parse(*state, "{\"lr\": 1}", line, &v, &parsed, NULL), EBM_OK);
    assert_int_equal(v.batch, 3);
    assert_true(v.lr == 1.0);
    assert_false(ebmt__option_given(&demo_command, &parsed, "--batch"));
    ebmt__options_clear(&parsed);
}

static const struct {
    const char *json, *says;
    ebm_status expected;
} bad[] = {
    {"", "line 1", EBM_ERR_FORMAT},
    {"[]", "not a JSON object", EBM_ERR_FORMAT},
    {"{\"lr\": 1", "line 1", EBM_ERR_FORMAT},
    {"{\"lr\": 1} x", "line 1", EBM_ERR_FORMAT},
    {"{\"lr\": NaN}", "line 1", EBM_ERR_FORMAT},
    {"{\"lr\": 1, \"lr\": 1}", "duplicate", EBM_ERR_FORMAT},
    {"{\"title\": \"a\\u0000b\"}", "line 1", EBM_ERR_FORMAT},
    {"{\"nothing\": 1}", "nothing: no such option", EBM_ERR_ARG},
    {"{\"--lr\": 1}", "--lr: no such option", EBM_ERR_ARG},
    {"{\"All\": 1}", "All: no such option", EBM_ERR_ARG},
    {"{\"\": 1}", "no such option", EBM_ERR_ARG},
    {"{\"config\": \"other.json\"}", "config: no such option", EBM_ERR_ARG},
    {"{\"batch\": 0}", "batch: must be from 1 to 100", EBM_ERR_RANGE},
    {"{\"batch\": 4294967297}", "batch: must be from", EBM_ERR_RANGE},
    {"{\"batch\": 5.0}", "batch: must be a whole number", EBM_ERR_ARG},
    {"{\"batch\": \"5\"}", "batch: must be a whole number", EBM_ERR_ARG},
    {"{\"batch\": null}", "batch: must be a whole number", EBM_ERR_ARG},
    {"{\"seed\": -2}", "seed: must be from", EBM_ERR_RANGE},
    {"{\"lr\": \"0.1\"}", "lr: must be a number", EBM_ERR_ARG},
    {"{\"lr\": 1e300}", "lr: must be from 0 to 1", EBM_ERR_RANGE},
    {"{\"lr\": true}", "lr: must be a number", EBM_ERR_ARG},
    {"{\"flip\": 1}", "flip: must be true or false", EBM_ERR_ARG},
    {"{\"flip\": \"true\"}", "flip: must be true or false", EBM_ERR_ARG},
    {"{\"mode\": 0}", "mode: must be a string", EBM_ERR_ARG},
    {"{\"mode\": \"quick\"}", "mode: must be one of slow|fast", EBM_ERR_ARG},
    {"{\"out\": \"\"}", "out: needs a value", EBM_ERR_ARG},
    {"{\"mult\": 3}", "mult: must be a list", EBM_ERR_ARG},
    {"{\"mult\": []}", "mult: must be a list", EBM_ERR_ARG},
    {"{\"mult\": [1, \"2\"]}", "mult: must be a list", EBM_ERR_ARG},
    {"{\"mult\": [1, 10]}", "mult: must be from 1 to 9", EBM_ERR_RANGE},
    {"{\"mult\": [1, 1, 1, 1, 1, 1, 1, 1, 1]}", "mult: must be a list", EBM_ERR_ARG},
};

static void test_refused(void **state)
{
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char line[] = "--out x";
        demo_values v = {0};
        ebmt_parsed parsed;
        ebm_error err = {0};
        ebm_status st = parse(*state, bad[i].json, line, &v, &parsed, &err);
        if (st != bad[i].expected || !strstr(err.text, bad[i].says) ||
            !strstr(err.where, "run.json"))
            fail_msg("'%s': %s at '%s': %s", bad[i].json, ebm_status_name(st), err.where, err.text);
        ebmt__options_clear(&parsed);
    }
}

/* What a flag overrides is looked at all the same. */
static void test_overridden_is_checked(void **state)
{
    char line[] = "--out x --batch 5";
    demo_values v = {0};
    ebmt_parsed parsed;
    assert_int_equal(parse(*state, "{\"batch\": 101}", line, &v, &parsed, NULL), EBM_ERR_RANGE);
    assert_int_equal(v.batch, 5);
    ebmt__options_clear(&parsed);
}

static void test_files_that_cannot_be_read(void **state)
{
    char flag[] = "--config=/nonexistent/run.json", line[] = "--out x", *words[] = {flag};
    char *long_text = malloc(EBMT_OPTION_FILE_MAX + 2);
    demo_values v = {0};
    ebmt_parsed parsed;
    ebm_error err = {0};
    assert_int_equal(ebmt__options_parse(&demo_command, 1, words, &v, &parsed, &err),
                     EBM_ERR_NOT_FOUND);
    assert_non_null(strstr(err.where, "run.json"));
    ebmt__options_clear(&parsed);
    assert_non_null(long_text);
    memset(long_text, ' ', EBMT_OPTION_FILE_MAX + 1);
    long_text[EBMT_OPTION_FILE_MAX + 1] = '\0';
    assert_int_equal(parse(*state, long_text, line, &v, &parsed, NULL), EBM_ERR_LIMIT);
    ebmt__options_clear(&parsed);
    free(long_text);
}

static void test_missing_option_is_still_required(void **state)
{
    char none[] = "";
    demo_values v = {0};
    ebmt_parsed parsed;
    ebm_error err = {0};
    assert_int_equal(parse(*state, "{\"lr\": 0.5}", none, &v, &parsed, &err), EBM_ERR_ARG);
    assert_string_equal(err.where, "--out");
    ebmt__options_clear(&parsed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind),
        cmocka_unit_test(test_flags_win),
        cmocka_unit_test(test_defaults_stay),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_overridden_is_checked),
        cmocka_unit_test(test_files_that_cannot_be_read),
        cmocka_unit_test(test_missing_option_is_still_required),
    };
    return cmocka_run_group_tests(tests, temp_dir_set_up, temp_dir_tear_down);
}
