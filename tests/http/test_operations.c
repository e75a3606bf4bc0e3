/* What the operator sees: metrics on the admin listener alone, probes, checking a configuration
 * without starting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon_metrics.h"
#include "daemon_models.h"
#include "http_client.h"
#include "job_client.h"

static daemon_process d;

static int setup(void **state)
{
    (void)state;
    return daemon_prepare_tiny(&d) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    daemon_clean(&d);
    return 0;
}

static void metrics(void **state)
{
    char type[64];
    http_reply r;

    (void)state;
    assert_true(daemon_start(&d, NULL));
    assert_true(http_post(d.port, "/v1/sample", "{\"n\":2,\"steps_per_level\":3}", &r));
    http_reply_clear(&r);
    assert_true(http_post(d.port, "/v1/sample", "{\"n\":0}", &r));
    http_reply_clear(&r);
    assert_int_equal(http_get_status(d.port, "/v1/jobs/job_none"), 404);
    assert_int_equal(http_get_status(d.port, "/etc/passwd"), 404);
    assert_int_equal(http_get_status(d.port, "/metrics"), 404); /* not for everybody */
    assert_true(http_call(d.admin, "GET", "/metrics", "", NULL, &r));
    assert_string_equal(http_header(&r, "Content-Type", type, sizeof(type)),
                        "text/plain; version=0.0.4; charset=utf-8");
    http_reply_clear(&r);
    assert_true(daemon_metrics_have(
        &d, "\nebm_http_requests_total{route=\"/v1/sample\",code=\"200\"} 1\n"));
    assert_true(daemon_metrics_have(
        &d, "\nebm_http_requests_total{route=\"/v1/sample\",code=\"422\"} 1\n"));
    assert_true(daemon_metrics_have(
        &d, "\nebm_http_requests_total{route=\"/v1/jobs/{id}\",code=\"404\"} 1\n"));
    assert_true(
        daemon_metrics_have(&d, "\nebm_http_requests_total{route=\"none\",code=\"404\"} 2\n"));
    assert_true(daemon_metrics_have(
        &d, "\nebm_langevin_steps_total 12\n")); /* 2 images, 2 levels, 3 steps */
    assert_true(daemon_metrics_have(&d, "status=\"succeeded\",reason=\"none\"} 1\n"));
    assert_true(daemon_metrics_have(&d, "ebm_model_info{model=\"tiny\""));
    assert_true(daemon_metrics_clean(&d, NULL));
    assert_int_equal(http_get_status(d.admin, "/startupz"), 200);
    assert_int_equal(daemon_stop(&d, SIGTERM, 10000), 0);
}

/* What a service manager hears between start and stop; its socket is ours. */
static void the_service_manager(void **state)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    char text[64];
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    int beats = 0;

    (void)state;
    snprintf(a.sun_path, sizeof(a.sun_path), "%.90s/notify", d.dir);
    assert_int_equal(bind(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
    setenv("NOTIFY_SOCKET", a.sun_path, 1);
    setenv("WATCHDOG_USEC", "90000", 1);
    assert_true(daemon_start(&d, NULL));
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    memset(text, 0, sizeof(text));
    assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
    assert_string_equal(text, "READY=1");
    for (; beats < 3; beats++) {
        memset(text, 0, sizeof(text));
        assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
        assert_string_equal(text, "WATCHDOG=1");
    }
    assert_int_equal(daemon_stop(&d, SIGTERM, 10000), 0);
    while (recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT) == 10 &&
           memcmp(text, "WATCHDOG=1", 10) == 0)
        ;
    assert_memory_equal(text, "STOPPING=1", 10);
    close(fd);
}

/* While a balancer has not looked yet everything is served; another signal ends that time. */
static void drain_delay(void **state)
{
    static const char *const more[] = {"--drain-delay", "300", NULL};
    http_reply r;

    (void)state;
    assert_true(daemon_start(&d, more));
    kill(d.pid, SIGTERM);
    while (http_get_status(d.port, "/readyz") == 200)
        ;
    assert_int_equal(http_get_status(d.port, "/readyz"), 503);
    assert_int_equal(http_get_status(d.port, "/healthz"), 200);
    assert_true(http_post(d.port, "/v1/sample", "{}", &r));
    assert_int_equal(r.status, 200);
    assert_non_null(strstr(r.head, "Connection: close"));
    http_reply_clear(&r);
    assert_int_equal(daemon_stop(&d, SIGTERM, 10000), 0);
    assert_true(daemon_start(&d, more));
    assert_int_equal(daemon_stop(&d, SIGINT, 10000), 0); /* a keyboard waits for nobody */
}

static int slots_used(char *kind)
{
    json_t *root = json_call(d.admin, "GET", "/v1/slots", NULL, 200);
    json_t *data = json_object_get(root, "data");
    int n = (int)json_array_size(data);

    assert_int_equal(json_integer_value(json_object_get(root, "slots")), 64);
    if (n > 0)
        snprintf(kind, 16, "%s",
                 json_string_value(json_object_get(json_array_get(data, 0), "kind")));
    json_decref(root);
    return n;
}

/* What is worked on can be seen by the operator, and by nobody else. */
static void slots(void **state)
{
    char kind[16] = "", id[64];

    (void)state;
    assert_true(daemon_start(&d, NULL));
    assert_int_equal(http_get_status(d.port, "/v1/slots"), 404);
    assert_int_equal(slots_used(kind), 0);
    job_begin(d.port, "/v1/sample", "{\"n\":64,\"steps_per_level\":2000}", id);
    while (slots_used(kind) == 0)
        ;
    assert_string_equal(kind, "sample");
    assert_int_equal(daemon_stop(&d, SIGTERM, 10000), 0);
}

