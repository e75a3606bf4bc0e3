/* Chains while they move: what they say together in job objects, under /v1/chains and in streams;
 * their traces page by page, in the end those that the command writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "ebm/io.h"
#include "ebm/memory.h"
#include "event_client.h"
#include "job_client.h"
#include "picture_daemon.h"

/* Much work: it is looked at and then canceled. */
#define LONG                                                                                       \
    "{\"model\":\"a-tiny\",\"chains\":3,\"steps\":100000,\"warmup\":50,\"thin\":5,"                \
    "\"sampler\":\"mala\",\"level\":1,\"seed\":5}"

/* The same on a fast machine, where the three chains above take seconds. */
#define LONGER                                                                                     \
    "{\"model\":\"a-tiny\",\"chains\":64,\"steps\":100000,\"warmup\":50,\"thin\":100,"             \
    "\"sampler\":\"mala\",\"level\":1,\"seed\":5}"

static picture_daemon p;

static int setup(void **state)
{
    (void)state;
    return picture_daemon_setup(&p);
}

static int teardown(void **state)
{
    (void)state;
    return picture_daemon_teardown(&p);
}

static json_t *get(const char *id, const char *what, int status)
{
    char path[256];

    snprintf(path, sizeof(path), "/v1/chains/%s%s", id, what);
    return json_call(p.d.port, "GET", path, NULL, status);
}

static json_int_t whole(const json_t *root, const char *name)
{
    return json_integer_value(json_object_get(root, name));
}

/* As soon as there are draws behind the warm-up. @own json_decref() */
static json_t *diagnostics(const char *id)
{
    for (;;) {
        json_t *root = get(id, "/diagnostics", 200);

        assert_string_not_equal(json_string_value(json_object_get(root, "status")), "failed");
        if (whole(json_object_get(root, "diagnostics"), "draws") >= 8)
            return root;
        json_decref(root);
    }
}

static void check_diagnostics(const json_t *d)
{
    const double accepted = json_number_value(json_object_get(d, "accept_rate"));

    assert_true(whole(d, "chains") >= 1 && whole(d, "chains") <= 3);
    assert_true(json_number_value(json_object_get(d, "rhat")) > 0.9);
    assert_true(json_number_value(json_object_get(d, "ess")) > 0.0);
    assert_true(accepted > 0.0 && accepted <= 1.0);
    assert_true(json_is_false(json_object_get(d, "complete")));
    assert_true(json_is_false(json_object_get(d, "diverged")));
}

/* The page of a chain at work: rows so far, and the numbers of the first of them. */
static void check_page(const char *id)
{
    json_t *page = get(id, "/traces?limit=3", 200);

    assert_string_equal(json_string_value(json_object_get(page, "status")), "running");
    assert_int_equal(whole(page, "thin"), 5);
    assert_int_equal(whole(page, "warmup"), 50);
    assert_true(whole(page, "rows") > 3);
    assert_int_equal(whole(page, "next"), 3);
    assert_int_equal(json_array_size(json_object_get(page, "energy")), 3);
    json_decref(page);
}

/* Everywhere the same is told while the job runs; when it has been stopped, what is kept. */
static void told_while_they_run(void **state)
{
    char id[64];
    json_t *told, *job;

    (void)state;
    job_begin(p.d.port, "/mcmc", LONG, id);
    told = diagnostics(id);
    assert_string_equal(json_string_value(json_object_get(told, "status")), "running");
    check_diagnostics(json_object_get(told, "diagnostics"));
    job = get(id, "", 200);
    check_diagnostics(json_object_get(job, "diagnostics"));
    check_page(id);
    assert_int_equal(job_cancel(p.d.port, id), 202);
    json_decref(told);
    json_decref(job);
}

/* A stream of the job has an event of its own for it, with growing numbers of draws. */
static void told_in_streams(void **state)
{
    char id[64], path[128];
    json_int_t draws = 0;
    event_client c;
    one_event e;

    (void)state;
    job_begin(p.d.port, "/mcmc", LONGER, id);
    snprintf(path, sizeof(path), "/v1/jobs/%s/events", id);
    assert_true(events_open(&c, p.d.port, "GET", path, "", NULL));
    for (int i = 0; i < 2; i++) {
        json_t *d;

        assert_true(events_until(&c, "diagnostics", &e, 60000));
        d = json_loads(e.data, 0, NULL);
        assert_true(whole(d, "draws") > draws);
        draws = whole(d, "draws");
        json_decref(d);
        event_clear(&e);
    }
    assert_int_equal(job_cancel(p.d.port, id), 202);
    assert_true(events_until(&c, "canceled", &e, 60000));
    event_clear(&e);
    events_close(&c);
}

