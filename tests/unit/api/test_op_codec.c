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

#include "ebma/op_request.h"
#include "fail_alloc.h"
#include "sample_bodies.h"

#define ARENA (4u << 20)

static int check_row(const sample_body *row)
{
    ebm_arena *arena = ebm_arena_create(ARENA);
    size_t size = row->size ? row->size : strlen(row->body);
    ebma_op_request request;
    ebma_problem p;
    ebm_status st =
        ebma_op_decode(ebm_operation_of(EBM_OP_SAMPLE), row->body, size, arena, &request, &p);
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

static ebm_status decode(const char *json, ebm_arena *arena, ebma_op_request *r, ebma_problem *p)
{
    return ebma_op_decode(ebm_operation_of(EBM_OP_SAMPLE), json, strlen(json), arena, r, p);
}

static void every_row_reaches_the_request(void **state)
{
    ebm_arena *arena = ebm_arena_create(ARENA);
    ebma_op_request r;
    ebma_problem p;

    (void)state;
    assert_int_equal(decode("{\"model\":\"m-1\",\"n\":3,\"seed\":11,\"first_index\":5,"
                            "\"steps_per_level\":9,\"noise_scale\":0.25,"
                            "\"response_format\":\"none\",\"priority\":7,\"timeout_s\":2.5}",
                            arena, &r, &p),
                     EBM_OK);
    assert_int_equal(r.n_models, 1);
    assert_string_equal(r.model[0].id, "m-1");
    assert_int_equal(r.params.n, 3);
    assert_int_equal(r.params.seed, 11);
    assert_int_equal(r.params.first_index, 5);
    assert_int_equal(r.params.steps_per_level, 9);
    assert_true(r.params.noise_scale == 0.25);
    assert_int_equal(r.format, EBMA_FORMAT_NONE);
    assert_int_equal(r.priority, 7);
    assert_true(r.timeout_s == 2.5);
    ebm_arena_free(arena);
}

static void absent_fields_are_presets(void **state)
{
    ebm_arena *arena = ebm_arena_create(ARENA);
    ebma_op_request r;
    ebma_problem p;

    (void)state;
    assert_int_equal(decode("{}", arena, &r, &p), EBM_OK);
    assert_int_equal(r.n_models, 0);
    assert_int_equal(r.params.n, 1);
    assert_int_equal(r.params.first_index, 0);
    assert_int_equal(r.params.steps_per_level, 0);
    assert_true(r.params.noise_scale == 0.0 && r.params.start_level == -1);
    assert_int_equal(r.delay_ms, 120);
    assert_int_equal(r.format, EBMA_FORMAT_B64_JSON);
    ebm_arena_free(arena);
}

static void seeds(void **state)
{
    static const char *const open[] = {"{}", "{\"seed\":null}", "{\"seed\":-1}"};
    ebm_arena *arena = ebm_arena_create(ARENA);
    ebma_op_request r;
    ebma_problem p;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        int64_t first;

        assert_int_equal(decode(open[i], arena, &r, &p), EBM_OK);
        first = r.params.seed;
        assert_true(first >= 0 && first <= (int64_t)EBM_SEED_MAX);
        assert_int_equal(decode(open[i], arena, &r, &p), EBM_OK);
        assert_true(r.params.seed != first); /* false alarm: 1 in 2^53 */
    }
    assert_int_equal(decode("{\"seed\":0}", arena, &r, &p), EBM_OK);
    assert_true(r.params.seed == 0); /* zero is a seed, not "draw one" */
    assert_int_equal(decode("{\"seed\":-2}", arena, &r, &p), EBM_ERR_RANGE);
    assert_true(p.first->bounded && p.first->min == -1.0 && p.first->max == EBM_SEED_MAX);
    assert_string_equal(p.first->detail, "must be -1..9007199254740991; -1 has one drawn");
    ebm_arena_free(arena);
}

/* --- other operations ----------------------------------------------------------------------- */

#define PNG  "iVBORw0KGgo=" /* the eight bytes that a PNG file begins with */
#define PNG2 "iVBORw0KGgoB" /* and one more */

