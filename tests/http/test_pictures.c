/* Operations with pictures over the wire: the daemon's images are the command's, byte for byte,
 * however the request is written; known pixels come back; jobs with pictures outlive kill -9. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <jansson.h>
#include <nettle/base64.h>
#include <signal.h>

#include "daemon_process.h"
#include "ebm/io.h"
#include "ebm/memory.h"
#include "http_client.h"
#include "http_form.h"
#include "tiny_model.h"

#define SIDE 8 /* of the tiny model's images */

typedef struct file {
    unsigned char *bytes;
    size_t size;
} file;

static daemon_process d;
static file one, two, mask; /* PNG files, also in d.dir */

/* A picture as a PNG file in d.dir; kind 2 is a mask whose lower half is white. */
static file make_picture(const char *name, int kind)
{
    uint8_t pixels[SIDE * SIDE];
    ebm_image image = {SIDE, SIDE, 1, pixels};
    file f = {NULL, 0};

    for (int i = 0; i < SIDE * SIDE; i++)
        pixels[i] = (uint8_t)(kind == 2 ? (i < 32 ? 0 : 255) : (i * (3 + 4 * kind)) % 256);
    assert_int_equal(ebm_png_encode(&image, NULL, 0, &f.bytes, &f.size, NULL), EBM_OK);
    assert_true(temp_dir_write(d.dir, name, f.bytes, f.size));
    return f;
}

static int start(void)
{
    char store[TEMP_PATH_MAX + 16];
    const char *const more[] = {"--workers", "2", "--store", store, NULL};

    snprintf(store, sizeof(store), "sqlite:%s/jobs.db", d.dir);
    return daemon_start(&d, more) ? 0 : -1;
}

static int setup(void **state)
{
    static const tiny_model models[] = {
        {.id = "a-tiny", .levels = 3, .steps = 5, .seed = 1, .step_scale = 1.0},
        {.id = "b-tiny", .levels = 3, .steps = 5, .seed = 2, .step_scale = 1.0},
        {.id = "slow", .levels = 40, .steps = 20, .seed = 3, .step_scale = 1.0}};

    (void)state;
    if (!daemon_prepare(&d))
        return -1;
    for (size_t i = 0; i < 3; i++) {
        if (!tiny_model_write(d.models, &models[i]))
            return -1;
    }
    one = make_picture("one.png", 0);
    two = make_picture("two.png", 1);
    mask = make_picture("mask.png", 2);
    return start();
}

static int teardown(void **state)
{
    int rc = daemon_stop(&d, SIGTERM, 10000);

    (void)state;
    ebm_free(one.bytes);
    ebm_free(two.bytes);
    ebm_free(mask.bytes);
    daemon_clean(&d);
    return rc;
}

/* --- calls --------------------------------------------------------------------------------- */

static json_t *parse(const http_reply *r, int status)
{
    json_t *root = json_loadb(r->body ? r->body : "", r->size, JSON_REJECT_DUPLICATES, NULL);

    if (r->status != status)
        fail_msg("%d %s", r->status, r->body);
    assert_non_null(root);
    return root;
}

static json_t *post_json(const char *path, json_t *body, int status)
{
    char *text = json_dumps(body, 0);
    http_reply r;
    json_t *root;

    assert_true(http_post(d.port, path, text, &r));
    root = parse(&r, status);
    http_reply_clear(&r);
    json_decref(body);
    free(text);
    return root;
}

static json_t *post_form(const char *path, http_form *f, int status)
{
    http_reply r;
    json_t *root;

    http_form_close(f);
    assert_true(http_send_form(d.port, path, "", f, &r));
    root = parse(&r, status);
    http_reply_clear(&r);
    http_form_clear(f);
    return root;
}

static json_t *base64(const file *f)
{
    char *text = calloc(1, BASE64_ENCODE_RAW_LENGTH(f->size) + 1);
    json_t *value;

    base64_encode_raw(text, f->size, f->bytes);
    value = json_string(text);
    free(text);
    return value;
}

/* Runs `ebm` on the daemon's models; its pictures go to d.dir/out. */
static void command(const char *arguments)
{
    char text[4 * TEMP_PATH_MAX];

    snprintf(text, sizeof(text),
             "rm -rf %s/out; cd %s && " EBM_BINARY " %s --models models --threads 1 --out out"
             " >/dev/null",
             d.dir, d.dir, arguments);
    assert_int_equal(system(text), 0);
}

