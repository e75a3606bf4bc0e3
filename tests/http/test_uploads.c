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
#include <signal.h>
#include <zlib.h>

#include "daemon_process.h"
#include "ebm/io.h"
#include "ebm/memory.h"
#include "http_client.h"
#include "http_form.h"
#include "tiny_model.h"

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
    static const tiny_model model = {
        .id = "tiny", .levels = 2, .steps = 2, .seed = 1, .step_scale = 1.0};
    static const char *const more[] = {"--workers", "1", "--store", "memory", NULL};

    (void)state;
    good = make(SIDE, SIDE, 1, 0);
    mask = make(SIDE, SIDE, 1, 1);
    colour = make(SIDE, SIDE, 3, 0);
    wide = make(2 * SIDE, SIDE, 1, 1);
    white = make(SIDE, SIDE, 1, 255);
    black = make(SIDE, SIDE, 1, 2);
    gray = make(SIDE, SIDE, 1, 127);
    return daemon_prepare(&d) && tiny_model_write(d.models, &model) && daemon_start(&d, more) ? 0
                                                                                              : -1;
}

static int teardown(void **state)
{
    file *const all[] = {&good, &mask, &colour, &wide, &white, &black, &gray};
    int rc = daemon_stop(&d, SIGTERM, 10000);

    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        ebm_free(all[i]->bytes);
    daemon_clean(&d);
    return rc;
}

static size_t jobs(void)
{
    http_reply r;
    json_t *root;
    size_t n;

    assert_true(http_call(d.port, "GET", "/v1/jobs?limit=100", "", NULL, &r));
    root = json_loadb(r.body, r.size, 0, NULL);
    n = json_array_size(json_object_get(root, "data"));
    json_decref(root);
    http_reply_clear(&r);
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
    if (status == 200)
        assert_int_equal(r.status, 200);
    else
        expect(name, &r, status, before);
    if (status == 200)
        http_reply_clear(&r);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms),
        cmocka_unit_test(many_and_large),
        cmocka_unit_test(pictures_and_masks),
        cmocka_unit_test(sizes),
        cmocka_unit_test(cut_files),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
