/* Texts for a manifest: what is refused, and that no command line makes a text that core refuses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "ebm/memory.h"
#include "fail_alloc.h"
#include "save/manifest_facts.h"

#define ROOM 16

static ebm_status check(const char *text, ebm_error *err)
{
    *err = (ebm_error){0};
    return ebmt__manifest_text_check("--title", text, ROOM, err);
}

static void test_texts_that_pass(void **state)
{
    static const char *const good[] = {
        "", "Fashion", "15 bytes, fits.", "\xc3\x84pfel", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    ebm_error err;
    (void)state;
    assert_int_equal(check(NULL, &err), EBM_OK);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(check(good[i], &err), EBM_OK);
}

/* Cut, overlong, surrogate, above U+10FFFF, a stray byte; C0 and DEL. */
static void test_texts_that_are_refused(void **state)
{
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"16 bytes, no fit", "longer than 15 bytes"},
        {"ab\xc3", "byte 3 is not UTF-8"},
        {"\xe2\x82", "byte 1 is not UTF-8"},
        {"\xc0\xaf", "byte 1 is not UTF-8"},
        {"\xed\xa0\x80", "byte 1 is not UTF-8"},
        {"\xf4\x90\x80\x80", "byte 1 is not UTF-8"},
        {"\xc3\xa4\xff", "byte 3 is not UTF-8"},
        {"two\nlines", "byte 4 is a control character"},
        {"\x1b[2J", "byte 1 is a control character"},
        {"a\x7f", "byte 2 is a control character"},
    };
    ebm_error err;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(check(rows[i].text, &err), EBM_ERR_ARG);
        assert_string_equal(err.where, "--title");
        assert_string_equal(err.text, rows[i].why);
    }
}

/* The command line as a reader of the facts gets it. @own json_decref() */
static json_t *facts_of(const char *command)
{
    char *text = NULL;
    assert_int_equal(ebmt__manifest_facts(command, 7, "{\"lr\": 0.1}", &text, NULL), EBM_OK);
    json_t *facts = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(facts);
    ebm_free(text);
    return facts;
}

static void assert_command(const char *command, const char *expected)
{
    json_t *facts = facts_of(command);
    assert_string_equal(json_string_value(json_object_get(facts, "command")), expected);
    json_decref(facts);
}

static void test_what_is_recorded(void **state)
{
    (void)state;
    json_t *facts = facts_of("ebm train --out x");
    assert_int_equal(json_object_size(facts), 3);
    assert_int_equal(json_integer_value(json_object_get(facts, "iterations")), 7);
    assert_true(json_real_value(json_object_get(json_object_get(facts, "config"), "lr")) == 0.1);
    json_decref(facts);
    assert_command("ebm train --out \xc3\xa4", "ebm train --out \xc3\xa4");
    assert_command("--title \"a\\b\"", "--title \"a\\b\"");
    assert_command("d\xff/\xc3(\n\x7f", "d\\xff/\\xc3(\\x0a\\x7f");
    assert_command("\xe2\x82", "\\xe2\\x82");
}

/* Every pair of bytes gives a text that passes the check of titles. */
static void test_every_pair_of_bytes(void **state)
{
    (void)state;
    for (unsigned a = 1; a < 256; a++)
        for (unsigned b = 1; b < 256; b++) {
            const char command[] = {(char)a, (char)b, '\0'};
            ebm_error err;
            json_t *facts = facts_of(command);
            const char *text = json_string_value(json_object_get(facts, "command"));
            if (check(text, &err) != EBM_OK)
                fail_msg("bytes %02x %02x: %s", a, b, err.text);
            json_decref(facts);
        }
}

/* A line of any length leaves room for the rest of the manifest, and is not cut in a character. */
static void test_long_lines(void **state)
{
    static const char *const units[] = {"x", "\xff", "\xf0\x9f\x98\x80", "\xe2\x82\xac"};
    (void)state;
    for (size_t u = 0; u < sizeof units / sizeof units[0]; u++) {
        size_t n = strlen(units[u]);
        char *line = calloc(1, n * EBMT_COMMAND_MAX * 2 + 1);
        assert_non_null(line);
        for (size_t i = 0; i < 2 * EBMT_COMMAND_MAX; i++)
            memcpy(line + i * n, units[u], n);
        json_t *facts = facts_of(line);
        size_t length = strlen(json_string_value(json_object_get(facts, "command")));
        assert_in_range(length, EBMT_COMMAND_MAX - 4, EBMT_COMMAND_MAX);
        json_decref(facts);
        free(line);
    }
}

static void test_no_memory(void **state)
{
    (void)state;
    FOR_EACH_ALLOC_FAILURE
    {
        char *text = NULL;
        ebm_status st = ebmt__manifest_facts("ebm train", 1, "{}", &text, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        assert_true((text != NULL) == (st == EBM_OK));
        ebm_free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts_that_pass),  cmocka_unit_test(test_texts_that_are_refused),
        cmocka_unit_test(test_what_is_recorded), cmocka_unit_test(test_every_pair_of_bytes),
        cmocka_unit_test(test_long_lines),       cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
