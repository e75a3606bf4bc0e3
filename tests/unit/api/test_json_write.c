/* Documents as bytes: what was read is written as it was spelt, whatever else stands beside it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api_internal.h"
#include "fail_alloc.h"

/* 0.1 + 0.2 needs 17 digits, its neighbours do not. */
static const char spelt[] =
    "{\"b\":[0.1,0.30000000000000004,1.5e300,-3.0,2e-7,0.0],\"a\":{},\"\":[],"
    "\"\\\"\\n\u00e4\":[true,false,null,9007199254740991,\"\\u0001/\"],\"c\":{\"d\":{\"e\":0.99}}}";

static void as_it_was_spelt(void **state)
{
    char *text;
    size_t size;

    (void)state;
    assert_int_equal(ebma__json_write(json_loads(spelt, 0, NULL), &text, &size, NULL), EBM_OK);
    assert_string_equal(text, spelt);
    assert_int_equal(size, strlen(spelt));
    ebm_free(text);
}

/* Longer than the first room, and longer than twice as much as was there. */
static void long_texts(void **state)
{
    const size_t n = 100000;
    char *inside = malloc(n + 1), *text;
    json_t *list = json_array();
    size_t size;

    (void)state;
    memset(inside, 'x', n);
    inside[n] = '\0';
    for (int i = 0; i < 3; i++)
        assert_int_equal(json_array_append_new(list, json_string(inside)), 0);
    assert_int_equal(ebma__json_write(list, &text, &size, NULL), EBM_OK);
    assert_int_equal(size, 3 * (n + 2) + 4);
    assert_int_equal(strlen(text), size);
    assert_memory_equal(text + 2, inside, n);
    ebm_free(text);
    free(inside);
}

static void canonical(void **state)
{
    static const char one[] = "{\"b\": 0.1, \"a\": {\"d\": 1, \"c\": 2}}";
    static const char other[] = "{\"a\":{\"c\":2,\"d\":1},\"b\":1e-1}";
    char *a, *b;
    size_t size;

    (void)state;
    assert_int_equal(ebma_body_canonical(one, strlen(one), &a, &size, NULL), EBM_OK);
    assert_int_equal(ebma_body_canonical(other, strlen(other), &b, &size, NULL), EBM_OK);
    assert_string_equal(a, b);
    ebm_free(a);
    ebm_free(b);
}

static void without_memory(void **state)
{
    (void)state;
    FOR_EACH_ALLOC_FAILURE
    {
        json_t *list = json_pack("[s, s]", "0123456789", "0123456789");
        char *text = NULL;
        size_t size;
        ebm_status st = EBM_OK;

        for (int i = 0; i < 100; i++)
            (void)!json_array_append_new(list, json_real(0.1));
        for (int i = 0; i < 1000; i++)
            (void)!json_array_append_new(list, json_integer(i));
        st = ebma__json_write(list, &text, &size, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        ebm_free(text);
    }
    assert_int_equal(ebma__json_write(NULL, &(char *){NULL}, &(size_t){0}, NULL), EBM_ERR_NOMEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_it_was_spelt),
        cmocka_unit_test(long_texts),
        cmocka_unit_test(canonical),
        cmocka_unit_test(without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
