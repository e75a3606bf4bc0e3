/* Keys over the wire: one answer for every stranger, scopes, quotas, reloading by signal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/stat.h>

#include "daemon_models.h"
#include "http_client.h"
#include "job_client.h"
#include "real_time.h"

#define SECRET "0123456789abcdef0123456789abcdef"
#define SALTED                                                                                     \
    " 000102030405060708090a0b0c0d0e0f "                                                           \
    "355cdbe611519477dfe934e5707a13b91de04201300dc1c9507369164fa60839"
#define TAIL              SALTED "\n"
#define TAIL_OF(priority) SALTED " " #priority "\n"
#define JSON              "Content-Type: application/json\r\n"

static daemon_process d;
static char keys[TEMP_PATH_MAX];

static void write_keys(const char *text)
{
    assert_true(temp_dir_write(d.dir, "keys", text, strlen(text)));
    assert_int_equal(chmod(keys, 0600), 0);
}

static int setup(void **state)
{
    static const char *more[] = {"--api-keys",
                                 keys,
                                 "--trusted-proxies",
                                 "127.0.0.0/8",
                                 "--jobs-per-key",
                                 "2",
                                 "--request-work",
                                 "100000",
                                 "--workers",
                                 "1",
                                 NULL};

    (void)state;
    if (!daemon_prepare_tiny(&d) || !temp_dir_join(d.dir, "keys", keys))
        return -1;
    write_keys("alice sample,jobs - -" TAIL "reader jobs - -" TAIL "slow sample 2 -" TAIL
               "poor sample - 8" TAIL "boss admin - -" TAIL "thrifty sample - 8" TAIL
               "carol sample,jobs - -" TAIL
               "humble sample - -" TAIL_OF(2) "first sample - -" TAIL_OF(9));
    return daemon_start(&d, more) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return daemon_end(&d, 10000);
}

static int post(const char *headers, http_reply *r)
{
    char all[2048];

    snprintf(all, sizeof(all), JSON "%s", headers);
    assert_true(http_call(d.port, "POST", "/v1/sample", all, "{}", r));
    return r->status;
}

static int post_status(const char *headers)
{
    http_reply r;
    int status = post(headers, &r);

    http_reply_clear(&r);
    return status;
}

/* The body without what differs from request to request. */
static void strip_id(char *body)
{
    char *id = strstr(body, "\"request_id\"");

    if (id)
        *id = '\0';
}

/* A01, A03: all of these get the same answer. */
static void strangers(void **state)
{
    static const char *const rows[] = {
        "",
        "Authorization: \r\n",
        "Authorization: Basic YTpi\r\n",
        "Authorization: Bearer\r\n",
        "Authorization: Bearer alice\r\n",
        "Authorization: Bearer alice.wrong\r\n",
        "Authorization: Bearer alice.0123456789abcdef0123456789abcdee\r\n",
        "Authorization: Bearer nobody." SECRET "\r\n",
        "Authorization: Bearer alice." SECRET SECRET SECRET SECRET SECRET "\r\n",
        "Authorization: Bearer \xff\xfe\r\n",
        "X-Api-Key: alice." SECRET "\r\n",
    };
    char first[2048] = "", value[128];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        http_reply r;

        if (post(rows[i], &r) != 401)
            fail_msg("%s: %d", rows[i], r.status);
        assert_string_equal(http_header(&r, "WWW-Authenticate", value, sizeof(value)),
                            "Bearer realm=\"ebmd\"");
        assert_string_equal(http_header(&r, "Content-Type", value, sizeof(value)),
                            "application/problem+json");
        strip_id(r.body);
        if (i == 0)
            snprintf(first, sizeof(first), "%s", r.body);
        assert_string_equal(r.body, first);
        http_reply_clear(&r);
    }
}

/* A01, A03: keys of any length and of odd bytes; A02: one in the query is refused, and is not in
 * the log. */
static void odd_keys(void **state)
{
    static char headers[11000] = "Authorization: Bearer alice.";

    (void)state;
    memset(headers + strlen(headers), 'a', 10240);
    strcat(headers, "\r\n");
    assert_int_equal(post_status(headers), 401);
    assert_int_equal(post_status("Authorization: Bearer \x1b[31m." SECRET "\r\n"), 400);
    assert_int_equal(http_status(d.port, "GET", "/v1/models?api_key=" SECRET,
                                 "Authorization: Bearer alice." SECRET "\r\n", NULL),
                     400);
    assert_int_equal(http_get_status(d.port, "/nope?api_key=" SECRET), 404);
    assert_false(daemon_logged(&d, SECRET));
}

static void two_answers_to_who_is_it(void **state)
{
    (void)state;
    assert_int_equal(post_status("Authorization: Bearer alice." SECRET
                                 "\r\nAuthorization: Bearer reader." SECRET "\r\n"),
                     400);
    assert_int_equal(post_status("Authorization: Bearer a\x01.b\r\n"), 400);
}

