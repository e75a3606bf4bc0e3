/* The request guard, row by row: heads that two parsers could read differently. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "http/guard.h"

#define MAX_LINES 8

/* One head: method, target, version, then header lines. */
typedef struct head_case {
    const char *name;
    const char *method, *target, *version;
    const char *lines[MAX_LINES]; /* "Name: value" */
    int status;                   /* 0: passes */
} head_case;

#define GET(name, target, status)                                                                  \
    {                                                                                              \
        name, "GET", target, "HTTP/1.1", {"Host: t"}, status                                       \
    }
#define POST(name, status, ...)                                                                    \
    {                                                                                              \
        name, "POST", "/sample", "HTTP/1.1", {"Host: t", __VA_ARGS__}, status                      \
    }

static const head_case cases[] = {
    GET("plain", "/healthz", 0),
    {"HTTP/1.0 needs no Host", "GET", "/", "HTTP/1.0", {NULL}, 0},
    POST("H01 length and coding", 400, "Content-Length: 5", "Transfer-Encoding: chunked"),
    POST("H02 two lengths", 400, "Content-Length: 5", "Content-Length: 6"),
    POST("H03 the same length twice", 400, "Content-Length: 5", "content-length: 5"),
    POST("H04 space before the colon", 400, "Content-Length : 40"),
    POST("H05 plus", 400, "Content-Length: +5"),
    POST("H05 minus", 400, "Content-Length: -5"),
    POST("H05 hexadecimal", 400, "Content-Length: 0x5"),
    POST("H05 empty", 400, "Content-Length: "),
    POST("H08 gzip coding", 501, "Transfer-Encoding: gzip"),
    POST("H09 chunked twice", 400, "Transfer-Encoding: chunked, chunked"),
    POST("H09 two codings", 400, "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
    POST("chunked", 0, "Transfer-Encoding: chunked"),
    POST("chunked in capitals", 0, "Transfer-Encoding: CHUNKED"),
    POST("length", 0, "Content-Length: 5"),
    {"H01 coding on HTTP/1.0", "POST", "/", "HTTP/1.0", {"Transfer-Encoding: chunked"}, 400},
    POST("H14 control byte", 400, "X: a\x01"),
    POST("H14 delete byte", 400, "X: \x7f"),
    POST("H14 tab is fine", 0, "X: a\tb"),
    POST("H14 bad name", 400, "X(: a"),
    POST("H14 empty name", 400, ": a"),
    {"H15 no Host", "GET", "/", "HTTP/1.1", {NULL}, 400},
    {"H15 two Hosts", "GET", "/", "HTTP/1.1", {"Host: a", "Host: a"}, 400},
    {"H15 space in Host", "GET", "/", "HTTP/1.1", {"Host: a b"}, 400},
    {"H15 path in Host", "GET", "/", "HTTP/1.1", {"Host: a/b"}, 400},
    {"IPv6 Host", "GET", "/", "HTTP/1.1", {"Host: [::1]:80"}, 0},
    GET("H18 NUL", "/jobs/x%00.json", 400),
    GET("H19 dots", "/models/../../etc/passwd", 404),
    GET("H19 encoded dots", "/models/%2e%2e%2f", 404),
    GET("H19 half encoded dots", "/models/.%2E/x", 404),
    GET("H19 backslash", "/models/..%5c", 404),
    GET("H19 raw backslash", "/models/a\\b", 404),
    GET("H19 two slashes", "//x", 404),
    GET("H19 one dot", "/./x", 404),
    GET("H19 dots at the end", "/x/..", 404),
    GET("H19 dot at the end", "/x/.", 404),
    GET("H19 dots before a query", "/x/..?a", 404),
    GET("a name with dots", "/v1/models/a.b", 0),
    GET("a hidden name", "/v1/models/.b", 0),
    GET("three dots", "/x/...", 0),
    GET("encoded slash", "/models%2f..%2fx", 404),
    GET("dots in a query", "/x?/../", 0),
    GET("H20 absolute form", "http://evil/a", 400),
    GET("H20 star", "*", 400),
    {"H20 CONNECT", "CONNECT", "evil:80", "HTTP/1.1", {"Host: t"}, 400},
    GET("space", "/a b", 400),
    GET("fragment", "/a#b", 400),
    GET("not ASCII", "/\xc3\xa9", 400),
    {"H22 1.2", "GET", "/", "HTTP/1.2", {"Host: t"}, 400},
    {"H24 expectation", "POST", "/", "HTTP/1.1", {"Host: t", "Expect: 200-maybe"}, 417},
    POST("H23 known expectation", 0, "Expect: 100-Continue"),
    {"H25 body on GET", "GET", "/", "HTTP/1.1", {"Host: t", "Content-Length: 1"}, 400},
    {"H25 coding on GET", "GET", "/", "HTTP/1.1", {"Host: t", "Transfer-Encoding: chunked"}, 400},
    {"H25 body on DELETE", "DELETE", "/", "HTTP/1.1", {"Host: t", "Content-Length: 1"}, 400},
    {"empty body on GET", "GET", "/", "HTTP/1.1", {"Host: t", "Content-Length: 0"}, 0},
    POST("H27 gzip body", 415, "Content-Encoding: gzip"),
    POST("upgrade", 400, "Upgrade: websocket"),
};

static void add_line(ebmd_head *head, const char *line)
{
    const char *colon = strchr(line, ':');
    ebmd_header *h = &head->header[head->n_headers++];

    h->name = line;
    h->name_len = (size_t)(colon - line);
    h->value = colon + (colon[1] == ' ' ? 2 : 1);
    h->value_len = strlen(h->value);
    head->header_bytes += strlen(line) + 2;
}

static ebmd_head make_head(const char *method, const char *target, const char *version)
{
    ebmd_head head;

    memset(&head, 0, sizeof(head));
    head.method = method;
    head.target = target;
    head.version = version;
    return head;
}

static int status_of(const ebmd_head *head)
{
    ebma_problem_code code = ebmd_guard_check(head);

    return code == EBMA_OK ? 0 : ebma_problem_describe(code)->status;
}

static void the_table(void **state)
{
    int bad = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ebmd_head head = make_head(cases[i].method, cases[i].target, cases[i].version);

        for (size_t k = 0; k < MAX_LINES && cases[i].lines[k]; k++)
            add_line(&head, cases[i].lines[k]);
        if (status_of(&head) != cases[i].status) {
            print_error("%s: got %d\n", cases[i].name, status_of(&head));
            bad++;
        }
    }
    assert_int_equal(bad, 0);
}

