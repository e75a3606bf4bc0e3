/* Problems: the catalogue is complete and consistent, the JSON is RFC 9457, nothing a client sent
 * gets out unescaped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "ebma/api.h"

static json_t *encode(const ebma_problem *p, const char *id)
{
    char *text;
    size_t size;
    json_t *root;

    assert_int_equal(ebma_problem_encode(p, id, &text, &size, NULL), EBM_OK);
    root = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    ebm_free(text);
    assert_non_null(root);
    return root;
}

static void the_catalogue_is_complete(void **state)
{
    (void)state;
    for (int i = 1; i < EBMA_PROBLEM_COUNT; i++) {
        const ebma_problem_info *info = ebma_problem_describe((ebma_problem_code)i);

        assert_in_range(info->status, 400, 599);
        assert_true(strlen(info->title) > 0 && strlen(info->detail) > 0);
        assert_int_equal(strspn(info->code, "abcdefghijklmnopqrstuvwxyz_"), strlen(info->code));
        for (int k = 1; k < i; k++)
            assert_string_not_equal(info->code, ebma_problem_describe((ebma_problem_code)k)->code);
    }
    assert_string_equal(ebma_problem_describe((ebma_problem_code)9999)->code, "internal");
}

static void every_status_has_a_problem(void **state)
{
    static const struct {
        ebm_status status;
        int http;
    } rows[] = {{EBM_ERR_ARG, 422},      {EBM_ERR_RANGE, 422},       {EBM_ERR_NOT_FOUND, 404},
                {EBM_ERR_LIMIT, 413},    {EBM_ERR_IO, 503},          {EBM_ERR_NOMEM, 503},
                {EBM_ERR_DIVERGED, 500}, {EBM_ERR_INTERNAL, 500},    {EBM_ERR_BAD_STATE, 500},
                {(ebm_status)777, 500},  {EBM_ERR_UNSUPPORTED, 500}, {EBM_ERR_CANCELLED, 409}};

    (void)state;
    assert_int_equal(ebma_problem_of(EBM_OK), EBMA_OK);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(ebma_problem_describe(ebma_problem_of(rows[i].status))->status,
                         rows[i].http);
}

static void the_json(void **state)
{
    ebma_problem p = {.code = EBMA_QUEUE_FULL};
    json_t *root = encode(&p, "abc");

    (void)state;
    assert_string_equal(json_string_value(json_object_get(root, "type")),
                        "urn:ebmd:problem:queue_full");
    assert_string_equal(json_string_value(json_object_get(root, "code")), "queue_full");
    assert_int_equal(json_integer_value(json_object_get(root, "status")), 429);
    assert_true(json_is_true(json_object_get(root, "retryable")));
    assert_string_equal(json_string_value(json_object_get(root, "request_id")), "abc");
    assert_null(json_object_get(root, "errors"));
    json_decref(root);
    p.final = true;
    root = encode(&p, NULL);
    assert_null(json_object_get(root, "request_id"));
    assert_true(json_is_false(json_object_get(root, "retryable")));
    json_decref(root);
}

static void field_errors(void **state)
{
    ebm_arena *arena = ebm_arena_create(1u << 16);
    ebma_problem p = {.code = EBMA_OK};
    ebma_field_error bounded = {.code = "out_of_range", .detail = "d", .bounded = true, .max = 2.5};
    ebma_field_error plain = {.code = "unknown_field", .detail = "d"};
    json_t *root, *first, *second;

    (void)state;
    ebma_problem_field(&p, arena, "noise_scale", &bounded);
    ebma_problem_field(&p, arena, "\"\x01\n", &plain);
    assert_int_equal(p.code, EBMA_INVALID_PARAMS);
    root = encode(&p, NULL);
    first = json_array_get(json_object_get(root, "errors"), 0);
    second = json_array_get(json_object_get(root, "errors"), 1);
    assert_true(json_is_integer(json_object_get(first, "min"))); /* 0, not 0.0 */
    assert_true(json_real_value(json_object_get(first, "max")) == 2.5);
    assert_string_equal(json_string_value(json_object_get(second, "pointer")), "/\"\x01\n");
    assert_null(json_object_get(second, "min"));
    json_decref(root);
    ebm_arena_free(arena);
}

/* A long name is cut between characters, not inside one. */
static void long_names_are_cut(void **state)
{
    ebm_arena *arena = ebm_arena_create(1u << 16);
    ebma_problem p = {.code = EBMA_OK};
    ebma_field_error plain = {.code = "unknown_field", .detail = "d"};
    char name[128];

    (void)state;
    memset(name, 'a', sizeof(name));
    memcpy(name + 79, "\xc3\xa9", 2); /* its second byte is the 81st */
    name[127] = '\0';
    ebma_problem_field(&p, arena, name, &plain);
    assert_int_equal(strlen(p.first->pointer), 1 + 79);
    json_decref(encode(&p, NULL));
    ebm_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_catalogue_is_complete),
        cmocka_unit_test(every_status_has_a_problem),
        cmocka_unit_test(the_json),
        cmocka_unit_test(field_errors),
        cmocka_unit_test(long_names_are_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
