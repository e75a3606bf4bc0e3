/* Jobs over the wire: accepted and fetched later, one key one job, canceled in each state, too
 * late, aged, overtaken, and carried over a stop into the next process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "daemon_models.h"
#include "http_client.h"
#include "job_client.h"
#include "real_time.h"

#define LONG                                                                                       \
    "{\"model\":\"slow\",\"steps_per_level\":2000,\"seed\":1}" /* seconds, on any machine */

static daemon_process d;

static int start(const char *store, const char *ttl)
{
    const char *const more[] = {"--workers", "1", "--store", store, "--result-ttl", ttl, NULL};

    return daemon_start(&d, more) ? 0 : -1;
}

static int setup(void **state)
{
    (void)state;
    if (!daemon_prepare_slow(&d))
        return -1;
    return start("memory", "86400");
}

static int teardown(void **state)
{
    (void)state;
    daemon_clean(&d);
    return 0;
}

/* Sends a body to be done later; id receives the job's id. Returns the status. */
static int send_later(const char *body, const char *key, char id[64])
{
    char header[512] = "";

    if (key)
        snprintf(header, sizeof(header), "Idempotency-Key: %s\r\n", key);
    return job_send(d.port, "/sample", header, body, id);
}

static void look(const char *id, http_reply *r)
{
    char path[96];

    snprintf(path, sizeof(path), "/v1/jobs/%.63s", id);
    assert_true(http_call(d.port, "GET", path, "", NULL, r));
}

/* Fetched later it is what a waiting client gets, but for its id and its times. */
static void now_or_later(void **state)
{
    char id[64];
    char *later, *now;
    http_reply r, waited;

    (void)state;
    assert_int_equal(send_later("{\"seed\":5,\"n\":2}", NULL, id), 202);
    job_wait(d.port, id, "succeeded");
    look(id, &r);
    assert_true(http_post(d.port, "/sample", "{\"seed\":5,\"n\":2}", &waited));
    later = strstr(r.body, "\"seed\":5");
    now = strstr(waited.body, "\"seed\":5");
    assert_true(later && now);
    assert_int_equal(strcspn(later, "]"), strcspn(now, "]"));
    assert_memory_equal(later, now, strcspn(now, "]")); /* params and images */
    http_reply_clear(&r);
    http_reply_clear(&waited);
}

/* A job that has ended does not change: who has seen it is spared its pictures. */
static void seen_before(void **state)
{
    char id[64], path[96], tag[128], header[192], again[128];
    http_reply r;

    (void)state;
    assert_int_equal(send_later("{\"seed\":5}", NULL, id), 202);
    job_wait(d.port, id, "succeeded");
    look(id, &r);
    assert_non_null(http_header(&r, "ETag", tag, sizeof(tag)));
    http_reply_clear(&r);
    snprintf(path, sizeof(path), "/v1/jobs/%.63s", id);
    snprintf(header, sizeof(header), "If-None-Match: %s\r\n", tag);
    assert_true(http_call(d.port, "GET", path, header, NULL, &r));
    assert_int_equal(r.status, 304);
    assert_int_equal(r.size, 0);
    assert_string_equal(http_header(&r, "ETag", again, sizeof(again)), tag);
    http_reply_clear(&r);
    assert_int_equal(http_status(d.port, "GET", path, "If-None-Match: \"0\"\r\n", NULL), 200);
    assert_int_equal(http_status(d.port, "DELETE", path, "", NULL), 204);
    assert_int_equal(http_status(d.port, "GET", path, header, NULL), 410);
}