/* Bodies of each operation; pointer NULL: accepted. */
static const struct {
    ebm_op_kind kind;
    const char *body, *pointer, *code;
} others[] = {
    {EBM_OP_MCMC, "{\"until\":{\"ess\":400,\"rhat\":1.01}}", NULL, NULL},
    {EBM_OP_MCMC, "{\"until\":{\"ess\":0}}", "/until/ess", "out_of_range"},
    {EBM_OP_MCMC, "{\"until\":{\"es\":1}}", "/until/es", "unknown_field"},
    {EBM_OP_MCMC, "{\"until\":{\"a.b/c\":1}}", "/until/a.b~1c", "unknown_field"},
    {EBM_OP_INTERPOLATE, "{\"to\":{\"sed\":1}}", "/to/sed", "unknown_field"},
    {EBM_OP_MCMC, "{\"until\":3}", "/until", "wrong_type"},
    {EBM_OP_MCMC, "{\"until.ess\":3}", "/until.ess", "unknown_field"},
    {EBM_OP_MCMC, "{\"steps\":100001}", "/steps", "out_of_range"},
    {EBM_OP_MCMC, "{\"chains\":65}", "/chains", "out_of_range"},
    {EBM_OP_MCMC, "{\"thin\":0}", "/thin", "out_of_range"},
    {EBM_OP_MCMC, "{\"thin\":9,\"steps\":8}", "/thin", "out_of_range"},
    {EBM_OP_MCMC, "{\"warmup\":8,\"steps\":8}", "/warmup", "out_of_range"},
    {EBM_OP_MCMC, "{\"chains\":64,\"steps\":100000}", "/thin", "out_of_range"},
    {EBM_OP_MCMC, "{\"init\":\"image\"}", "/image", "invalid_combination"},
    {EBM_OP_MCMC, "{\"init\":\"image\",\"image\":\"" PNG "\"}", NULL, NULL},
    {EBM_OP_MCMC, "{\"ladder\":1}", "/ladder", "wrong_type"},
    {EBM_OP_INPAINT, "{}", "/image", "required"},
    {EBM_OP_INPAINT, "{\"image\":null,\"ensemble\":true}", "/image", "required"},
    {EBM_OP_MCMC, "{\"seed\":-2}", "/seed", "out_of_range"},
    {EBM_OP_INTERPOLATE, "{\"to\":{\"seed\":-2}}", "/to/seed", "out_of_range"},
    {EBM_OP_INPAINT, "{\"image\":\"data:image/png;base64," PNG "\"}", NULL, NULL},
    {EBM_OP_INPAINT, "{\"image\":\"" PNG "\",\"ensemble\":true}", "/ensemble", "out_of_range"},
    {EBM_OP_INPAINT, "{\"image\":\"a\"}", "/image", "bad_base64"},
    {EBM_OP_INPAINT, "{\"image\":\"\"}", "/image", "not_a_png"},
    {EBM_OP_INPAINT, "{\"image\":\"http://example.com/x.png\"}", "/image", "bad_base64"},
    {EBM_OP_INPAINT, "{\"image\":7}", "/image", "wrong_type"},
    {EBM_OP_INPAINT, "{\"mask_mode\":\"grey\"}", "/mask_mode", "not_a_choice"},
    {EBM_OP_SAMPLE, "{\"begin\":\"predicted\"}", NULL, NULL},
    {EBM_OP_SAMPLE, "{\"begin\":\"Predicted\"}", "/begin", "not_a_choice"},
    {EBM_OP_INTERPOLATE, "{\"begin\":1}", "/begin", "wrong_type"},
    {EBM_OP_MCMC, "{\"begin\":\"above\"}", "/begin", "unknown_field"},
    {EBM_OP_INTERPOLATE, "{\"from\":{\"seed\":1}}", NULL, NULL},
    {EBM_OP_INTERPOLATE, "{\"from\":{\"image\":\"" PNG "\"}}", "/to/image", "invalid_combination"},
    {EBM_OP_INTERPOLATE, "{\"seed\":1}", "/seed", "unknown_field"},
    {EBM_OP_ENERGY, "{}", "/images", "required"},
    {EBM_OP_ENERGY, "{\"images\":[]}", "/images", "out_of_range"},
    {EBM_OP_ENERGY, "{\"images\":[\"" PNG "\"]}", NULL, NULL},
    {EBM_OP_ENERGY, "{\"images\":[\"" PNG "\",1]}", "/images/1", "wrong_type"},
    {EBM_OP_ENERGY, "{\"images\":\"" PNG "\"}", "/images", "wrong_type"},
    {EBM_OP_LIKELIHOOD, "{\"images\":[\"" PNG "\"],\"method\":\"ais\"}", NULL, NULL},
    {EBM_OP_SAMPLE, "{\"metadata\":{\"a\":[1,null,\"b\"]}}", NULL, NULL},
    {EBM_OP_ENERGY, "{\"images\":[\"" PNG "\"],\"metadata\":{}}", NULL, NULL},
    {EBM_OP_SAMPLE, "{\"metadata\":null}", NULL, NULL},
    {EBM_OP_SAMPLE, "{\"metadata\":\"a\"}", "/metadata", "wrong_type"},
    {EBM_OP_MCMC, "{\"metadata\":[{}]}", "/metadata", "wrong_type"},
    {EBM_OP_SAMPLE, "{\"width\":8,\"height\":8,\"output_format\":\"png\"}", NULL, NULL},
    {EBM_OP_SAMPLE, "{\"width\":0}", "/width", "out_of_range"},
    {EBM_OP_SAMPLE, "{\"height\":1025}", "/height", "out_of_range"},
    {EBM_OP_SAMPLE, "{\"output_format\":\"jpeg\"}", "/output_format", "not_a_choice"},
    {EBM_OP_ENERGY, "{\"images\":[\"" PNG "\"],\"width\":8}", "/width", "unknown_field"},
    {EBM_OP_SAMPLE, "{\"start_level\":1}", "/start_level", "invalid_combination"},
    {EBM_OP_SAMPLE, "{\"model\":[{\"id\":\"a\"},{\"id\":\"b\",\"weight\":-0.5}]}", NULL, NULL},
    {EBM_OP_SAMPLE, "{\"model\":\"a:1,b:-0.5\"}", NULL, NULL},
    {EBM_OP_SAMPLE, "{\"model\":[]}", "/model", "invalid_model_list"},
    {EBM_OP_SAMPLE, "{\"model\":[\"a\"]}", "/model", "invalid_model_list"},
    {EBM_OP_SAMPLE, "{\"model\":[{\"id\":\"a\"},{\"id\":\"a\"}]}", "/model", "invalid_model_list"},
    {EBM_OP_SAMPLE, "{\"model\":[{\"id\":\"a\",\"x\":1}]}", "/model", "invalid_model_list"},
    {EBM_OP_SAMPLE, "{\"model\":[{\"id\":\"a\",\"weight\":0}]}", "/model", "out_of_range"},
    {EBM_OP_SAMPLE, "{\"model\":\"a:101\"}", "/model", "out_of_range"},
    {EBM_OP_SAMPLE, "{\"model\":\"a:nan\"}", "/model", "invalid_model_list"},
};

