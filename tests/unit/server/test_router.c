/* Routes: patterns, captures, methods, listeners. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "router.h"

static const ebmd_route *find(unsigned listener, ebmd_method method, const char *path,
                              unsigned *allowed, char *capture)
{
    size_t n, len;
    const char *part;
    const ebmd_route *table = ebmd_routes(&n);
    const ebmd_route *row =
        ebmd_router_find(table, n, listener, method, path, allowed, &part, &len);

    capture[0] = '\0';
    if (part && len < 64) {
        memcpy(capture, part, len);
        capture[len] = '\0';
    }
    return row;
}

static void the_table(void **state)
{
    static const struct {
        unsigned listener;
        ebmd_method method;
        const char *path;
        const char *pattern; /* NULL: none */
        const char *capture;
        unsigned allowed;
    } rows[] = {
        {EBMD_ON_MAIN, EBMD_GET, "/healthz", "/healthz", "", 0},
        {EBMD_ON_ADMIN, EBMD_HEAD, "/healthz", "/healthz", "", 0},
        {EBMD_ON_MAIN, EBMD_GET, "/healthz?x=1", "/healthz", "", 0},
        {EBMD_ON_MAIN, EBMD_GET, "/healthz/", NULL, "", 0},
        {EBMD_ON_MAIN, EBMD_GET, "/health", NULL, "", 0},
        {EBMD_ON_MAIN, EBMD_GET, "/startupz", NULL, "", 0},
        {EBMD_ON_ADMIN, EBMD_GET, "/startupz", "/startupz", "", 0},
        {EBMD_ON_ADMIN, EBMD_POST, "/v1/sample", NULL, "", 0},
        {EBMD_ON_MAIN, EBMD_POST, "/v1/sample", "/v1/sample", "", 0},
        {EBMD_ON_MAIN, EBMD_POST, "/sample", "/sample", "", 0},
        {EBMD_ON_MAIN, EBMD_GET, "/sample", NULL, "", EBMD_POST | EBMD_OPTIONS},
        {EBMD_ON_MAIN, EBMD_OTHER, "/sample", NULL, "", EBMD_POST | EBMD_OPTIONS},
        {EBMD_ON_MAIN, EBMD_POST, "/v1/models", NULL, "", EBMD_GET | EBMD_HEAD | EBMD_OPTIONS},
        {EBMD_ON_MAIN, EBMD_GET, "/v1/models/a-b", "/v1/models/{id}", "a-b", 0},
        {EBMD_ON_MAIN, EBMD_GET, "/v1/models/", NULL, "", 0},
        {EBMD_ON_MAIN, EBMD_GET, "/v1/models/a/b", NULL, "", 0},
        {EBMD_ON_MAIN, EBMD_GET, "/v1/jobs/x?y", "/v1/jobs/{id}", "x", 0},
        {EBMD_ON_MAIN, EBMD_GET, "/", NULL, "", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unsigned allowed;
        char capture[64];
        const ebmd_route *row =
            find(rows[i].listener, rows[i].method, rows[i].path, &allowed, capture);

        assert_string_equal(row ? row->pattern : "(none)",
                            rows[i].pattern ? rows[i].pattern : "(none)");
        assert_string_equal(capture, rows[i].capture);
        assert_int_equal(allowed, rows[i].allowed);
    }
}

static void allow_headers(void **state)
{
    char text[64];

    (void)state;
    ebmd_router_allow(EBMD_GET | EBMD_HEAD | EBMD_POST | EBMD_OPTIONS, text);
    assert_string_equal(text, "GET, HEAD, POST, OPTIONS");
    ebmd_router_allow(0, text);
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_table),
                                       cmocka_unit_test(allow_headers)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