/* A string of base64 is the file d.dir/name. */
static void assert_file(const json_t *value, const char *name)
{
    unsigned char *bytes;
    size_t size;
    file f;
    json_t *want;

    assert_int_equal(ebm_file_read(d.dir, name, 1u << 20, &bytes, &size, NULL), EBM_OK);
    f = (file){bytes, size};
    want = base64(&f);
    if (!json_is_string(value) || !json_equal(want, value))
        fail_msg("%s differs", name);
    json_decref(want);
    ebm_free(bytes);
}

/* Images of a job object are out/000000.png and so on. */
static void assert_images(const json_t *root, size_t n)
{
    const json_t *data = json_object_get(root, "data");
    char name[64];

    assert_int_equal(json_array_size(data), n);
    for (size_t k = 0; k < n; k++) {
        snprintf(name, sizeof(name), "out/%06zu.png", k);
        assert_file(json_object_get(json_array_get(data, k), "b64_json"), name);
    }
}

/* --- the same as the command's -------------------------------------------------------------- */

static void inpaint(void **state)
{
    static const char *const maps[] = {"mean", "sd", "q05", "q50", "q95"};
    http_form f = {0};
    json_t *by_form, *by_json, *ensemble;
    char name[64];

    (void)state;
    command("inpaint --model a-tiny --image one.png --mask mask.png --n 3 --seed 9 --ensemble "
            "--repeats 2 --polish 6 --sheet sheet.png --animation moving.png");
    http_form_add(&f, "image", "../../etc/passwd", one.bytes, one.size);
    http_form_add(&f, "mask", "m", mask.bytes, mask.size);
    http_form_text(&f, "n", "3");
    http_form_text(&f, "seed", "9");
    http_form_text(&f, "ensemble", "true");
    http_form_text(&f, "repeats", "2");
    http_form_text(&f, "polish", "6");
    http_form_text(&f, "sheet", "true");
    http_form_text(&f, "animation", "true");
    by_form = post_form("/inpaint", &f, 200);
    assert_images(by_form, 3);
    ensemble = json_object_get(by_form, "ensemble");
    for (size_t i = 0; i < 5; i++) {
        snprintf(name, sizeof(name), "out/%s.png", maps[i]);
        assert_file(json_object_get(ensemble, maps[i]), name);
    }
    assert_file(json_object_get(by_form, "sheet"), "sheet.png");
    assert_file(json_object_get(by_form, "animation"), "moving.png");
    assert_true(json_number_value(json_object_get(by_form, "mask_coverage")) > 0.49);
    by_json = post_json("/v1/inpaint",
                        json_pack("{s:o, s:o, s:i, s:i, s:i, s:i}", "image", base64(&one), "mask",
                                  base64(&mask), "n", 3, "seed", 9, "repeats", 2, "polish", 6),
                        200);
    assert_images(by_json, 3);
    json_decref(by_json);
    json_decref(by_form);
}

/* Mask modes and a picture's own transparency ask for the same. */
static void masks(void **state)
{
    uint8_t black[SIDE * SIDE], alpha[2 * SIDE * SIDE];
    ebm_image inverse = {SIDE, SIDE, 1, black}, own = {SIDE, SIDE, 2, alpha}, plain = {0};
    file f = {NULL, 0}, g = {NULL, 0};
    json_t *root;

    (void)state;
    assert_int_equal(ebm_png_decode(one.bytes, one.size, &plain, NULL), EBM_OK);
    for (int i = 0; i < SIDE * SIDE; i++) {
        black[i] = i < 32 ? 255 : 0;
        alpha[2 * i] = plain.pixels[i];
        alpha[2 * i + 1] = i < 32 ? 255 : 0;
    }
    assert_int_equal(ebm_png_encode(&inverse, NULL, 0, &f.bytes, &f.size, NULL), EBM_OK);
    assert_int_equal(ebm_png_encode(&own, NULL, 0, &g.bytes, &g.size, NULL), EBM_OK);
    assert_true(temp_dir_write(d.dir, "black.png", f.bytes, f.size));
    assert_true(temp_dir_write(d.dir, "own.png", g.bytes, g.size));
    command("inpaint --model a-tiny --image one.png --mask black.png --mask-mode black --seed 4");
    root = post_json("/inpaint",
                     json_pack("{s:o, s:o, s:s, s:i}", "image", base64(&one), "mask", base64(&f),
                               "mask_mode", "black", "seed", 4),
                     200);
    assert_images(root, 1);
    json_decref(root);
    command("inpaint --model a-tiny --image own.png --seed 4");
    root = post_json("/inpaint", json_pack("{s:o, s:i}", "image", base64(&g), "seed", 4), 200);
    assert_images(root, 1);
    json_decref(root);
    ebm_free(f.bytes);
    ebm_free(g.bytes);
    ebm_free(plain.pixels);
}