static void bodies_of_other_operations(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        ebm_arena *arena = ebm_arena_create(ARENA);
        const ebm_operation *op = ebm_operation_of(others[i].kind);
        ebma_op_request r;
        ebma_problem p;
        ebm_status st = ebma_op_decode(op, others[i].body, strlen(others[i].body), arena, &r, &p);
        const char *pointer = p.first ? p.first->pointer : "";

        if ((st == EBM_OK) != !others[i].pointer)
            fail_msg("%s: %s", others[i].body, pointer);
        if (st != EBM_OK &&
            (strcmp(pointer, others[i].pointer) != 0 || strcmp(p.first->code, others[i].code) != 0))
            fail_msg("%s: %s %s", others[i].body, pointer, p.first->code);
        ebm_arena_free(arena);
    }
}

/* Lists of models and pictures arrive as they were sent. */
static void lists_arrive(void **state)
{
    static const char body[] = "{\"model\":[{\"id\":\"a\"},{\"id\":\"b\",\"weight\":-0.5}],"
                               "\"images\":[\"" PNG "\",\"" PNG "\"]}";
    ebm_arena *arena = ebm_arena_create(ARENA);
    ebma_op_request r;
    ebma_problem p;

    (void)state;
    assert_int_equal(
        ebma_op_decode(ebm_operation_of(EBM_OP_ENERGY), body, strlen(body), arena, &r, &p), EBM_OK);
    assert_int_equal(r.n_models, 2);
    assert_string_equal(r.model[1].id, "b");
    assert_true(r.model[0].weight == 1.0 && r.model[1].weight == -0.5);
    assert_int_equal(r.n_images, 2);
    assert_int_equal(r.images[1].size, 8);
    assert_memory_equal(r.images[1].png, "\x89PNG\r\n\x1a\n", 8);
    ebm_arena_free(arena);
}

