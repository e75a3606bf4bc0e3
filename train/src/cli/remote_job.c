/* Jobs of a daemon. See remote_job.h. */
#include "cli/remote_job.h"

#include <nettle/base64.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/op_run.h"
#include "ebm/io.h"
#include "ebm/memory.h"

#define FIRST_PAUSE 0.02 /* seconds between two looks at a job, growing to */
#define LAST_PAUSE  1.0
#define BAR         30

/* A signal handler can reach nothing else. */
static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

bool ebmt__job_id_valid(const char *id)
{
    size_t n = strlen(id);
    for (size_t i = 0; i < n; i++)
        if (!((id[i] >= '0' && id[i] <= '9') || (id[i] >= 'A' && id[i] <= 'Z') ||
              (id[i] >= 'a' && id[i] <= 'z') || id[i] == '_'))
            return false;
    return n > 0 && n < EBMT_JOB_ID_MAX;
}

/* --- from start to end ---------------------------------------------------------------------- */

ebm_status ebmt__job_start(const ebmt__remote *r, const char *path, const json_t *body,
                           char id[EBMT_JOB_ID_MAX], ebm_error *err)
{
    const ebmt__question q = {"POST", path, body, true};
    json_t *job = NULL;
    ebm_status st = ebmt__remote_ask(r, &q, &job, err);
    if (st != EBM_OK)
        return st;
    if (ebmt__job_id_valid(ebmt__json_text(job, "id")))
        (void)snprintf(id, EBMT_JOB_ID_MAX, "%s", ebmt__json_text(job, "id"));
    else
        st = ebm_error_set(err, EBM_ERR_FORMAT, r->url, "the reply is not a job");
    json_decref(job);
    return st;
}

static bool is_final(const json_t *job)
{
    const char *status = ebmt__json_text(job, "status");
    return strcmp(status, "queued") != 0 && strcmp(status, "running") != 0;
}

static void draw_bar(const json_t *job)
{
    const json_t *progress = json_object_get(job, "progress");
    double fraction = json_number_value(json_object_get(progress, "fraction"));
    double eta = json_number_value(json_object_get(json_object_get(job, "queue"), "eta_s"));
    char bar[BAR + 1];
    int full = (int)(fraction * BAR);
    for (int i = 0; i < BAR; i++)
        bar[i] = i < full ? '#' : '.';
    bar[BAR] = '\0';
    (void)fprintf(stderr, "\r%-9.9s [%s] %3.0f%%", ebmt__json_text(job, "status"), bar,
                  100.0 * fraction);
    if (eta > 0.0)
        (void)fprintf(stderr, "  %.0f s left", eta);
    (void)fputs("\033[K", stderr);
}

static ebm_status cancel(const ebmt__remote *r, const char *id, ebm_error *err)
{
    char path[EBMT_JOB_ID_MAX + 32];
    const ebmt__question q = {"POST", path, NULL, false};
    json_t *job = NULL;
    (void)snprintf(path, sizeof path, "/v1/jobs/%s/cancel", id);
    ebm_status st = ebmt__remote_ask(r, &q, &job, err);
    json_decref(job);
    return st;
}

/* Looks until the job is in a final state. */
static ebm_status look(const ebmt__remote *r, const char *id, json_t **job, ebm_error *err)
{
    char path[EBMT_JOB_ID_MAX + 32];
    const ebmt__question q = {"GET", path, NULL, false};
    bool shows = isatty(STDERR_FILENO) == 1;
    double pause = FIRST_PAUSE;
    ebm_status st;
    (void)snprintf(path, sizeof path, "/v1/jobs/%s", id);
    while ((st = ebmt__remote_ask(r, &q, job, err)) == EBM_OK && !is_final(*job) && !interrupted) {
        struct timespec t = {.tv_sec = (time_t)pause,
                             .tv_nsec = (long)((pause - (double)(time_t)pause) * 1e9)};
        if (shows)
            draw_bar(*job);
        json_decref(*job);
        *job = NULL;
        (void)nanosleep(&t, NULL); /* an interrupt ends it */
        pause = pause * 1.5 < LAST_PAUSE ? pause * 1.5 : LAST_PAUSE;
    }
    if (shows)
        (void)fputs("\r\033[K", stderr);
    return st;
}

static ebm_status judge(const json_t *job, const char *id, ebm_error *err)
{
    const char *status = ebmt__json_text(job, "status");
    const json_t *error = json_object_get(job, "error");
    if (strcmp(status, "succeeded") == 0)
        return EBM_OK;
    return ebm_error_set(err, EBM_ERR_UNSUPPORTED, id, "%.20s: %.40s %.160s", status,
                         ebmt__json_text(error, "code"), ebmt__json_text(error, "detail"));
}

