/* Hostile requests by the hundred, generated from tables: every one gets the status it must get, as
 * problem+json, and leaves no job, no descriptor, no memory and no broken log line behind. The
 * letters are those of the families: H framing, Q targets, J JSON, S parameters, M media types. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <jansson.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "daemon_process.h"
#include "ebma/api.h"
#include "http_client.h"
#include "tiny_model.h"

#define HOST "Host: t\r\n"
#define JSON "Content-Type: application/json\r\n"

static daemon_process d;
static int n_cases, n_bad;

static int setup(void **state)
{
    static const tiny_model what = {
        .id = "tiny", .levels = 2, .steps = 2, .seed = 1, .step_scale = 1.0};

    (void)state;
    return daemon_prepare(&d) && tiny_model_write(d.models, &what) && daemon_start(&d, NULL) ? 0
                                                                                             : -1;
}

static int teardown(void **state)
{
    (void)state;
    daemon_clean(&d);
    return 0;
}

/* --- one case ----------------------------------------------------------------------------- */

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

/* What must come back: one status, or one of two where a rule leaves it open. */
typedef struct want {
    int status, other;
} want;

static void try_bytes(const char *name, const char *bytes, size_t n, want w)
{
    int fd = http_connect(d.port);
    char value[128];
    http_reply r = {0};
    bool ok = fd >= 0 && http_send(fd, bytes, n) && http_read(fd, true, &r) &&
              (r.status == w.status || r.status == w.other) && is_problem(&r) &&
              !http_header(&r, "X-Job-Id", value, sizeof(value)) &&
              http_header(&r, "X-Request-Id", value, sizeof(value));

    if (ok && r.status == 405)
        ok = http_header(&r, "Allow", value, sizeof(value)) != NULL;
    n_cases++;
    if (!ok) {
        n_bad++;
        print_error("%s: %d, wanted %d; %s\n%.*s\n", name, r.status, w.status, r.body ? r.body : "",
                    (int)(n < 200 ? n : 200), bytes);
    }
    http_reply_clear(&r);
    if (fd >= 0)
        close(fd);
}

/* method, path and further lines; a body only if it is not NULL. */
static void try_head(const char *name, const char *method, const char *path, const char *lines,
                     int status)
{
    char text[8192];
    int n = snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\n" HOST "%s\r\n", method, path, lines);

    assert_in_range(n, 1, sizeof(text) - 1);
    try_bytes(name, text, (size_t)n, (want){status, 0});
}

static void try_body(const char *name, const char *body, size_t size, want w)
{
    static char text[70000];
    int n = snprintf(text, 1024,
                     "POST /v1/sample HTTP/1.1\r\n" HOST JSON "Content-Length: %zu\r\n\r\n", size);

    assert_true((size_t)n + size <= sizeof(text));
    memcpy(text + n, body, size);
    try_bytes(name, text, (size_t)n + size, w);
}

static void try_text(const char *name, const char *body, int status)
{
    try_body(name, body, strlen(body), (want){status, 0});
}

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
        {HOST, 400},
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
            try_head("H ambiguous", routes[r].method, routes[r].path, rows[i].lines,
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
            try_head("H value byte", "GET", "/healthz", lines, 400);
        snprintf(lines, sizeof(lines), "X%cY: z\r\n", c);
        if (control || strchr("\t \"(),/;<=>?@[\\]{}", c))
            try_head("H name byte", "GET", "/healthz", lines, 400);
        snprintf(lines, sizeof(lines), "/healthz%c", c);
        if (control)
            try_head("Q target byte", "GET", lines, "", 400);
    }
}

static void hosts(void)
{
    static const char *const rows[] = {"a b", "a,b", "a/b", "a@b", "<a>", "a\\b", "\"a\"", "a?b"};
    char text[256];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int n = snprintf(text, sizeof(text), "GET /healthz HTTP/1.1\r\nHost: %s\r\n\r\n", rows[i]);

        try_bytes("H15", text, (size_t)n, (want){400, 0});
    }
    for (size_t r = 0; r < N_ROUTES; r++) {
        int n = snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\n\r\n", routes[r].method,
                         routes[r].path);

        try_bytes("H15 none", text, (size_t)n, (want){400, 0});
        n = snprintf(text, sizeof(text), "%s %s HTTP/1.2\r\n" HOST "\r\n", routes[r].method,
                     routes[r].path);
        try_bytes("H22", text, (size_t)n, (want){400, 0});
    }
}