/* 415 if all that is wrong is another format; 422 with other errors beside. */
static void what_is_no_png(void **state)
{
    static const struct {
        const char *body;
        int status;
    } rows[] = {{"{\"image\":\"R0lGODlh\"}", 415},
                {"{\"image\":\"R0lGODlh\",\"mask\":\"/9j/4AAQSkZJRg==\"}", 415},
                {"{\"image\":\"R0lGODlh\",\"n\":0}", 422}};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        ebm_arena *arena = ebm_arena_create(ARENA);
        ebma_op_request r;
        ebma_problem p;

        assert_int_equal(ebma_op_decode(ebm_operation_of(EBM_OP_INPAINT), rows[i].body,
                                        strlen(rows[i].body), arena, &r, &p),
                         EBM_ERR_RANGE);
        assert_int_equal(ebma_problem_describe(p.code)->status, rows[i].status);
        ebm_arena_free(arena);
    }
}

/* A body of each operation whose other members are none of their defaults, and with which each
 * parameter alone may be any. */
#define MODELS   "{\"model\":[{\"id\":\"a\",\"weight\":1.5},{\"id\":\"b\",\"weight\":-0.5}]"
#define METADATA ",\"metadata\":{\"a\":[1,null,\"b\"]}"
#define SIZED    ",\"width\":8,\"height\":9,\"response_format\":\"url\""
#define JOINT    ",\"sheet\":true,\"animation\":true,\"delay_ms\":7}"
static const struct {
    ebm_op_kind kind;
    const char *body;
} whole[] = {
    {EBM_OP_SAMPLE, MODELS METADATA SIZED ",\"image\":\"" PNG "\"" JOINT},
    {EBM_OP_INPAINT,
     MODELS METADATA SIZED ",\"n\":3,\"image\":\"" PNG "\",\"mask\":\"" PNG2 "\"" JOINT},
    {EBM_OP_INTERPOLATE, MODELS METADATA SIZED ",\"from\":{\"image\":\"" PNG
                                               "\"},\"to\":{\"image\":\"" PNG2 "\"}" JOINT},
    {EBM_OP_MCMC, MODELS METADATA SIZED "}"},
    {EBM_OP_MCMC, MODELS METADATA SIZED ",\"init\":\"image\",\"image\":\"" PNG "\"}"},
    {EBM_OP_ENERGY, MODELS METADATA ",\"images\":[\"" PNG "\",\"" PNG2 "\"]}"},
    {EBM_OP_LIKELIHOOD, MODELS METADATA ",\"images\":[\"" PNG "\",\"" PNG2 "\"]}"},
};

/* Some value of a row that is allowed, and not its default. */
static double another(const ebm_param *row)
{
    if (row->type == EBM_PARAM_BOOL)
        return row->preset == 0.0;
    if (row->type == EBM_PARAM_REAL)
        return row->min + (row->max - row->min) / 3.0;
    return row->preset < row->min   ? row->min
           : row->preset < row->max ? row->preset + 1.0
                                    : row->preset - 1.0;
}

static void assert_same_picture(const ebma_picture *a, const ebma_picture *b)
{
    assert_int_equal(a->size, b->size);
    if (a->size > 0)
        assert_memory_equal(a->png, b->png, a->size);
}

/* What of a request is none of core's parameters, and belongs to its result. */
static void assert_same_rest(const ebma_op_request *a, const ebma_op_request *b)
{
    assert_int_equal(a->n_models, b->n_models);
    for (int32_t i = 0; i < a->n_models; i++) {
        assert_string_equal(a->model[i].id, b->model[i].id);
        assert_true(a->model[i].weight == b->model[i].weight);
    }
    assert_same_picture(&a->image, &b->image);
    assert_same_picture(&a->mask, &b->mask);
    assert_same_picture(&a->image_b, &b->image_b);
    assert_int_equal(a->n_images, b->n_images);
    for (int32_t i = 0; i < a->n_images; i++)
        assert_same_picture(&a->images[i], &b->images[i]);
    assert_true(a->width == b->width && a->height == b->height && a->format == b->format);
    assert_true(a->sheet == b->sheet && a->animation == b->animation);
    assert_int_equal(a->delay_ms, b->delay_ms);
    assert_string_equal(a->metadata, b->metadata);
}

