/* The OpenAPI document against the tables it describes, both ways: routes, statuses, parameters
 * with their bounds, problem codes; and that nothing in it points nowhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "ebma/op_request.h"
#include "kinds/kind.h"
#include "routes/router.h"

static json_t *doc;

static int load(void **state)
{
    size_t size;
    const char *text = ebma_openapi(&size);
    json_error_t e;

    (void)state;
    doc = json_loadb(text, size, JSON_REJECT_DUPLICATES, &e);
    if (!doc)
        print_error("line %d: %s\n", e.line, e.text);
    return doc ? 0 : -1;
}

static int unload(void **state)
{
    (void)state;
    json_decref(doc);
    return 0;
}

/* Follows "#/a/b~1c" from the root; NULL if it leads nowhere. */
static json_t *follow(const char *ref)
{
    json_t *at = ref[0] == '#' ? doc : NULL;

    for (ref += 1; at && *ref == '/';) {
        size_t n = strcspn(ref + 1, "/"), k = 0;
        char name[128];

        for (size_t i = 1; i <= n && k + 1 < sizeof(name); i++) {
            bool escape = ref[i] == '~' && i < n;

            name[k++] = escape ? (ref[++i] == '1' ? '/' : '~') : ref[i];
        }
        name[k] = '\0';
        at = json_object_get(at, name);
        ref += n + 1;
    }
    return at;
}

static json_t *resolve(json_t *value)
{
    json_t *ref = json_object_get(value, "$ref");

    return ref ? follow(json_string_value(ref)) : value;
}

static void check_refs(const json_t *value)
{
    const char *key;
    json_t *member;
    size_t i;

    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        if (strcmp(key, "$ref") == 0 && !follow(json_string_value(member)))
            fail_msg("%s leads nowhere", json_string_value(member));
        check_refs(member);
    }
    json_array_foreach(value, i, member) check_refs(member);
}

static void references(void **state)
{
    (void)state;
    assert_string_equal(json_string_value(json_object_get(doc, "openapi")), "3.1.0");
    assert_string_equal(json_string_value(follow("#/info/version")), EBMD_VERSION);
    check_refs(doc);
}

static json_t *operation(const char *path, const char *method)
{
    return json_object_get(resolve(json_object_get(json_object_get(doc, "paths"), path)), method);
}

/* Methods that OpenAPI names and we have rows for. */
static const struct {
    const char *name;
    ebmd_method method;
} methods[] = {{"get", EBMD_GET},
               {"post", EBMD_POST},
               {"delete", EBMD_DELETE},
               {"put", EBMD_OTHER},
               {"patch", EBMD_OTHER}};
#define N_METHODS (sizeof(methods) / sizeof(methods[0]))

static void every_route_is_described(void **state)
{
    size_t n;
    const ebmd_route *rows = ebmd_routes(&n);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        for (size_t m = 0; m < N_METHODS; m++) {
            bool there = (rows[i].flags & EBMD_ON_MAIN) && (rows[i].methods & methods[m].method);

            /* what only the operator sees is not told */
            if (there != (operation(rows[i].pattern, methods[m].name) != NULL))
                fail_msg("%s %s", methods[m].name, rows[i].pattern);
        }
    }
}

/* Methods of the document that have no row. */
static void every_description_has_a_route(void **state)
{
    const char *path;
    json_t *item;
    size_t n;
    const ebmd_route *rows = ebmd_routes(&n);

    (void)state;
    json_object_foreach(json_object_get(doc, "paths"), path, item)
    {
        for (size_t m = 0; m < N_METHODS; m++) {
            const ebmd_route *row;

            if (!json_object_get(resolve(item), methods[m].name))
                continue;
            row = ebmd_router_find(rows, n, EBMD_ON_MAIN, methods[m].method, path).row;
            if (!row || strcmp(row->pattern, path) != 0)
                fail_msg("%s %s has no route", methods[m].name, path);
        }
    }
}

/* Clients that are generated call their functions so. */
static void operation_ids(void **state)
{
    json_t *seen = json_object(), *item;
    const char *path;

    (void)state;
    json_object_foreach(json_object_get(doc, "paths"), path, item)
    {
        for (size_t m = 0; m < N_METHODS; m++) {
            const json_t *op = operation(path, methods[m].name);
            const char *id = json_string_value(json_object_get(op, "operationId"));

            if (op && (!id || json_object_get(seen, id)))
                fail_msg("%s %s: %s is there twice", methods[m].name, path, id ? id : "no id");
            if (op)
                json_object_set_new(seen, id, json_true());
        }
    }
    json_decref(seen);
}

/* What the flags of a row make possible. */
static bool possible(const ebmd_route *row, ebmd_method method, int status)
{
    bool closed = !(row->flags & EBMD_IS_PUBLIC), work = (row->flags & EBMD_IS_WORK) != 0;
    static const int of_work[] = {400, 404, 406, 413, 415, 422, 429, 500, 503};

    for (size_t i = 0; work && i < sizeof(of_work) / sizeof(of_work[0]); i++) {
        if (of_work[i] == status)
            return true;
    }
    return status == (method == EBMD_DELETE ? 204 : 200) ||
           (closed && (status == 401 || status == 403 || status == 429)) ||
           (status == 404 && strchr(row->pattern, '{'));
}

