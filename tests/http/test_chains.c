/* Chains over the wire: the command's images and diagnostics; runs in parts, across jobs, files and
 * the command, have the bits of the undivided one; pause, resume, fork, import; kill -9 on the way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <jansson.h>
#include <nettle/base64.h>
#include <signal.h>
#include <time.h>

#include "daemon_models.h"
#include "ebm/io.h"
#include "ebm/memory.h"
#include "http_client.h"
#include "http_form.h"
#include "job_client.h"

#define LONG "{\"model\":\"a-tiny\",\"chains\":2,\"steps\":20000,\"thin\":100,\"seed\":5}"

static daemon_process d;

static int start(void)
{
    const char *const more[] = {"--workers", "2", "--store", d.store, NULL};

    return daemon_start(&d, more) ? 0 : -1;
}

static int setup(void **state)
{
    static const tiny_model models[] = {
        {.id = "a-tiny", .levels = 3, .steps = 5, .seed = 1, .step_scale = 1.0},
        {.id = "b-wild", .levels = 2, .steps = 5, .seed = 2, .step_scale = 1e6},
        {.id = "c-clean", .levels = 2, .steps = 4, .seed = 3, .denoise = true, .step_scale = 1.0}};

    (void)state;
    return daemon_prepare_models(&d, models, 3) ? start() : -1;
}

static int teardown(void **state)
{
    (void)state;
    return daemon_end(&d, 10000);
}

/* --- calls --------------------------------------------------------------------------------- */

static const char *id_of(const json_t *job)
{
    return json_string_value(json_object_get(job, "id"));
}

static json_t *ask(const json_t *job, const char *what, const char *body, int status)
{
    char path[160];

    snprintf(path, sizeof(path), "/v1/chains/%s%s%s", id_of(job), what[0] ? "/" : "", what);
    return json_call(d.port, body ? "POST" : "GET", path, body, status);
}

/* The file of a job's chains, also written to d.dir/name. @own free() */
static http_reply checkpoint(const json_t *job, const char *name)
{
    char path[160];
    http_reply r;

    snprintf(path, sizeof(path), "/v1/chains/%s/checkpoint", id_of(job));
    assert_true(http_call(d.port, "GET", path, "", NULL, &r));
    assert_int_equal(r.status, 200);
    assert_true(temp_dir_write(d.dir, name, r.body, r.size));
    return r;
}

static json_t *bring(const void *bytes, size_t size, int status)
{
    http_reply r;
    json_t *root;

    assert_true(http_send_body(d.port, "/v1/chains", "application/octet-stream",
                               "Prefer: wait=60\r\n", bytes, size, &r));
    root = json_of_reply(&r, status);
    http_reply_clear(&r);
    return root;
}

static void command(const char *arguments)
{
    char text[4 * TEMP_PATH_MAX];

    snprintf(text, sizeof(text),
             "rm -rf %s/out; cd %s && '" EBM_BINARY "' %s --models models --threads 1 --out out"
             " >lines",
             d.dir, d.dir, arguments);
    assert_int_equal(system(text), 0);
}

/* A string of base64 is the file d.dir/name. */
static void assert_file(const json_t *value, const char *name)
{
    unsigned char *bytes;
    char *text;
    size_t size;

    assert_int_equal(ebm_file_read(d.dir, name, 1u << 20, &bytes, &size, NULL), EBM_OK);
    text = calloc(1, BASE64_ENCODE_RAW_LENGTH(size) + 1);
    base64_encode_raw(text, size, bytes);
    if (!json_is_string(value) || strcmp(json_string_value(value), text) != 0)
        fail_msg("%s differs", name);
    free(text);
    ebm_free(bytes);
}

static void assert_chains(const json_t *job, size_t n)
{
    char name[64];

    assert_int_equal(json_array_size(json_object_get(job, "data")), n);
    for (size_t k = 0; k < n; k++) {
        snprintf(name, sizeof(name), "out/chain%06zu.png", k);
        assert_file(json_object_get(json_array_get(json_object_get(job, "data"), k), "b64_json"),
                    name);
    }
}