static void check_written_again(const ebma_op_request *r, const char *changed)
{
    const ebm_operation *op = r->operation;
    ebm_arena *arena = ebm_arena_create(ARENA);
    ebma_op_request back;
    ebma_problem p;
    char *text;
    size_t size;

    assert_int_equal(ebma_op_encode(r, true, &text, &size, NULL), EBM_OK);
    if (ebma_op_decode(op, text, size, arena, &back, &p) != EBM_OK)
        fail_msg("%s of %s: refused at %s", changed, op->name, p.first ? p.first->pointer : "-");
    for (size_t i = 0; i < op->n_params; i++) {
        const ebm_param *row = &op->params[i];

        if (ebm_param_number(row, &back.params) != ebm_param_number(row, &r->params))
            fail_msg("%s of %s is lost", row->name, op->name);
    }
    assert_same_rest(r, &back);
    ebm_free(text);
    ebm_arena_free(arena);
}

/* A request of any operation that is written and read again is the same, whichever of its rows has
 * another value than its default. */
static void written_and_read_again(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
        ebm_arena *arena = ebm_arena_create(ARENA);
        const ebm_operation *op = ebm_operation_of(whole[i].kind);
        ebma_op_request r;
        ebma_problem p;

        assert_int_equal(ebma_op_decode(op, whole[i].body, strlen(whole[i].body), arena, &r, &p),
                         EBM_OK);
        for (size_t k = 0; k < op->n_params; k++) {
            const ebm_param *row = &op->params[k];
            ebma_op_request changed = r;

            if (row->type == EBM_PARAM_IMAGE || strcmp(row->name, "init") == 0)
                continue; /* the body has them */
            ebm_param_store(row, another(row), &changed.params);
            check_written_again(&changed, row->name);
        }
        ebm_arena_free(arena);
    }
}

/* {"metadata":{"k":"xx..."}}, whose object is n bytes long. */
static void long_metadata(char *body, size_t n)
{
    const size_t fill = n - strlen("{'k':''}");

    body += sprintf(body, "{\"metadata\": {\"k\" : \"");
    memset(body, 'x', fill);
    strcpy(body + fill, "\"}}");
}

/* The object comes back as it was, without its blanks; it belongs to the request, but is none of
 * its parameters. */
static void metadata_is_carried(void **state)
{
    ebm_arena *arena = ebm_arena_create(ARENA);
    char body[EBMA_METADATA_MAX + 64], *text;
    size_t size;
    ebma_op_request r;
    ebma_problem p;

    (void)state;
    assert_int_equal(
        decode("{\"metadata\":{\"b\": [1.50, 0.1, \"\u00e4\"], \"a\": {}}}", arena, &r, &p),
        EBM_OK);
    assert_string_equal(r.metadata, "{\"b\":[1.5,0.1,\"\u00e4\"],\"a\":{}}");
    r.model[r.n_models++] = (ebm_weighted){.id = "m", .weight = 1.0};
    assert_int_equal(ebma_op_encode(&r, true, &text, &size, NULL), EBM_OK);
    assert_non_null(strstr(text, "\"metadata\":{\"b\":[1.5,0.1,\"\u00e4\"],\"a\":{}}"));
    ebm_free(text);
    assert_int_equal(ebma_op_encode(&r, false, &text, &size, NULL), EBM_OK);
    assert_null(strstr(text, "metadata"));
    ebm_free(text);
    assert_int_equal(decode("{}", arena, &r, &p), EBM_OK);
    assert_null(r.metadata);
    long_metadata(body, EBMA_METADATA_MAX);
    assert_int_equal(decode(body, arena, &r, &p), EBM_OK);
    assert_int_equal(strlen(r.metadata), EBMA_METADATA_MAX);
    long_metadata(body, EBMA_METADATA_MAX + 1);
    assert_int_equal(decode(body, arena, &r, &p), EBM_ERR_RANGE);
    assert_string_equal(p.first->pointer, "/metadata");
    assert_string_equal(p.first->code, "too_long");
    ebm_arena_free(arena);
}

