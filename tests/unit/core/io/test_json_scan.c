/* The bounded JSON parser: limits before the parse, one object and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "io/json_scan.h"

/* Parses a copy of exactly `size` bytes, so that a sanitizer sees any byte read beyond it. */
static ebm_status parse(const char *text, size_t size, size_t depth, size_t tokens, ebm_error *err)
{
    json_t *json;
    char *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    memcpy(copy, text, size);
    *err = (ebm_error){EBM_OK, 0, "", ""};
    const ebm_status st = ebm__json_parse(copy, size, depth, tokens, "here", &json, err);
    assert_int_equal(st == EBM_OK, json != NULL);
    assert_int_equal(err->status, st);
    json_decref(json);
    free(copy);
    return st;
}

static void outcomes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        ebm_status status;
    } cases[] = {
        {"{}", EBM_OK},
        {"{} \n\t ", EBM_OK},
        {"{\"a\":[[1]]}", EBM_OK},
        {"{\"a\":[[[1]]]}", EBM_ERR_LIMIT},
        {"{\"a\":\"[[[[[{{{{\"}", EBM_OK},
        {"{\"a\":\"\\\"[[[[[\"}", EBM_OK},
        {"{\"a\\\\\":[[[1]]]}", EBM_ERR_LIMIT},
        {"{\"a\":[1,2,3,4,5,6,7]}", EBM_OK},
        {"{\"a\":[1,2,3,4,5,6,7,8]}", EBM_ERR_LIMIT},
        {"{\"a\":\",,,,,,,,,,,,,,,,,,\"}", EBM_OK},
        {"", EBM_ERR_FORMAT},
        {" {}", EBM_ERR_FORMAT},
        {"[]", EBM_ERR_FORMAT},
        {"{", EBM_ERR_FORMAT},
        {"{\"", EBM_ERR_FORMAT},
        {"{\"a\\", EBM_ERR_FORMAT},
        {"{}}", EBM_ERR_FORMAT},
        {"{}{}", EBM_ERR_FORMAT},
        {"}]}]{", EBM_ERR_FORMAT},
        {"{\"a\":1,\"a\":2}", EBM_ERR_FORMAT},
        {"{\"a\":{\"b\":1,\"b\":1}}", EBM_ERR_FORMAT},
        {"{\"a\":\"\xff\"}", EBM_ERR_FORMAT},
        {"{\"a\":\"\\u0000\"}", EBM_ERR_FORMAT},
        {"{\"a\":\"\\ud800\"}", EBM_ERR_FORMAT},
        {"{\"a\":01}", EBM_ERR_FORMAT},
        {"{\"a\":NaN}", EBM_ERR_FORMAT},
        {"{\"a\":1e999}", EBM_ERR_FORMAT},
        {"{\"a\":99999999999999999999}", EBM_ERR_FORMAT},
        {"{'a':1}", EBM_ERR_FORMAT},
        {"{\"a\":1,}", EBM_ERR_FORMAT},
        {"{\"a\":1}//", EBM_ERR_FORMAT},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ebm_error err;
        const ebm_status st = parse(cases[i].text, strlen(cases[i].text), 3, 9, &err);
        if (st != cases[i].status) {
            fail_msg("%s: %s", cases[i].text, ebm_status_name(st));
        }
        assert_true(st == EBM_OK || strcmp(err.where, "here") == 0);
    }
}

static void a_zero_byte_is_no_end(void **state)
{
    (void)state;
    ebm_error err;
    assert_int_equal(parse("{}\0", 3, 8, 100, &err), EBM_ERR_FORMAT);
    assert_int_equal(parse("{\"a\0\":1}", 8, 8, 100, &err), EBM_ERR_FORMAT);
}

static void the_error_has_a_place(void **state)
{
    (void)state;
    ebm_error err;
    assert_int_equal(parse("{\"a\":1,\n \"a\":2}", 15, 8, 100, &err), EBM_ERR_FORMAT);
    assert_non_null(strstr(err.text, "duplicate key at line 2"));
    assert_true(err.index > 8);
}

/* A million brackets cost a scan, not a stack. */
static void bombs(void **state)
{
    (void)state;
    ebm_error err;
    const size_t n = 1000000;
    char *text = malloc(n);
    assert_non_null(text);
    memset(text, '{', n);
    assert_int_equal(parse(text, n, 8, n, &err), EBM_ERR_LIMIT);
    memset(text, ',', n);
    text[0] = '{';
    assert_int_equal(parse(text, n, 8, 1000, &err), EBM_ERR_LIMIT);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outcomes),
        cmocka_unit_test(a_zero_byte_is_no_end),
        cmocka_unit_test(the_error_has_a_place),
        cmocka_unit_test(bombs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