static void one_key_one_job(void **state)
{
    char first[64], id[64];
    http_reply r;

    (void)state;
    assert_int_equal(send_later("{\"seed\":1,\"n\":2}", "k1", first), 202);
    assert_in_range(send_later("{ \"n\":2, \"seed\":1 }", "k1", id), 200, 202); /* spelling */
    assert_string_equal(id, first);
    assert_int_equal(send_later("{\"seed\":2,\"n\":2}", "k1", id), 422);
    assert_int_equal(job_send(d.port, "/interpolate", "Idempotency-Key: k1\r\n", "{}", id), 422);
    assert_int_equal(send_later("{\"seed\":1,\"n\":2}", "a b", id), 400);
    /* one that draws its seed is drawn once; a client that waits gets the same job */
    assert_int_equal(send_later("{}", "k2", first), 202);
    assert_true(http_call(d.port, "POST", "/sample",
                          "Content-Type: application/json\r\nIdempotency-Key: k2\r\n", "{}", &r));
    assert_int_equal(r.status, 200);
    assert_non_null(strstr(r.body, first));
    assert_non_null(http_header(&r, "Idempotency-Replayed", id, sizeof(id)));
    http_reply_clear(&r);
}

/* What the key made may be gone: that is said, whatever the client wants it as. */
static void a_key_whose_job_is_gone(void **state)
{
    static const char *const accept[] = {"Accept: application/json\r\n", "Accept: image/png\r\n",
                                         "Accept: text/event-stream\r\n"};
    char id[64], path[96], header[160];

    (void)state;
    assert_int_equal(send_later("{}", "gone", id), 202);
    job_wait(d.port, id, "succeeded");
    snprintf(path, sizeof(path), "/v1/jobs/%.63s", id);
    assert_int_equal(http_status(d.port, "DELETE", path, "", NULL), 204);
    for (int i = 0; i < 3; i++) {
        snprintf(header, sizeof(header),
                 "Content-Type: application/json\r\nIdempotency-Key: gone\r\n%s", accept[i]);
        assert_int_equal(http_status(d.port, "POST", "/sample", header, "{}"), 410);
    }
}

/* I04: what is no key. */
static void keys_that_are_none(void **state)
{
    char key[300], id[64];

    (void)state;
    memset(key, 'k', sizeof(key));
    for (size_t n = 254; n <= 257; n++) {
        key[n] = '\0';
        assert_int_equal(send_later("{}", key, id), n <= 255 ? 202 : 400);
        key[n] = 'k';
    }
    assert_int_equal(send_later("{}", "", id), 400);
    assert_int_equal(send_later("{}", "a\tb", id), 400);
    assert_int_equal(send_later("{}", "a\x7f", id), 400);
    assert_int_equal(send_later("{}", "\xc3\xa4", id), 400);
}

/* I03: fifty at once with one key and body are one job, and each learns how it ends. */
static void fifty_at_once(void **state)
{
    static const char head[] = "POST /sample HTTP/1.1\r\nHost: t\r\nIdempotency-Key: fifty\r\n"
                               "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{";
    char first[64] = "", id[64];
    int fd[50];
    http_reply r;

    (void)state;
    for (int i = 0; i < 50; i++) {
        fd[i] = http_connect(d.port);
        assert_true(fd[i] >= 0 && http_send_text(fd[i], head));
    }
    for (int i = 0; i < 50; i++)
        assert_true(http_send_text(fd[i], "}"));
    for (int i = 0; i < 50; i++) {
        assert_true(http_read(fd[i], true, &r));
        assert_int_equal(r.status, 200);
        assert_non_null(http_header(&r, "X-Job-Id", id, sizeof(id)));
        if (i == 0)
            memcpy(first, id, sizeof(id));
        assert_string_equal(id, first);
        http_reply_clear(&r);
        close(fd[i]);
    }
}

static void cancel_in_each_state(void **state)
{
    char running[64], id[64];

    (void)state;
    assert_int_equal(job_cancel(d.port, "job_00000000000000000000000000"), 404);
    assert_int_equal(send_later(LONG, NULL, running), 202);
    job_wait(d.port, running, "running");
    assert_int_equal(
        send_later("{\"model\":\"slow\",\"steps_per_level\":2000,\"priority\":0}", NULL, id), 202);
    assert_true(job_is(d.port, id, "queued")); /* a lower priority waits */
    assert_int_equal(job_cancel(d.port, id), 200);
    assert_true(job_is(d.port, id, "canceled"));
    assert_int_equal(job_cancel(d.port, running), 202);
    job_wait(d.port, running, "canceled"); /* how soon is for ebm_cancel_seconds to say */
    assert_int_equal(job_cancel(d.port, running), 200); /* again: nothing changes */
}

