/* The families H, Q and M of negative_cases.h: heads, targets, methods, media types. */
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

/* --- H: framing --------------------------------------------------------------------------- */

static const struct {
    const char *method, *path;
} routes[] = {{"GET", "/healthz"},      {"GET", "/readyz"},         {"GET", "/version"},
              {"GET", "/v1/models"},    {"GET", "/v1/models/tiny"}, {"GET", "/v1/jobs/x"},
              {"GET", "/openapi.json"}, {"POST", "/v1/sample"},     {"POST", "/sample"},
              {"GET", "/nope"}};
#define N_ROUTES (sizeof(routes) / sizeof(routes[0]))

/* Lines that no route may accept. */
static void ambiguous_heads(void)
{
    static const struct {
        const char *lines;
        int status;
    } rows[] = {
        {"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", 400},
        {"Content-Length: 2\r\nContent-Length: 2\r\n", 400},
        {"Content-Length: 2\r\nContent-Length: 3\r\n", 400},
        {"Content-Length : 2\r\n", 400},
        {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400},
        {"Transfer-Encoding: chunked, chunked\r\n", 400},
        {"Transfer-Encoding: gzip, chunked\r\n", 400},
        {NEGATIVE_HOST, 400},
        {"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n", 400},
        {"Upgrade: h2c\r\n", 400},
        {"Upgrade: websocket\r\nConnection: Upgrade\r\n", 400},
        {"Expect: 200-maybe\r\n", 417},
        {"Content-Encoding: gzip\r\n", 415},
        {"Content-Encoding: identity\r\n", 415},
        {"Bad Name: x\r\n", 400},
    };

    for (size_t r = 0; r < N_ROUTES; r++) {
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
            negative_head("H ambiguous", routes[r].method, routes[r].path, rows[i].lines,
                          rows[i].status);
    }
}

/* Every byte that a name or a value must not hold. NUL, CR and LF are the library's. */
static void odd_bytes(void)
{
    char lines[64];

    for (int c = 1; c < 0x80; c++) {
        bool control = (c < 0x20 && c != '\t') || c == 0x7f;

        if (c == '\r' || c == '\n' || c == ':')
            continue;
        snprintf(lines, sizeof(lines), "X: a%cb\r\n", c);
        if (control)
            negative_head("H value byte", "GET", "/healthz", lines, 400);
        snprintf(lines, sizeof(lines), "X%cY: z\r\n", c);
        if (control || strchr("\t \"(),/;<=>?@[\\]{}", c))
            negative_head("H name byte", "GET", "/healthz", lines, 400);
        snprintf(lines, sizeof(lines), "/healthz%c", c);
        if (control)
            negative_head("Q target byte", "GET", lines, "", 400);
    }
}

static void hosts(void)
{
    static const char *const rows[] = {"a b", "a,b", "a/b", "a@b", "<a>", "a\\b", "\"a\"", "a?b"};
    char text[256];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int n = snprintf(text, sizeof(text), "GET /healthz HTTP/1.1\r\nHost: %s\r\n\r\n", rows[i]);

        negative_bytes("H15", text, (size_t)n, (negative_want){400, 0});
    }
    for (size_t r = 0; r < N_ROUTES; r++) {
        int n = snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\n\r\n", routes[r].method,
                         routes[r].path);

        negative_bytes("H15 none", text, (size_t)n, (negative_want){400, 0});
        n = snprintf(text, sizeof(text), "%s %s HTTP/1.2\r\n" NEGATIVE_HOST "\r\n",
                     routes[r].method, routes[r].path);
        negative_bytes("H22", text, (size_t)n, (negative_want){400, 0});
    }
}

static void bodies_where_none_belong(void)
{
    for (size_t r = 0; r < N_ROUTES; r++) {
        if (strcmp(routes[r].method, "GET") != 0)
            continue;
        negative_head("H25", "GET", routes[r].path, "Content-Length: 2\r\n", 400);
        negative_head("H25 chunked", "GET", routes[r].path, "Transfer-Encoding: chunked\r\n", 400);
        negative_head("H25 DELETE", "DELETE", routes[r].path, "Content-Length: 2\r\n", 400);
    }
}

/* --- Q: targets and methods --------------------------------------------------------------- */

typedef struct target {
    const char *path;
    int status;
} target;

/* Paths that are spelt wrong, lead out, or lead nowhere. */
static const target bad_paths[] = {
    {"/../etc/passwd", 404},
    {"/v1/../healthz", 404},
    {"/v1/./models", 404},
    {"/.", 404},
    {"/..", 404},
    {"//healthz", 404},
    {"/healthz//", 404},
    {"/%2e%2e/healthz", 404},
    {"/%2E%2E%2Fhealthz", 404},
    {"/.%2e/x", 404},
    {"/v1%2fmodels", 404},
    {"/v1/models/..%2f..%2fetc", 404},
    {"/v1/models/%2e%2e", 404},
    {"/v1/models/a%5cb", 404},
    {"/v1/models/..\\x", 404},
    {"/healthz%00", 400},
    {"/v1/jobs/x%00.json", 400},
    {"/v1/models/%00", 400},
    {"/healthz/", 404},
    {"/Healthz", 404},
    {"/healthz/x", 404},
    {"/v1/models/", 404},
    {"/v1/models/tiny/x", 404},
    {"/v1/models/TINY", 404},
    {"/v1/models/tiny%20", 404},
    {"/v1/jobs/", 404},
    {"/v1/jobs/1;DROP TABLE jobs", 400},
    {"/v1/jobs/1';--", 404},
    {"/v1/jobs/job_00000000000000000000000000", 404},
    {"/v1/jobs/%F0%9F%98%80", 404},
    {"/metrics", 404},
    {"/startupz", 404},
    {"healthz", 400},
    {"*", 400},
    {"http://evil/healthz", 400},
    {"https://t/healthz", 400},
    {"#", 400},
    {"/healthz#x", 400},
    {"/h\xc3\xa4lthz", 400},
};

