/* Request bodies: the table of hostile ones, all errors at once, seeds, limits, no memory. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ebma/api.h"
#include "fail_alloc.h"
#include "sample_bodies.h"

#define ARENA (1u << 20)

static int check_row(const sample_body *row)
{
    ebm_arena *arena = ebm_arena_create(ARENA);
    size_t size = row->size ? row->size : strlen(row->body);
    ebma_sample_request request;
    ebma_problem p;
    ebm_status st = ebma_sample_decode(row->body, size, arena, &request, &p);
    int status = st == EBM_OK ? 200 : ebma_problem_describe(p.code)->status;
    int bad = status != row->status;

    if (!bad && row->pointer)
        bad = !p.first || strcmp(p.first->pointer, row->pointer) != 0 ||
              strcmp(p.first->code, row->code) != 0;
    else if (!bad && row->code)
        bad = strcmp(ebma_problem_describe(p.code)->code, row->code) != 0;
    if (bad)
        print_error("%s: got %d %s %s\n", row->name, status, ebma_problem_describe(p.code)->code,
                    p.first ? p.first->pointer : "");
    ebm_arena_free(arena);
    return bad;
}

static int check_all(void)
{
    size_t n;
    const sample_body *rows = sample_bodies(&n);
    int bad = 0;

    for (size_t i = 0; i < n; i++)
        bad += check_row(&rows[i]);
    return bad;
}

static void the_table(void **state)
{
    (void)state;
    assert_int_equal(check_all(), 0);
}

/* J14: a decimal comma in the locale changes nothing. */
static void the_table_in_another_locale(void **state)
{
    (void)state;
    if (!setlocale(LC_ALL, "de_DE.UTF-8"))
        setlocale(LC_ALL, "C.UTF-8");
    assert_int_equal(check_all(), 0);
    setlocale(LC_ALL, "C");
}

static ebm_status decode(const char *json, ebm_arena *arena, ebma_sample_request *r,
                         ebma_problem *p)
{
    return ebma_sample_decode(json, strlen(json), arena, r, p);
}

static void every_row_reaches_the_request(void **state)
{
    ebm_arena *arena = ebm_arena_create(ARENA);
    ebma_sample_request r;
    ebma_problem p;

    (void)state;
    assert_int_equal(decode("{\"model\":\"m-1\",\"n\":3,\"seed\":11,\"first_index\":5,"
                            "\"steps_per_level\":9,\"noise_scale\":0.25,"
                            "\"response_format\":\"none\",\"priority\":7,\"timeout_s\":2.5}",
                            arena, &r, &p),
                     EBM_OK);
    assert_string_equal(r.model, "m-1");
    assert_int_equal(r.n, 3);
    assert_int_equal(r.seed, 11);
    assert_int_equal(r.first_index, 5);
    assert_int_equal(r.steps_per_level, 9);
    assert_true(r.has_noise_scale && r.noise_scale == 0.25);
    assert_int_equal(r.format, EBMA_FORMAT_NONE);
    assert_int_equal(r.priority, 7);
    assert_true(r.timeout_s == 2.5);
    /* a new row of the table must be looked at above */
    assert_int_equal(ebma_sample_table().n, 9);
    ebm_arena_free(arena);
}

static void absent_fields_are_presets(void **state)
{
    ebm_arena *arena = ebm_arena_create(ARENA);
    ebma_sample_request r;
    ebma_problem p;

    (void)state;
    assert_int_equal(decode("{}", arena, &r, &p), EBM_OK);
    assert_null(r.model);
    assert_int_equal(r.n, 1);
    assert_int_equal(r.first_index, 0);
    assert_int_equal(r.steps_per_level, 0);
    assert_false(r.has_noise_scale);
    assert_int_equal(r.format, EBMA_FORMAT_B64_JSON);
    ebm_arena_free(arena);
}

static void seeds(void **state)
{
    static const char *const open[] = {"{}", "{\"seed\":null}", "{\"seed\":-1}"};
    ebm_arena *arena = ebm_arena_create(ARENA);
    ebma_sample_request r;
    ebma_problem p;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        uint64_t first;

        assert_int_equal(decode(open[i], arena, &r, &p), EBM_OK);
        first = r.seed;
        assert_true(first <= (uint64_t)EBM_SEED_MAX);
        assert_int_equal(decode(open[i], arena, &r, &p), EBM_OK);
        assert_true(r.seed != first); /* false alarm: 1 in 2^53 */
    }
    assert_int_equal(decode("{\"seed\":0}", arena, &r, &p), EBM_OK);
    assert_true(r.seed == 0); /* zero is a seed, not "draw one" */
    ebm_arena_free(arena);
}