static void bodies_where_none_belong(void)
{
    for (size_t r = 0; r < N_ROUTES; r++) {
        if (strcmp(routes[r].method, "GET") != 0)
            continue;
        try_head("H25", "GET", routes[r].path, "Content-Length: 2\r\n", 400);
        try_head("H25 chunked", "GET", routes[r].path, "Transfer-Encoding: chunked\r\n", 400);
        try_head("H25 DELETE", "DELETE", routes[r].path, "Content-Length: 2\r\n", 400);
    }
}

/* --- Q: targets and methods --------------------------------------------------------------- */

static void targets(void)
{
    static const struct {
        const char *path;
        int status;
    } rows[] = {{"/../etc/passwd", 404},
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
                {"?", 400},
                {"#", 400},
                {"/healthz#x", 400},
                {"/h\xc3\xa4lthz", 400},
                {"/healthz?", 400},
                {"/healthz?a=1&a=2", 400},
                {"/healthz?%zz", 400},
                {"/v1/models?key=secret", 400},
                {"/v1/jobs/x?wait=", 400}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        try_head("Q target", "GET", rows[i].path, "", rows[i].status);
}

static void methods(void)
{
    static const char *const odd[] = {"PUT", "PATCH", "DELETE",   "TRACE", "FOO",
                                      "get", "post",  "PROPFIND", "G",     "PRI"};

    for (size_t r = 0; r + 1 < N_ROUTES; r++) { /* the last one is no route */
        for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
            try_head("H21", odd[i], routes[r].path, "", 405);
        if (strcmp(routes[r].method, "GET") == 0)
            try_head("H21 POST", "POST", routes[r].path, "Content-Length: 0\r\n", 405);
        else
            try_head("H21 GET", "GET", routes[r].path, "", 405);
    }
    try_head("H20", "CONNECT", "evil:443", "", 400);
}

/* --- J: JSON ------------------------------------------------------------------------------ */

static const char good[] =
    "{\"n\":1,\"seed\":7,\"noise_scale\":0.5,\"response_format\":\"none\",\"model\":\"tiny\"}";

/* J02, J10: a good body cut off anywhere, and with any byte made impossible. */
static void broken_json(void)
{
    char copy[sizeof(good)];

    for (size_t n = 0; n + 1 < sizeof(good) - 1; n++)
        try_body("J truncated", good, n, (want){400, 0});
    for (size_t i = 0; i < sizeof(good) - 1; i++) {
        memcpy(copy, good, sizeof(good));
        copy[i] = '\xff';
        try_body("J 0xff", copy, sizeof(good) - 1, (want){400, 0});
        copy[i] = '\0';
        try_body("J NUL", copy, sizeof(good) - 1, (want){400, 0});
    }
}

static void json_texts(void)
{
    static const struct {
        const char *body;
        int status;
    } rows[] = {{"null", 400},
                {"5", 400},
                {"\"x\"", 400},
                {"true", 400},
                {"   ", 400},
                {"{} {}", 400},
                {"{} x", 400},
                {"{}//", 400},
                {"/* */{}", 400},
                {"\xef\xbb\xbf{}", 400},
                {"{\"n\":NaN}", 400},
                {"{\"n\":Infinity}", 400},
                {"{\"n\":01}", 400},
                {"{\"n\":+1}", 400},
                {"{\"n\":.5}", 400},
                {"{\"n\":0x1}", 400},
                {"{\"n\":1,}", 400},
                {"{n:1}", 400},
                {"{'n':1}", 400},
                {"{\"n\":1,\"n\":1}", 400},
                {"{\"n\":1,\"n\":100000}", 400},
                {"{\"seed\":99999999999999999999}", 400},
                {"{\"noise_scale\":1e999}", 400},
                {"{\"model\":\"\\u0000\"}", 400},
                {"{\"\\u0000\":1}", 400},
                {"{\"model\":\"\\ud800\"}", 400},
                {"{\"model\":\"\\x41\"}", 400},
                {"{\"model\":\"\xc0\xaf\"}", 400},
                {"{\"model\":\"\xed\xa0\x80\"}", 400},
                {"{\"model\":\"a\tb\"}", 400},
                {"{\"noise_scale\":1e-999}", 422},
                {"{\"noise_scale\":5e-324}", 422},
                {"{\"noise_scale\":-0.0}", 422},
                {"{\"callback\":\"http://evil/\"}", 422},
                {"{\"return\":\"file:///etc/passwd\"}", 422},
                {"{\"format\":\"png\"}", 422},
                {"{\"\":1}", 422},
                {"{\"__proto__\":{}}", 422},
                {"{\"a/b~c\":1}", 422}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        try_text("J text", rows[i].body, rows[i].status);
}

/* J04, J05, J06: depth, length, number of keys. */
static void json_sizes(void)
{
    static char body[65537];
    size_t n = 0;

    for (int depth = 17; depth <= 2049; depth += 508) {
        memset(body, '[', (size_t)depth);
        memset(body + depth, ']', (size_t)depth);
        try_body("J deep", body, 2 * (size_t)depth, (want){400, 0});
        memset(body, '[', (size_t)depth);
        try_body("J open", body, (size_t)depth, (want){400, 0});
    }
    memset(body, ' ', sizeof(body));
    try_body("J blanks", body, 65536, (want){400, 0});
    try_body("J one byte too long", body, 65537, (want){413, 0});
    n = (size_t)snprintf(body, sizeof(body), "{");
    for (int i = 0; i < 300; i++)
        n += (size_t)snprintf(body + n, sizeof(body) - n, i ? ",\"k%d\":1" : "\"k%d\":1", i);
    body[n++] = '}';
    try_body("J keys", body, n, (want){400, 422});
    memset(body, 'x', sizeof(body));
    memcpy(body, "{\"model\":\"", 10);
    memcpy(body + 60000, "\"}", 2);
    try_body("J12", body, 60002, (want){422, 0});
}

/* --- S: parameters, from the table --------------------------------------------------------- */

/* J09, S01-S04: every field with every kind of value that it does not take. */
static void wrong_values(void)
{
    static const char *const values[] = {"true", "false",  "[]",    "{}",
                                         "[1]",  "\"\"",   "\"x\"", "1.5e300",
                                         "-2",   "-1e300", "\"1\"", "\"../../etc/passwd\""};
    ebma_table table = ebma_sample_table();
    char body[256];

    for (size_t i = 0; i < table.n; i++) {
        const ebm_param *p = table.row[i];

        for (size_t v = 0; v < sizeof(values) / sizeof(values[0]); v++) {
            if (p->type == EBM_PARAM_MODEL && strcmp(values[v], "\"x\"") == 0)
                continue; /* well-formed, but nobody's: 404 below */
            if (p->type == EBM_PARAM_MODEL && strcmp(values[v], "\"1\"") == 0)
                continue;
            snprintf(body, sizeof(body), "{\"%s\":%s}", p->name, values[v]);
            try_text("S wrong value", body, 422);
        }
        if (p->type == EBM_PARAM_MODEL || p->type == EBM_PARAM_CHOICE)
            continue;
        snprintf(body, sizeof(body), "{\"%s\":%.17g}", p->name, p->max * 1.001 + 1);
        try_text("S above", body, 422);
        snprintf(body, sizeof(body), "{\"%s\":%.17g}", p->name, p->min - 2);
        try_text("S below", body, 422);
        if (p->type != EBM_PARAM_REAL) {
            snprintf(body, sizeof(body), "{\"%s\":%.0f}", p->name, p->max + 1);
            try_text("S one above", body, 422);
            snprintf(body, sizeof(body), "{\"%s\":%.1f}", p->name, p->min < 1 ? 1.0 : p->min);
            try_text("S one with a point", body, 422);
            snprintf(body, sizeof(body), "{\"%s\":1e0}", p->name);
            try_text("S one with an exponent", body, 422);
            snprintf(body, sizeof(body), "{\"%s\":9223372036854775807}", p->name);
            try_text("S 2^63-1", body, 422);
            snprintf(body, sizeof(body), "{\"%s\":-9223372036854775808}", p->name);
            try_text("S -2^63", body, 422);
        }
    }
}

/* J11: each field misspelt in three ways. */
static void misspelt_fields(void)
{
    static const char *const before[] = {"", " ", "X"}, *const after[] = {"x", "", ""};
    ebma_table table = ebma_sample_table();
    char body[256];

    for (size_t i = 0; i < table.n; i++) {
        for (size_t k = 0; k < 3; k++) {
            snprintf(body, sizeof(body), "{\"%s%s%s\":1}", before[k], table.row[i]->name, after[k]);
            try_text("S unknown", body, 422);
        }
    }
}

/* S05, S06 */
static void model_ids(void)
{
    static const struct {
        const char *id;
        int status;
    } rows[] = {{"../../etc/passwd", 422},
                {"/abs", 422},
                {"a%2fb", 422},
                {"MODEL", 422},
                {"", 422},
                {".", 422},
                {"..", 422},
                {"a..b", 422},
                {"-a", 422},
                {"a b", 422},
                {"a\\\\b", 422},
                {"\xf0\x9f\x98\x80", 422},
                {"0123456789012345678901234567890123456789012345678901234567890123x", 422},
                {"con", 404},
                {"other", 404},
                {"tiny.", 404}};
    char body[256];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        snprintf(body, sizeof(body), "{\"model\":\"%s\"}", rows[i].id);
        try_text("S05", body, rows[i].status);
    }
}

/* --- M: media types ----------------------------------------------------------------------- */

static void media_types(void)
{
    static const char *const types[] = {"",
                                        "text/plain",
                                        "text/json",
                                        "application/x-www-form-urlencoded",
                                        "multipart/form-data; boundary=x",
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
                         "POST /v1/sample HTTP/1.1\r\n" HOST "Content-Type: %s\r\n"
                         "Content-Length: 2\r\n\r\n{}",
                         types[i]);

        try_bytes("J13", text, (size_t)n, (want){415, 0});
    }
    for (size_t i = 0; i < sizeof(accepts) / sizeof(accepts[0]); i++) {
        int n = snprintf(text, sizeof(text),
                         "POST /v1/sample HTTP/1.1\r\n" HOST JSON "Accept: %s\r\n"
                         "Content-Length: 2\r\n\r\n{}",
                         accepts[i]);

        try_bytes("Q07", text, (size_t)n, (want){406, 0});
    }
}

