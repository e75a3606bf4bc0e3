/* multipart/form-data: what a body means, why it is refused, and that no way of cutting it into
 * pieces makes a difference. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ebma/multipart.h"

/* What a parser told its sink, as one text: "[name type]" or "<name type>" for a file, contents,
 * ";" at the end of each part. */
typedef struct transcript {
    char text[4096];
    size_t n;
    const char *refuse; /* the name of a part to refuse */
    ebma_multipart_fault fault;
} transcript;

static void write_down(transcript *t, const char *bytes, size_t n)
{
    assert_true(t->n + n < sizeof(t->text));
    memcpy(t->text + t->n, bytes, n);
    t->n += n;
    t->text[t->n] = '\0';
}

static bool on_begin(void *arg, const ebma_multipart_part *part)
{
    transcript *t = arg;
    char head[256];
    int n = snprintf(head, sizeof(head), part->has_file ? "<%s %s>" : "[%s %s]", part->name,
                     part->type);

    write_down(t, head, (size_t)n);
    return !t->refuse || strcmp(t->refuse, part->name) != 0;
}

static bool on_data(void *arg, const char *bytes, size_t n)
{
    assert_true(n > 0);
    write_down(arg, bytes, n);
    return true;
}

static bool on_end(void *arg)
{
    write_down(arg, ";", 1);
    return true;
}

static const ebma_multipart_limits limits = {
    .parts = 3, .header_bytes = 200, .part_bytes = 40, .total_bytes = 600};

/* Feeds the body in pieces whose sizes `next` gives; 0 means all the rest. */
static void run(transcript *t, const char *body, size_t n, size_t (*next)(void *), void *arg)
{
    const ebma_multipart_sink sink = {on_begin, on_data, on_end, t};
    ebma_multipart p;

    t->n = 0;
    t->text[0] = '\0';
    ebma_multipart_init(&p, "B", &limits, &sink);
    while (n > 0) {
        size_t piece = next ? next(arg) : n;

        piece = piece == 0 || piece > n ? n : piece;
        if (ebma_multipart_feed(&p, body, piece) != EBMA_MULTIPART_OK)
            break;
        body += piece;
        n -= piece;
    }
    t->fault = ebma_multipart_finish(&p);
}

static size_t same_size(void *arg)
{
    return *(size_t *)arg;
}

static size_t cut_once(void *arg)
{
    size_t first = *(size_t *)arg;

    *(size_t *)arg = 0;
    return first;
}

static size_t random_size(void *arg)
{
    uint32_t *x = arg;

    *x = *x * 1664525u + 1013904223u;
    return (*x >> 24) % 7 + 1;
}

/* The same transcript and fault, however the body is cut. */
static void assert_cuts_do_not_matter(const char *name, const char *body, size_t n)
{
    transcript whole = {0}, cut = {0};

    run(&whole, body, n, NULL, NULL);
    for (size_t i = 1; i <= n + 64 + 20; i++) {
        size_t size = i;
        uint32_t seed = (uint32_t)i;

        if (i < n)
            run(&cut, body, n, cut_once, &size);
        else if (i < n + 64)
            run(&cut, body, n, same_size, &(size_t){i - n + 1});
        else
            run(&cut, body, n, random_size, &seed);
        /* a part that is refused for its size has been handed out in other pieces */
        if (cut.fault != whole.fault ||
            (whole.fault == EBMA_MULTIPART_OK && strcmp(cut.text, whole.text) != 0))
            fail_msg("%s, cut %zu: %d \"%s\", whole: %d \"%s\"", name, i, cut.fault, cut.text,
                     whole.fault, whole.text);
    }
}

#define CD(name) "Content-Disposition: form-data; name=\"" name "\"\r\n"