static void assert_same(const json_t *a, const json_t *b)
{
    assert_true(json_equal(json_object_get(a, "data"), json_object_get(b, "data")));
    assert_true(json_equal(json_object_get(a, "diagnostics"), json_object_get(b, "diagnostics")));
}

/* --- the same as the command's -------------------------------------------------------------- */

/* Long work is not waited for, unless the client says so; whoever streams it stays. */
static void later_by_itself(void **state)
{
    static const char json[] = "Content-Type: application/json\r\n";
    static const struct {
        const char *more;
        int status;
    } rows[] = {{"", 202},
                {"Prefer: respond-async\r\n", 202},
                {"Prefer: wait=60\r\n", 200},
                {"Prefer: respond-async, wait=60\r\n", 200},
                {"Accept: text/event-stream\r\n", 200}};
    char headers[128], value[64];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        http_reply r;

        snprintf(headers, sizeof(headers), "%s%s", json, rows[i].more);
        assert_true(http_call(d.port, "POST", "/v1/mcmc", headers,
                              "{\"model\":\"a-tiny\",\"steps\":4}", &r));
        assert_int_equal(r.status, rows[i].status);
        assert_int_equal(http_header(&r, "Preference-Applied", value, sizeof(value)) != NULL,
                         i > 0 && i < 4);
        http_reply_clear(&r);
    }
}

/* Rules stop the run where they stop the command's. */
static void stop_rules(void **state)
{
    json_t *job;

    (void)state;
    command("mcmc --model a-tiny --chains 4 --steps 4000 --warmup 100 --sampler hmc --level 2 "
            "--seed 3 --until-rhat 9.9");
    job = json_call(d.port, "POST", "/mcmc",
                    "{\"model\":\"a-tiny\",\"chains\":4,\"steps\":4000,\"warmup\":100,\"sampler\":"
                    "\"hmc\",\"level\":2,\"seed\":3,\"until\":{\"rhat\":9.9}}",
                    200);
    assert_chains(job, 4);
    assert_true(
        json_is_true(json_object_get(json_object_get(job, "diagnostics"), "stopped_by_until")));
    json_decref(job);
}

/* --- runs in parts -------------------------------------------------------------------------- */

#define RUN                                                                                        \
    "\"model\":\"a-tiny\",\"chains\":2,\"seed\":3,\"warmup\":10,\"init\":\"samples\","             \
    "\"level\":1,\"sampler\":\"%s\",\"steps\":%d"

static json_t *run(const char *sampler, int steps)
{
    char body[256];

    snprintf(body, sizeof(body), "{" RUN "}", sampler, steps);
    return json_call(d.port, "POST", "/mcmc", body, 200);
}

static json_t *extend(const json_t *job, int steps)
{
    char body[64];

    snprintf(body, sizeof(body), "{\"steps\":%d}", steps);
    return ask(job, "extend", body, 200);
}

/* What the caller brought is told of the job from its acceptance on, and of no job that goes on
 * from there. */
static void metadata(void **state)
{
    json_t *told = json_pack("{s:s, s:[i, n]}", "order", "7\xc3\xa4", "list", 1), *more;
    char *text = json_dumps(told, JSON_COMPACT), body[256];
    json_t *job, *again;

    (void)state;
    snprintf(body, sizeof(body), "{\"steps\":12,\"seed\":4,\"metadata\":%s}", text);
    job = json_call(d.port, "POST", "/mcmc", body, 200);
    assert_true(json_equal(json_object_get(job, "metadata"), told));
    assert_null(json_object_get(json_object_get(job, "params"), "metadata"));
    again = extend(job, 3);
    assert_null(json_object_get(again, "metadata"));
    snprintf(body, sizeof(body), "{\"steps\":3,\"metadata\":%s}", text);
    more = ask(again, "extend", body, 200);
    assert_true(json_equal(json_object_get(more, "metadata"), told));
    json_decref(job);
    json_decref(again);
    json_decref(more);
    json_decref(told);
    free(text);
}