/* --- what is left behind ------------------------------------------------------------------- */

static int open_files(void)
{
    char path[64];
    int n = 0;
    DIR *dir;

    snprintf(path, sizeof(path), "/proc/%ld/fd", (long)d.pid);
    dir = opendir(path);
    assert_non_null(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

static long resident_kib(void)
{
    char path[64];
    long pages = 0, all;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%ld/statm", (long)d.pid);
    f = fopen(path, "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%ld %ld", &all, &pages), 2);
    fclose(f);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* A number of the metrics, summed over the series of a name; the scrape's own connection counts. */
static double metric(const char *name)
{
    http_reply r;
    double sum = 0;
    size_t n = strlen(name);

    assert_true(http_call(d.admin, "GET", "/metrics", "", NULL, &r));
    for (const char *l = r.body; l && *l; l = strchr(l, '\n') ? strchr(l, '\n') + 1 : NULL) {
        if (strncmp(l, name, n) == 0 && (l[n] == ' ' || l[n] == '{'))
            sum += strtod(strchr(l + n, '}') ? strchr(l, ' ') : l + n, NULL);
    }
    http_reply_clear(&r);
    return sum;
}

static void the_table(void)
{
    ambiguous_heads();
    odd_bytes();
    hosts();
    bodies_where_none_belong();
    targets();
    methods();
    broken_json();
    json_texts();
    json_sizes();
    wrong_values();
    misspelt_fields();
    model_ids();
    media_types();
}

static void served(void)
{
    http_reply r;

    assert_true(http_post(d.port, "/v1/sample", "{\"seed\":1}", &r));
    assert_int_equal(r.status, 200);
    http_reply_clear(&r);
}

static void wait_for_files(int wanted)
{
    struct timespec ts = {.tv_nsec = 10000000};

    for (int i = 0; i < 1000 && open_files() > wanted; i++)
        nanosleep(&ts, NULL);
    assert_true(open_files() <= wanted);
}

static void every_case(void **state)
{
    int files, cases;
    long before;

    (void)state;
    served();
    metric("x"); /* both listeners have been used once */
    files = open_files();
    the_table();
    served();
    cases = n_cases;
    before = resident_kib();
    the_table(); /* once more: what the first round left would be left again */
    served();
    print_message("%d cases, twice; %ld KiB more after the second time\n", cases,
                  resident_kib() - before);
    assert_int_equal(n_bad, 0);
    assert_true(cases >= 500);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* they keep freed memory */
    assert_true(resident_kib() - before < 1024);
#endif
    wait_for_files(files);
    /* the three good requests, and nothing else, became jobs */
    assert_true(metric("ebm_jobs_total") == 3);
    assert_true(metric("ebm_queue_depth") == 0);
    assert_true(metric("ebm_http_requests_in_flight") == 1); /* the scrape itself */
    assert_true(metric("ebm_http_requests_total") >= 2 * cases);
}

/* After all that: every line of the log is one JSON object, and none is an error. */
static void the_log(void **state)
{
    char path[TEMP_PATH_MAX];
    static char line[8192];
    int lines = 0;
    FILE *f;

    (void)state;
    assert_int_equal(daemon_stop(&d, SIGTERM, 10000), 0);
    assert_true(temp_dir_join(d.dir, "log", path));
    f = fopen(path, "r");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        json_t *o = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        const char *level = json_string_value(json_object_get(o, "level"));

        if (!level || strcmp(level, "error") == 0)
            fail_msg("%s", line);
        json_decref(o);
        lines++;
    }
    fclose(f);
    assert_true(lines >= 2 * 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case),
        cmocka_unit_test(the_log),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