/* H16: 64 lines pass, 65 do not; 16 KiB pass, one byte more does not. */
static void sizes_of_heads(void **state)
{
    ebmd_head head = make_head("GET", "/", "HTTP/1.1");

    (void)state;
    add_line(&head, "Host: t");
    for (int i = 1; i < EBMD_HEADERS_MAX; i++)
        add_line(&head, "X: y");
    head.header_bytes = EBMD_HEADER_BYTES_MAX;
    assert_int_equal(status_of(&head), 0);
    head.header_bytes++;
    assert_int_equal(status_of(&head), 431);
    head.header_bytes = 100;
    head.n_headers++;
    assert_int_equal(status_of(&head), 431);
}

/* H17 */
static void sizes_of_targets(void **state)
{
    char target[EBMD_TARGET_MAX + 2] = "/";
    ebmd_head head = make_head("GET", target, "HTTP/1.1");

    (void)state;
    add_line(&head, "Host: t");
    memset(target, 'a', sizeof(target));
    target[0] = '/';
    target[EBMD_TARGET_MAX] = '\0';
    assert_int_equal(status_of(&head), 0);
    target[EBMD_TARGET_MAX] = 'a';
    target[EBMD_TARGET_MAX + 1] = '\0';
    assert_int_equal(status_of(&head), 414);
}

/* H06, H07: lengths no number type holds are "very long", not small. */
static void declared_lengths(void **state)
{
    static const struct {
        const char *line;
        unsigned long long length;
    } rows[] = {{"Content-Length: 0", 0},
                {"Content-Length: 65537", 65537},
                {"Content-Length: 9223372036854775807", 9223372036854775807ull},
                {"Content-Length: 18446744073709551615", ~0ull},
                {"Content-Length: 18446744073709551616", ~0ull},
                {"Content-Length: 99999999999999999999999", ~0ull}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ebmd_head head = make_head("POST", "/", "HTTP/1.1");
        unsigned long long length = 1;

        assert_false(ebmd_guard_content_length(&head, &length));
        add_line(&head, rows[i].line);
        assert_true(ebmd_guard_content_length(&head, &length));
        assert_true(length == rows[i].length);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table),
        cmocka_unit_test(sizes_of_heads),
        cmocka_unit_test(sizes_of_targets),
        cmocka_unit_test(declared_lengths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