static void split_runs(void **state)
{
    static const char *const samplers[] = {"langevin", "mala", "hmc"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        const int cut = (int)(time(NULL) % 50) + 1; /* another one each time */
        json_t *whole = run(samplers[i], 90), *first = run(samplers[i], 10 + cut);
        json_t *second = extend(first, 20), *third = extend(second, 60 - cut), *brought, *longer;
        http_reply file = checkpoint(first, "first.ebm"), end = checkpoint(whole, "whole.ebm");
        unsigned char *bytes;
        size_t size;

        print_message("%s: cut at %d\n", samplers[i], 10 + cut);
        assert_same(whole, third);
        command("mcmc --model a-tiny --resume first.ebm --steps 90 --checkpoint command.ebm");
        assert_chains(whole, 2);
        assert_int_equal(ebm_file_read(d.dir, "command.ebm", 1u << 24, &bytes, &size, NULL),
                         EBM_OK);
        assert_int_equal(size, end.size);
        assert_memory_equal(bytes, end.body, size);
        brought = bring(file.body, file.size, 200);
        assert_same(first, brought);
        longer = extend(brought, 80 - cut);
        assert_same(whole, longer);
        ebm_free(bytes);
        http_reply_clear(&file);
        http_reply_clear(&end);
        json_decref(whole);
        json_decref(first);
        json_decref(second);
        json_decref(third);
        json_decref(brought);
        json_decref(longer);
    }
}

/* Chains that have come down a ladder to its denoising step, which leaves no row in their traces.
 */
static void denoised(void **state)
{
    json_t *job =
        json_call(d.port, "POST", "/v1/mcmc",
                  "{\"model\":\"c-clean\",\"chains\":2,\"steps\":4,\"ladder\":true}", 200);
    http_reply file = checkpoint(job, "ladder");
    json_t *brought = bring(file.body, file.size, 200);

    (void)state;
    assert_same(job, brought);
    json_decref(job);
    json_decref(brought);
    http_reply_clear(&file);
}

static bool is_forked(const json_t *job)
{
    return json_is_true(json_object_get(job, "forked"));
}

/* A fork leaves the chains as they are and goes another way; its images carry no receipt, also when
 * its chains were taken away and brought again, or gone on with by the command. */
static void forks(void **state)
{
    json_t *first = run("mala", 40), *whole = run("mala", 60);
    json_t *fork = ask(first, "fork", "{\"steps\":20,\"seed\":99}", 200);
    json_t *again = ask(first, "fork", "{\"steps\":20,\"seed\":99}", 200);
    http_reply file = checkpoint(fork, "fork.ebm");
    json_t *brought = bring(file.body, file.size, 200), *longer = extend(brought, 10);

    (void)state;
    assert_same(fork, again);
    assert_false(json_equal(json_object_get(fork, "data"), json_object_get(whole, "data")));
    assert_int_equal(json_integer_value(json_object_get(fork, "seed")), 99);
    assert_true(is_forked(fork) && is_forked(brought) && is_forked(longer));
    assert_false(is_forked(first));
    assert_same(fork, brought);
    for (int i = 0; i < 2; i++) { /* the second time of the file that the command has written */
        command("mcmc --model a-tiny --resume fork.ebm --steps 70 --checkpoint fork.ebm");
        assert_chains(longer, 2);
    }
    http_reply_clear(&file);
    json_decref(first);
    json_decref(whole);
    json_decref(fork);
    json_decref(again);
    json_decref(brought);
    json_decref(longer);
}

/* The job's end; its route waits, that of chains does not. */
static json_t *wait_for(const char *id)
{
    char route[128];

    json_decref(job_end(d.port, id));
    snprintf(route, sizeof(route), "/v1/chains/%s", id);
    return json_call(d.port, "GET", route, NULL, 200);
}