static void interpolate(void **state)
{
    json_t *root;

    (void)state;
    command("interpolate --model a-tiny --from-seed 1 --to-seed 2 --frames 4");
    root = post_json(
        "/interpolate",
        json_pack("{s:{s:i}, s:{s:i}, s:i}", "from", "seed", 1, "to", "seed", 2, "frames", 4), 200);
    assert_images(root, 4);
    json_decref(root);
    command("interpolate --model a-tiny --from-seed 1 --to-seed 2 --frames 3 --from-image one.png "
            "--to-image two.png --level 1");
    root = post_json("/v1/interpolate",
                     json_pack("{s:{s:i, s:o}, s:{s:i, s:o}, s:i, s:i}", "from", "seed", 1, "image",
                               base64(&one), "to", "seed", 2, "image", base64(&two), "frames", 3,
                               "level", 1),
                     200);
    assert_images(root, 3);
    json_decref(root);
}

static void edit_with_levels(void **state)
{
    const json_t *item;
    json_t *root;
    char name[64];

    (void)state;
    command("sample --model a-tiny --n 2 --seed 5 --image one.png --start-level 1 --progressive");
    root = post_json("/sample",
                     json_pack("{s:o, s:i, s:i, s:i, s:b}", "image", base64(&one), "start_level", 1,
                               "n", 2, "seed", 5, "progressive", 1),
                     200);
    assert_images(root, 2);
    for (size_t k = 0; k < 2; k++) {
        item = json_array_get(json_object_get(root, "data"), k);
        assert_int_equal(json_array_size(json_object_get(item, "levels")), 2);
        for (size_t t = 0; t < 2; t++) {
            snprintf(name, sizeof(name), "out/%06zu-level%zu.png", k, t);
            assert_file(json_array_get(json_object_get(item, "levels"), t), name);
        }
    }
    json_decref(root);
}

static void compositions(void **state)
{
    json_t *root, *models;

    (void)state;
    command("sample --model a-tiny:1,b-tiny:-0.5 --n 2 --seed 6");
    root = post_json("/sample",
                     json_pack("{s:[{s:s}, {s:s, s:f}], s:i, s:i}", "model", "id", "a-tiny", "id",
                               "b-tiny", "weight", -0.5, "n", 2, "seed", 6),
                     200);
    assert_images(root, 2);
    models = json_object_get(root, "models");
    assert_int_equal(json_array_size(models), 2);
    json_decref(root);
    command("sample --model a-tiny:3,b-tiny:1 --compose mixture --n 2 --seed 6");
    root = post_json("/sample",
                     json_pack("{s:s, s:s, s:i, s:i}", "model", "a-tiny:3,b-tiny:1", "compose",
                               "mixture", "n", 2, "seed", 6),
                     200);
    assert_images(root, 2);
    json_decref(root);
    root = post_json("/sample", json_pack("{s:s}", "model", "a-tiny,slow"), 422);
    json_decref(root);
}

/* A larger picture in colour is fitted by the one rule. */
static void pictures_of_another_kind(void **state)
{
    uint8_t pixels[20 * 12 * 3];
    ebm_image image = {20, 12, 3, pixels};
    file f = {NULL, 0};
    json_t *root;

    (void)state;
    for (size_t i = 0; i < sizeof(pixels); i++)
        pixels[i] = (uint8_t)(i * 7 % 256);
    assert_int_equal(ebm_png_encode(&image, NULL, 0, &f.bytes, &f.size, NULL), EBM_OK);
    assert_true(temp_dir_write(d.dir, "wide.png", f.bytes, f.size));
    root = post_json("/inpaint",
                     json_pack("{s:o, s:o}", "image", base64(&f), "mask", base64(&mask)), 422);
    assert_non_null(strstr(json_string_value(json_object_get(
                               json_array_get(json_object_get(root, "errors"), 0), "detail")),
                           "8x8"));
    json_decref(root);
    command("sample --model a-tiny --image wide.png --fit crop --start-level 0 --seed 3");
    root = post_json("/sample",
                     json_pack("{s:o, s:s, s:i, s:i}", "image", base64(&f), "fit", "crop",
                               "start_level", 0, "seed", 3),
                     200);
    assert_images(root, 1);
    json_decref(root);
    ebm_free(f.bytes);
}

