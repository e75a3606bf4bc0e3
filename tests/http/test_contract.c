/* Replies of a running daemon against the OpenAPI document that it serves: the same members, both
 * ways, and values of the types it names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "daemon_metrics.h"
#include "daemon_models.h"
#include "http_client.h"
#include "job_client.h"
#include "json_client.h"

#define SERIES_MAX                                                                                 \
    1000 /* of a fixed table of routes, statuses, kinds; nothing a client sends adds one */

static daemon_process d;
static json_t *doc;

static int setup(void **state)
{
    (void)state;
    if (!daemon_prepare_tiny(&d) || !daemon_start(&d, NULL))
        return -1;
    doc = json_call(d.port, "GET", "/openapi.json", NULL, 200);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    json_decref(doc);
    return daemon_end(&d, 10000);
}

static json_t *schema_named(const char *name)
{
    json_t *components = json_object_get(doc, "components");

    return json_object_get(json_object_get(components, "schemas"), name);
}

static json_t *resolve(json_t *schema)
{
    const char *ref = json_string_value(json_object_get(schema, "$ref"));

    return ref ? schema_named(strrchr(ref, '/') + 1) : schema;
}

static bool fits(const char *type, const json_t *value)
{
    if (strcmp(type, "number") == 0)
        return json_is_number(value);
    return (strcmp(type, "string") == 0 && json_is_string(value)) ||
           (strcmp(type, "integer") == 0 && json_is_integer(value)) ||
           (strcmp(type, "boolean") == 0 && json_is_boolean(value)) ||
           (strcmp(type, "object") == 0 && json_is_object(value)) ||
           (strcmp(type, "array") == 0 && json_is_array(value)) ||
           (strcmp(type, "null") == 0 && json_is_null(value));
}

static bool type_fits(json_t *type, const json_t *value)
{
    json_t *one;
    size_t i;

    if (json_is_string(type))
        return fits(json_string_value(type), value);
    json_array_foreach(type, i, one)
    {
        if (fits(json_string_value(one), value))
            return true;
    }
    return !type;
}

static bool listed(json_t *list, const json_t *value)
{
    json_t *one;
    size_t i;

    json_array_foreach(list, i, one)
    {
        if (json_equal(one, value))
            return true;
    }
    return !list;
}

/* Members that are there only sometimes. */
static bool optional(const char *name)
{
    static const char *const names[] = {"b64_json",
                                        "url",
                                        "metadata",
                                        "errors",
                                        "min",
                                        "max",
                                        "priority",
                                        "timeout_s",
                                        "cancel_requested",
                                        "forked",
                                        "models",
                                        "ensemble",
                                        "sheet",
                                        "animation",
                                        "mask_coverage",
                                        "levels",
                                        "percentiles",
                                        "score",
                                        "ood_percentile",
                                        "gradient",
                                        "comparable_within",
                                        "calibration",
                                        "ais",
                                        "recovery",
                                        "log_partition_forward",
                                        "log_partition_reverse",
                                        "log_partition_top",
                                        "diagnostics",
                                        "drift",
                                        "snapshots",
                                        "snapshot_steps",
                                        "steps",
                                        "level",
                                        "accept_rate",
                                        "step_size",
                                        "owner",
                                        "preview",
                                        "energy_mean",
                                        "images"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], name) == 0)
            return true;
    }
    return false;
}

static void check(const char *where, json_t *schema, json_t *value);

static void check_members(json_t *schema, json_t *value)
{
    json_t *properties = json_object_get(schema, "properties"), *member;
    const char *name;

    if (!properties)
        return;
    json_object_foreach(value, name, member)
    {
        json_t *one = json_object_get(properties, name);

        if (!one)
            fail_msg("%s is not described", name);
        check(name, one, member);
    }
    json_object_foreach(properties, name, member)
    {
        if (!optional(name) && !json_object_get(value, name))
            fail_msg("%s is described and does not come", name);
    }
}

/* True if each member of the value has a property of the schema: that is the one of several. */
static bool knows_all(json_t *schema, json_t *value)
{
    const char *name;
    json_t *member;

    json_object_foreach(value, name, member)
    {
        if (!json_object_get(json_object_get(schema, "properties"), name))
            return false;
    }
    return true;
}