/* The operator's route does what SIGTERM does, its delay included; asking again changes nothing. */
static void drain_route(void **state)
{
    static const char *const patient[] = {"--drain-delay", "300", NULL};

    (void)state;
    assert_true(daemon_start(&d, NULL));
    assert_int_equal(http_status(d.port, "POST", "/v1/admin/drain", "", NULL), 404);
    assert_int_equal(
        http_status(d.admin, "POST", "/v1/admin/drain", "Origin: http://localhost\r\n", NULL), 403);
    assert_int_equal(http_get_status(d.admin, "/v1/admin/drain"), 405);
    assert_int_equal(http_get_status(d.port, "/readyz"), 200);
    assert_int_equal(http_status(d.admin, "POST", "/v1/admin/drain", "", NULL), 202);
    assert_int_equal(daemon_stop(&d, 0, 10000), 0);
    assert_true(daemon_start(&d, patient));
    assert_int_equal(http_status(d.admin, "POST", "/v1/admin/drain", "", NULL), 202);
    while (http_get_status(d.port, "/readyz") == 200)
        ;
    assert_int_equal(http_status(d.admin, "POST", "/v1/admin/drain", "", NULL), 202);
    assert_int_equal(
        http_status(d.port, "POST", "/v1/sample", "Content-Type: application/json\r\n", NULL), 400);
    assert_int_equal(daemon_stop(&d, SIGTERM, 10000), 0);
}

static bool says(int port, const char *path, const char *text)
{
    http_reply r;
    bool found =
        http_call(port, "GET", path, "", NULL, &r) && r.status == 200 && strstr(r.body, text);

    http_reply_clear(&r);
    return found;
}

/* Jobs are taken and wait, which probes, queue and metrics say; a stop does not wait for them. */
static void pause_and_resume(void **state)
{
    static const char waiting[] = "POST /sample HTTP/1.1\r\nHost: t\r\nContent-Type: "
                                  "application/json\r\nContent-Length: 2\r\n\r\n{}";
    char id[64];
    int fd;

    (void)state;
    assert_true(daemon_start(&d, NULL));
    assert_int_equal(http_status(d.port, "POST", "/v1/admin/pause", "", NULL), 404);
    assert_int_equal(
        http_status(d.admin, "POST", "/v1/admin/pause", "Origin: http://localhost\r\n", NULL), 403);
    assert_true(says(d.port, "/readyz", "\"scheduler\":\"running\""));
    for (int i = 0; i < 2; i++)
        assert_int_equal(http_status(d.admin, "POST", "/v1/admin/pause", "", NULL), 200);
    assert_true(says(d.port, "/readyz", "\"scheduler\":\"paused\""));
    assert_true(daemon_metrics_have(&d, "\nebm_paused 1\n"));
    job_begin(d.port, "/v1/sample", "{}", id);
    assert_true(says(d.port, "/v1/queue", "\"queued\":1,\"running\":0,"));
    assert_true(says(d.port, "/v1/queue", "\"accepting\":true,\"paused\":true"));
    for (int i = 0; i < 2; i++)
        assert_int_equal(http_status(d.admin, "POST", "/v1/admin/resume", "", NULL), 200);
    assert_true(daemon_metrics_have(&d, "\nebm_paused 0\n"));
    daemon_metrics_wait(&d, "status=\"succeeded\",reason=\"none\"} 1\n");
    assert_int_equal(http_status(d.admin, "POST", "/v1/admin/pause", "", NULL), 200);
    fd = http_connect(d.port);
    assert_true(fd >= 0 && http_send_text(fd, waiting));
    while (!says(d.port, "/v1/queue", "\"queued\":1,"))
        ;
    assert_int_equal(daemon_stop(&d, SIGTERM, 10000), 0); /* --drain-seconds is 15 */
    close(fd);
}

/* Exit code and words of a start that only checks. */
static void checks(void **state)
{
    static const struct {
        const char *conf;
        int code;
        const char *hint;
    } rows[] = {{"queue = 7\n", 0, ""},
                {"queue = 7\nqueue = 8\n", 78, "e.conf:2"},
                {"kernels = nope\n", 78, "nope"},
                {"\nworkers = 65\n", 78, "e.conf:2"},
                {"connections = 65536\nfoo\n", 78, "e.conf:2"}};
    char path[TEMP_PATH_MAX], line[1024];
    const char *more[] = {"--check-config", "--config", path, NULL};

    (void)state;
    assert_true(temp_dir_join(d.dir, "e.conf", path));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int code;

        assert_true(temp_dir_write(d.dir, "e.conf", rows[i].conf, strlen(rows[i].conf)));
        code = daemon_try(&d, more, line, sizeof(line));
        if (code != rows[i].code || !strstr(line, rows[i].hint))
            fail_msg("%zu: %d, %s", i, code, line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(metrics, setup, teardown),
        cmocka_unit_test_setup_teardown(the_service_manager, setup, teardown),
        cmocka_unit_test_setup_teardown(drain_delay, setup, teardown),
        cmocka_unit_test_setup_teardown(slots, setup, teardown),
        cmocka_unit_test_setup_teardown(drain_route, setup, teardown),
        cmocka_unit_test_setup_teardown(pause_and_resume, setup, teardown),
        cmocka_unit_test_setup_teardown(checks, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