static void accepted(void **state)
{
    static const struct {
        const char *name, *body, *want;
    } rows[] = {
        {"one field", "--B\r\n" CD("n") "\r\n12\r\n--B--\r\n", "[n ]12;"},
        {"no last line end", "--B\r\n" CD("n") "\r\n12\r\n--B--", "[n ]12;"},
        {"no parts", "--B--\r\n", ""},
        {"an empty part", "--B\r\n" CD("n") "\r\n\r\n--B--\r\n", "[n ];"},
        {"an empty part without its own line end", "--B\r\n" CD("n") "\r\n--B--\r\n", "[n ];"},
        {"two parts", "--B\r\n" CD("a") "\r\n1\r\n--B\r\n" CD("b") "\r\n2\r\n--B--\r\n",
         "[a ]1;[b ]2;"},
        {"a file",
         "--B\r\nContent-Disposition: form-data; name=\"i\"; filename=\"../../x.png\"\r\n"
         "Content-Type: image/png\r\n\r\nPNG\r\n--B--\r\n",
         "<i image/png>PNG;"},
        {"tokens, odd case, other headers",
         "--B\r\ncontent-disposition:FORM-DATA;NAME=i;FileName=x\r\nX-Y: z\r\n\r\nq\r\n--B--\r\n",
         "<i >q;"},
        {"a browser's path",
         "--B\r\nContent-Disposition: form-data; name=\"i\"; filename=\"C:\\a.png\"\r\n\r\n"
         "q\r\n--B--\r\n",
         "<i >q;"},
        {"padded boundary lines", "--B \t\r\n" CD("n") "\r\n1\r\n--B-- \r\n", "[n ]1;"},
        {"contents like a boundary",
         "--B\r\n" CD("n") "\r\n--\r\n-\r\n--C\r\r\n--\r\n\n--B\r\n\r\n--B--\r\n",
         "[n ]--\r\n-\r\n--C\r\r\n--\r\n\n--B\r\n;"},
        {"a dash first", "--B\r\n" CD("n") "\r\n-x\r\n--B--\r\n", "[n ]-x;"},
        {"a line end first", "--B\r\n" CD("n") "\r\n\r\n\r\nx\r\n--B--\r\n", "[n ]\r\n\r\nx;"},
        {"40 bytes", "--B\r\n" CD("n") "\r\n0123456789012345678901234567890123456789\r\n--B--\r\n",
         "[n ]0123456789012345678901234567890123456789;"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        transcript t = {0};

        run(&t, rows[i].body, strlen(rows[i].body), NULL, NULL);
        if (t.fault != EBMA_MULTIPART_OK || strcmp(t.text, rows[i].want) != 0)
            fail_msg("%s: %d \"%s\"", rows[i].name, t.fault, t.text);
        assert_cuts_do_not_matter(rows[i].name, rows[i].body, strlen(rows[i].body));
    }
}

typedef struct hostile {
    const char *name, *body;
    size_t size; /* 0: strlen(body) */
    ebma_multipart_fault fault;
} hostile;

#define BAD(name, body, fault)                                                                     \
    {                                                                                              \
        name, body, sizeof(body) - 1, EBMA_MULTIPART_##fault                                       \
    }
#define HEAD(text, fault) BAD(text, "--B\r\n" text "\r\n\r\nx\r\n--B--\r\n", fault)
#define PART              "--B\r\n" CD("n") "\r\nx\r\n"
#define FORTY             "0123456789012345678901234567890123456789"
#define FORM              "Content-Disposition: form-data; name="

static const hostile hostiles[] = {
    BAD("empty", "", TRUNCATED),
    BAD("text", "hello", PREAMBLE),
    BAD("a preamble", "x\r\n--B--\r\n", PREAMBLE),
    BAD("a line end before", "\r\n--B--\r\n", PREAMBLE),
    BAD("another boundary", "--C--\r\n", PREAMBLE),
    BAD("half a boundary", "--", TRUNCATED),
    BAD("a bare boundary", "--B", TRUNCATED),
    BAD("one dash", "--B-", TRUNCATED),
    BAD("one dash, then text", "--B-x", DELIMITER),
    BAD("a longer boundary", "--Bx\r\n", DELIMITER),
    BAD("a longer boundary inside", PART "--Bx", DELIMITER),
    BAD("bare LF behind", "--B\n", DELIMITER),
    BAD("bare CR behind", "--B\rx", DELIMITER),
    BAD("text behind blanks", "--B x\r\n", DELIMITER),
    BAD("endless blanks",
        "--B                                                                    \r\n", DELIMITER),
    BAD("no header at all", "--B\r\n\r\nx\r\n--B--\r\n", DISPOSITION),
    BAD("header cut off", "--B\r\n" CD("n"), TRUNCATED),
    BAD("contents cut off", "--B\r\n" CD("n") "\r\nx", TRUNCATED),
    BAD("closing cut off", PART "--B", TRUNCATED),
    BAD("closing without its last dash", PART "--B-\r\n", DELIMITER),
    BAD("epilogue", PART "--B--x", EPILOGUE),
    BAD("epilogue line", PART "--B--\r\nx", EPILOGUE),
    BAD("a second closing", PART "--B--\r\n--B--\r\n", EPILOGUE),
    BAD("a part behind the closing", PART "--B--\r\n" PART "--B--\r\n", EPILOGUE),
    BAD("half a line end at the end", PART "--B--\r", TRUNCATED),
    BAD("bare LF at the end", PART "--B--\n", EPILOGUE),
    BAD("four parts", PART PART PART PART "--B--\r\n", PARTS),
    BAD("41 bytes", "--B\r\n" CD("n") "\r\n" FORTY "0\r\n--B--\r\n", PART_SIZE),
    BAD("41 bytes, the last a dash", "--B\r\n" CD("n") "\r\n" FORTY "\r\r\n--B--\r\n", PART_SIZE),
    BAD("header too long", "--B\r\nX: " FORTY FORTY FORTY FORTY FORTY "\r\n\r\n", HEADER_SIZE),
    BAD("endless header", "--B\r\n" CD("n") "X: " FORTY FORTY FORTY FORTY FORTY FORTY, HEADER_SIZE),
    BAD("600 bytes of parts", PART PART "--B\r\nX: " FORTY FORTY FORTY FORTY FORTY FORTY FORTY,
        HEADER_SIZE),
    HEAD("X", HEADER_SYNTAX),
    HEAD(": x", HEADER_SYNTAX),
    HEAD("X : y", HEADER_SYNTAX),
    HEAD(" X: y", HEADER_SYNTAX),
    HEAD(FORM "\"n\"\r\n folded", HEADER_SYNTAX),
    HEAD(FORM "\"n\"\nX: y", HEADER_SYNTAX),
    HEAD(FORM "\"n\"\rX: y", HEADER_SYNTAX),
    HEAD("X: a\0b", HEADER_SYNTAX),
    HEAD("X: a\x1b[2J", HEADER_SYNTAX),
    HEAD("X: a\x7f", HEADER_SYNTAX),
    HEAD(FORM "\"a\0b\"", HEADER_SYNTAX),
    HEAD(FORM "\"n\"\r\nContent-Type: a/b\r\nContent-Type: a/b", HEADER_SYNTAX),
    HEAD("X: y", DISPOSITION),
    HEAD("Content-Disposition: form-data", DISPOSITION),
    HEAD("Content-Disposition: attachment; name=\"n\"", DISPOSITION),
    HEAD("Content-Disposition: form-data name=\"n\"", DISPOSITION),
    HEAD("Content-Disposition: form-data; name", DISPOSITION),
    HEAD("Content-Disposition: form-data;", DISPOSITION),
    HEAD("Content-Disposition: form-data; filename=\"n\"", DISPOSITION),
    HEAD("Content-Disposition: form-data; name*=utf-8''n", DISPOSITION),
    HEAD(FORM, DISPOSITION),
    HEAD(FORM "\"n", DISPOSITION),
    HEAD(FORM "\"n\" x", DISPOSITION),
    HEAD(FORM "\"n\"; ", DISPOSITION),
    HEAD(FORM "\"n\"; name=\"m\"", DISPOSITION),
    HEAD(FORM "\"n\"; size=3", DISPOSITION),
    HEAD(FORM "\"n\"; filename*=utf-8''x", DISPOSITION),
    HEAD(FORM "\"n\"; filename=\"a\"; filename=\"b\"", DISPOSITION),
    HEAD(FORM "\"n\"; filename=\"a\\\"; x=\"b\"", DISPOSITION),
    HEAD(FORM "\"n\"\r\n" FORM "\"n\"", DISPOSITION),
    HEAD(FORM "\"\"", NAME),
    HEAD(FORM "\"a b\"", NAME),
    HEAD(FORM "\"a/b\"", NAME),
    HEAD(FORM "\"\xc3\xa9\"", NAME),
    HEAD(FORM "\"a%22\"", NAME),
    HEAD(FORM "\"01234567890123456789012345678901234567890123456789012345678901234\"", NAME),
    HEAD(FORM "\"n\"\r\nContent-Transfer-Encoding: base64", TRANSFER_ENCODING),
    HEAD("content-transfer-encoding: binary", TRANSFER_ENCODING),
    HEAD(FORM "\"n\"\r\nContent-Type: multipart/mixed; boundary=C", NESTED),
    HEAD("Content-Type: Multipart/Form-Data", NESTED),
};
#define N_HOSTILES (sizeof(hostiles) / sizeof(hostiles[0]))

static void refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_HOSTILES; i++) {
        const hostile *h = &hostiles[i];
        transcript t = {0};

        run(&t, h->body, h->size, NULL, NULL);
        if (t.fault != h->fault)
            fail_msg("%s: %s", h->name, ebma_multipart_reason(t.fault));
        assert_cuts_do_not_matter(h->name, h->body, h->size);
    }
}

