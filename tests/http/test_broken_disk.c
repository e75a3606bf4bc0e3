/* F06, F07: the disk under the job store has no room for a while, or fails to sync once. Nothing
 * that was accepted is lost, and nobody believes a disk that has lied. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <signal.h>
#include <unistd.h>

#include "daemon_metrics.h"
#include "daemon_models.h"
#include "http_client.h"
#include "job_client.h"
#include "real_time.h"

#define SLOW "{\"model\":\"slow\",\"steps_per_level\":20,\"seed\":1}"

#define LONG "{\"model\":\"slow\",\"steps_per_level\":2000,\"seed\":1}"

static daemon_process d;
static char full[TEMP_PATH_MAX], lost[TEMP_PATH_MAX], base[TEMP_PATH_MAX];

/* With the disk of support/failing_disk.c, which no process after this one gets. */
static bool start(bool failing)
{
    char prefix[TEMP_PATH_MAX];
    const char *const more[] = {"--workers", "1", "--store", d.store, NULL};
    bool ok;

    if (!temp_dir_join(d.dir, "disk", prefix))
        return false;
    if (failing) {
        setenv("EBM_FAILING_DISK", prefix, 1);
        setenv("LD_PRELOAD", FAILING_DISK, 1);
    }
    ok = daemon_start(&d, more);
    unsetenv("LD_PRELOAD");
    return ok;
}

static int setup(void **state)
{
    (void)state;
    return daemon_prepare_slow(&d) && temp_dir_join(d.dir, "disk.full", full) &&
                   temp_dir_join(d.dir, "disk.sync", lost) &&
                   temp_dir_join(d.dir, "disk.base", base) && start(true)
               ? 0
               : -1;
}

static int teardown(void **state)
{
    (void)state;
    daemon_clean(&d);
    return 0;
}

static int send_later(const char *body, char id[64])
{
    http_reply r;
    int status = 0;

    id[0] = '\0';
    if (http_call(d.port, "POST", "/sample",
                  "Content-Type: application/json\r\nPrefer: respond-async\r\n", body, &r)) {
        status = r.status;
        if (!http_header(&r, "X-Job-Id", id, 64))
            id[0] = '\0';
        if (status == 503)
            assert_non_null(strstr(r.body, "\"store_unavailable\""));
    }
    http_reply_clear(&r);
    return status;
}

static bool is_in(const char *id, const char *state, int wait_s)
{
    char path[96], text[64];
    http_reply r;
    bool found;

    snprintf(path, sizeof(path), "/v1/jobs/%.63s?wait=%d", id, wait_s);
    snprintf(text, sizeof(text), "\"status\":\"%s\"", state);
    assert_true(http_call(d.port, "GET", path, "", NULL, &r));
    found = r.status == 200 && strstr(r.body, text);
    http_reply_clear(&r);
    return found;
}

static void touch(const char *path)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fclose(f);
}

static void no_room_for_a_while(void **state)
{
    char done[64], running[64], id[64];
    pid_t pid = d.pid;

    (void)state;
    assert_int_equal(send_later("{}", done), 202);
    assert_true(is_in(done, "succeeded", 60));
    assert_int_equal(send_later(SLOW, running), 202);
    touch(full);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(send_later("{}", id), 503);
        real_sleep_ms(50); /* let the running job want to write, too */
    }
    assert_true(is_in(done, "succeeded", 0));                  /* what is there is served, */
    assert_int_equal(http_get_status(d.port, "/readyz"), 200); /* and the balancer need not leave */
    assert_int_equal(unlink(full), 0);
    assert_int_equal(send_later("{}", id), 202); /* it heals without a restart */
    assert_true(is_in(id, "succeeded", 60));
    assert_true(is_in(running, "succeeded", 60));
    assert_int_equal(d.pid, pid);
    assert_int_equal(daemon_stop(&d, SIGTERM, 10000), 0);
}

/* Each checkpoint that finds no room is counted, and the first of them is told of. The job goes on.
 */
static void unsaved_is_said_once(void **state)
{
    char id[64];

    (void)state;
    assert_int_equal(send_later(LONG, id), 202);
    job_wait(d.port, id, "running");
    touch(full);
    real_sleep_ms(4000); /* three times 1.5 s of work take longer */
    daemon_metrics_wait(&d, "ebm_store_errors_total 3");
    assert_int_equal(daemon_count_logged(&d, "\"store_failed\""), 1);
    assert_int_equal(unlink(full), 0);
    assert_true(is_in(id, "running", 0));
    assert_int_equal(daemon_stop(&d, SIGTERM, 10000), 0);
}

/* A process that dies on a full disk has a successor: it serves what is there, and goes on with
 * what was running once there is room. Only a store that is not there yet needs room, and says so.
 */
