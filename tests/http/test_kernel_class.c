/* A daemon that is started again with other kernels: what goes on with chains of another kernel
 * class says so and gives no receipts, what can begin again does, and ends with the bytes of one
 * class.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/wait.h>

#include "daemon_models.h"
#include "ebm/io.h"
#include "ebm/memory.h"
#include "ebm/receipt.h"
#include "http_form.h"
#include "job_client.h"
#include "real_time.h"

#define RUN                                                                                        \
    "{\"model\":\"a-tiny\",\"chains\":2,\"seed\":3,\"thin\":20,\"level\":1,\"sampler\":\"mala\","  \
    "\"steps\":%d}"

static daemon_process d;

/* Both sets are in every build, and their classes differ on every machine. */
static bool start(const char *kernels)
{
    const char *const more[] = {"--workers", "2", "--store", d.store, "--kernels", kernels, NULL};

    return daemon_start(&d, more);
}

static void restart(const char *kernels)
{
    assert_int_equal(daemon_stop(&d, SIGTERM, 10000), 0);
    assert_true(start(kernels));
}

static int setup(void **state)
{
    static const tiny_model tiny = {
        .id = "a-tiny", .levels = 3, .steps = 5, .seed = 1, .step_scale = 1.0};

    (void)state;
    return daemon_prepare_models(&d, &tiny, 1) && start("ref") ? 0 : -1;
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

static json_t *run(int steps)
{
    char body[160];

    snprintf(body, sizeof(body), RUN, steps);
    return json_call(d.port, "POST", "/mcmc", body, 200);
}

static json_t *ask(const json_t *job, const char *what, const char *body)
{
    char path[160];

    snprintf(path, sizeof(path), "/v1/chains/%s/%s", id_of(job), what);
    return json_call(d.port, "POST", path, body, 200);
}

static void fetch(const json_t *job, const char *what, http_reply *out)
{
    char path[160];

    snprintf(path, sizeof(path), "/v1/%s/%s/%s", what[0] == 'c' ? "chains" : "jobs", id_of(job),
             what);
    assert_true(http_call(d.port, "GET", path, "", NULL, out));
    assert_int_equal(out->status, 200);
}

/* The job that goes on with the chains of a job's file. */
static json_t *bring_again(const json_t *job)
{
    http_reply file, r;
    json_t *brought;

    fetch(job, "checkpoint", &file);
    assert_true(temp_dir_write(d.dir, "chains.ebm", file.body, file.size));
    assert_true(http_send_body(d.port, "/v1/chains", "application/octet-stream",
                               "Prefer: wait=60\r\n", file.body, file.size, &r));
    brought = json_of_reply(&r, 200);
    http_reply_clear(&file);
    http_reply_clear(&r);
    return brought;
}

static bool is_of(const json_t *job, const char *kernel_class)
{
    const json_t *told = json_object_get(json_object_get(job, "reproducibility"), "kernel_class");

    return strncmp(json_string_value(told), kernel_class, strlen(kernel_class)) == 0;
}

/* Whether image k tells how it was made, and then by which kernels. */
static bool has_receipt(const json_t *job, int k, const char *kernel_class)
{
    char what[32], *text = NULL;
    http_reply r;
    ebm_status st;

    snprintf(what, sizeof(what), "images/%d.png", k);
    fetch(job, what, &r);
    st = ebm_png_find_text((const unsigned char *)r.body, r.size, EBM_RECEIPT_KEY, &text, NULL);
    assert_true(st == EBM_OK || st == EBM_ERR_NOT_FOUND);
    if (text)
        assert_non_null(strstr(text, kernel_class));
    ebm_free(text);
    http_reply_clear(&r);
    return st == EBM_OK;
}

/* The job says that nobody can make its images again, and they do not say how. */
static void assert_several(json_t *job)
{
    assert_true(is_of(job, EBM_KERNEL_CLASS_SEVERAL));
    for (int k = 0; k < 2; k++)
        assert_false(has_receipt(job, k, ""));
    json_decref(job);
}

static void assert_one(const json_t *job, const char *kernel_class)
{
    assert_true(is_of(job, kernel_class));
    for (int k = 0; k < 2; k++)
        assert_true(has_receipt(job, k, kernel_class));
}

/* --- chains that are kept -------------------------------------------------------------------- */

static int command(const char *arguments)
{
    char text[4 * TEMP_PATH_MAX];
    int status;

    snprintf(text, sizeof(text), "cd %s && '" EBM_BINARY "' %s --models models >lines 2>said",
             d.dir, arguments);
    status = system(text);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Every way to go on, under another class, and once more under the first. */
static void going_on(void **state)
{
    json_t *first = run(40), *whole = run(60), *longer, *same;

    (void)state;
    assert_one(first, "ref");
    restart("blas");
    longer = ask(first, "extend", "{\"steps\":20}");
    assert_several(ask(first, "fork", "{\"steps\":20,\"seed\":9}"));
    assert_several(ask(first, "resume", "{}"));
    assert_several(bring_again(first));
    restart("ref");
    assert_several(ask(longer, "extend", "{\"steps\":5}"));
    assert_several(bring_again(longer)); /* its file is what the command goes on with below */
    assert_several(longer);
    same = ask(first, "extend", "{\"steps\":20}"); /* its chains have never seen other kernels */
    assert_one(same, "ref");
    assert_true(json_equal(json_object_get(same, "data"), json_object_get(whole, "data")));
    assert_int_equal(command("mcmc --model a-tiny --resume chains.ebm --steps 70 --kernels ref "
                             "--out out"),
                     0);
    assert_int_equal(command("verify --kernels ref out/chain000000.png"), 65);
    json_decref(first);
    json_decref(whole);
    json_decref(same);
}

/* --- jobs at work -------------------------------------------------------------------------- */

/* Until so much of a job that has not ended is done. */
static void wait_until(const char *id, const char *name, double least)
{
    for (double done = 0.0; done < least;) {
        json_t *job = job_look(d.port, id);
        const char *status = json_string_value(json_object_get(job, "status"));

        assert_true(strcmp(status, "queued") == 0 || strcmp(status, "running") == 0);
        done = json_number_value(json_object_get(json_object_get(job, "progress"), name));
        json_decref(job);
        real_sleep_ms(5);
    }
}

/* A job that can begin again does: also its images that were done are of the class it names. */
static void begun_again(void **state)
{
    static const char body[] = "{\"model\":\"a-tiny\",\"n\":8,\"steps_per_level\":1000,\"seed\":1}";
    char id[64];
    json_t *job, *undisturbed;

    (void)state;
    restart("ref");
    job_begin(d.port, "/sample", body, id);
    wait_until(id, "images_done", 1.0);
    restart("blas");
    job = job_end(d.port, id);
    assert_true(daemon_logged(&d, "checkpoint_dropped"));
    assert_false(daemon_logged(&d, "determinism_mismatch"));
    assert_one(job, "blas");
    undisturbed = json_call(d.port, "POST", "/sample", body, 200);
    assert_true(json_equal(json_object_get(job, "data"), json_object_get(undisturbed, "data")));
    json_decref(job);
    json_decref(undisturbed);
}

/* A job that goes on with chains has nothing else to begin with: it keeps them, and says so, also
 * when it ends under the class that it was asked of. */
static void gone_on_with(void **state)
{
    char id[64], path[128];
    json_t *first, *job;

    (void)state;
    restart("ref");
    first = run(40);
    snprintf(path, sizeof(path), "/v1/chains/%s/extend", id_of(first));
    job_begin(d.port, path, "{\"steps\":99000}", id);
    wait_until(id, "fraction", 0.01);
    restart("blas");
    wait_until(id, "fraction", 0.05);
    restart("ref");
    assert_int_equal(job_cancel(d.port, id), 202);
    job = job_end(d.port, id);
    assert_string_equal(json_string_value(json_object_get(job, "status")), "canceled");
    assert_false(daemon_logged(&d, "the chains to go on with are lost"));
    assert_several(job);
    json_decref(first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(going_on),
        cmocka_unit_test(begun_again),
        cmocka_unit_test(gone_on_with),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
