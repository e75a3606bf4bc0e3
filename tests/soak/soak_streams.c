/* Many event streams at once on a daemon that computes: how long a health probe takes meanwhile,
 * how much memory they need, and how soon those whose client has vanished are freed.
 *
 *     soak_streams STREAMS HEARTBEAT-SECONDS
 *
 * Prints the figures and fails if a probe's 99th percentile is 200 ms or more, the daemon has 400
 * MiB or more, or vanished streams are held for longer than two heartbeats and a second. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "daemon_process.h"
#include "http_client.h"
#include "tiny_model.h"

#define JOBS       50 /* that wait, with as many streams each as it takes */
#define PROBES     500
#define STREAM_MAX 10000
#define P99_MS     200.0
#define RSS_MIB    400.0

static daemon_process d;
static int stream[STREAM_MAX];

static double now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void sleep_ms(long ms)
{
    struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

    nanosleep(&ts, NULL);
}

static int fail(const char *what)
{
    fprintf(stderr, "soak_streams: %s\n", what);
    return 1;
}

/* --- the daemon --------------------------------------------------------------------------- */

/* One job at work, the others behind it. */
static bool start(int streams, const char *heartbeat)
{
    static const tiny_model slow = {
        .id = "slow", .levels = 400, .steps = 4, .seed = 3, .step_scale = 1.0};
    struct rlimit files;
    char limit[16], connections[16];
    const char *const more[] = {
        "--workers", "1",   "--slots",       "1",         "--queue-work",       "999999999",
        "--streams", limit, "--connections", connections, "--stream-heartbeat", heartbeat,
        NULL};

    snprintf(limit, sizeof(limit), "%d", streams);
    snprintf(connections, sizeof(connections), "%d", 2 * streams + 64);
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return false;
    files.rlim_cur = files.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &files) == 0 && daemon_prepare(&d) &&
           tiny_model_write(d.models, &slow) && daemon_start(&d, more);
}

static bool send_job(char id[64])
{
    http_reply r;
    bool ok = http_call(d.port, "POST", "/v1/sample",
                        "Content-Type: application/json\r\nPrefer: respond-async\r\n",
                        "{\"model\":\"slow\",\"steps_per_level\":2000,\"n\":8}", &r) &&
              r.status == 202 && http_header(&r, "X-Job-Id", id, 64);

    http_reply_clear(&r);
    return ok;
}

static double rss_mib(void)
{
    char path[64], line[256];
    double kib = -1.0;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)d.pid);
    f = fopen(path, "r");
    while (f && fgets(line, sizeof(line), f)) {
        if (strncmp(line, "VmRSS:", 6) == 0)
            kib = strtod(line + 6, NULL);
    }
    if (f)
        fclose(f);
    return kib / 1024.0;
}

static int streams_now(void)
{
    static const char name[] = "\nebm_streams ";
    http_reply r;
    const char *line;
    int n = -1;

    if (!http_call(d.admin, "GET", "/metrics", "", NULL, &r))
        return -1;
    line = strstr(r.body, name);
    if (line)
        n = atoi(line + sizeof(name) - 1);
    http_reply_clear(&r);
    return n;
}

/* --- the clients -------------------------------------------------------------------------- */

static bool open_stream(int *fd, const char *id)
{
    char request[160];
    http_reply r;
    bool ok;

    *fd = http_connect(d.port);
    snprintf(request, sizeof(request), "GET /v1/jobs/%s/events HTTP/1.1\r\nHost: t\r\n\r\n", id);
    ok = *fd >= 0 && http_send_text(*fd, request) && http_read(*fd, true, &r);
    if (!ok)
        return false;
    ok = r.status == 200;
    http_reply_clear(&r);
    return ok;
}

static bool open_streams(int n)
{
    char id[64];

    for (int i = 0; i < n; i++) {
        if (i % ((n + JOBS - 1) / JOBS) == 0 && !send_job(id))
            return false;
        if (!open_stream(&stream[i], id))
            return false;
    }
    return true;
}

/* Half of them with a reset, half with a farewell: closing makes a reset while bytes are unread. */
static void vanish(int n)
{
    const struct linger reset = {.l_onoff = 1};
    char bytes[4096];

    for (int i = 0; i < n; i++) {
        while (i % 2 == 0 && recv(stream[i], bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
            ;
        if (i % 2)
            setsockopt(stream[i], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        close(stream[i]);
    }
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* Times probes on connections of their own. @err false: one was not answered */
static bool probe(double *p50, double *p99, double *worst)
{
    static double took[PROBES];

    for (int i = 0; i < PROBES; i++) {
        double begin = now_ms();
        http_reply r;
        bool ok = http_call(d.port, "GET", "/healthz", "", NULL, &r) && r.status == 200;

        http_reply_clear(&r);
        took[i] = now_ms() - begin;
        if (!ok)
            return false;
        sleep_ms(4);
    }
    qsort(took, PROBES, sizeof(took[0]), ascending);
    *p50 = took[PROBES / 2];
    *p99 = took[PROBES * 99 / 100];
    *worst = took[PROBES - 1];
    return true;
}

/* How long it takes until no stream is left. @unit milliseconds; -1: they stay */
static double wait_freed(double limit_ms)
{
    double begin = now_ms();

    while (now_ms() - begin < limit_ms) {
        if (streams_now() == 0)
            return now_ms() - begin;
        sleep_ms(20);
    }
    return -1.0;
}

static int run(int n, double heartbeat_ms)
{
    double p50, p99, worst, before = rss_mib(), during, freed, begin = now_ms();

    if (!open_streams(n) || streams_now() != n)
        return fail("not all streams could be opened");
    printf("%d streams open after %.0f ms\n", n, now_ms() - begin);
    if (!probe(&p50, &p99, &worst))
        return fail("a probe was not answered");
    during = rss_mib();
    printf("health probe: p50 %.1f ms, p99 %.1f ms, worst %.1f ms of %d\n", p50, p99, worst,
           PROBES);
    printf("resident memory: %.1f MiB, %.1f MiB without streams\n", during, before);
    if (streams_now() != n)
        return fail("streams were lost");
    vanish(n);
    freed = wait_freed(4.0 * heartbeat_ms + 10000.0);
    printf("vanished streams: all freed after %.0f ms; two heartbeats are %.0f ms\n", freed,
           2.0 * heartbeat_ms);
    if (p99 >= P99_MS || during >= RSS_MIB || freed < 0.0 || freed > 2.0 * heartbeat_ms + 1000.0)
        return fail("a bound is broken");
    return 0;
}

int main(int argc, char **argv)
{
    int n = argc == 3 ? atoi(argv[1]) : 0, rc = 1;

    if (n < 1 || n > STREAM_MAX)
        return fail("usage: soak_streams STREAMS HEARTBEAT-SECONDS");
    if (start(n, argv[2]))
        rc = run(n, 1e3 * atoi(argv[2]));
    else
        fail("the daemon does not start");
    if (rc == 0 && daemon_stop(&d, SIGTERM, 20000) != 0)
        rc = fail("the daemon does not stop well");
    daemon_clean(&d);
    return rc;
}
