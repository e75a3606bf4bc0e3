/* The playground as a browser meets it: all files that the page asks for are there, none comes from
 * elsewhere, and the fields that it names are fields of the contract. What its scripts do is tested
 * in a browser by tests/browser. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "daemon_models.h"
#include "http_client.h"
#include "json_client.h"

#define FILES_MAX 32

static daemon_process d;

static int setup(void **state)
{
    (void)state;
    return daemon_prepare_tiny(&d) && daemon_start(&d, NULL) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return daemon_end(&d, 10000);
}

typedef struct files {
    size_t n;
    char path[FILES_MAX][64]; /* the page's first */
} files;

static void add_file(files *f, const char *name, size_t len)
{
    char path[64];

    assert_true(len > 0 && len < 40);
    snprintf(path, sizeof(path), "/playground/%.*s", (int)len, name);
    for (size_t i = 0; i < f->n; i++) {
        if (strcmp(f->path[i], path) == 0)
            return;
    }
    assert_true(f->n < FILES_MAX);
    memcpy(f->path[f->n++], path, sizeof(path));
}

/* Adds what stands between `before` and `end` everywhere in the text. */
static void add_all(files *f, const char *text, const char *before, char end)
{
    while ((text = strstr(text, before)) != NULL) {
        text += strlen(before);
        add_file(f, text, strcspn(text, (char[]){end, '\n', '\0'}));
    }
}

static void get(const char *path, const char *headers, http_reply *r)
{
    assert_true(http_call(d.port, "GET", path, headers, NULL, r));
}

/* Every file that the page asks for, and those that these ask for. */
static void collect(files *f)
{
    *f = (files){.n = 1};
    strcpy(f->path[0], "/");
    for (size_t i = 0; i < f->n; i++) {
        http_reply r;

        get(f->path[i], "", &r);
        if (r.status != 200)
            fail_msg("%s: %d", f->path[i], r.status);
        add_all(f, r.body, "\"playground/", '"');
        add_all(f, r.body, "from './", '\'');
        http_reply_clear(&r);
    }
}

static const char *type_of(const char *path)
{
    const char *end = strrchr(path, '.');

    if (!end)
        return "text/html; charset=utf-8";
    return strcmp(end, ".css") == 0 ? "text/css; charset=utf-8" : "text/javascript; charset=utf-8";
}

static void check_header(const http_reply *r, const char *name, const char *want)
{
    char value[512] = "";

    assert_non_null(http_header(r, name, value, sizeof(value)));
    if (!strstr(value, want))
        fail_msg("%s: %s", name, value);
}

static void all_files_are_there(void **state)
{
    files f;

    (void)state;
    collect(&f);
    assert_true(f.n >= 8); /* page, style, chart.js and the modules */
    for (size_t i = 0; i < f.n; i++) {
        http_reply r;

        get(f.path[i], "", &r);
        check_header(&r, "Content-Type", type_of(f.path[i]));
        check_header(&r, "Content-Security-Policy", "default-src 'none'");
        check_header(&r, "X-Content-Type-Options", "nosniff");
        http_reply_clear(&r);
    }
    assert_int_equal(http_get_status(d.port, "/playground/no.js"), 404);
    assert_int_equal(http_get_status(d.port, "/playground/"), 404);
    assert_int_equal(http_get_status(d.port, "/playground/../app.js"), 404);
    assert_int_equal(http_status(d.port, "POST", "/", "", ""), 405);
}

/* chart.js names its authors' address in a comment. */
static void nothing_comes_from_elsewhere(void **state)
{
    files f;

    (void)state;
    collect(&f);
    for (size_t i = 0; i < f.n; i++) {
        http_reply r;

        get(f.path[i], "", &r);
        if (strcmp(f.path[i], "/playground/chart.js") != 0 &&
            (strstr(r.body, "http:") || strstr(r.body, "https:") || strstr(r.body, "\"//")))
            fail_msg("%s", f.path[i]);
        http_reply_clear(&r);
    }
}

/* A browser keeps the files, but asks each time whether they are still the same. */
static void files_are_kept(void **state)
{
    char tag[80], headers[128];
    http_reply r;

    (void)state;
    get("/playground/app.js", "", &r);
    check_header(&r, "Cache-Control", "no-cache");
    assert_non_null(http_header(&r, "ETag", tag, sizeof(tag)));
    http_reply_clear(&r);
    snprintf(headers, sizeof(headers), "If-None-Match: %s\r\n", tag);
    get("/playground/app.js", headers, &r);
    assert_int_equal(r.status, 304);
    assert_int_equal(r.size, 0);
    http_reply_clear(&r);
    get("/playground/client.js", headers, &r);
    assert_int_equal(r.status, 200);
    http_reply_clear(&r);
}

/* Follows "a.b" through properties of properties. */
static json_t *property(json_t *schema, const char *name, size_t len)
{
    char copy[64], *rest = copy;

    assert_true(len < sizeof(copy));
    snprintf(copy, sizeof(copy), "%.*s", (int)len, name);
    for (char *part; (part = strtok_r(rest, ".", &rest)) != NULL;)
        schema = json_object_get(json_object_get(schema, "properties"), part);
    return schema;
}

/* The names in "shown: ['a', 'b']" of one operation are in its schema. Returns how many. */
static size_t check_shown(json_t *schema, const char *at)
{
    const char *end;
    size_t n = 0;

    at = strchr(strstr(at, "shown: "), '[');
    end = strchr(at, ']');
    while ((at = strchr(at, '\'')) != NULL && at < end) {
        size_t len = strcspn(at + 1, "'");

        if (!property(schema, at + 1, len))
            fail_msg("no field %.*s", (int)len, at + 1);
        at += len + 2;
        n++;
    }
    return n;
}

static void fields_are_in_the_contract(void **state)
{
    json_t *doc = json_call(d.port, "GET", "/openapi.json", NULL, 200);
    json_t *schemas = json_object_get(json_object_get(doc, "components"), "schemas");
    size_t operations = 0;
    const char *at;
    http_reply r;

    (void)state;
    get("/playground/app.js", "", &r);
    at = r.body;
    while ((at = strstr(at, "schema: '")) != NULL) {
        char name[64];

        at += strlen("schema: '");
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(at, "'"), at);
        if (!json_object_get(schemas, name))
            fail_msg("no schema %s", name);
        assert_true(check_shown(json_object_get(schemas, name), at) > 0);
        operations++;
    }
    assert_int_equal(operations, 5);
    http_reply_clear(&r);
    json_decref(doc);
}

static void it_can_be_switched_off(void **state)
{
    static const char *const more[] = {"--playground", "off", NULL};
    daemon_process other;

    (void)state;
    assert_true(daemon_prepare_tiny(&other) && daemon_start(&other, more));
    assert_int_equal(http_get_status(other.port, "/"), 404);
    assert_int_equal(http_get_status(other.port, "/playground/app.js"), 404);
    assert_int_equal(http_get_status(other.port, "/version"), 200);
    assert_int_equal(daemon_end(&other, 10000), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_files_are_there),    cmocka_unit_test(nothing_comes_from_elsewhere),
        cmocka_unit_test(files_are_kept),         cmocka_unit_test(fields_are_in_the_contract),
        cmocka_unit_test(it_can_be_switched_off),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