static bool known_status(int status)
{
    for (int c = EBMA_OK + 1; c < EBMA_PROBLEM_COUNT; c++) {
        if (ebma_problem_describe((ebma_problem_code)c)->status == status)
            return true;
    }
    return status == 200 || status == 202 || status == 204 || status == 304 || status == 409 ||
           status == 410;
}

static void check_responses(const ebmd_route *row, size_t m)
{
    json_t *op = operation(row->pattern, methods[m].name), *response;
    json_t *responses = json_object_get(op, "responses");
    const char *name;

    for (int status = 200; status < 600; status++) {
        char text[8];

        snprintf(text, sizeof(text), "%d", status);
        if (possible(row, methods[m].method, status) && !json_object_get(responses, text))
            fail_msg("%s: %d is not described", row->pattern, status);
    }
    json_object_foreach(responses, name, response)
    {
        if (strcmp(name, "default") != 0 && !known_status(atoi(name)))
            fail_msg("%s: %s cannot come", row->pattern, name);
    }
    assert_non_null(json_object_get(responses, "default"));
    /* an empty list: nobody is asked for a key */
    if ((json_array_size(json_object_get(op, "security")) == 0) !=
        ((row->flags & EBMD_IS_PUBLIC) != 0))
        fail_msg("%s: security", row->pattern);
}

/* Work of any kind can be streamed, with what a stream may be asked for. */
static void check_streams(const ebmd_route *row)
{
    json_t *op = operation(row->pattern, "post"), *one;
    json_t *reply = resolve(json_object_get(json_object_get(op, "responses"), "200"));
    bool found = false;
    size_t i;

    if (!json_object_get(json_object_get(reply, "content"), "text/event-stream"))
        fail_msg("%s: streams are not described", row->pattern);
    json_array_foreach(json_object_get(op, "parameters"), i, one)
    {
        const char *name = json_string_value(json_object_get(resolve(one), "name"));

        found = found || strcmp(name, "preview_every") == 0;
    }
    if (!found)
        fail_msg("%s: preview_every is not described", row->pattern);
}

static void streams(void **state)
{
    size_t n;
    const ebmd_route *rows = ebmd_routes(&n);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        if ((rows[i].flags & EBMD_ON_MAIN) && (rows[i].flags & EBMD_IS_WORK))
            check_streams(&rows[i]);
    }
}

static void statuses(void **state)
{
    size_t n;
    const ebmd_route *rows = ebmd_routes(&n);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        for (size_t m = 0; m < N_METHODS; m++) {
            if ((rows[i].flags & EBMD_ON_MAIN) && (rows[i].methods & methods[m].method))
                check_responses(&rows[i], m);
        }
    }
}

static bool type_is(json_t *schema, const char *name)
{
    json_t *type = json_object_get(schema, "type"), *one;
    size_t i;

    if (json_is_string(type))
        return strcmp(json_string_value(type), name) == 0;
    json_array_foreach(type, i, one)
    {
        if (strcmp(json_string_value(one), name) == 0)
            return true;
    }
    return false;
}

static void check_number(json_t *schema, const ebm_param *p)
{
    bool preset = p->preset >= p->min;
    double min = p->type == EBM_PARAM_SEED ? -1.0 : p->min;

    assert_true(type_is(schema, p->type == EBM_PARAM_REAL ? "number" : "integer"));
    assert_true(json_number_value(json_object_get(schema, "minimum")) == min);
    assert_true(json_number_value(json_object_get(schema, "maximum")) == p->max);
    if (preset && p->type != EBM_PARAM_SEED)
        assert_true(json_number_value(json_object_get(schema, "default")) == p->preset);
    else
        assert_true(type_is(schema, "null") && !json_object_get(schema, "default"));
}

static void check_choices(json_t *schema, const ebm_param *p)
{
    char all[128] = "";
    json_t *one, *list = json_object_get(schema, "enum");
    size_t i;

    json_array_foreach(list, i, one) snprintf(all + strlen(all), sizeof(all) - strlen(all),
                                              i ? "|%s" : "%s", json_string_value(one));
    assert_string_equal(all, p->choices);
    assert_string_equal(json_string_value(json_object_get(schema, "default")),
                        json_string_value(json_array_get(list, 0)));
}

/* The schema of a row, which may lie in an object; NULL: there is none. */
static json_t *schema_of(json_t *all, const ebm_param *p)
{
    const char *point = strchr(p->name, '.');
    char group[32] = "";
    json_t *object;

    if (!point)
        return json_object_get(all, p->name);
    memcpy(group, p->name, (size_t)(point - p->name));
    object = json_object_get(all, group);
    assert_true(json_is_false(json_object_get(object, "additionalProperties")));
    return json_object_get(json_object_get(object, "properties"), point + 1);
}

