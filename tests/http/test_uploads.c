/* Hostile uploads over the wire: forms, pictures, masks. Each row is answered with its status and a
 * problem object, and leaves no job behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <jansson.h>
#include <poll.h>
#include <unistd.h>
#include <zlib.h>

#include "daemon_models.h"
#include "ebm/io.h"
#include "ebm/memory.h"
#include "http_client.h"
#include "http_form.h"
#include "json_client.h"

#define SIDE 8

typedef struct file {
    unsigned char *bytes;
    size_t size;
} file;

static daemon_process d;
static file good, mask, colour, wide, white, black, gray;

/* kind 0: a picture, 1: the lower half white, else: all of one gray */
static file make(int32_t w, int32_t h, int32_t channels, int kind)
{
    size_t n = (size_t)w * (size_t)h * (size_t)channels;
    ebm_image image = {w, h, channels, calloc(n, 1)};
    file f = {NULL, 0};

    for (size_t i = 0; i < n; i++) {
        if (kind == 0)
            image.pixels[i] = (uint8_t)(i * 37 % 251);
        else
            image.pixels[i] = kind == 1 ? (i < n / 2 ? 0 : 255) : (uint8_t)kind;
    }
    assert_int_equal(ebm_png_encode(&image, NULL, 0, &f.bytes, &f.size, NULL), EBM_OK);
    free(image.pixels);
    return f;
}

static int setup(void **state)
{
    static const char *const more[] = {"--workers", "1", "--store", "memory", NULL};

    (void)state;
    good = make(SIDE, SIDE, 1, 0);
    mask = make(SIDE, SIDE, 1, 1);
    colour = make(SIDE, SIDE, 3, 0);
    wide = make(2 * SIDE, SIDE, 1, 1);
    white = make(SIDE, SIDE, 1, 255);
    black = make(SIDE, SIDE, 1, 2);
    gray = make(SIDE, SIDE, 1, 127);
    return daemon_prepare_tiny(&d) && daemon_start(&d, more) ? 0 : -1;
}

static int teardown(void **state)
{
    file *const all[] = {&good, &mask, &colour, &wide, &white, &black, &gray};

    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        ebm_free(all[i]->bytes);
    return daemon_end(&d, 10000);
}

static size_t jobs(void)
{
    json_t *root = json_call(d.port, "GET", "/v1/jobs?limit=100", NULL, 200);
    size_t n = json_array_size(json_object_get(root, "data"));

    json_decref(root);
    return n;
}

/* The reply must be the problem object of its status, and no job may have come of it. */
static void expect(const char *name, http_reply *r, int status, size_t before)
{
    json_t *root = json_loadb(r->body ? r->body : "", r->size, 0, NULL);

    if (r->status != status)
        fail_msg("%s: %d, wanted %d: %s", name, r->status, status, r->body ? r->body : "");
    if (json_integer_value(json_object_get(root, "status")) != status)
        fail_msg("%s: not a problem object", name);
    if (jobs() != before)
        fail_msg("%s: left a job behind", name);
    json_decref(root);
    http_reply_clear(r);
}

static void refused(const char *name, const char *type, const void *body, size_t size, int status)
{
    size_t before = jobs();
    http_reply r;

    assert_true(http_send_body(d.port, "/inpaint", type, "", body, size, &r));
    expect(name, &r, status, before);
}

