/* Queries: what a route takes, and that everything else is refused with its name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fail_alloc.h"
#include "http/query.h"

static bool take_number(const char *value, void *out)
{
    return ebmd_query_whole(value, 100, out);
}

static bool take_text(const char *value, void *out)
{
    snprintf(out, EBMD_QUERY_VALUE_MAX, "%s", value);
    return true;
}

static ebmd_request *make_request(const char *target)
{
    ebm_arena *arena = ebm_arena_create(65536);
    ebmd_request *r = arena ? ebm_arena_alloc(arena, 1, sizeof(*r)) : NULL;

    if (!r) {
        ebm_arena_free(arena);
        return NULL;
    }
    r->arena = arena;
    r->head.target = target;
    return r;
}

static void queries(void **state)
{
    static const struct {
        const char *target;
        bool good;
        int64_t n;
        const char *text; /* the parameter, or what the refusal must name */
    } rows[] = {{"/x", true, -1, ""},
                {"/x?", true, -1, ""},
                {"/x?&&", true, -1, ""},
                {"/x?n=7", true, 7, ""},
                {"/x?n=100&t=a", true, 100, "a"},
                {"/x?t=a%20b%2Bc+d", true, -1, "a b+c+d"},
                {"/x?%74=1=2", true, -1, "1=2"},
                {"/x?t=", true, -1, ""},
                {"/x?n=101", false, 0, "\"/n\",\"detail\":\"must be small\""},
                {"/x?n=1x", false, 0, "\"/n\""},
                {"/x?n=", false, 0, "\"/n\""},
                {"/x?n", false, 0, "\"/n\""},
                {"/x?n=1&n=1", false, 0, "\"repeated\""},
                {"/x?m=1", false, 0, "\"/m\",\"detail\":\"this route has no such parameter\""},
                {"/x?m~/=1", false, 0, "\"/m~0~1\""},
                {"/x?t=%", false, 0, "\"/t\""},
                {"/x?t=%4", false, 0, "\"/t\""},
                {"/x?t=%4g", false, 0, "\"/t\""},
                {"/x?t=a%00b", false, 0, "\"/t\""},
                {"/x?n=x&m=1", false, 0, "\"/m\""}, /* both are told */
                {"/x?m=1&n=x", false, 0, "\"/n\""}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t n = -1;
        char text[EBMD_QUERY_VALUE_MAX] = "";
        const ebmd_query_row known[] = {{"n", "must be small", take_number, &n},
                                        {"t", "must be a text", take_text, text}};
        ebmd_request *r = make_request(rows[i].target);

        if (ebmd_query_read(r, known, 2) != rows[i].good)
            fail_msg("%s", rows[i].target);
        if (rows[i].good) {
            assert_int_equal(n, rows[i].n);
            assert_string_equal(text, rows[i].text);
        } else {
            assert_int_equal(r->reply.status, 422);
            if (!strstr(r->reply.body, rows[i].text))
                fail_msg("%s: %s", rows[i].target, r->reply.body);
        }
        ebmd_request_free(r);
    }
}

/* One byte below the limit, at it, above it. */
static void long_values(void **state)
{
    char target[EBMD_QUERY_VALUE_MAX + 16] = "/x?t=";

    (void)state;
    for (size_t n = EBMD_QUERY_VALUE_MAX - 2; n <= EBMD_QUERY_VALUE_MAX; n++) {
        char text[EBMD_QUERY_VALUE_MAX];
        const ebmd_query_row known[] = {{"t", "must be short", take_text, text}};
        ebmd_request *r = make_request(target);

        memset(target + 5, 'a', n);
        target[5 + n] = '\0';
        assert_int_equal(ebmd_query_read(r, known, 1), n < EBMD_QUERY_VALUE_MAX);
        ebmd_request_free(r);
    }
}

static void without_memory(void **state)
{
    (void)state;
    FOR_EACH_ALLOC_FAILURE
    {
        ebmd_request *r = make_request("/x?a=1&b=2");

        if (r) {
            assert_false(ebmd_query_read(r, NULL, 0));
            assert_int_equal(r->reply.status, 422);
            ebmd_request_free(r);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queries),
        cmocka_unit_test(long_values),
        cmocka_unit_test(without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