/* --- afterwards ----------------------------------------------------------------------------- */

static void append(json_t *all, const json_t *page, const char *name)
{
    assert_int_equal(json_array_extend(json_object_get(all, name), json_object_get(page, name)), 0);
}

/* All pages of a chain behind each other. @own json_decref() */
static json_t *read_pages(const char *id, int chain, int limit)
{
    json_t *all = json_pack("{s:[], s:[]}", "energy", "accept");
    json_int_t from = 0;

    for (bool more = true; more;) {
        char what[96];
        json_t *page;

        snprintf(what, sizeof(what), "/traces?chain=%d&from=%d&limit=%d", chain, (int)from, limit);
        page = get(id, what, 200);
        append(all, page, "energy");
        append(all, page, "accept");
        assert_int_equal(json_array_size(json_object_get(page, "projections")), 8);
        more = json_is_integer(json_object_get(page, "next"));
        from = whole(page, "next");
        json_decref(page);
    }
    return all;
}

/* The command writes nine digits. */
static void assert_close_numbers(const json_t *a, const json_t *b)
{
    const json_t *value;
    size_t i;

    assert_int_equal(json_array_size(a), json_array_size(b));
    assert_true(json_array_size(a) > 0);
    json_array_foreach(a, i, value)
    {
        const double x = json_number_value(value), y = json_number_value(json_array_get(b, i));

        assert_true(fabs(x - y) <= 1e-8 * (1.0 + fabs(x)));
    }
}

static void as_the_command_writes_them(void **state)
{
    json_t *job = picture_post_json(&p, "/mcmc",
                                    json_pack("{s:s, s:i, s:i, s:i, s:i, s:s, s:i}", "model",
                                              "a-tiny", "chains", 2, "steps", 60, "warmup", 10,
                                              "thin", 3, "sampler", "mala", "seed", 5),
                                    200);
    const char *id = json_string_value(json_object_get(job, "id"));
    unsigned char *bytes;
    json_t *file;
    size_t size;

    (void)state;
    picture_command(&p, "mcmc --model a-tiny --chains 2 --steps 60 --warmup 10 --thin 3 --sampler "
                        "mala --seed 5 --traces traces.json");
    assert_int_equal(ebm_file_read(p.d.dir, "traces.json", 1u << 20, &bytes, &size, NULL), EBM_OK);
    file = json_loadb((char *)bytes, size, 0, NULL);
    for (int k = 0; k < 2; k++) {
        const json_t *want = json_array_get(json_object_get(file, "chains"), (size_t)k);
        json_t *all = read_pages(id, k, 7);

        assert_int_equal(json_array_size(json_object_get(all, "energy")), 20);
        assert_close_numbers(json_object_get(all, "energy"), json_object_get(want, "energy"));
        assert_close_numbers(json_object_get(all, "accept"), json_object_get(want, "accept"));
        json_decref(all);
    }
    json_decref(file);
    json_decref(job);
    ebm_free(bytes);
}

static void pages_that_are_not_there(void **state)
{
    static const struct {
        const char *what;
        int status;
    } rows[] = {{"/traces?chain=2", 404},       {"/traces?chain=64", 422},
                {"/traces?chain=-1", 422},      {"/traces?chain=", 422},
                {"/traces?limit=0", 422},       {"/traces?limit=5001", 422},
                {"/traces?from=-1", 422},       {"/traces?from=99999999999999999999", 422},
                {"/traces?from=1&from=2", 422}, {"/traces?page=1", 422}};
    json_t *job = picture_post_json(
        &p, "/mcmc",
        json_pack("{s:s, s:i, s:i, s:i}", "model", "a-tiny", "chains", 2, "steps", 20, "seed", 5),
        200);
    const char *id = json_string_value(json_object_get(job, "id"));
    json_t *page;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        json_decref(get(id, rows[i].what, rows[i].status));
    page = get(id, "/traces?from=2000000000", 200);
    assert_int_equal(json_array_size(json_object_get(page, "energy")), 0);
    assert_true(json_is_null(json_object_get(page, "next")));
    json_decref(page);
    json_decref(get("job_00000000000000000000000000", "/traces", 404));
    json_decref(job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(told_while_they_run), cmocka_unit_test(told_in_streams),
        cmocka_unit_test(as_the_command_writes_them), cmocka_unit_test(pages_that_are_not_there)};

    return cmocka_run_group_tests(tests, setup, teardown);
}