/* U: forms that are not what they should be. */
static void forms(void **state)
{
#define F    "multipart/form-data; boundary="
#define PART "--b\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\n1\r\n"
    static const struct {
        const char *name, *type, *body;
        int status;
    } rows[] = {
        {"U01 no boundary", "multipart/form-data", PART "--b--\r\n", 400},
        {"U01 empty", F, PART "--b--\r\n", 400},
        {"U01 long", F "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         PART "--b--\r\n", 400},
        {"U01 oddly quoted", F "\"b", PART "--b--\r\n", 400},
        {"U01 twice", F "b; boundary=c", PART "--b--\r\n", 400},
        {"U02 no end", F "b", PART, 400},
        {"U02 cut", F "b", PART "--b-", 400},
        {"U02 empty", F "b", "", 400},
        {"U03 nested", F "b",
         "--b\r\nContent-Disposition: form-data; name=\"n\"\r\n"
         "Content-Type: multipart/mixed; boundary=c\r\n\r\n1\r\n--b--\r\n",
         400},
        {"U04 twice", F "b", PART PART "--b--\r\n", 422},
        {"U04 unknown", F "b",
         "--b\r\nContent-Disposition: form-data; name=\"imge\"\r\n\r\n1\r\n--b--\r\n", 422},
        {"U04 no image", F "b", PART "--b--\r\n", 422},
        {"U04 group", F "b",
         "--b\r\nContent-Disposition: form-data; name=\"until\"\r\n\r\n1\r\n--b--\r\n", 422},
        {"U05 base64", F "b",
         "--b\r\nContent-Disposition: form-data; name=\"n\"\r\n"
         "Content-Transfer-Encoding: base64\r\n\r\nMQ==\r\n--b--\r\n",
         400},
        {"U06 no name", F "b", "--b\r\nContent-Disposition: form-data\r\n\r\n1\r\n--b--\r\n", 400},
        {"U06 bad name", F "b",
         "--b\r\nContent-Disposition: form-data; name=\"a b\"\r\n\r\n1\r\n--b--\r\n", 400},
        {"text that is not UTF-8", F "b",
         "--b\r\nContent-Disposition: form-data; name=\"fit\"\r\n\r\n\xff\r\n--b--\r\n", 400},
        {"number with a blank", F "b",
         "--b\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\n1 2\r\n--b--\r\n", 422},
        {"word for a bool", F "b",
         "--b\r\nContent-Disposition: form-data; name=\"ensemble\"\r\n\r\nyes\r\n--b--\r\n", 422},
        {"other type", "application/x-www-form-urlencoded", "n=1", 415},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        refused(rows[i].name, rows[i].type, rows[i].body, strlen(rows[i].body), rows[i].status);
}

static void many_and_large(void **state)
{
    http_form f = {0};
    char *big = calloc(1, (4u << 20) + 1);

    (void)state;
    for (int i = 0; i < 10000; i++)
        http_form_text(&f, "n", "");
    http_form_close(&f);
    refused("U03 10,000 parts", "multipart/form-data; boundary=" HTTP_FORM_BOUNDARY, f.body, f.size,
            413);
    http_form_clear(&f);
    http_form_add(&f, "image", "a", big, (2u << 20) + 1);
    http_form_close(&f);
    refused("U07 part over 2 MiB", "multipart/form-data; boundary=" HTTP_FORM_BOUNDARY, f.body,
            f.size, 413);
    http_form_clear(&f);
    refused("U07 4 MiB + 1", "multipart/form-data; boundary=x", big, (4u << 20) + 1, 413);
    free(big);
}

/* --- pictures and masks ---------------------------------------------------------------------- */

static void send(const char *name, const file *image, const file *of_mask, const char *field,
                 const char *value, int status)
{
    size_t before = jobs();
    http_form f = {0};
    http_reply r;

    if (image)
        http_form_add(&f, "image", "../../x", image->bytes, image->size);
    if (of_mask)
        http_form_add(&f, "mask", "m", of_mask->bytes, of_mask->size);
    if (field)
        http_form_text(&f, field, value);
    http_form_close(&f);
    assert_true(http_send_form(d.port, "/inpaint", "", &f, &r));
    if (status == 200 && r.status != 200)
        fail_msg("%s: %d %s", name, r.status, r.body ? r.body : "");
    if (status == 200)
        http_reply_clear(&r);
    else
        expect(name, &r, status, before);
    http_form_clear(&f);
}

/* N01, N05, K: other formats, other shapes, masks that mean nothing. */
static void pictures_and_masks(void **state)
{
    static const char *const formats[] = {
        "\xff\xd8\xff\xe0JFIF", "GIF89a", "<svg/>", "<html>", "PK\x03\x04", "", "\x89PNG\r\n\x1a"};

    (void)state;
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        const file f = {(unsigned char *)(uintptr_t)formats[i], strlen(formats[i])};

        send("N01", &f, &mask, NULL, NULL, 415);
    }
    send("N05 size", &wide, &mask, NULL, NULL, 422);
    send("N05 colour", &colour, &mask, NULL, NULL, 422);
    send("K01", &good, &wide, NULL, NULL, 422);
    send("K02 dark gray is black", &good, &gray, NULL, NULL, 422);
    send("K03 keep all", &good, &black, NULL, NULL, 422);
    send("K03 erase all", &good, &white, NULL, NULL, 422);
    send("K04 colour mask", &good, &colour, NULL, NULL, 200);
    send("no mask, no alpha", &good, NULL, NULL, NULL, 422);
    send("alpha that is not there", &good, &mask, "mask_mode", "alpha", 422);
    send("the model's name is a path", &good, &mask, "model", "../../etc/passwd", 422);
    send("no such model", &good, &mask, "model", "other", 404);
    send("number of 64 characters", &good, &mask, "noise_scale",
         "1.00000000000000000000000000000000000000000000000000000000000000", 200);
    send("number of 65 characters", &good, &mask, "noise_scale",
         "1.000000000000000000000000000000000000000000000000000000000000000", 422);
    send("good", &good, &mask, NULL, NULL, 200);
}

static void set32(unsigned char *at, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        at[i] = (unsigned char)(v >> (24 - 8 * i));
}

/* N04: sizes that nobody can mean, with the right checksum. */
static void sizes(void **state)
{
    static const uint32_t rows[][2] = {
        {0, 0},         {1, 1},    {0, 8},         {0x7fffffff, 0x7fffffff},
        {20000, 20000}, {1025, 8}, {0xffffffff, 1}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        file f = {malloc(good.size), good.size};

        memcpy(f.bytes, good.bytes, good.size);
        set32(f.bytes + 16, rows[i][0]);
        set32(f.bytes + 20, rows[i][1]);
        set32(f.bytes + 29, (uint32_t)crc32(0, f.bytes + 12, 17));
        send("N04", &f, &mask, NULL, NULL, 422);
        free(f.bytes);
    }
}

/* N02, N09: cut off at every byte; something after the end. */
static void cut_files(void **state)
{
    file longer = {calloc(1, good.size + 1), good.size + 1};

    (void)state;
    for (size_t n = 8; n < good.size; n++) {
        const file f = {good.bytes, n};

        send("N02", &f, &mask, NULL, NULL, 422);
    }
    memcpy(longer.bytes, good.bytes, good.size);
    send("N09 data after IEND", &longer, &mask, NULL, NULL, 422);
    free(longer.bytes);
}

/* --- chunks ---------------------------------------------------------------------------------- */

#define IHDR_END 33 /* signature and the first chunk */

static void put_chunk(file *f, const char *type, const void *data, size_t size)
{
    unsigned char *at;

    f->bytes = realloc(f->bytes, f->size + size + 12);
    at = f->bytes + f->size;
    set32(at, (uint32_t)size);
    memcpy(at + 4, type, 4);
    memcpy(at + 8, data, size);
    set32(at + 8 + size, (uint32_t)crc32(0, at + 4, (uInt)(4 + size)));
    f->size += size + 12;
}

/* The good file with a chunk `times` times behind its header. @own free(bytes) */
static file with_chunks(const char *type, const void *data, size_t size, int times)
{
    file f = {malloc(IHDR_END), IHDR_END};

    memcpy(f.bytes, good.bytes, IHDR_END);
    for (int i = 0; i < times; i++)
        put_chunk(&f, type, data, size);
    f.bytes = realloc(f.bytes, f.size + good.size - IHDR_END);
    memcpy(f.bytes + f.size, good.bytes + IHDR_END, good.size - IHDR_END);
    f.size += good.size - IHDR_END;
    return f;
}

/* `head` and then what inflates to 7.9 MB of zeros. @own free(bytes) */
static file bomb(const char *head, size_t size)
{
    const size_t inflated = 7900000;
    unsigned char *zeros = calloc(inflated, 1);
    uLongf n = 20000;
    file f = {malloc(size + n), size};

    memcpy(f.bytes, head, size);
    assert_int_equal(compress2(f.bytes + size, &n, zeros, inflated, 9), Z_OK);
    f.size += n;
    free(zeros);
    return f;
}

/* N07, N08: what would fill the memory if somebody looked at it is passed over unread; a critical
 * chunk that nobody knows is not. */
static void chunk_bombs(void **state)
{
    static const unsigned char junk[300000];
    const struct {
        const char *name, *type;
        file data;
        int times, status;
    } rows[] = {
        {"N07 200 zTXt", "zTXt", bomb("k\0\0", 3), 200, 200},
        {"N07 200 iTXt", "iTXt", bomb("k\0\1\0\0\0", 6), 200, 200},
        {"N08 iCCP", "iCCP", bomb("p\0\0", 3), 1, 200},
        {"N08 100,000 tEXt", "tEXt", {(unsigned char *)(uintptr_t) "a\0b", 3}, 100000, 200},
        {"N08 eXIf", "eXIf", {(unsigned char *)(uintptr_t)junk, sizeof(junk)}, 1, 422},
        {"N08 hIST", "hIST", {(unsigned char *)(uintptr_t)junk, 512}, 1, 200},
        {"N08 sPLT", "sPLT", {(unsigned char *)(uintptr_t)junk, sizeof(junk)}, 5, 422},
        {"N10 acTL", "acTL", {(unsigned char *)(uintptr_t) "\x7f\xff\xff\xff\0\0\0\0", 8}, 1, 200},
        {"N10 fdAT", "fdAT", {(unsigned char *)(uintptr_t)junk, 60000}, 5, 200},
        {"N08 critical", "ABCD", {(unsigned char *)(uintptr_t) "", 0}, 1, 422},
        {"N09 IEND in the middle", "IEND", {(unsigned char *)(uintptr_t) "", 0}, 1, 422},
    };
    long before;

    (void)state;
    send("warm", &good, &mask, NULL, NULL, 200);
    before = daemon_resident_kib(&d);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        file f = with_chunks(rows[i].type, rows[i].data.bytes, rows[i].data.size, rows[i].times);

        send(rows[i].name, &f, &mask, NULL, NULL, rows[i].status);
        free(f.bytes);
        if (i < 3)
            free(rows[i].data.bytes);
    }
    print_message("%ld KiB more after the bombs\n", daemon_resident_kib(&d) - before);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* they keep freed memory */
    assert_true(daemon_resident_kib(&d) - before < 16 * 1024);      /* inflated they are 3 GB */
#endif
}