static void all_bad_fields_at_once(void **state)
{
    static const char *const pointers[] = {"/n", "/sed", "/noise_scale", "/model"};
    ebm_arena *arena = ebm_arena_create(ARENA);
    ebma_op_request r;
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
    ebma_op_request r;
    ebma_problem p;
    ebm_status st = ebma_op_decode(ebm_operation_of(EBM_OP_SAMPLE), text, n, arena, &r, &p);

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
    /* pictures do not count, but there is an end to them, too */
    text = filled("{\"image\":\"", "aaaa", 500000, "\"}");
    assert_int_equal(status_of(text, strlen(text)), 415);
    free(text);
    text = filled("{\"image\":\"", "aaaa", 1500000, "\"}");
    assert_int_equal(status_of(text, strlen(text)), 413);
    free(text);
    text = filled("[", "{},", 21000, "{}]");
    assert_int_equal(status_of(text, strlen(text)), 422);
    free(text);
    text = filled("{\"label\":\"", "a", 60000, "\"}");
    assert_int_equal(status_of(text, strlen(text)), 422);
    free(text);
    many = calloc(1, 16384);
    for (int i = 0; i < EBMA_KEYS_MAX + 1; i++)
        n += (size_t)snprintf(many + n, 16384 - n, "%s\"k%d\":1", i ? "," : "{", i);
    snprintf(key, sizeof(key), "}");
    memcpy(many + n, key, 2);
    assert_int_equal(status_of(many, n + 1), 422);
    free(many);
    text = filled("", "[", 2049, "");
    assert_int_equal(status_of(text, strlen(text)), 400);
    free(text);
    assert_int_equal(status_of("", 0), 400);
}

/* As many unknown names as a body may have, each as long as it allows, fit into the arena. */
static void many_errors_fit(void **state)
{
    ebm_arena *arena = ebm_arena_create(ARENA);
    char *text = calloc(1, EBMA_BODY_MAX);
    ebma_op_request r;
    ebma_problem p;
    size_t n = 0, kept = 0;

    (void)state;
    for (int i = 0; i < EBMA_KEYS_MAX; i++)
        n += (size_t)snprintf(text + n, EBMA_BODY_MAX - n, "%s\"%058d\":1", i ? "," : "{", i);
    text[n++] = '}';
    assert_int_equal(ebma_op_decode(ebm_operation_of(EBM_OP_SAMPLE), text, n, arena, &r, &p),
                     EBM_ERR_RANGE);
    assert_int_equal(p.n_errors, EBMA_KEYS_MAX);
    for (const ebma_field_error *e = p.first; e; e = e->next) {
        assert_true(strlen(e->pointer) <= 161);
        kept++;
    }
    assert_int_equal(kept, EBMA_KEYS_MAX);
    free(text);
    ebm_arena_free(arena);
}

static void without_memory(void **state)
{
    static const char body[] = "{\"model\":[{\"id\":\"m\"}],\"image\":\"" PNG "\",\"mask\":\"" PNG
                               "\",\"metadata\":{\"k\":[1,\"v\"]},\"seed\":1}";

    (void)state;
    FOR_EACH_ALLOC_FAILURE
    {
        ebm_arena *arena = ebm_arena_create(ARENA);
        ebma_op_request r;
        ebma_problem p;

        if (arena) {
            ebm_status st =
                ebma_op_decode(ebm_operation_of(EBM_OP_INPAINT), body, strlen(body), arena, &r, &p);
            const bool hit = fail_alloc_hit();

            assert_int_equal(st, hit ? EBM_ERR_NOMEM : EBM_OK);
            assert_int_equal(p.code, hit ? EBMA_OUT_OF_MEMORY : EBMA_OK);
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
        cmocka_unit_test(bodies_of_other_operations),
        cmocka_unit_test(lists_arrive),
        cmocka_unit_test(what_is_no_png),
        cmocka_unit_test(written_and_read_again),
        cmocka_unit_test(metadata_is_carried),
        cmocka_unit_test(all_bad_fields_at_once),
        cmocka_unit_test(sizes),
        cmocka_unit_test(many_errors_fit),
        cmocka_unit_test(without_memory),
    };

    ebma_setup();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