static void scopes(void **state)
{
    static const char alice[] = "Authorization: Bearer alice." SECRET "\r\n";
    static const char reader[] = "Authorization: Bearer reader." SECRET "\r\n";
    char value[128];
    http_reply r;

    (void)state;
    assert_int_equal(post_status(alice), 200);
    assert_int_equal(post(reader, &r), 403);
    assert_non_null(http_header(&r, "WWW-Authenticate", value, sizeof(value)));
    assert_non_null(strstr(value, "scope=\"sample\""));
    http_reply_clear(&r);
    assert_int_equal(http_status(d.port, "GET", "/v1/models", reader, NULL), 200); /* any key */
    assert_int_equal(http_get_status(d.port, "/v1/models"), 401);
    assert_int_equal(http_get_status(d.port, "/v1/models/tiny"), 401);
    assert_int_equal(http_get_status(d.port, "/v1/jobs/x"), 401);
    assert_int_equal(http_status(d.port, "GET", "/v1/jobs/x", reader, NULL), 404);
    /* probes need none */
    assert_int_equal(http_get_status(d.port, "/healthz"), 200);
    assert_int_equal(http_get_status(d.port, "/"), 200); /* the page asks for the key itself */
    assert_int_equal(http_get_status(d.port, "/readyz"), 200);
    assert_int_equal(http_get_status(d.port, "/version"), 200);
    assert_int_equal(http_get_status(d.admin, "/metrics"), 200);
    assert_true(daemon_logged(&d, "\"owner\":\"alice\""));
    assert_false(daemon_logged(&d, SECRET));
}

static void quotas(void **state)
{
    static const char slow[] = "Authorization: Bearer slow." SECRET "\r\n";
    static const char poor[] = "Authorization: Bearer poor." SECRET "\r\n";
    char value[32];
    http_reply r;

    (void)state;
    assert_int_equal(post_status(slow), 200);
    assert_int_equal(post_status(slow), 200);
    assert_int_equal(post(slow, &r), 429);
    assert_in_range(atoi(http_header(&r, "Retry-After", value, sizeof(value))), 1, 30);
    assert_non_null(strstr(r.body, "\"quota_exceeded\""));
    http_reply_clear(&r);
    assert_int_equal(post_status(poor), 200); /* 2 levels, 2 steps: 4 of 8 */
    assert_int_equal(post_status(poor), 200);
    assert_int_equal(post(poor, &r), 429);
    assert_in_range(atoi(http_header(&r, "Retry-After", value, sizeof(value))), 1, 8);
    http_reply_clear(&r);
}

/* Asks for work to be done later; id receives the job's id. Returns the status. */
static int later(const char *who, const char *more, const char *body, char id[64])
{
    char headers[512];

    snprintf(headers, sizeof(headers), "Authorization: Bearer %s." SECRET "\r\n%s", who, more);
    return job_send(d.port, "/v1/sample", headers, body, id);
}

static int as(const char *who, const char *method, const char *id, const char *tail)
{
    char path[128], headers[128];

    snprintf(path, sizeof(path), "/v1/jobs/%s%s", id, tail);
    snprintf(headers, sizeof(headers), "Authorization: Bearer %s." SECRET "\r\n", who);
    return http_status(d.port, method, path, headers, NULL);
}

/* 202 while it still runs, 200 when it has ended. */
static void end_job(const char *who, const char *id)
{
    int status;

    while ((status = as(who, "POST", id, "/cancel")) == 202)
        real_sleep_ms(1);
    assert_int_equal(status, 200);
}

/* Whoever asks for another one's job learns no more than of one that does not exist. */
static void jobs_of_others(void **state)
{
    static const char key[] = "Idempotency-Key: same\r\n";
    static const char body[] = "{\"steps_per_level\":2000,\"n\":20}";
    char id[64], theirs[64], again[64];

    (void)state;
    assert_int_equal(later("alice", key, body, id), 202);
    assert_int_equal(as("carol", "GET", id, ""), 404);
    assert_int_equal(as("carol", "POST", id, "/cancel"), 404);
    assert_int_equal(as("reader", "GET", id, ""), 404);
    assert_int_equal(later("carol", key, body, theirs),
                     202); /* the same key is another one's here */
    assert_string_not_equal(id, theirs);
    assert_int_equal(later("alice", key, body, again), 202);
    assert_string_equal(id, again);
    assert_int_equal(as("alice", "GET", id, ""), 200);
    assert_int_equal(as("boss", "GET", id, ""), 200);
    end_job("boss", id);
    end_job("carol", theirs);
}