/* A good body cut off anywhere is truncated, and nothing else. */
static void truncated_everywhere(void **state)
{
    static const char body[] = PART "--B\r\nContent-Type: a/b\r\n" CD("m") "\r\ny\r\n--B--";
    transcript t = {0};

    (void)state;
    for (size_t n = 0; n < sizeof(body) - 1; n++) {
        run(&t, body, n, NULL, NULL);
        if (t.fault != EBMA_MULTIPART_TRUNCATED)
            fail_msg("%zu bytes: %d", n, t.fault);
    }
}

/* The limit of all bytes: a body of exactly that many passes, one more does not. */
static void the_total(void **state)
{
    static transcript t;
    const ebma_multipart_sink sink = {on_begin, on_data, on_end, &t};
    static const char body[] = PART "--B--";
    ebma_multipart_limits few = limits;
    ebma_multipart p;

    (void)state;
    for (size_t more = 0; more < 2; more++) {
        few.total_bytes = sizeof(body) - 1 - more;
        ebma_multipart_init(&p, "B", &few, &sink);
        assert_int_equal(ebma_multipart_feed(&p, body, sizeof(body) - 1),
                         more ? EBMA_MULTIPART_TOTAL_SIZE : EBMA_MULTIPART_OK);
        /* a fault stays, whatever comes */
        assert_int_equal(ebma_multipart_feed(&p, "", 0),
                         more ? EBMA_MULTIPART_TOTAL_SIZE : EBMA_MULTIPART_OK);
        assert_int_equal(ebma_multipart_finish(&p),
                         more ? EBMA_MULTIPART_TOTAL_SIZE : EBMA_MULTIPART_OK);
    }
}

