/* One hostile request and its reply, see negative_cases.h. */
#include "negative_cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <unistd.h>

#include "ebma/api.h"
#include "http_client.h"

negative_score negative;

/* A problem object: its members, their types, the code's own status. */
static bool is_problem(const http_reply *r)
{
    char type[64] = "";
    json_t *o = json_loadb(r->body ? r->body : "", r->size, JSON_REJECT_DUPLICATES, NULL);
    const char *code = json_string_value(json_object_get(o, "code"));
    bool ok = http_header(r, "Content-Type", type, sizeof(type)) &&
              strcmp(type, "application/problem+json") == 0 && code &&
              json_integer_value(json_object_get(o, "status")) == r->status &&
              json_is_string(json_object_get(o, "title")) &&
              json_is_string(json_object_get(o, "detail")) &&
              json_is_string(json_object_get(o, "request_id")) &&
              json_is_boolean(json_object_get(o, "retryable")) &&
              (json_array_size(json_object_get(o, "errors")) > 0) == (r->status == 422);
    bool known = false;

    for (int c = EBMA_OK + 1; ok && c < EBMA_PROBLEM_COUNT; c++) {
        const ebma_problem_info *info = ebma_problem_describe((ebma_problem_code)c);

        known = known || (strcmp(info->code, code) == 0 && info->status == r->status);
    }
    json_decref(o);
    return ok && known;
}

void negative_bytes(const char *name, const char *bytes, size_t n, negative_want w)
{
    int fd = http_connect(negative.port);
    char value[128];
    http_reply r = {0};
    bool ok = fd >= 0 && http_send(fd, bytes, n) && http_read(fd, true, &r) &&
              (r.status == w.status || r.status == w.other) && is_problem(&r) &&
              !http_header(&r, "X-Job-Id", value, sizeof(value)) &&
              http_header(&r, "X-Request-Id", value, sizeof(value));

    if (ok && r.status == 405)
        ok = http_header(&r, "Allow", value, sizeof(value)) != NULL;
    negative.cases++;
    if (!ok) {
        negative.bad++;
        print_error("%s: %d, wanted %d; %s\n%.*s\n", name, r.status, w.status, r.body ? r.body : "",
                    (int)(n < 200 ? n : 200), bytes);
    }
    http_reply_clear(&r);
    if (fd >= 0)
        close(fd);
}

/* method, path and further lines; a body only if it is not NULL. */
void negative_head(const char *name, const char *method, const char *path, const char *lines,
                   int status)
{
    char text[8192];
    int n = snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\n" NEGATIVE_HOST "%s\r\n", method, path,
                     lines);

    assert_in_range(n, 1, sizeof(text) - 1);
    negative_bytes(name, text, (size_t)n, (negative_want){status, 0});
}

static void send_body(const char *path, const char *name, const char *body, size_t size,
                      negative_want w)
{
    static char text[70000];
    int n =
        snprintf(text, 1024,
                 "POST %s HTTP/1.1\r\n" NEGATIVE_HOST NEGATIVE_JSON "Content-Length: %zu\r\n\r\n",
                 path, size);

    assert_true((size_t)n + size <= sizeof(text));
    memcpy(text + n, body, size);
    negative_bytes(name, text, (size_t)n + size, w);
}

void negative_body(const char *name, const char *body, size_t size, negative_want w)
{
    send_body("/v1/sample", name, body, size, w);
}

void negative_text_at(const char *path, const char *name, const char *body, int status)
{
    send_body(path, name, body, strlen(body), (negative_want){status, 0});
}

void negative_text(const char *name, const char *body, int status)
{
    negative_body(name, body, strlen(body), (negative_want){status, 0});
}