/* What a key may not ask for is refused, never lowered in silence, and costs nothing. */
static void priorities(void **state)
{
    static const struct {
        const char *who, *body;
        int status;
    } rows[] = {{"alice", "{\"priority\":5}", 200},
                {"alice", "{\"priority\":6}", 403},
                {"alice", "{\"priority\":9}", 403},
                {"alice", "{\"priority\":0}", 200},
                {"humble", "{\"priority\":2}", 200},
                {"humble", "{\"priority\":3}", 403},
                {"humble", "{}", 200},
                {"first", "{\"priority\":9}", 200},
                {"first", "{\"priority\":10}", 422}};
    char headers[256];
    http_reply r;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        snprintf(headers, sizeof(headers), JSON "Authorization: Bearer %s." SECRET "\r\n",
                 rows[i].who);
        assert_true(http_call(d.port, "POST", "/v1/sample", headers, rows[i].body, &r));
        if (r.status != rows[i].status)
            fail_msg("%s %s: %d", rows[i].who, rows[i].body, r.status);
        if (r.status == 403) {
            assert_non_null(strstr(r.body, "\"code\":\"priority_forbidden\""));
            assert_non_null(strstr(r.body, "\"pointer\":\"/priority\""));
        }
        http_reply_clear(&r);
    }
    assert_true(http_call(d.admin, "GET", "/metrics", "", NULL, &r));
    assert_non_null(strstr(r.body, "ebm_denied_total{reason=\"priority\"} 3\n"));
    http_reply_clear(&r);
}

static void budgets(void **state)
{
    static const char body[] = "{\"steps_per_level\":2000,\"n\":20}";
    static const char thrifty[] = "Authorization: Bearer thrifty." SECRET "\r\n";
    static const char key[] = "Idempotency-Key: k\r\n";
    char one[64], two[64], id[64], headers[256];
    http_reply r;

    (void)state;
    assert_int_equal(later("alice", "", body, one), 202);
    assert_int_equal(later("alice", "", body, two), 202);
    assert_int_equal(later("alice", "", body, id), 429); /* two are enough for one key */
    assert_int_equal(later("carol", "", "{}", id), 202);
    end_job("alice", one);
    end_job("alice", two);
    snprintf(headers, sizeof(headers), JSON "Authorization: Bearer carol." SECRET "\r\n");
    assert_true(http_call(d.port, "POST", "/v1/sample", headers,
                          "{\"steps_per_level\":2000,\"n\":26}", &r));
    assert_int_equal(r.status, 422);
    assert_non_null(strstr(r.body, "\"too_much_work\""));
    assert_non_null(strstr(r.body, "at most 100000"));
    http_reply_clear(&r);
    /* a request that is answered with its earlier job costs no work: 4 of 8 */
    snprintf(headers, sizeof(headers), "%s%s", thrifty, key);
    for (int i = 0; i < 4; i++)
        assert_int_equal(post_status(headers), 200);
    assert_int_equal(post_status(thrifty), 200);
    assert_int_equal(post_status(thrifty), 429);
    assert_int_equal(post_status(headers), 200); /* nor does it need any to be left */
    snprintf(headers, sizeof(headers), "%sIdempotency-Key: other\r\n", thrifty);
    assert_int_equal(post_status(headers), 429);
}

static bool logged_soon(const char *text)
{
    for (int i = 0; i < 1000 && !daemon_logged(&d, text); i++)
        real_sleep_ms(10);
    return daemon_logged(&d, text);
}

static void reloading(void **state)
{
    static const char bob[] = "Authorization: Bearer bob." SECRET "\r\n";

    (void)state;
    assert_int_equal(post_status(bob), 401);
    write_keys("bob sample - -" TAIL "broken\n");
    kill(d.pid, SIGHUP);
    assert_true(logged_soon("\"keys_kept\""));
    assert_true(daemon_logged(&d, "keys:2"));
    assert_int_equal(post_status(bob), 401);
    assert_int_equal(post_status("Authorization: Bearer alice." SECRET "\r\n"), 200);
    write_keys("bob sample - -" TAIL);
    kill(d.pid, SIGHUP);
    assert_true(logged_soon("\"keys_reloaded\",\"keys\":1"));
    assert_int_equal(post_status(bob), 200);
    assert_int_equal(post_status("Authorization: Bearer alice." SECRET "\r\n"), 401);
}

/* The test is a trusted proxy here: the address it forwards is the one that is logged. */
static void forwarded(void **state)
{
    (void)state;
    http_status(d.port, "GET", "/healthz", "X-Forwarded-For: 6.6.6.6, 192.0.2.7\r\n", NULL);
    assert_true(logged_soon("\"client\":\"192.0.2.7\""));
    http_status(d.port, "GET", "/healthz",
                "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 192.0.2.8\r\n", NULL);
    assert_true(logged_soon("\"client\":\"192.0.2.8\""));
    assert_false(daemon_logged(&d, "6.6.6.6"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strangers),
        cmocka_unit_test(odd_keys),
        cmocka_unit_test(two_answers_to_who_is_it),
        cmocka_unit_test(scopes),
        cmocka_unit_test(quotas),
        cmocka_unit_test(forwarded),
        cmocka_unit_test(jobs_of_others),
        cmocka_unit_test(priorities),
        cmocka_unit_test(budgets),
        cmocka_unit_test(reloading),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