/* N09: a wrong checksum, behind a chunk that counts and behind one that does not. */
static void checksums(void **state)
{
    file f = with_chunks("tEXt", "a\0b", 3, 1);

    (void)state;
    f.bytes[IHDR_END + 12 + 3 - 1] ^= 1;
    send("N09 ancillary", &f, &mask, NULL, NULL, 200);
    f.bytes[f.size - 12 - 1] ^= 1; /* of IDAT */
    send("N09 IDAT", &f, &mask, NULL, NULL, 422);
    free(f.bytes);
}

/* --- uploads that stop ----------------------------------------------------------------------- */

/* Sends the head of a form of 3.5 MB and half of it. Returns the descriptor. */
static int half_an_upload(void)
{
    static char half[1750000];
    char head[256];
    int fd = http_connect(d.port);

    snprintf(
        head, sizeof(head),
        "POST /inpaint HTTP/1.1\r\nHost: t\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        "Content-Length: %zu\r\n\r\n--b\r\nContent-Disposition: form-data; "
        "name=\"image\"; filename=\"x\"\r\n\r\n",
        2 * sizeof(half));
    assert_true(fd >= 0 && http_send_text(fd, head) && http_send(fd, half, sizeof(half)));
    return fd;
}

/* Requests that have begun and not ended; the scrape is not one of the main listener's. */
static double in_flight(void)
{
    http_reply r;
    const char *at;
    double n;

    assert_true(http_call(d.admin, "GET", "/metrics", "", NULL, &r));
    at = strstr(r.body, "\nebm_http_requests_in_flight ");
    assert_non_null(at);
    n = strtod(at + strlen("\nebm_http_requests_in_flight "), NULL);
    http_reply_clear(&r);
    return n;
}