static void check(const char *where, json_t *schema, json_t *value)
{
    json_t *constant, *one;
    size_t i;

    schema = resolve(schema);
    if (json_object_get(schema, "oneOf") && json_is_null(value))
        return;
    json_array_foreach(json_object_get(schema, "oneOf"), i, one)
    {
        if (knows_all(resolve(one), value)) {
            check(where, one, value);
            return;
        }
    }
    constant = json_object_get(schema, "const");
    if (!type_fits(json_object_get(schema, "type"), value) ||
        !listed(json_object_get(schema, "enum"), value) ||
        (constant && !json_equal(constant, value)))
        fail_msg("%s is not what the document says", where);
    if (json_is_object(value))
        check_members(schema, value);
    json_array_foreach(value, i, one) check(where, json_object_get(schema, "items"), one);
}

/* Eight by eight white pixels as a PNG file. */
#define WHITE                                                                                      \
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAAAAADhZOFXAAAADklEQVR4nGP4DwUMlDEA98A/wbI0QbsAAAAASUVORK5"  \
    "CYII="

static void replies(void **state)
{
    static const struct {
        const char *method, *path, *body;
        int status;
        const char *schema;
    } rows[] = {
        {"GET", "/healthz", NULL, 200, "Live"},
        {"GET", "/readyz", NULL, 200, "Ready"},
        {"GET", "/version", NULL, 200, "Version"},
        {"GET", "/v1/models", NULL, 200, "ModelList"},
        {"GET", "/v1/models/tiny", NULL, 200, "Model"},
        {"POST", "/v1/sample", "{\"n\":2}", 200, "Job"},
        {"POST", "/sample", "{\"response_format\":\"none\",\"seed\":3}", 200, "Job"},
        {"POST", "/v1/sample", "{\"n\":2,\"sheet\":true,\"model\":\"tiny:0.5\"}", 200, "Job"},
        {"POST", "/v1/sample", "{\"progressive\":true,\"animation\":true}", 200, "Job"},
        {"POST", "/v1/interpolate", "{\"frames\":3,\"from\":{\"seed\":1}}", 200, "Job"},
        {"POST", "/v1/energy", "{\"gradient\":true,\"images\":[\"" WHITE "\"]}", 200, "Job"},
        {"POST", "/v1/mcmc", "{\"steps\":20,\"sampler\":\"mala\",\"keep\":2}", 200, "Job"},
        {"POST", "/v1/likelihood",
         "{\"particles\":2,\"temperatures\":2,\"images\":[\"" WHITE "\"]}", 200, "Job"},
        {"POST", "/v1/sample", "{\"n\":0,\"nn\":1,\"model\":7}", 422, "Problem"},
        {"POST", "/v1/sample", "{", 400, "Problem"},
        {"GET", "/v1/jobs", NULL, 200, "JobList"},
        {"GET", "/v1/queue", NULL, 200, "Queue"},
        {"GET", "/v1/capabilities", NULL, 200, "Capabilities"},
        {"GET", "/v1/jobs?limit=x&nope=1", NULL, 422, "Problem"},
        {"GET", "/v1/models/none", NULL, 404, "Problem"},
        {"GET", "/v1/jobs/none", NULL, 404, "Problem"},
        {"GET", "/none", NULL, 404, "Problem"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        json_t *value =
            json_call(d.port, rows[i].method, rows[i].path, rows[i].body, rows[i].status);

        assert_non_null(schema_named(rows[i].schema));
        check(rows[i].path, schema_named(rows[i].schema), value);
        json_decref(value);
    }
}

/* A job that is fetched later is the object that was answered. */
static void a_stored_job(void **state)
{
    json_t *made = json_call(d.port, "POST", "/v1/sample", "{\"seed\":5}", 200), *stored;
    char path[128];

    (void)state;
    snprintf(path, sizeof(path), "/v1/jobs/%s", json_string_value(json_object_get(made, "id")));
    stored = json_call(d.port, "GET", path, NULL, 200);
    check(path, schema_named("Job"), stored);
    assert_true(json_equal(made, stored));
    json_decref(stored);
    json_decref(made);
}

static json_t *reply_schema(const char *path, const char *method)
{
    static const char *const way[] = {"responses", "200", "content", "application/json", "schema"};
    json_t *at = json_object_get(json_object_get(json_object_get(doc, "paths"), path), method);

    for (size_t i = 0; i < sizeof(way) / sizeof(way[0]); i++)
        at = json_object_get(at, way[i]);
    assert_non_null(at);
    return at;
}

static void check_diagnostics(const char *id, bool known)
{
    json_t *schema = reply_schema("/v1/chains/{id}/diagnostics", "get"), *told;
    char path[128];

    snprintf(path, sizeof(path), "/v1/chains/%s/diagnostics", id);
    told = json_call(d.port, "GET", path, NULL, 200);
    assert_int_equal(json_is_object(json_object_get(told, "diagnostics")), known);
    assert_true(json_object_get(schema, "properties") != NULL);
    check(path, schema, told);
    json_decref(told);
}

/* Chains tell nothing while they wait, and a lot at the end. */
static void diagnostics(void **state)
{
    char id[64] = "";

    (void)state;
    assert_int_equal(http_status(d.admin, "POST", "/v1/admin/pause", "", NULL), 200);
    job_begin(d.port, "/v1/mcmc", "{\"steps\":20}", id);
    check_diagnostics(id, false);
    assert_int_equal(http_status(d.admin, "POST", "/v1/admin/resume", "", NULL), 200);
    json_decref(job_end(d.port, id));
    check_diagnostics(id, true);
}

/* Jobs of every kind can be watched from the request on. */
static void streams(void **state)
{
    static const struct {
        const char *path, *body;
    } rows[] = {{"/v1/sample?preview_every=1", "{}"},
                {"/v1/energy?preview_every=1", "{\"images\":[\"" WHITE "\"]}"},
                {"/v1/mcmc?preview_every=1", "{\"steps\":20}"},
                {"/v1/likelihood?preview_every=1",
                 "{\"particles\":2,\"temperatures\":2,\"images\":[\"" WHITE "\"]}"}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char type[64] = "";
        http_reply r;

        assert_true(http_call(d.port, "POST", rows[i].path,
                              "Content-Type: application/json\r\nAccept: text/event-stream\r\n",
                              rows[i].body, &r));
        assert_int_equal(r.status, 200);
        assert_non_null(http_header(&r, "Content-Type", type, sizeof(type)));
        assert_int_equal(strncmp(type, "text/event-stream", 17), 0);
        http_reply_clear(&r);
    }
}

static void expect_status(const char *method, const char *path, int status)
{
    http_reply r;

    assert_true(http_call(d.port, method, path, "", NULL, &r));
    if (r.status != status)
        fail_msg("%s %s: %d", method, path, r.status);
    http_reply_clear(&r);
}

/* Every link leads somewhere. */
static void links(void **state)
{
    json_t *job = json_call(d.port, "POST", "/v1/sample", "{\"n\":2}", 200);
    json_t *list = json_object_get(job, "links");
    const char *images = json_string_value(json_object_get(list, "images"));
    char path[128];

    (void)state;
    expect_status("GET", json_string_value(json_object_get(list, "self")), 200);
    expect_status("POST", json_string_value(json_object_get(list, "cancel")), 200);
    expect_status("HEAD", json_string_value(json_object_get(list, "events")), 200);
    for (int k = 0; k < 3; k++) {
        snprintf(path, sizeof(path), "%.*s%d.png", (int)strcspn(images, "{"), images, k);
        expect_status("GET", path, k < 2 ? 200 : 404);
    }
    json_decref(job);
    job = json_call(d.port, "POST", "/v1/energy", "{\"images\":[\"" WHITE "\"]}", 200);
    assert_null(json_object_get(json_object_get(job, "links"), "images"));
    json_decref(job);
}

/* Puts "x" in the place of each {name}. */
static void fill_names(const char *pattern, char path[128])
{
    size_t n = 0;

    for (const char *c = pattern; *c && n < 127; c++) {
        path[n++] = *c == '{' ? 'x' : *c;
        if (*c == '{')
            c = strchr(c, '}');
    }
    path[n] = '\0';
}

/* G24: after every route has been asked for, known and unknown things, the metrics are clean, and
 * there are no more series than there ever will be. */
static void metrics_of_everything(void **state)
{
    json_t *paths = json_object_get(doc, "paths"), *methods, *one;
    static const char *const admin[] = {"/healthz", "/readyz", "/startupz", "/metrics",
                                        "/v1/slots"};
    const char *pattern, *method;
    char path[128];
    size_t series;

    (void)state;
    json_object_foreach(paths, pattern, methods)
    {
        json_object_foreach(methods, method, one)
        {
            http_reply r;

            fill_names(pattern, path);
            assert_true(http_call(d.port, strcmp(method, "get") == 0 ? "GET" : "POST", path,
                                  "Content-Type: application/json\r\n", "x", &r));
            http_reply_clear(&r);
        }
    }
    for (size_t i = 0; i < sizeof(admin) / sizeof(admin[0]); i++)
        assert_int_equal(http_get_status(d.admin, admin[i]), 200);
    assert_true(daemon_metrics_clean(&d, &series));
    print_message("%zu series\n", series);
    assert_in_range(series, 100, SERIES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies),     cmocka_unit_test(a_stored_job),
        cmocka_unit_test(diagnostics), cmocka_unit_test(streams),
        cmocka_unit_test(links),       cmocka_unit_test(metrics_of_everything),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