/* Paused on the way and gone on with; killed on the way: the bytes of the undisturbed run. */
static void pause_resume_and_kill(void **state)
{
    char path[128], id[64] = "";
    json_t *whole = json_call(d.port, "POST", "/mcmc", LONG, 200), *job, *resumed;
    http_reply r;

    (void)state;
    job_begin(d.port, "/mcmc", LONG, id);
    snprintf(path, sizeof(path), "/v1/chains/%s/checkpoint", id);
    assert_int_equal(http_get_status(d.port, path), 409);
    for (bool begun = false; !begun;) { /* a chain that has not begun cannot be kept */
        snprintf(path, sizeof(path), "/v1/chains/%s", id);
        job = json_call(d.port, "GET", path, NULL, 200);
        begun =
            json_number_value(json_object_get(json_object_get(job, "progress"), "fraction")) > 0.02;
        json_decref(job);
    }
    snprintf(path, sizeof(path), "/v1/chains/%s/pause", id);
    assert_true(http_call(d.port, "POST", path, "", NULL, &r));
    assert_true(r.status == 200 || r.status == 202);
    http_reply_clear(&r);
    job = wait_for(id);
    assert_string_equal(json_string_value(json_object_get(job, "status")), "canceled");
    assert_true(json_is_false(json_object_get(json_object_get(job, "diagnostics"), "complete")));
    resumed = ask(job, "resume", "{}", 200);
    assert_same(whole, resumed);
    json_decref(resumed);
    json_decref(job);
    job_begin(d.port, "/mcmc", LONG, id);
    assert_int_equal(daemon_stop(&d, SIGKILL, 10000), -1);
    assert_int_equal(start(), 0);
    job = wait_for(id);
    assert_same(whole, job);
    json_decref(job);
    json_decref(whole);
}

static void restart(const char *const *more)
{
    assert_int_equal(daemon_stop(&d, SIGTERM, 10000), 0);
    assert_true(daemon_start(&d, more));
}

/* Chains that go on are as long in the queue as what is ahead of them. */
static void small_extensions(void **state)
{
    static const char wait[] = "{\"model\":\"a-tiny\",\"seed\":1}"; /* 3 levels of 5 steps */
    const char *const few[] = {"--workers", "2", "--store", d.store, "--queue-work", "1000", NULL};
    const char *const many[] = {"--workers", "2", "--store", d.store, NULL};
    json_t *set = json_call(
        d.port, "POST", "/mcmc",
        "{\"model\":\"a-tiny\",\"chains\":2,\"steps\":2000,\"thin\":100,\"seed\":5}", 200);
    char path[160], first[64], id[64];
    json_t *queue, *job;

    (void)state;
    restart(few);
    assert_int_equal(http_status(d.admin, "POST", "/v1/admin/pause", "", NULL), 200);
    job_begin(d.port, "/sample", wait, first);
    snprintf(path, sizeof(path), "/v1/chains/%s/extend", id_of(set));
    assert_int_equal(job_send(d.port, path, "", "{\"steps\":1000}", id), 429);
    assert_int_equal(job_send(d.port, path, "", "{\"steps\":1}", id), 202);
    queue = json_call(d.port, "GET", "/v1/queue", NULL, 200);
    assert_int_equal(json_integer_value(json_object_get(queue, "work")), 15 + 2);
    json_decref(queue);
    assert_int_equal(http_status(d.admin, "POST", "/v1/admin/resume", "", NULL), 200);
    job = job_end(d.port, id);
    assert_string_equal(json_string_value(json_object_get(job, "status")), "succeeded");
    json_decref(job);
    json_decref(job_end(d.port, first));
    json_decref(set);
    restart(many);
}

/* Beside another job chains of more than a MiB have to wait outside; alone they are let in. */
static void large_sets(void **state)
{
    static const char wait[] = "{\"model\":\"a-tiny\",\"seed\":1}";
    const char *const few[] = {"--workers", "2", "--store", d.store, "--queue-mib", "1", NULL};
    const char *const many[] = {"--workers", "2", "--store", d.store, NULL};
    json_t *set =
        json_call(d.port, "POST", "/mcmc",
                  "{\"model\":\"a-tiny\",\"chains\":16,\"steps\":2000,\"thin\":1,\"seed\":5}", 200);
    char path[160], first[64], id[64];

    (void)state;
    restart(few);
    assert_int_equal(http_status(d.admin, "POST", "/v1/admin/pause", "", NULL), 200);
    job_begin(d.port, "/sample", wait, first);
    snprintf(path, sizeof(path), "/v1/chains/%s/extend", id_of(set));
    assert_int_equal(job_send(d.port, path, "", "{\"steps\":10}", id), 429);
    assert_int_equal(http_status(d.admin, "POST", "/v1/admin/resume", "", NULL), 200);
    json_decref(job_end(d.port, first));
    assert_int_equal(job_send(d.port, path, "", "{\"steps\":10}", id), 202);
    json_decref(job_end(d.port, id));
    json_decref(set);
    restart(many);
}