static void a_start_without_room(void **state)
{
    char running[64], path[TEMP_PATH_MAX], spec[TEMP_PATH_MAX + 16], line[1024];
    const char *const anew[] = {"--store", spec, NULL};

    (void)state;
    assert_int_equal(send_later(SLOW, running), 202);
    while (!is_in(running, "running", 0))
        real_sleep_ms(10);
    touch(full);
    assert_int_equal(daemon_stop(&d, SIGKILL, 10000), -1);
    assert_true(start(true));
    real_sleep_ms(200); /* let it try */
    assert_int_equal(http_get_status(d.port, "/readyz"), 200);
    assert_true(is_in(running, "running", 0));
    assert_int_equal(unlink(full), 0);
    assert_true(is_in(running, "succeeded", 100));
    assert_int_equal(daemon_stop(&d, SIGTERM, 10000), 0);
    touch(full);
    assert_true(temp_dir_join(d.dir, "new-jobs.db", path));
    snprintf(spec, sizeof(spec), "sqlite:%s", path);
    setenv("LD_PRELOAD", FAILING_DISK, 1);
    assert_int_equal(daemon_try(&d, anew, line, sizeof(line)), 75);
    unsetenv("LD_PRELOAD");
    assert_non_null(strstr(line, "full"));
}

/* Looks at the open jobs until they say so; fails the test if they never do. */
static void wait_slots(const char *text)
{
    for (int i = 0; i < 6000; i++) {
        http_reply r;
        bool found;

        assert_true(http_call(d.admin, "GET", "/v1/slots", "", NULL, &r));
        found = r.status == 200 && strstr(r.body, text);
        http_reply_clear(&r);
        if (found)
            return;
        real_sleep_ms(10);
    }
    fail_msg("no job says %s", text);
}

/* A request that waits for its job. Returns the connection. */
static int send_and_wait(const char *body)
{
    char text[256];
    int fd = http_connect(d.port);

    snprintf(text, sizeof(text),
             "POST /v1/sample HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
             "Connection: close\r\nContent-Length: %zu\r\n\r\n%s",
             strlen(body), body);
    assert_true(fd >= 0 && http_send_text(fd, text));
    return fd;
}

/* A job that has ended, and whose end there is no room to write, does not hold up a stop: who waits
 * for it is answered, and the next process makes it again. */
static void a_stop_without_room(void **state)
{
    http_reply r;
    char id[64];
    int fd = send_and_wait(SLOW);

    (void)state;
    wait_slots("\"parts_done\":0");
    touch(full);
    wait_slots("\"parts_done\":1"); /* and there it stays */
    kill(d.pid, SIGTERM);
    while (!daemon_logged(&d, "\"draining\""))
        real_sleep_ms(10);
    assert_int_equal(daemon_stop(&d, SIGTERM, 10000), 0); /* jobs are not waited for any more */
    assert_true(http_read(fd, true, &r));
    assert_int_equal(r.status, 503);
    assert_non_null(strstr(r.body, "\"interrupted\""));
    assert_non_null(http_header(&r, "X-Job-Id", id, sizeof(id)));
    http_reply_clear(&r);
    close(fd);
    assert_int_equal(unlink(full), 0);
    assert_true(start(true));
    assert_true(is_in(id, "succeeded", 100));
    assert_int_equal(daemon_stop(&d, SIGTERM, 10000), 0);
}

/* C9: after the first failed sync nobody knows what the disk holds. The end is 74, and the next
 * process finds every job whose id was given away. */
static void one_lost_sync(void **state)
{
    char id[8][64];
    int n = 0, status;

    (void)state;
    for (; n < 3; n++)
        assert_int_equal(send_later(SLOW, id[n]), 202);
    touch(lost);
    while ((status = send_later("{}", id[n])) == 202 && n < 7)
        n++; /* accepted before the sync that fails */
    assert_true(status == 503 || status == 0);
    assert_int_equal(daemon_stop(&d, 0, 20000), 74);
    assert_true(start(false));
    for (int i = 0; i < n; i++)
        assert_true(is_in(id[i], "succeeded", 100));
    assert_int_equal(daemon_stop(&d, SIGTERM, 10000), 0);
}

/* The same when the log is copied into the file, which happens by the way, once in many jobs. */
static void a_lost_sync_of_the_file(void **state)
{
    char first[64], id[64];
    int status = 202, sent = 1;

    (void)state;
    assert_int_equal(send_later("{}", first), 202);
    touch(base);
    for (; sent < 3000 && (status == 202 || status == 429); sent++) {
        status = send_later("{}", id);
        if (status == 429)
            real_sleep_ms(5);
    }
    assert_true(sent < 3000 && access(base, F_OK) != 0);
    assert_int_equal(daemon_stop(&d, 0, 20000), 74);
    assert_true(start(false));
    assert_true(is_in(first, "succeeded", 100));
    assert_int_equal(daemon_stop(&d, SIGTERM, 10000), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_room_for_a_while, setup, teardown),
        cmocka_unit_test_setup_teardown(unsaved_is_said_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_start_without_room, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stop_without_room, setup, teardown),
        cmocka_unit_test_setup_teardown(one_lost_sync, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lost_sync_of_the_file, setup, teardown),
    };

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return sizeof(tests) > 0 ? 77 : 0; /* their run-time library must be the first preloaded one */
#else
    return cmocka_run_group_tests(tests, NULL, NULL);
#endif
}