ebm_status ebmt__job_wait(const ebmt__remote *r, const char *id, bool owned, json_t **job,
                          ebm_error *err)
{
    struct sigaction action = {.sa_handler = on_interrupt}, before;
    *job = NULL;
    interrupted = 0;
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, &before);
    ebm_status st = look(r, id, job, err);
    (void)sigaction(SIGINT, &before, NULL);
    if (st != EBM_OK)
        return st;
    if (is_final(*job))
        return judge(*job, id, err);
    json_decref(*job);
    *job = NULL;
    st = owned ? cancel(r, id, err) : EBM_OK;
    return st == EBM_OK ? ebm_error_set(err, EBM_ERR_CANCELLED, id, "interrupted%s",
                                        owned ? "; the job is canceled" : "; the job goes on")
                        : st;
}

/* --- images --------------------------------------------------------------------------------- */

static ebm_status decode(const char *text, unsigned char **out, size_t *size, ebm_error *err)
{
    struct base64_decode_ctx ctx;
    size_t n = strlen(text);
    *size = 0;
    *out = ebm_alloc(BASE64_DECODE_LENGTH(n), 1);
    if (!*out)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for an image");
    base64_decode_init(&ctx);
    if (base64_decode_update(&ctx, size, *out, n, text) && base64_decode_final(&ctx))
        return EBM_OK;
    ebm_free(*out);
    *out = NULL;
    return ebm_error_set(err, EBM_ERR_FORMAT, "b64_json", "not base64");
}

static ebm_status write_image(const json_t *item, const char *path, ebm_error *err)
{
    unsigned char *png = NULL;
    size_t size = 0;
    char digest[65];
    ebm_status st = decode(ebmt__json_text(item, "b64_json"), &png, &size, err);
    if (st != EBM_OK)
        return st;
    ebm_sha256_hex(png, size, digest);
    if (strcmp(digest, ebmt__json_text(item, "sha256")) != 0)
        st = ebm_error_set(err, EBM_ERR_DIGEST, path, "the bytes are not those of the digest");
    else
        st = ebm_file_write(path, png, size, err);
    ebm_free(png);
    return st;
}

static void print_item(const json_t *job, const json_t *item, int64_t number, bool has_file)
{
    (void)printf("{\"index\":%lld", (long long)number);
    if (has_file)
        (void)printf(",\"file\":\"%06lld.png\"", (long long)number);
    (void)printf(",\"seed\":%lld", (long long)json_integer_value(json_object_get(job, "seed")));
    if (json_is_number(json_object_get(item, "energy")))
        ebmt__op_print_number("energy", json_number_value(json_object_get(item, "energy")));
    (void)printf(",\"sha256\":\"%s\"}\n", ebmt__json_text(item, "sha256"));
}

ebm_status ebmt__job_save(const json_t *job, const char *dir, int64_t first, ebm_error *err)
{
    const json_t *data = json_object_get(job, "data");
    ebm_status st = EBM_OK;
    for (size_t k = 0; k < json_array_size(data) && st == EBM_OK; k++) {
        const json_t *item = json_array_get(data, k);
        const char *url = json_string_value(json_object_get(item, "url"));
        bool has_file = dir && json_is_string(json_object_get(item, "b64_json"));
        if (dir && url && !has_file)
            return ebm_error_set(err, EBM_ERR_UNSUPPORTED, "--out",
                                 "the job's images were asked for as addresses: %.120s", url);
        char path[4096];
        int n = snprintf(path, sizeof path, "%s/%06lld.png", dir ? dir : "",
                         (long long)(first + (int64_t)k));
        if (n < 0 || (size_t)n >= sizeof path)
            return ebm_error_set(err, EBM_ERR_LIMIT, "--out", "the path is too long");
        if (has_file)
            st = write_image(item, path, err);
        if (st == EBM_OK)
            print_item(job, item, first + (int64_t)k, has_file);
    }
    return st;
}

ebm_status ebmt__job_print(json_t *job, ebm_error *err)
{
    json_t *item;
    size_t i;
    json_array_foreach(json_object_get(job, "data"), i, item)
    {
        (void)json_object_del(item, "b64_json");
    }
    char *text = json_dumps(job, JSON_COMPACT);
    if (!text)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for a job object");
    (void)puts(text);
    free(text);
    return EBM_OK;
}