/* The lines that a command has written to d.dir/lines. @own json_decref() */
static json_t *lines_of(const char *arguments)
{
    char text[4 * TEMP_PATH_MAX];
    unsigned char *bytes;
    size_t size;
    json_t *list = json_array();

    snprintf(text, sizeof(text), "cd %s && " EBM_BINARY " %s --models models --threads 1 >lines",
             d.dir, arguments);
    assert_int_equal(system(text), 0);
    assert_int_equal(ebm_file_read(d.dir, "lines", 1u << 20, &bytes, &size, NULL), EBM_OK);
    for (char *line = strtok((char *)bytes, "\n"); line; line = strtok(NULL, "\n"))
        json_array_append_new(list, json_loads(line, 0, NULL));
    ebm_free(bytes);
    return list;
}

static void assert_number(double x, double y)
{
    double room = 1e-5 * (1.0 + (x < 0 ? -x : x));

    if (!(x - y <= room && y - x <= room))
        fail_msg("%.9g is not %.9g", x, y);
}

/* The numbers that both have are the same, to the digits that the command prints. */
static void assert_numbers(const json_t *a, const json_t *b)
{
    const char *name;
    json_t *member;
    size_t i;

    if (json_is_number(a))
        assert_number(json_number_value(a), json_number_value(b));
    json_object_foreach((json_t *)(uintptr_t)a, name, member)
    {
        if (json_object_get(b, name))
            assert_numbers(member, json_object_get(b, name));
    }
    json_array_foreach(a, i, member) assert_numbers(member, json_array_get(b, i));
}

static void energies(void **state)
{
    json_t *lines =
        lines_of("energy --model a-tiny --images one.png --seed 3 --draws 5 --gradient");
    json_t *root = post_json("/energy",
                             json_pack("{s:[o, o], s:i, s:i, s:b}", "images", base64(&one),
                                       base64(&two), "seed", 3, "draws", 5, "gradient", 1),
                             200);
    const json_t *first = json_array_get(json_object_get(root, "data"), 0);
    http_form f = {0};
    json_t *by_form;

    (void)state;
    assert_numbers(json_array_get(lines, 1), first);
    assert_int_equal(json_array_size(json_object_get(first, "energies")), 3);
    assert_int_equal(json_array_size(json_object_get(first, "gradient")), SIDE * SIDE);
    assert_true(json_equal(json_object_get(json_array_get(lines, 0), "comparable_within"),
                           json_object_get(root, "comparable_within")));
    http_form_add(&f, "images", "1", one.bytes, one.size);
    http_form_add(&f, "images", "2", two.bytes, two.size);
    http_form_text(&f, "seed", "3");
    http_form_text(&f, "draws", "5");
    http_form_text(&f, "gradient", "true");
    by_form = post_form("/v1/energy", &f, 200);
    assert_true(json_equal(json_object_get(by_form, "data"), json_object_get(root, "data")));
    json_decref(by_form);
    json_decref(root);
    json_decref(lines);
}

static void likelihoods(void **state)
{
    static const char *const members[] = {"log_partition_forward", "log_partition_reverse",
                                          "log_partition_top"};
    json_t *lines = lines_of("likelihood --model a-tiny --images one.png --seed 3 --particles 4 "
                             "--temperatures 5 --warmup 6 --paths 2");
    json_t *root =
        post_json("/likelihood",
                  json_pack("{s:[o], s:i, s:i, s:i, s:i, s:i}", "images", base64(&one), "seed", 3,
                            "particles", 4, "temperatures", 5, "warmup", 6, "paths", 2),
                  200);
    const json_t *first = json_array_get(json_object_get(root, "data"), 0);

    (void)state;
    assert_non_null(json_object_get(first, "ais"));
    assert_non_null(json_object_get(first, "recovery"));
    assert_numbers(json_array_get(lines, 1), first);
    for (size_t i = 0; i < 3; i++) {
        assert_non_null(json_object_get(root, members[i]));
        assert_numbers(json_object_get(json_array_get(lines, 0), members[i]),
                       json_object_get(root, members[i]));
    }
    json_decref(root);
    json_decref(lines);
    root =
        post_json("/likelihood",
                  json_pack("{s:[o], s:i}", "images", base64(&one), "temperatures", 100000), 422);
    json_decref(root);
}

/* --- jobs ----------------------------------------------------------------------------------- */

