/* Parts of forms over the wire, hostile by their number, their headers or their length; boundaries
 * cut wherever the network likes; pictures with every bit turned. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "picture_daemon.h"

#define TYPE "multipart/form-data; boundary=" HTTP_FORM_BOUNDARY
#define LINE "--" HTTP_FORM_BOUNDARY "\r\n"
#define END  "--" HTTP_FORM_BOUNDARY "--\r\n"
#define DISP "Content-Disposition: form-data; name=\"image\""

static picture_daemon p;

static int setup(void **state)
{
    (void)state;
    return picture_daemon_setup(&p);
}

static int teardown(void **state)
{
    (void)state;
    return picture_daemon_teardown(&p);
}

static void good_form(http_form *f)
{
    http_form_add(f, "image", "one", p.one.bytes, p.one.size);
    http_form_add(f, "mask", "m", p.mask.bytes, p.mask.size);
    http_form_text(f, "seed", "4");
    http_form_close(f);
}

static void expect(const char *name, http_reply *r, int status)
{
    json_t *root = json_loadb(r->body ? r->body : "", r->size, 0, NULL);

    if (r->status != status)
        fail_msg("%s: %d, wanted %d: %s", name, r->status, status, r->body ? r->body : "");
    if (status != 200)
        assert_int_equal(json_integer_value(json_object_get(root, "status")), status);
    json_decref(root);
    http_reply_clear(r);
}

/* Sends a whole request, its body in pieces of this size. */
static void send_pieces(const char *head, const char *body, size_t size, size_t piece,
                        http_reply *out)
{
    int fd = http_connect(p.d.port), one = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    assert_true(http_send_text(fd, head));
    for (size_t at = 0; at < size; at += piece)
        assert_true(http_send(fd, body + at, size - at < piece ? size - at : piece));
    assert_true(http_read(fd, true, out));
    close(fd);
}

/* U02: a form is the same in pieces of any size. */
static void cut_anywhere(void **state)
{
    char head[256], sha[65] = "";
    http_form f = {0};

    (void)state;
    good_form(&f);
    snprintf(head, sizeof(head),
             "POST /inpaint HTTP/1.1\r\nHost: t\r\nContent-Type: " TYPE
             "\r\nContent-Length: %zu\r\n\r\n",
             f.size);
    for (size_t piece = 1; piece <= 64; piece += piece < 8 ? 1 : 7) {
        http_reply r;
        json_t *root;
        const char *got;

        send_pieces(head, f.body, f.size, piece, &r);
        root = json_of_reply(&r, 200);
        got = json_string_value(
            json_object_get(json_array_get(json_object_get(root, "data"), 0), "sha256"));
        if (sha[0])
            assert_string_equal(got, sha);
        snprintf(sha, sizeof(sha), "%s", got);
        json_decref(root);
        http_reply_clear(&r);
    }
    http_form_clear(&f);
}

/* A form whose only part is written by hand. */
static void one_part(const char *name, const char *head, size_t size, int status)
{
    http_form f = {0};
    http_reply r;

    http_form_raw(&f, LINE, strlen(LINE));
    http_form_raw(&f, head, size);
    http_form_raw(&f, "\r\n\r\n", 4);
    http_form_raw(&f, p.one.bytes, p.one.size);
    http_form_raw(&f, "\r\n", 2);
    http_form_raw(&f, END, strlen(END));
    assert_true(http_send_body(p.d.port, "/inpaint", TYPE, "", f.body, f.size, &r));
    expect(name, &r, status);
    http_form_clear(&f);
}

/* U05, U06: 1 KiB of headers is enough for anybody; names of files are nobody's business. */
static void headers(void **state)
{
    static char text[16384];
    int n;

    (void)state;
    n = snprintf(text, sizeof(text), DISP "\r\nX: %01200d", 0);
    one_part("U05 1 KiB and more", text, (size_t)n, 400);
    n = snprintf(text, sizeof(text), DISP);
    for (int i = 0; i < 100; i++)
        n += snprintf(text + n, sizeof(text) - (size_t)n, "\r\nX-%d: y 0123456789", i);
    one_part("U05 100 headers", text, (size_t)n, 400);
    n = snprintf(text, sizeof(text), DISP "; filename=\"%010240d\"", 0);
    one_part("U06 10 KiB of a name", text, (size_t)n, 400);
    one_part("U06 zero in a name", DISP "; filename=\"a\0b\"",
             sizeof(DISP "; filename=\"a\0b\"") - 1, 400);
    one_part("U01 zero in a boundary", "Content-Type: multipart/mixed; boundary=\"a\0\"",
             sizeof("Content-Type: multipart/mixed; boundary=\"a\0\"") - 1, 400);
    /* the picture alone lacks its mask, which is said of the fields: the name was read over */
    n = snprintf(text, sizeof(text), DISP "; filename=\"../../../etc/passwd\"");
    one_part("U06 a path", text, (size_t)n, 422);
}