/* Parameters that nobody takes, that are given twice, or that mean nothing. */
static const target bad_queries[] = {
    {"?", 400},
    {"/healthz?", 400},
    {"/healthz?a=1&a=2", 400},
    {"/healthz?%zz", 400},
    {"/v1/models?key=secret", 400},
    {"/v1/jobs/x?wait=", 422},
    {"/v1/jobs/x?wait=601", 422},
    {"/v1/jobs/x?wait=-1", 422},
    {"/v1/jobs/x?wait=1&wait=1", 422},
    {"/v1/jobs/x?wai=1", 422},
    {"/v1/jobs/x?w%61it=%31", 404},
    {"/v1/jobs?limit=0", 422},
    {"/v1/jobs?limit=101", 422},
    {"/v1/jobs?limit=99999999999999999999", 422},
    {"/v1/jobs?limit", 422},
    {"/v1/jobs?cursor=0", 422},
    {"/v1/jobs?cursor=9007199254740993", 422},
    {"/v1/jobs?cursor=x'%20OR%201", 422},
    {"/v1/jobs?status=", 422},
    {"/v1/jobs?status=queued,", 422},
    {"/v1/jobs?status=QUEUED", 422},
    {"/v1/jobs?kind=", 422},
    {"/v1/jobs?kind=other", 422},
    {"/v1/jobs?kind=Sample", 422},
    {"/v1/jobs?model=%00", 422},
    {"/v1/jobs?model=%f", 422},
    {"/v1/jobs?since=2026-02-29T00:00:00Z", 422},
    {"/v1/jobs?since=2026-01-01", 422},
    {"/v1/jobs?since=1767323045", 422},
    {"/v1/jobs?%00=1", 422},
    {"/v1/jobs?=", 422},
    {"/v1/chains/job_00000000000000000000000000/traces?chain=64", 422},
    {"/v1/chains/x/traces?limit=5001", 422},
    {"/v1/chains/x/traces?from=-1", 422},
    {"/v1/chains/x/traces?chain=0&chain=1", 422},
};

static void targets(void)
{
    for (size_t i = 0; i < sizeof(bad_paths) / sizeof(bad_paths[0]); i++)
        negative_head("Q target", "GET", bad_paths[i].path, "", bad_paths[i].status);
    for (size_t i = 0; i < sizeof(bad_queries) / sizeof(bad_queries[0]); i++)
        negative_head("Q query", "GET", bad_queries[i].path, "", bad_queries[i].status);
}

static void methods(void)
{
    static const char *const odd[] = {"PUT", "PATCH", "DELETE",   "TRACE", "FOO",
                                      "get", "post",  "PROPFIND", "G",     "PRI"};

    for (size_t r = 0; r + 1 < N_ROUTES; r++) { /* the last one is no route */
        for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
            /* the one route that takes DELETE knows no such job */
            bool taken = strcmp(odd[i], "DELETE") == 0 && strcmp(routes[r].path, "/v1/jobs/x") == 0;

            negative_head("H21", odd[i], routes[r].path, "", taken ? 404 : 405);
        }
        if (strcmp(routes[r].method, "GET") == 0)
            negative_head("H21 POST", "POST", routes[r].path, "Content-Length: 0\r\n", 405);
        else
            negative_head("H21 GET", "GET", routes[r].path, "", 405);
    }
    negative_head("H20", "CONNECT", "evil:443", "", 400);
}

/* --- M: media types ----------------------------------------------------------------------- */

static void media_types(void)
{
    static const char *const types[] = {"",
                                        "text/plain",
                                        "text/json",
                                        "application/x-www-form-urlencoded",
                                        "multipart/mixed; boundary=x",
                                        "application/jsonx",
                                        "application/json; charset=utf-16",
                                        "application/json; charset=latin1",
                                        "application/json; x=y",
                                        "application/problem+json",
                                        "application/octet-stream",
                                        "image/png",
                                        "*/*",
                                        "json"};
    static const char *const accepts[] = {
        "application/xml",       "text/html", "image/jpeg", "text/*", "application/json;q=0",
        "image/webp, text/html", "*/*;q=0",   "garbage"};
    char text[512];

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        int n = snprintf(text, sizeof(text),
                         "POST /v1/sample HTTP/1.1\r\n" NEGATIVE_HOST "Content-Type: %s\r\n"
                         "Content-Length: 2\r\n\r\n{}",
                         types[i]);

        negative_bytes("J13", text, (size_t)n, (negative_want){415, 0});
    }
    for (size_t i = 0; i < sizeof(accepts) / sizeof(accepts[0]); i++) {
        int n = snprintf(text, sizeof(text),
                         "POST /v1/sample HTTP/1.1\r\n" NEGATIVE_HOST NEGATIVE_JSON "Accept: %s\r\n"
                         "Content-Length: 2\r\n\r\n{}",
                         accepts[i]);

        negative_bytes("Q07", text, (size_t)n, (negative_want){406, 0});
    }
}

void negative_http_cases(void)
{
    ambiguous_heads();
    odd_bytes();
    hosts();
    bodies_where_none_belong();
    targets();
    methods();
    media_types();
}