static void one_image_as_png(void **state)
{
    http_form f = {0};
    http_reply r;
    unsigned char *bytes;
    size_t size;

    (void)state;
    command("inpaint --model a-tiny --image one.png --mask mask.png --seed 2");
    http_form_add(&f, "image", "i", one.bytes, one.size);
    http_form_add(&f, "mask", "m", mask.bytes, mask.size);
    http_form_text(&f, "seed", "2");
    http_form_close(&f);
    assert_true(http_send_form(d.port, "/inpaint", "Accept: image/png\r\n", &f, &r));
    assert_int_equal(r.status, 200);
    assert_int_equal(ebm_file_read(d.dir, "out/000000.png", 1u << 20, &bytes, &size, NULL), EBM_OK);
    assert_int_equal(r.size, size);
    assert_memory_equal(r.body, bytes, size);
    ebm_free(bytes);
    http_reply_clear(&r);
    http_form_clear(&f);
}

/* A form and the JSON that says the same are one request for an Idempotency-Key. */
static void one_key_one_job(void **state)
{
    static const char key[] = "Idempotency-Key: pictures\r\n";
    http_form f = {0};
    http_reply first, second;
    json_t *body =
        json_pack("{s:o, s:o, s:i}", "image", base64(&one), "mask", base64(&mask), "seed", 2);
    char *text = json_dumps(body, 0), a[64] = "", b[64] = "";

    (void)state;
    http_form_add(&f, "image", "i", one.bytes, one.size);
    http_form_add(&f, "mask", "m", mask.bytes, mask.size);
    http_form_text(&f, "seed", "2");
    http_form_close(&f);
    assert_true(http_send_form(d.port, "/inpaint", key, &f, &first));
    assert_true(
        http_send_body(d.port, "/inpaint", "application/json", key, text, strlen(text), &second));
    assert_int_equal(first.status, 200);
    assert_int_equal(second.status, 200);
    assert_string_equal(http_header(&first, "X-Job-Id", a, sizeof(a)),
                        http_header(&second, "X-Job-Id", b, sizeof(b)));
    assert_non_null(http_header(&second, "Idempotency-Replayed", b, sizeof(b)));
    http_reply_clear(&first);
    http_reply_clear(&second);
    http_form_clear(&f);
    json_decref(body);
    free(text);
}

static json_t *wait_for(const char *id)
{
    char path[128];

    snprintf(path, sizeof(path), "/v1/jobs/%s", id);
    for (int i = 0; i < 3000; i++) {
        http_reply r;
        json_t *root;
        const char *status;

        assert_true(http_call(d.port, "GET", path, "", NULL, &r));
        root = parse(&r, 200);
        http_reply_clear(&r);
        status = json_string_value(json_object_get(root, "status"));
        if (strcmp(status, "queued") != 0 && strcmp(status, "running") != 0)
            return root;
        json_decref(root);
    }
    fail_msg("%s does not end", id);
    return NULL;
}

/* Killed on the way, the job ends with the command's bytes in the next process. */
static void after_kill(void **state)
{
    json_t *body =
        json_pack("{s:s, s:o, s:o, s:i, s:i, s:b, s:i}", "model", "slow", "image", base64(&one),
                  "mask", base64(&mask), "n", 3, "seed", 2, "ensemble", 1, "steps_per_level", 60);
    char *text = json_dumps(body, 0), id[64] = "";
    http_reply r;
    json_t *root;

    (void)state;
    command("inpaint --model slow --image one.png --mask mask.png --n 3 --seed 2 --ensemble "
            "--steps-per-level 60");
    assert_true(http_send_body(d.port, "/inpaint", "application/json", "Prefer: respond-async\r\n",
                               text, strlen(text), &r));
    assert_int_equal(r.status, 202);
    assert_non_null(http_header(&r, "X-Job-Id", id, sizeof(id)));
    http_reply_clear(&r);
    assert_int_equal(daemon_stop(&d, SIGKILL, 10000), -1);
    assert_int_equal(start(), 0);
    root = wait_for(id);
    assert_images(root, 3);
    assert_file(json_object_get(json_object_get(root, "ensemble"), "sd"), "out/sd.png");
    json_decref(root);
    json_decref(body);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inpaint),          cmocka_unit_test(masks),
        cmocka_unit_test(interpolate),      cmocka_unit_test(edit_with_levels),
        cmocka_unit_test(compositions),     cmocka_unit_test(pictures_of_another_kind),
        cmocka_unit_test(energies),         cmocka_unit_test(likelihoods),
        cmocka_unit_test(one_image_as_png), cmocka_unit_test(one_key_one_job),
        cmocka_unit_test(after_kill),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
