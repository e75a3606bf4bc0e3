/* The only file that includes curl/curl.h. */
#include <curl/curl.h>

#include <stdbool.h>
#include <string.h>

#include "cli/http_call.h"
#include "ebm/memory.h"

#define FIRST_ROOM 65536

/* A health endpoint answers in a line; whoever sends more than this is not one. */
#define BODY_MAX 65536

static size_t discard(char *data, size_t size, size_t n, void *user)
{
    size_t *seen = user;
    (void)data;
    *seen += size * n;
    return *seen > BODY_MAX ? 0 : size * n;
}

static CURLcode probe(CURL *curl, const char *url, double timeout_seconds, size_t *seen)
{
    CURLcode rc = curl_easy_setopt(curl, CURLOPT_URL, url);
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)(timeout_seconds * 1000.0));
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    /* a probe asks this machine, whatever proxy the environment names */
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, discard);
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(curl, CURLOPT_WRITEDATA, seen);
    return rc == CURLE_OK ? curl_easy_perform(curl) : rc;
}

static ebm_status bad_url(const char *url, ebm_error *err)
{
    return ebm_error_set(err, EBM_ERR_ARG, url, "not an http or https URL");
}

static ebm_status explain(CURLcode rc, const char *url, ebm_error *err)
{
    if (rc == CURLE_OUT_OF_MEMORY)
        return ebm_error_set(err, EBM_ERR_NOMEM, url, "no memory");
    if (rc == CURLE_URL_MALFORMAT)
        return bad_url(url, err);
    return ebm_error_set(err, EBM_ERR_UNSUPPORTED, url, "%s", curl_easy_strerror(rc));
}

/* checked here because curl says "unsupported protocol" of a foreign answer, too */
static bool is_http(const char *url)
{
    return strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0;
}

ebm_status ebmt__http_get(const char *url, double timeout_seconds, long *status, ebm_error *err)
{
    ebm_status st = EBM_OK;
    size_t seen = 0;
    CURL *curl = NULL;
    *status = 0;
    if (!is_http(url))
        return bad_url(url, err);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return ebm_error_set(err, EBM_ERR_NOMEM, url, "cannot set up the HTTP client");
    curl = curl_easy_init();
    if (!curl) {
        st = ebm_error_set(err, EBM_ERR_NOMEM, url, "cannot set up the HTTP client");
        goto out;
    }
    CURLcode rc = probe(curl, url, timeout_seconds, &seen);
    if (rc == CURLE_OK)
        rc = curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, status);
    if (rc != CURLE_OK)
        st = explain(rc, url, err);
out:
    curl_easy_cleanup(curl);
    curl_global_cleanup();
    return st;
}

/* --- requests with bodies ------------------------------------------------------------------- */

typedef struct body {
    char *data;
    size_t size, room, max;
    bool too_long;
} body;

static bool make_room(body *b, size_t need)
{
    size_t room = b->room ? b->room : FIRST_ROOM;
    while (room < need)
        room *= 2; /* need is bounded by max */
    if (room == b->room)
        return true;
    char *more = ebm_alloc(room, 1);
    if (!more)
        return false;
    if (b->size > 0)
        memcpy(more, b->data, b->size);
    ebm_free(b->data);
    b->data = more;
    b->room = room;
    return true;
}

static size_t keep(char *data, size_t size, size_t n, void *user)
{
    body *b = user;
    size_t bytes;
    if (!ebm_size_mul(size, n, &bytes) || bytes > b->max - b->size) {
        b->too_long = true;
        return 0;
    }
    if (!make_room(b, b->size + bytes + 1))
        return 0;
    memcpy(b->data + b->size, data, bytes);
    b->size += bytes;
    b->data[b->size] = '\0';
    return bytes;
}

static CURLcode set_target(CURL *curl, const ebmt__http_request *r)
{
    CURLcode rc = curl_easy_setopt(curl, CURLOPT_URL, r->url);
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)(r->timeout_seconds * 1000.0));
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    if (rc == CURLE_OK && r->body)
        rc = curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->size);
    if (rc == CURLE_OK && r->body)
        rc = curl_easy_setopt(curl, CURLOPT_POSTFIELDS, r->body);
    return rc == CURLE_OK ? curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, r->method) : rc;
}

static CURLcode perform(CURL *curl, const ebmt__http_request *r, struct curl_slist *headers,
                        body *b)
{
    CURLcode rc = set_target(curl, r);
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep);
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(curl, CURLOPT_WRITEDATA, b);
    return rc == CURLE_OK ? curl_easy_perform(curl) : rc;
}

static CURLcode read_head(CURL *curl, ebmt__http_reply *out)
{
    curl_off_t seconds = 0;
    CURLcode rc = curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &out->status);
    if (rc == CURLE_OK)
        rc = curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &seconds);
    out->retry_after = (double)seconds;
    return rc;
}

/* NULL is also the list of no headers; *ok tells. */
static struct curl_slist *list_headers(const ebmt__http_request *r, bool *ok)
{
    struct curl_slist *list = NULL;
    *ok = true;
    for (size_t i = 0; i < EBMT_HTTP_HEADERS_MAX && *ok; i++) {
        struct curl_slist *longer = r->header[i] ? curl_slist_append(list, r->header[i]) : list;
        *ok = longer || !r->header[i];
        list = longer ? longer : list;
    }
    return list;
}

static ebm_status call(CURL *curl, const ebmt__http_request *r, ebmt__http_reply *out,
                       ebm_error *err)
{
    body b = {.max = r->reply_max};
    bool ok;
    struct curl_slist *headers = list_headers(r, &ok);
    CURLcode rc = ok && make_room(&b, 1) ? perform(curl, r, headers, &b) : CURLE_OUT_OF_MEMORY;
    if (rc == CURLE_OK)
        rc = read_head(curl, out);
    curl_slist_free_all(headers);
    if (rc == CURLE_OK) {
        out->body = b.data;
        out->size = b.size;
        return EBM_OK;
    }
    ebm_free(b.data);
    if (b.too_long)
        return ebm_error_set(err, EBM_ERR_LIMIT, r->url, "the reply is too long");
    return explain(rc, r->url, err);
}

ebm_status ebmt__http_call(const ebmt__http_request *request, ebmt__http_reply *out, ebm_error *err)
{
    ebm_status st = EBM_ERR_NOMEM;
    *out = (ebmt__http_reply){0};
    if (!is_http(request->url))
        return bad_url(request->url, err);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return ebm_error_set(err, st, request->url, "cannot set up the HTTP client");
    CURL *curl = curl_easy_init();
    if (curl)
        st = call(curl, request, out, err);
    else
        (void)ebm_error_set(err, st, request->url, "cannot set up the HTTP client");
    curl_easy_cleanup(curl);
    curl_global_cleanup();
    return st;
}
