/* Questions to a daemon. See remote.h. */
#include "cli/remote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/http_call.h"
#include "ebm/io.h"
#include "ebm/memory.h"

#define URL_MAX         2048
#define KEY_FILE_MAX    4096u
#define REPLY_MAX       (256u * 1024u * 1024u)
#define TIMEOUT_SECONDS 120.0
#define PATIENCE        60.0

/* --- opening -------------------------------------------------------------------------------- */

/* What ends up in a header is visible ASCII. */
static ebm_status take_key(ebmt__remote *r, const char *where, const char *key, size_t n,
                           ebm_error *err)
{
    for (size_t i = 0; i < n; i++)
        if (key[i] < '!' || key[i] > '~')
            return ebm_error_set(err, EBM_ERR_ARG, where, "a key is one line of visible ASCII");
    if (n == 0 || n > EBMT_REMOTE_KEY_MAX)
        return ebm_error_set(err, EBM_ERR_ARG, where, "a key has 1 to %d characters",
                             EBMT_REMOTE_KEY_MAX);
    (void)snprintf(r->authorization, sizeof r->authorization, "Authorization: Bearer %.*s", (int)n,
                   key);
    return EBM_OK;
}

static ebm_status read_key(ebmt__remote *r, const char *file, ebm_error *err)
{
    unsigned char *data = NULL;
    size_t size = 0;
    ebm_error cause = {0};
    ebm_status st = ebm_file_read(NULL, file, KEY_FILE_MAX, &data, &size, &cause);
    if (st != EBM_OK)
        return ebmt__cli_blame("--api-key-file", file, &cause, err);
    const char *text = (const char *)data;
    size_t n = 0;
    while (n < size && text[n] != '\n' && text[n] != '\r')
        n++;
    st = take_key(r, "--api-key-file", text, n, err);
    ebm_free(data);
    return st;
}

ebm_status ebmt__remote_open(ebmt__remote *r, const char *url, const char *key_file, ebm_error *err)
{
    const char *key = getenv("EBM_API_KEY");
    *r = (ebmt__remote){.url = url};
    if (strlen(url) > URL_MAX / 2)
        return ebm_error_set(err, EBM_ERR_ARG, "--server", "the URL is too long");
    if (key_file)
        return read_key(r, key_file, err);
    return key ? take_key(r, "EBM_API_KEY", key, strlen(key), err) : EBM_OK;
}

/* --- one question --------------------------------------------------------------------------- */

static ebm_status make_key(char out[64], ebm_error *err)
{
    unsigned char raw[16];
    if (getrandom(raw, sizeof raw, 0) != (ssize_t)sizeof raw)
        return ebm_error_set(err, EBM_ERR_UNSUPPORTED, NULL, "the system gave no randomness");
    int n = snprintf(out, 64, "Idempotency-Key: ebm-");
    for (size_t i = 0; i < sizeof raw; i++)
        n += snprintf(out + n, 64 - (size_t)n, "%02x", raw[i]);
    return EBM_OK;
}

const char *ebmt__json_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

/* "/n must be 1..64; " for each bad field, as many as fit; the detail if there is none. */
static void add_reasons(const json_t *problem, char *text, size_t room)
{
    const json_t *errors = json_object_get(problem, "errors");
    for (size_t i = 0; i < json_array_size(errors); i++) {
        const json_t *one = json_array_get(errors, i);
        size_t n = strlen(text);
        (void)snprintf(text + n, room - n, "%s%s %s", i > 0 ? "; " : "",
                       ebmt__json_text(one, "pointer"), ebmt__json_text(one, "detail"));
    }
    if (json_array_size(errors) == 0) {
        size_t n = strlen(text);
        (void)snprintf(text + n, room - n, "%s", ebmt__json_text(problem, "detail"));
    }
}

static ebm_status status_of(long status)
{
    if (status == 404 || status == 410)
        return EBM_ERR_NOT_FOUND;
    if (status == 400 || status == 413 || status == 415 || status == 422)
        return EBM_ERR_RANGE;
    return EBM_ERR_UNSUPPORTED;
}

static ebm_status refuse(const ebmt__remote *r, const ebmt__http_reply *reply,
                         const json_t *problem, ebm_error *err)
{
    char text[512];
    (void)snprintf(text, sizeof text, "%ld %.64s: ", reply->status,
                   problem ? ebmt__json_text(problem, "code") : "no problem object");
    add_reasons(problem, text, sizeof text);
    return ebm_error_set(err, status_of(reply->status), r->url, "%.250s", text);
}

/* The body of a reply as JSON; NULL is for none. */
static ebm_status read_reply(const ebmt__remote *r, const ebmt__http_reply *reply, json_t **answer,
                             ebm_error *err)
{
    json_error_t e;
    json_t *root = json_loadb(reply->body, reply->size, JSON_REJECT_DUPLICATES, &e);
    *answer = NULL;
    if (reply->status < 200 || reply->status > 299) {
        ebm_status st = refuse(r, reply, root, err);
        json_decref(root);
        return st;
    }
    if (!root && reply->size > 0)
        return ebm_error_set(err, EBM_ERR_FORMAT, r->url, "the reply is not JSON: %s", e.text);
    *answer = root;
    return EBM_OK;
}

static void pause_for(double seconds)
{
    struct timespec t = {.tv_sec = (time_t)seconds,
                         .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
    (void)nanosleep(&t, NULL);
}

/* Asks until the daemon takes the request on. */
static ebm_status insist(const ebmt__http_request *request, ebmt__http_reply *reply, ebm_error *err)
{
    double until = ebmt__cli_now() + PATIENCE;
    for (;;) {
        ebm_status st = ebmt__http_call(request, reply, err);
        bool busy = st == EBM_OK && (reply->status == 429 || reply->status == 503);
        if (!busy || reply->retry_after <= 0.0 || ebmt__cli_now() + reply->retry_after > until)
            return st;
        ebm_free(reply->body);
        pause_for(reply->retry_after);
    }
}

ebm_status ebmt__remote_ask(const ebmt__remote *r, const ebmt__question *q, json_t **answer,
                            ebm_error *err)
{
    char url[URL_MAX], key[64] = "";
    char *text = q->body ? json_dumps(q->body, JSON_COMPACT) : NULL;
    size_t n = strlen(r->url);
    ebmt__http_reply reply = {0};
    ebm_status st = EBM_OK;
    *answer = NULL;
    while (n > 0 && r->url[n - 1] == '/')
        n--;
    (void)snprintf(url, sizeof url, "%.*s%s", (int)n, r->url, q->path);
    if (q->body && !text)
        st = ebm_error_set(err, EBM_ERR_NOMEM, r->url, "no memory for a request");
    if (st == EBM_OK && text)
        st = make_key(key, err);
    const ebmt__http_request request = {
        .method = q->method,
        .url = url,
        .header = {"Accept: application/json",
                   "Expect:", r->authorization[0] ? r->authorization : NULL,
                   text ? "Content-Type: application/json" : NULL, text ? key : NULL,
                   q->later ? "Prefer: respond-async" : NULL},
        .body = text,
        .size = text ? strlen(text) : 0,
        .reply_max = REPLY_MAX,
        .timeout_seconds = TIMEOUT_SECONDS};
    if (st == EBM_OK)
        st = insist(&request, &reply, err);
    if (st == EBM_OK)
        st = read_reply(r, &reply, answer, err);
    ebm_free(reply.body);
    free(text);
    return st;
}
