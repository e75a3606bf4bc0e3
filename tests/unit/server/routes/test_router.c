/* Routes: patterns, captures, methods, listeners. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "routes/router.h"

static void copy(const ebmd_capture *c, char out[64])
{
    size_t n = c->at && c->size < 64 ? c->size : 0;

    if (n > 0)
        memcpy(out, c->at, n);
    out[n] = '\0';
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
        {EBMD_ON_MAIN, EBMD_GET, "/", "/", "", 0},
        {EBMD_ON_ADMIN, EBMD_GET, "/", NULL, "", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t n;
        char capture[64];
        const ebmd_route *table = ebmd_routes(&n);
        ebmd_match m = ebmd_router_find(table, n, rows[i].listener, rows[i].method, rows[i].path);

        copy(&m.capture[0], capture);
        assert_string_equal(m.row ? m.row->pattern : "(none)",
                            rows[i].pattern ? rows[i].pattern : "(none)");
        assert_string_equal(capture, rows[i].capture);
        assert_int_equal(m.allowed, rows[i].allowed);
    }
}

/* A second name, with something behind it in its segment. */
static void two_names(void **state)
{
    static const char good[] = "/v1/jobs/a/images/7.png", image[] = "/v1/jobs/{id}/images/{k}.png";
    static const char *const bad[] = {"/v1/jobs/a/images/.png",   "/v1/jobs/a/images/7.pn",
                                      "/v1/jobs/a/images/7.png/", "/v1/jobs/a/images/7.jpg",
                                      "/v1/jobs/a/images//7.png", "/v1/jobs//images/7.png",
                                      "/v1/jobs/a/images/7",      "/v1/jobs/a/images/"};
    size_t n;
    const ebmd_route *table = ebmd_routes(&n);
    ebmd_match m = ebmd_router_find(table, n, EBMD_ON_MAIN, EBMD_GET, good);
    char first[64], second[64];

    (void)state;
    assert_non_null(m.row);
    copy(&m.capture[0], first);
    copy(&m.capture[1], second);
    assert_string_equal(m.row->pattern, image);
    assert_string_equal(first, "a");
    assert_string_equal(second, "7");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_null(ebmd_router_find(table, n, EBMD_ON_MAIN, EBMD_GET, bad[i]).row);
    m = ebmd_router_find(table, n, EBMD_ON_MAIN, EBMD_GET, "/v1/jobs/a/images/7.png.png");
    copy(&m.capture[1], second);
    assert_string_equal(second, "7.png");
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_table), cmocka_unit_test(two_names),
                                       cmocka_unit_test(allow_headers)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