/* What no schema tells: that each id comes once. */
static void check_models(json_t *schema)
{
    json_t *items = json_object_get(schema, "items");
    json_t *all = json_object_get(items, "properties"), *weight = json_object_get(all, "weight");

    assert_true(type_is(schema, "string") && type_is(schema, "array"));
    assert_int_equal(json_integer_value(json_object_get(schema, "minItems")), 1);
    assert_int_equal(json_integer_value(json_object_get(schema, "maxItems")),
                     EBM_COMPOSE_MAX_PARTS);
    assert_true(json_is_false(json_object_get(items, "additionalProperties")));
    assert_int_equal(json_object_size(all), 2);
    assert_int_equal(json_integer_value(json_object_get(weight, "minimum")), -100);
    assert_int_equal(json_integer_value(json_object_get(weight, "maximum")), 100);
    assert_true(json_is_integer(json_object_get(json_object_get(weight, "not"), "const")));
}

static void check_row(json_t *schema, const ebm_param *p)
{
    assert_string_equal(json_string_value(json_object_get(schema, "description")), p->help);
    switch (p->type) {
    case EBM_PARAM_CHOICE:
        check_choices(schema, p);
        break;
    case EBM_PARAM_MODEL:
        check_models(schema);
        break;
    case EBM_PARAM_BOOL:
        assert_true(type_is(schema, "boolean"));
        break;
    case EBM_PARAM_IMAGE:
        assert_true(type_is(schema, ebma_row_is_list(p) ? "array" : "string"));
        break;
    case EBM_PARAM_OBJECT:
        assert_true(type_is(schema, "object") && type_is(schema, "null"));
        break;
    default:
        check_number(schema, p);
    }
}

/* Fields of a schema, those of its objects counted one by one. */
static size_t count_fields(json_t *all)
{
    const char *name;
    json_t *one;
    size_t n = 0;

    json_object_foreach(all, name, one)
    {
        json_t *inner = json_object_get(one, "properties");

        n += inner ? json_object_size(inner) : 1;
    }
    return n;
}

static void check_request(const char *schema_name, ebm_op_kind kind)
{
    ebma_table table = ebma_op_table(kind);
    json_t *schema = json_object_get(follow("#/components/schemas"), schema_name);
    json_t *all = json_object_get(schema, "properties");

    assert_true(json_is_false(json_object_get(schema, "additionalProperties")));
    assert_int_equal(count_fields(all), table.n);
    for (size_t i = 0; i < table.n; i++) {
        json_t *one = schema_of(all, table.row[i]);

        if (!one)
            fail_msg("%s: %s is not described", schema_name, table.row[i]->name);
        check_row(one, table.row[i]);
    }
}

/* Every kind of job has a route, and the route's body is described by the kind's table. */
static void parameters(void **state)
{
    (void)state;
    for (int k = EBM_OP_SAMPLE; k <= EBM_OP_LIKELIHOOD; k++) {
        const char *name = ebm_operation_of((ebm_op_kind)k)->name;
        char schema[32], path[32];

        if (!ebmd_kind_find(name))
            continue;
        assert_int_equal(ebmd_kind_find(name)->operation, k);
        snprintf(path, sizeof(path), "/v1/%s", name);
        assert_non_null(operation(path, "post"));
        snprintf(schema, sizeof(schema), "%c%sRequest", name[0] - 'a' + 'A', name + 1);
        check_request(schema, (ebm_op_kind)k);
    }
}

/* A list may be asked for the kinds that there are. */
static void kinds_of_lists(void **state)
{
    json_t *one, *all = json_object_get(operation("/v1/jobs", "get"), "parameters"), *kinds = NULL;
    size_t i;

    (void)state;
    json_array_foreach(all, i, one)
    {
        if (strcmp(json_string_value(json_object_get(one, "name")), "kind") == 0)
            kinds = json_object_get(json_object_get(one, "schema"), "enum");
    }
    for (i = 0; ebmd_kind_at(i); i++)
        assert_string_equal(json_string_value(json_array_get(kinds, i)), ebmd_kind_at(i)->name);
    assert_int_equal(json_array_size(kinds), i);
}

static void problems(void **state)
{
    json_t *codes = follow("#/components/schemas/Problem/properties/code/enum"), *one;
    size_t i;

    (void)state;
    assert_int_equal(json_array_size(codes), EBMA_PROBLEM_COUNT - 1);
    for (int c = EBMA_OK + 1; c < EBMA_PROBLEM_COUNT; c++) {
        const char *want = ebma_problem_describe((ebma_problem_code)c)->code;
        bool found = false;

        json_array_foreach(codes, i, one) found =
            found || strcmp(json_string_value(one), want) == 0;
        if (!found)
            fail_msg("%s is not described", want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(references),
        cmocka_unit_test(every_route_is_described),
        cmocka_unit_test(every_description_has_a_route),
        cmocka_unit_test(operation_ids),
        cmocka_unit_test(statuses),
        cmocka_unit_test(streams),
        cmocka_unit_test(parameters),
        cmocka_unit_test(kinds_of_lists),
        cmocka_unit_test(problems),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