/* U03: more parts than an operation has fields. */
static void parts(void **state)
{
    http_form f = {0};
    http_reply r;

    (void)state;
    for (int i = 0; i < 5; i++)
        http_form_add(&f, "image", "x", p.one.bytes, p.one.size);
    http_form_close(&f);
    assert_true(http_send_form(p.d.port, "/inpaint", "", &f, &r));
    expect("U03 five pictures", &r, 422);
    http_form_clear(&f);
}

/* A part that has to be an object and is none. */
static void metadata(void **state)
{
    static const char *const texts[] = {"", "{", "[]", "7", "{\"a\":1,\"a\":2}", "{} {}", "null x"};
    char *text = calloc(1, 8192);
    http_form f = {0};
    http_reply r;

    (void)state;
    for (size_t i = 0; i <= sizeof(texts) / sizeof(texts[0]); i++) {
        snprintf(text, 8192, "{\"a\":\"%05000d\"}", 0);
        http_form_add(&f, "image", "one", p.one.bytes, p.one.size);
        http_form_text(&f, "metadata", i < sizeof(texts) / sizeof(texts[0]) ? texts[i] : text);
        http_form_close(&f);
        assert_true(http_send_form(p.d.port, "/inpaint", "", &f, &r));
        assert_non_null(strstr(r.body, "\"/metadata\""));
        expect("metadata of a form", &r, 422);
        http_form_clear(&f);
    }
    free(text);
}

/* U07: shorter than declared is answered for what was declared; chunks are counted as they come. */
static void lengths(void **state)
{
    static char big[65536];
    char head[256];
    http_form f = {0};
    http_reply r;
    int fd;

    (void)state;
    good_form(&f);
    snprintf(head, sizeof(head),
             "POST /inpaint HTTP/1.1\r\nHost: t\r\nContent-Type: " TYPE
             "\r\nContent-Length: %zu\r\n\r\n",
             f.size - 20);
    send_pieces(head, f.body, f.size, f.size, &r);
    expect("U07 declared small", &r, 400);
    http_form_clear(&f);
    fd = http_connect(p.d.port);
    assert_true(http_send_text(fd, "POST /inpaint HTTP/1.1\r\nHost: t\r\nContent-Type: " TYPE
                                   "\r\nTransfer-Encoding: chunked\r\n\r\n"));
    for (int i = 0; i < 80; i++) {
        assert_true(http_send_text(fd, "10000\r\n") && http_send(fd, big, sizeof(big)) &&
                    http_send_text(fd, "\r\n"));
    }
    assert_true(http_send_text(fd, "0\r\n\r\n"));
    assert_true(http_read(fd, true, &r));
    expect("U07 5 MiB in chunks", &r, 413);
    close(fd);
}

/* N03: each bit of a picture turned: refused, or drawn where nothing is under a checksum. */
static void every_bit(void **state)
{
    (void)state;
    for (size_t bit = 0; bit < 8 * p.one.size; bit += 3) {
        http_form f = {0};
        http_reply r;

        p.one.bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        good_form(&f);
        p.one.bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        assert_true(http_send_form(p.d.port, "/inpaint", "", &f, &r));
        if (r.status != 422 && r.status != 415)
            fail_msg("bit %zu: %d %s", bit, r.status, r.body ? r.body : "");
        http_reply_clear(&r);
        http_form_clear(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(cut_anywhere), cmocka_unit_test(headers),
                                       cmocka_unit_test(parts),        cmocka_unit_test(metadata),
                                       cmocka_unit_test(lengths),      cmocka_unit_test(every_bit)};

    return cmocka_run_group_tests(tests, setup, teardown);
}