static void all_bad_fields_at_once(void **state)
{
    static const char *const pointers[] = {"/n", "/sed", "/noise_scale", "/model"};
    ebm_arena *arena = ebm_arena_create(ARENA);
    ebma_sample_request r;
    ebma_problem p;
    size_t i = 0;

    (void)state;
    assert_int_equal(
        decode("{\"n\":0,\"sed\":1,\"noise_scale\":3,\"seed\":4,\"model\":\"A\"}", arena, &r, &p),
        EBM_ERR_RANGE);
    assert_int_equal(p.n_errors, 4);
    for (const ebma_field_error *e = p.first; e; e = e->next)
        assert_string_equal(e->pointer, pointers[i++]);
    assert_int_equal(i, 4);
    assert_true(p.first->bounded && p.first->min == 1.0 && p.first->max == 64.0);
    assert_string_equal(p.first->next->detail, "unknown field, did you mean 'seed'?");
    ebm_arena_free(arena);
}

static char *filled(const char *head, const char *unit, size_t times, const char *tail)
{
    size_t room = strlen(head) + strlen(unit) * times + strlen(tail) + 1;
    char *text = malloc(room);
    size_t n;

    assert_non_null(text);
    n = (size_t)snprintf(text, room, "%s", head);
    for (size_t i = 0; i < times; i++) {
        memcpy(text + n, unit, strlen(unit));
        n += strlen(unit);
    }
    memcpy(text + n, tail, strlen(tail) + 1);
    return text;
}

static int status_of(const char *text, size_t n)
{
    ebm_arena *arena = ebm_arena_create(ARENA);
    ebma_sample_request r;
    ebma_problem p;
    ebm_status st = ebma_sample_decode(text, n, arena, &r, &p);

    ebm_arena_free(arena);
    return st == EBM_OK ? 200 : ebma_problem_describe(p.code)->status;
}

/* J05, J06, J12: sizes at, below and above the limits. */
static void sizes(void **state)
{
    char *text = filled("{\"seed\":1", " ", EBMA_BODY_MAX - 10, "}");
    char key[32];
    char *many;
    size_t n = 0;

    (void)state;
    assert_int_equal(strlen(text), EBMA_BODY_MAX);
    assert_int_equal(status_of(text, EBMA_BODY_MAX), 200);
    free(text);
    text = filled("{\"seed\":1", " ", EBMA_BODY_MAX - 9, "}");
    assert_int_equal(status_of(text, strlen(text)), 413);
    free(text);
    text = filled("[", "{},", 21000, "{}]");
    assert_int_equal(status_of(text, strlen(text)), 422);
    free(text);
    text = filled("{\"label\":\"", "a", 60000, "\"}");
    assert_int_equal(status_of(text, strlen(text)), 422);
    free(text);
    many = calloc(1, 8192);
    for (int i = 0; i < 257; i++)
        n += (size_t)snprintf(many + n, 8192 - n, "%s\"k%d\":1", i ? "," : "{", i);
    snprintf(key, sizeof(key), "}");
    memcpy(many + n, key, 2);
    assert_int_equal(status_of(many, n + 1), 422);
    free(many);
    text = filled("", "[", 2049, "");
    assert_int_equal(status_of(text, strlen(text)), 400);
    free(text);
    assert_int_equal(status_of("", 0), 400);
}

/* 256 unknown names, each as long as the body allows, fit into the request's arena. */
static void many_errors_fit(void **state)
{
    ebm_arena *arena = ebm_arena_create(ARENA);
    char *text = calloc(1, EBMA_BODY_MAX);
    ebma_sample_request r;
    ebma_problem p;
    size_t n = 0, kept = 0;

    (void)state;
    for (int i = 0; i < 256; i++)
        n += (size_t)snprintf(text + n, EBMA_BODY_MAX - n, "%s\"%0240d\":1", i ? "," : "{", i);
    text[n++] = '}';
    assert_int_equal(ebma_sample_decode(text, n, arena, &r, &p), EBM_ERR_RANGE);
    assert_int_equal(p.n_errors, 256);
    for (const ebma_field_error *e = p.first; e; e = e->next) {
        assert_true(strlen(e->pointer) <= 161);
        kept++;
    }
    assert_int_equal(kept, 256);
    free(text);
    ebm_arena_free(arena);
}

static void without_memory(void **state)
{
    static const char body[] = "{\"model\":\"m\",\"n\":0,\"seed\":1}";

    (void)state;
    FOR_EACH_ALLOC_FAILURE
    {
        ebm_arena *arena = ebm_arena_create(ARENA);
        ebma_sample_request r;
        ebma_problem p;

        if (arena) {
            assert_true(decode(body, arena, &r, &p) != EBM_OK);
            assert_true(p.code != EBMA_OK);
        }
        ebm_arena_free(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table),
        cmocka_unit_test(the_table_in_another_locale),
        cmocka_unit_test(every_row_reaches_the_request),
        cmocka_unit_test(absent_fields_are_presets),
        cmocka_unit_test(seeds),
        cmocka_unit_test(all_bad_fields_at_once),
        cmocka_unit_test(sizes),
        cmocka_unit_test(many_errors_fit),
        cmocka_unit_test(without_memory),
    };

    ebma_setup();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