/* U08: clients that leave in the middle. Bodies share 64 MiB: if these 60 kept theirs, the next
 * upload would be told that there is no room (503). */
static void uploads_that_are_left(void **state)
{
    size_t before = jobs();
    char *big = calloc(1, 3u << 20);

    (void)state;
    for (int wave = 0; wave < 2; wave++) {
        int fds[30];

        for (int i = 0; i < 30; i++)
            fds[i] = half_an_upload();
        for (int i = 0; i < 30; i++)
            close(fds[i]);
        while (in_flight() > 2.0) /* the scrape, and the upload that stays */
            continue;
    }
    assert_int_equal(jobs(), before);
    refused("U08 room afterwards", "multipart/form-data; boundary=x", big, 3u << 20, 400);
    free(big);
}

static int stopped; /* an upload that was begun before all other tests */

static void begin_to_stop(void **state)
{
    (void)state;
    stopped = half_an_upload();
}

/* U08: one that just stops is told so when its time is over. */
static void an_upload_that_stops(void **state)
{
    struct pollfd p = {.fd = stopped, .events = POLLIN};
    size_t before = jobs();
    http_reply r;

    (void)state;
    assert_int_equal(poll(&p, 1, 60000), 1);
    assert_true(http_read(stopped, true, &r));
    expect("U08", &r, 408, before);
    assert_true(http_ends(stopped, 5000));
    close(stopped);
    while (in_flight() > 1.0)
        continue;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(begin_to_stop),
        cmocka_unit_test(forms),
        cmocka_unit_test(many_and_large),
        cmocka_unit_test(pictures_and_masks),
        cmocka_unit_test(sizes),
        cmocka_unit_test(cut_files),
        cmocka_unit_test(chunk_bombs),
        cmocka_unit_test(checksums),
        cmocka_unit_test(uploads_that_are_left),
        cmocka_unit_test(an_upload_that_stops),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