static void a_sink_may_refuse(void **state)
{
    static const char body[] = PART "--B\r\n" CD("other") "\r\ny\r\n--B--";
    transcript t = {.refuse = "other"};

    (void)state;
    run(&t, body, sizeof(body) - 1, NULL, NULL);
    assert_int_equal(t.fault, EBMA_MULTIPART_REFUSED);
    assert_string_equal(t.text, "[n ]x;[other ]");
}

#define SEVENTY "0123456789012345678901234567890123456789012345678901234567890123456789"

static void boundaries(void **state)
{
    static const struct {
        const char *type, *want; /* NULL: refused */
    } rows[] = {
        {"multipart/form-data; boundary=B", "B"},
        {"Multipart/Form-Data;BOUNDARY=B", "B"},
        {" multipart/form-data ; boundary=B ", "B"},
        {"multipart/form-data; charset=utf-8; boundary=\"a b(c)'+_,-./:=?d\"", "a b(c)'+_,-./:=?d"},
        {"multipart/form-data; boundary=" SEVENTY, SEVENTY},
        {"multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW",
         "----WebKitFormBoundary7MA4YWxkTrZu0gW"},
        {NULL, NULL},
        {"", NULL},
        {"multipart/form-data", NULL},
        {"multipart/form-data;", NULL},
        {"multipart/form-data; boundary", NULL},
        {"multipart/form-data; boundary=", NULL},
        {"multipart/form-data; boundary=\"\"", NULL},
        {"multipart/form-data; boundary=\"a", NULL},
        {"multipart/form-data; boundary=\"a\"b", NULL},
        {"multipart/form-data; boundary=\"a \"", NULL},
        {"multipart/form-data; boundary=\"a\\b\"", NULL},
        {"multipart/form-data; boundary=\"a\\\"b\"", NULL},
        {"multipart/form-data; boundary=" SEVENTY "0", NULL},
        {"multipart/form-data; boundary=a:b", NULL},
        {"multipart/form-data; boundary=a b", NULL},
        {"multipart/form-data; boundary=a@b", NULL},
        {"multipart/form-data; boundary=a; boundary=a", NULL},
        {"multipart/form-data; boundary=a; boundary=b", NULL},
        {"multipart/form-data; xboundary=a", NULL},
        {"multipart/form-data; boundary*=a", NULL},
        {"multipart/form-data, boundary=a", NULL},
        {"multipart/form-data boundary=a", NULL},
        {"multipart/form-data; boundary=\xc3\xa9", NULL},
        {"multipart/form-datax; boundary=B", NULL},
        {"multipart/mixed; boundary=B", NULL},
        {"application/json", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char out[EBMA_MULTIPART_BOUNDARY_MAX + 1] = "";
        bool ok = ebma_multipart_boundary(rows[i].type, out);

        if (ok != (rows[i].want != NULL) || (ok && strcmp(out, rows[i].want) != 0))
            fail_msg("%s: %d \"%s\"", rows[i].type, ok, out);
    }
}

/* Every fault has its sentence, and a status that fits. */
static void reasons(void **state)
{
    (void)state;
    assert_int_equal(ebma_multipart_problem(EBMA_MULTIPART_OK), EBMA_OK);
    for (int f = EBMA_MULTIPART_OK + 1; f < EBMA_MULTIPART_FAULTS; f++) {
        int status = ebma_problem_describe(ebma_multipart_problem((ebma_multipart_fault)f))->status;

        assert_true(strlen(ebma_multipart_reason((ebma_multipart_fault)f)) > 10);
        assert_true(status == 400 || status == 413);
    }
    assert_non_null(ebma_multipart_reason((ebma_multipart_fault)-1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepted),   cmocka_unit_test(refused),
        cmocka_unit_test(boundaries), cmocka_unit_test(truncated_everywhere),
        cmocka_unit_test(the_total),  cmocka_unit_test(a_sink_may_refuse),
        cmocka_unit_test(reasons),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
