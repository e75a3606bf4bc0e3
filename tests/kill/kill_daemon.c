/* kill -9 under mixed load, again and again: no accepted job is lost, none is there twice, and
 * every result is byte for byte that of a daemon nobody has disturbed.
 *
 *     kill_daemon CYCLES [SEED]
 *
 * Jobs are sent with an Idempotency-Key each; a request that the kill leaves without an answer is
 * sent again with its key to the next process. In the end the file itself is counted. */
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <jansson.h>
#include <sqlite3.h>

#include "daemon_models.h"
#include "http_client.h"
#include "real_time.h"

#define BODIES     10
#define JOBS_MAX   6000
#define PER_CYCLE  12
#define READY_MAX  10.0 /* seconds; a start takes a fifth of one: machines may be busy */
#define FINISH_MAX 600  /* seconds for the last process to do what is left */

typedef struct sent {
    int body;
    bool accepted;
    char id[40];
} sent;

static daemon_process d;
static char store[TEMP_PATH_MAX + 16];
static char bodies[BODIES][96];
static char *reference[BODIES]; /* "data" of the undisturbed run */
static sent jobs[JOBS_MAX];
static int n_jobs;
static uint64_t state;

static uint64_t draw(void)
{
    uint64_t z = (state += UINT64_C(0x9e3779b97f4a7c15)); /* splitmix64 */

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static int below(int n)
{
    return (int)(draw() % (uint64_t)n);
}

static int complain(const char *what, const char *about)
{
    fprintf(stderr, "kill_daemon: %s: %s\n", what, about);
    return 1;
}

static bool start(void)
{
    static const char *const more[] = {
        "--workers", "2", "--queue", "100000", "--store", store, "--queue-work", "999999999", NULL};

    return daemon_start(&d, more);
}

/* --- what the answers must be --------------------------------------------------------------- */

static char *data_of(const char *text, size_t size)
{
    json_t *root = json_loadb(text, size, 0, NULL);
    char *data = json_dumps(json_object_get(root, "data"), JSON_COMPACT | JSON_SORT_KEYS);

    json_decref(root);
    return data;
}

/* The slowest body is worth a few seconds on this machine, in this build. */
static int steps_for(double seconds)
{
    http_reply r;
    double start_s = real_now_s();
    int steps;

    if (!http_post(d.port, "/sample", "{\"model\":\"slow\",\"steps_per_level\":20}", &r))
        return 1;
    http_reply_clear(&r);
    steps = (int)(20.0 * seconds / (real_now_s() - start_s));
    return steps < 1 ? 1 : steps > 2000 ? 2000 : steps;
}

static void make_bodies(void)
{
    int steps = steps_for(3.0);

    for (int b = 0; b < BODIES; b++) {
        if (b == 0)
            snprintf(bodies[b], sizeof(bodies[b]),
                     "{\"model\":\"slow\",\"steps_per_level\":%d,\"seed\":1}", steps);
        else if (b == 1)
            snprintf(bodies[b], sizeof(bodies[b]),
                     "{\"model\":\"slow\",\"steps_per_level\":%d,\"seed\":2,\"n\":4}",
                     steps / 4 + 1);
        else
            snprintf(bodies[b], sizeof(bodies[b]), "{\"n\":%d,\"seed\":%d,\"priority\":%d}",
                     1 + b % 3, b, b);
    }
}

static bool make_reference(void)
{
    for (int b = 0; b < BODIES; b++) {
        http_reply r;
        bool ok = http_post(d.port, "/sample", bodies[b], &r) && r.status == 200;

        if (ok)
            reference[b] = data_of(r.body, r.size);
        http_reply_clear(&r);
        if (!ok)
            return false;
    }
    return true;
}

/* --- load ----------------------------------------------------------------------------------- */

/* Sends job j; true if the daemon has accepted it, now or before. */
static bool send_job(int j)
{
    char headers[160], id[40];
    http_reply r;
    bool ok;

    snprintf(headers, sizeof(headers),
             "Content-Type: application/json\r\nPrefer: respond-async\r\nIdempotency-Key: k%d\r\n",
             j);
    if (!http_call(d.port, "POST", "/sample", headers, bodies[jobs[j].body], &r))
        return false;
    ok = (r.status == 202 || r.status == 200) && http_header(&r, "X-Job-Id", id, sizeof(id));
    http_reply_clear(&r);
    if (!ok)
        return false;
    if (jobs[j].accepted && strcmp(jobs[j].id, id) != 0) {
        complain("one key, two jobs", id);
        exit(1);
    }
    jobs[j].accepted = true;
    snprintf(jobs[j].id, sizeof(jobs[j].id), "%s", id);
    return true;
}

/* Sends for a while, first what got no answer before, and kills in the middle of it. */
static void cycle(int round)
{
    double until = real_now_s() + 0.3 + below(1500) / 1000.0;
    int first = n_jobs;

    for (int j = 0; j < first; j++) {
        if (!jobs[j].accepted)
            send_job(j);
    }
    for (int i = 0; i < PER_CYCLE && n_jobs < JOBS_MAX && real_now_s() < until; i++) {
        /* one long job every third round: the last process must be able to finish them all */
        jobs[n_jobs].body = i == 0 && round % 3 == 0 ? below(2) : 2 + below(BODIES - 2);
        send_job(n_jobs++);
        real_sleep_ms(below(60));
    }
    if (real_now_s() < until)
        real_sleep_ms((long)((until - real_now_s()) * 1e3));
    if (below(2) == 0 && n_jobs < JOBS_MAX) { /* and with one on its way */
        jobs[n_jobs].body = 2;
        send_job(n_jobs++);
    }
    kill(d.pid, SIGKILL);
    waitpid(d.pid, NULL, 0);
    d.pid = 0;
}

/* --- the count ------------------------------------------------------------------------------ */

/* 0: not yet, 1: as it must be, -1: wrong. */
static int check_job(int j)
{
    char path[96];
    http_reply r;
    char *data;
    int verdict = 0;

    snprintf(path, sizeof(path), "/v1/jobs/%s", jobs[j].id);
    if (!http_call(d.port, "GET", path, "", NULL, &r))
        return 0;
    if (r.status != 200 || strstr(r.body, "\"status\":\"failed\"") ||
        strstr(r.body, "\"status\":\"canceled\"") || strstr(r.body, "\"status\":\"expired\"")) {
        verdict = -complain("lost", r.body);
    } else if (strstr(r.body, "\"status\":\"succeeded\"")) {
        data = data_of(r.body, r.size);
        verdict = strcmp(data, reference[jobs[j].body]) == 0 ? 1 : -complain("other bytes", path);
        free(data);
    }
    http_reply_clear(&r);
    return verdict;
}

static int check_all(void)
{
    double until = real_now_s() + FINISH_MAX;
    int wrong = 0;

    for (int j = 0; j < n_jobs; j++) {
        int verdict = 0;

        while (!jobs[j].accepted && !send_job(j) && real_now_s() < until)
            real_sleep_ms(20);
        while ((verdict = check_job(j)) == 0 && real_now_s() < until)
            real_sleep_ms(20);
        if (verdict == 0)
            complain("not finished", jobs[j].id);
        wrong += verdict == 1 ? 0 : 1;
    }
    return wrong;
}

/* Rows that ended well; -1 if the file is damaged. */
static int count_rows(void)
{
    const char *sql = "SELECT count(*) FROM jobs WHERE state=2 AND 'ok'="
                      "(SELECT * FROM pragma_integrity_check LIMIT 1)";
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    int n = -1;

    if (sqlite3_open(store + strlen("sqlite:"), &db) == SQLITE_OK &&
        sqlite3_prepare_v2(db, sql, -1, &q, NULL) == SQLITE_OK && sqlite3_step(q) == SQLITE_ROW)
        n = sqlite3_column_int(q, 0);
    sqlite3_finalize(q);
    sqlite3_close(db);
    return n;
}

static int run(int cycles)
{
    double slowest = 0.0;
    int wrong, rows;

    for (int i = 0; i < cycles; i++) {
        double begin = real_now_s();

        if (!start())
            return complain("a start failed", store);
        slowest = real_now_s() - begin > slowest ? real_now_s() - begin : slowest;
        cycle(i);
    }
    if (!start())
        return complain("the last start failed", store);
    wrong = check_all();
    if (daemon_stop(&d, SIGTERM, 30000) != 0)
        return complain("the last stop failed", store);
    rows = count_rows();
    printf(
        "%d kills, %d jobs accepted, %d lost or wrong, %d rows beyond them, slowest start %.2f s\n",
        cycles, n_jobs, wrong, rows - n_jobs, slowest);
    return wrong > 0 || rows != n_jobs || slowest > READY_MAX;
}

static bool prepare(void)
{
    static const tiny_model models[] = {
        {.id = "a-tiny", .levels = 3, .steps = 5, .seed = 1, .step_scale = 1.0},
        {.id = "slow", .levels = 100, .steps = 4, .seed = 3, .step_scale = 1.0}};
    static const char *const more[] = {"--workers", "1", NULL};

    if (!daemon_prepare_models(&d, models, 2) || !daemon_start(&d, more))
        return false;
    make_bodies();
    snprintf(store, sizeof(store), "sqlite:%s/jobs.db", d.dir);
    return make_reference() && daemon_stop(&d, SIGTERM, 10000) == 0;
}

int main(int argc, char **argv)
{
    int cycles = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 20;
    int rc;

    state = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    signal(SIGPIPE, SIG_IGN);
    rc = prepare() ? run(cycles) : complain("cannot prepare", d.dir);
    daemon_clean(&d);
    for (int b = 0; b < BODIES; b++)
        free(reference[b]);
    return rc;
}