/* M05: what led to the end of a chain that left the finite numbers is kept. */
static void divergence(void **state)
{
    static const char body[] =
        "{\"model\":\"b-wild\",\"chains\":2,\"steps\":300,\"ladder\":true,\"seed\":1}";
    char id[64] = "";
    json_t *job, *told;

    (void)state;
    job_begin(d.port, "/mcmc", body, id);
    job = wait_for(id);
    assert_string_equal(json_string_value(json_object_get(job, "status")), "failed");
    assert_string_equal(json_string_value(json_object_get(json_object_get(job, "error"), "code")),
                        "diverged");
    told = ask(job, "diagnostics", NULL, 200);
    assert_non_null(json_object_get(told, "diagnostics"));
    json_decref(told);
    told = ask(job, "traces", NULL, 200);
    assert_true(json_array_size(json_object_get(told, "energy")) > 0);
    json_decref(told);
    json_decref(job);
}

/* --- hostile -------------------------------------------------------------------------------- */

static void refusals(void **state)
{
    static const struct {
        const char *what, *body;
        int status;
        const char *pointer;
    } rows[] = {{"extend", "{\"steps\":0}", 422, "/steps"},
                {"extend", "{\"steps\":100000}", 422, "/steps"},
                {"extend", "{\"seed\":1}", 422, "/seed"},
                {"extend", "{\"until\":{\"ess\":0}}", 422, "/until/ess"},
                {"extend", "{\"keep\":65}", 422, "/keep"},
                {"extend", "{\"steps\":5,\"keep\":6}", 422, "/keep"},
                {"resume", "{\"keep\":1}", 422, "/keep"}, /* nothing is ahead */
                {"fork", "{\"seed\":-2}", 422, "/seed"},
                {"resume", "{\"steps\":5}", 422, "/steps"},
                {"resume", "[]", 422, ""},
                {"resume", "{", 400, NULL}};
    json_t *job = run("langevin", 20);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        json_t *p = ask(job, rows[i].what, rows[i].body, rows[i].status);
        json_t *first = json_array_get(json_object_get(p, "errors"), 0);

        if (rows[i].pointer)
            assert_string_equal(json_string_value(json_object_get(first, "pointer")),
                                rows[i].pointer);
        json_decref(p);
    }
    json_decref(job);
    job = json_call(d.port, "POST", "/sample", "{\"model\":\"a-tiny\"}", 200);
    json_decref(ask(job, "", NULL, 404)); /* a job, but not of chains */
    json_decref(job);
    json_decref(json_call(d.port, "GET", "/v1/chains/job_00000000000000000000000000", NULL, 404));
    json_decref(json_call(d.port, "GET", "/v1/chains/x/diagnostics", NULL, 404));
    json_decref(json_call(d.port, "POST", "/mcmc",
                          "{\"model\":\"a-tiny\",\"chains\":64,\"steps\":15000,\"thin\":1}",
                          422)); /* M03 */
}

/* A file that was cut off or changed anywhere is refused, and nothing is kept of it. */
static void damaged_files(void **state)
{
    json_t *job = run("hmc", 20);
    http_reply file = checkpoint(job, "good.ebm");

    (void)state;
    for (size_t i = 0; i < file.size; i += file.size / 40) {
        json_decref(bring(file.body, i, 422));
        file.body[i] = (char)(file.body[i] ^ 1);
        json_decref(bring(file.body, file.size, 422));
        file.body[i] = (char)(file.body[i] ^ 1);
    }
    json_decref(bring(file.body, file.size, 200));
    http_reply_clear(&file);
    json_decref(job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(later_by_itself),
        cmocka_unit_test(stop_rules),
        cmocka_unit_test(metadata),
        cmocka_unit_test(split_runs),
        cmocka_unit_test(denoised),
        cmocka_unit_test(forks),
        cmocka_unit_test(pause_resume_and_kill),
        cmocka_unit_test(divergence),
        cmocka_unit_test(refusals),
        cmocka_unit_test(damaged_files),
        cmocka_unit_test(small_extensions), /* the last two: they start the daemon anew */
        cmocka_unit_test(large_sets),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