static void too_late(void **state)
{
    char id[64], waiting[64];

    (void)state;
    assert_int_equal(
        send_later("{\"model\":\"slow\",\"steps_per_level\":2000,\"timeout_s\":0.3}", NULL, id),
        202);
    assert_int_equal(
        send_later("{\"model\":\"slow\",\"priority\":0,\"timeout_s\":0.1}", NULL, waiting), 202);
    job_wait(d.port, waiting, "expired"); /* while it waited */
    job_wait(d.port, id, "canceled");     /* while it ran */
}

/* One worker, many long chains: a small request comes after all of them and ends before any. How
 * many quanta it waits is counted in server_sched. */
static void small_ones_overtake(void **state)
{
    char id[9][64];

    (void)state;
    assert_int_equal(
        send_later("{\"model\":\"slow\",\"steps_per_level\":2000,\"n\":64}", NULL, id[0]), 202);
    for (int i = 1; i < 9; i++)
        assert_int_equal(send_later(LONG, NULL, id[i]), 202);
    job_wait(d.port, id[0], "running");
    assert_true(daemon_draws(&d));
    for (int i = 0; i < 9; i++)
        assert_true(job_is(d.port, id[i], "running") || job_is(d.port, id[i], "queued"));
}

static void results_age(void **state)
{
    char id[64];
    http_reply r;

    (void)state;
    assert_int_equal(daemon_stop(&d, SIGTERM, 10000), 0);
    assert_int_equal(start("memory", "1"), 0);
    assert_int_equal(send_later("{}", NULL, id), 202);
    job_wait(d.port, id, "succeeded");
    for (int i = 0; i < 100; i++) {
        look(id, &r);
        if (r.status == 410)
            break;
        http_reply_clear(&r);
        real_sleep_ms(50);
    }
    assert_int_equal(r.status, 410);
    assert_non_null(strstr(r.body, "\"job_gone\""));
    http_reply_clear(&r);
}

/* C8: a stop gives jobs that nobody waits for back at once; the next process goes on with them. */
static void over_a_stop(void **state)
{
    char id[64];
    http_reply r;
    double begin;

    (void)state;
    assert_int_equal(daemon_stop(&d, SIGTERM, 10000), 0);
    assert_int_equal(start(d.store, "86400"), 0);
    assert_int_equal(send_later("{\"model\":\"slow\",\"steps_per_level\":40,\"seed\":3}", NULL, id),
                     202);
    job_wait(d.port, id, "running");
    begin = real_now_s();
    assert_int_equal(daemon_stop(&d, SIGTERM, 10000), 0);
    assert_true(real_now_s() - begin < 5.0);
    assert_int_equal(start(d.store, "86400"), 0);
    job_wait(d.port, id, "succeeded");
    look(id, &r);
    assert_non_null(strstr(r.body, "\"grad_evals\":16000,")); /* nothing was done twice */
    http_reply_clear(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(now_or_later, setup, teardown),
        cmocka_unit_test_setup_teardown(seen_before, setup, teardown),
        cmocka_unit_test_setup_teardown(one_key_one_job, setup, teardown),
        cmocka_unit_test_setup_teardown(a_key_whose_job_is_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(keys_that_are_none, setup, teardown),
        cmocka_unit_test_setup_teardown(fifty_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(cancel_in_each_state, setup, teardown),
        cmocka_unit_test_setup_teardown(too_late, setup, teardown),
        cmocka_unit_test_setup_teardown(small_ones_overtake, setup, teardown),
        cmocka_unit_test_setup_teardown(results_age, setup, teardown),
        cmocka_unit_test_setup_teardown(over_a_stop, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
