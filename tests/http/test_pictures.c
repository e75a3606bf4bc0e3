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

#include <signal.h>

#include "ebm/io.h"
#include "ebm/memory.h"
#include "job_client.h"
#include "picture_daemon.h"

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

/* --- the same as the command's -------------------------------------------------------------- */

static void inpaint(void **state)
{
    static const char *const maps[] = {"mean", "sd", "q05", "q50", "q95"};
    http_form f = {0};
    json_t *by_form, *by_json, *ensemble;
    char name[64];

    (void)state;
    picture_command(
        &p, "inpaint --model a-tiny --image one.png --mask mask.png --n 3 --seed 9 --ensemble "
            "--repeats 2 --polish 6 --sheet sheet.png --animation moving.png");
    http_form_add(&f, "image", "../../etc/passwd", p.one.bytes, p.one.size);
    http_form_add(&f, "mask", "m", p.mask.bytes, p.mask.size);
    http_form_text(&f, "n", "3");
    http_form_text(&f, "seed", "9");
    http_form_text(&f, "ensemble", "true");
    http_form_text(&f, "repeats", "2");
    http_form_text(&f, "polish", "6");
    http_form_text(&f, "sheet", "true");
    http_form_text(&f, "animation", "true");
    http_form_text(&f, "metadata", "{\"order\": 7}");
    by_form = picture_post_form(&p, "/inpaint", &f, 200);
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(by_form, "metadata"), "order")), 7);
    picture_assert_images(&p, by_form, 3);
    ensemble = json_object_get(by_form, "ensemble");
    for (size_t i = 0; i < 5; i++) {
        snprintf(name, sizeof(name), "out/%s.png", maps[i]);
        picture_assert_file(&p, json_object_get(ensemble, maps[i]), name);
    }
    picture_assert_file(&p, json_object_get(by_form, "sheet"), "sheet.png");
    picture_assert_file(&p, json_object_get(by_form, "animation"), "moving.png");
    assert_true(json_number_value(json_object_get(by_form, "mask_coverage")) > 0.49);
    by_json = picture_post_json(&p, "/v1/inpaint",
                                json_pack("{s:o, s:o, s:i, s:i, s:i, s:i}", "image",
                                          picture_base64(&p.one), "mask", picture_base64(&p.mask),
                                          "n", 3, "seed", 9, "repeats", 2, "polish", 6),
                                200);
    picture_assert_images(&p, by_json, 3);
    json_decref(by_json);
    json_decref(by_form);
}

/* Mask modes and a picture's own transparency ask for the same. */
static void masks(void **state)
{
    uint8_t black[PICTURE_SIDE * PICTURE_SIDE], alpha[2 * PICTURE_SIDE * PICTURE_SIDE];
    ebm_image inverse = {PICTURE_SIDE, PICTURE_SIDE, 1, black},
              own = {PICTURE_SIDE, PICTURE_SIDE, 2, alpha}, plain = {0};
    picture_file f = {NULL, 0}, g = {NULL, 0};
    json_t *root;

    (void)state;
    assert_int_equal(ebm_png_decode(p.one.bytes, p.one.size, &plain, NULL), EBM_OK);
    for (int i = 0; i < PICTURE_SIDE * PICTURE_SIDE; i++) {
        black[i] = i < 32 ? 255 : 0;
        alpha[2 * i] = plain.pixels[i];
        alpha[2 * i + 1] = i < 32 ? 255 : 0;
    }
    assert_int_equal(ebm_png_encode(&inverse, NULL, 0, &f.bytes, &f.size, NULL), EBM_OK);
    assert_int_equal(ebm_png_encode(&own, NULL, 0, &g.bytes, &g.size, NULL), EBM_OK);
    assert_true(temp_dir_write(p.d.dir, "black.png", f.bytes, f.size));
    assert_true(temp_dir_write(p.d.dir, "own.png", g.bytes, g.size));
    picture_command(
        &p, "inpaint --model a-tiny --image one.png --mask black.png --mask-mode black --seed 4");
    root = picture_post_json(&p, "/inpaint",
                             json_pack("{s:o, s:o, s:s, s:i}", "image", picture_base64(&p.one),
                                       "mask", picture_base64(&f), "mask_mode", "black", "seed", 4),
                             200);
    picture_assert_images(&p, root, 1);
    json_decref(root);
    picture_command(&p, "inpaint --model a-tiny --image own.png --seed 4");
    root = picture_post_json(&p, "/inpaint",
                             json_pack("{s:o, s:i}", "image", picture_base64(&g), "seed", 4), 200);
    picture_assert_images(&p, root, 1);
    json_decref(root);
    ebm_free(f.bytes);
    ebm_free(g.bytes);
    ebm_free(plain.pixels);
}

static void interpolate(void **state)
{
    json_t *root;

    (void)state;
    picture_command(&p, "interpolate --model a-tiny --from-seed 1 --to-seed 2 --frames 4");
    root = picture_post_json(
        &p, "/interpolate",
        json_pack("{s:{s:i}, s:{s:i}, s:i}", "from", "seed", 1, "to", "seed", 2, "frames", 4), 200);
    picture_assert_images(&p, root, 4);
    json_decref(root);
    picture_command(
        &p, "interpolate --model a-tiny --from-seed 1 --to-seed 2 --frames 3 --from-image one.png "
            "--to-image two.png --level 1");
    root = picture_post_json(&p, "/v1/interpolate",
                             json_pack("{s:{s:i, s:o}, s:{s:i, s:o}, s:i, s:i}", "from", "seed", 1,
                                       "image", picture_base64(&p.one), "to", "seed", 2, "image",
                                       picture_base64(&p.two), "frames", 3, "level", 1),
                             200);
    picture_assert_images(&p, root, 3);
    json_decref(root);
}

static void edit_with_levels(void **state)
{
    const json_t *item;
    json_t *root;
    char name[64];

    (void)state;
    picture_command(
        &p, "sample --model a-tiny --n 2 --seed 5 --image one.png --start-level 1 --progressive");
    root = picture_post_json(&p, "/sample",
                             json_pack("{s:o, s:i, s:i, s:i, s:b}", "image", picture_base64(&p.one),
                                       "start_level", 1, "n", 2, "seed", 5, "progressive", 1),
                             200);
    picture_assert_images(&p, root, 2);
    for (size_t k = 0; k < 2; k++) {
        item = json_array_get(json_object_get(root, "data"), k);
        assert_int_equal(json_array_size(json_object_get(item, "levels")), 2);
        for (size_t t = 0; t < 2; t++) {
            snprintf(name, sizeof(name), "out/%06zu-level%zu.png", k, t);
            picture_assert_file(&p, json_array_get(json_object_get(item, "levels"), t), name);
        }
    }
    json_decref(root);
}

static void compositions(void **state)
{
    json_t *root, *models;

    (void)state;
    picture_command(&p, "sample --model a-tiny:1,b-tiny:-0.5 --n 2 --seed 6");
    root = picture_post_json(&p, "/sample",
                             json_pack("{s:[{s:s}, {s:s, s:f}], s:i, s:i}", "model", "id", "a-tiny",
                                       "id", "b-tiny", "weight", -0.5, "n", 2, "seed", 6),
                             200);
    picture_assert_images(&p, root, 2);
    models = json_object_get(root, "models");
    assert_int_equal(json_array_size(models), 2);
    json_decref(root);
    picture_command(&p, "sample --model a-tiny:3,b-tiny:1 --compose mixture --n 2 --seed 6");
    root = picture_post_json(&p, "/sample",
                             json_pack("{s:s, s:s, s:i, s:i}", "model", "a-tiny:3,b-tiny:1",
                                       "compose", "mixture", "n", 2, "seed", 6),
                             200);
    picture_assert_images(&p, root, 2);
    json_decref(root);
    root = picture_post_json(&p, "/sample", json_pack("{s:s}", "model", "a-tiny,slow"), 422);
    json_decref(root);
}

/* A larger picture in colour is fitted by the one rule. */
static void pictures_of_another_kind(void **state)
{
    uint8_t pixels[20 * 12 * 3];
    ebm_image image = {20, 12, 3, pixels};
    picture_file f = {NULL, 0};
    json_t *root;

    (void)state;
    for (size_t i = 0; i < sizeof(pixels); i++)
        pixels[i] = (uint8_t)(i * 7 % 256);
    assert_int_equal(ebm_png_encode(&image, NULL, 0, &f.bytes, &f.size, NULL), EBM_OK);
    assert_true(temp_dir_write(p.d.dir, "wide.png", f.bytes, f.size));
    root = picture_post_json(
        &p, "/inpaint",
        json_pack("{s:o, s:o}", "image", picture_base64(&f), "mask", picture_base64(&p.mask)), 422);
    assert_non_null(strstr(json_string_value(json_object_get(
                               json_array_get(json_object_get(root, "errors"), 0), "detail")),
                           "8x8"));
    json_decref(root);
    picture_command(&p,
                    "sample --model a-tiny --image wide.png --fit crop --start-level 0 --seed 3");
    root = picture_post_json(&p, "/sample",
                             json_pack("{s:o, s:s, s:i, s:i}", "image", picture_base64(&f), "fit",
                                       "crop", "start_level", 0, "seed", 3),
                             200);
    picture_assert_images(&p, root, 1);
    json_decref(root);
    ebm_free(f.bytes);
}

/* --- jobs ----------------------------------------------------------------------------------- */

static void one_image_as_png(void **state)
{
    http_form f = {0};
    http_reply r;
    unsigned char *bytes;
    size_t size;

    (void)state;
    picture_command(&p, "inpaint --model a-tiny --image one.png --mask mask.png --seed 2");
    http_form_add(&f, "image", "i", p.one.bytes, p.one.size);
    http_form_add(&f, "mask", "m", p.mask.bytes, p.mask.size);
    http_form_text(&f, "seed", "2");
    http_form_close(&f);
    assert_true(http_send_form(p.d.port, "/inpaint", "Accept: image/png\r\n", &f, &r));
    assert_int_equal(r.status, 200);
    assert_int_equal(ebm_file_read(p.d.dir, "out/000000.png", 1u << 20, &bytes, &size, NULL),
                     EBM_OK);
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
    json_t *body = json_pack("{s:o, s:o, s:i}", "image", picture_base64(&p.one), "mask",
                             picture_base64(&p.mask), "seed", 2);
    char *text = json_dumps(body, 0), a[64] = "", b[64] = "";

    (void)state;
    http_form_add(&f, "image", "i", p.one.bytes, p.one.size);
    http_form_add(&f, "mask", "m", p.mask.bytes, p.mask.size);
    http_form_text(&f, "seed", "2");
    http_form_close(&f);
    assert_true(http_send_form(p.d.port, "/inpaint", key, &f, &first));
    assert_true(
        http_send_body(p.d.port, "/inpaint", "application/json", key, text, strlen(text), &second));
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

/* Killed on the way, the job ends with the command's bytes in the next process. */
static void after_kill(void **state)
{
    json_t *body = json_pack("{s:s, s:o, s:o, s:i, s:i, s:b, s:i}", "model", "slow", "image",
                             picture_base64(&p.one), "mask", picture_base64(&p.mask), "n", 3,
                             "seed", 2, "ensemble", 1, "steps_per_level", 60);
    char *text = json_dumps(body, 0), id[64] = "";
    json_t *root;

    (void)state;
    picture_command(
        &p, "inpaint --model slow --image one.png --mask mask.png --n 3 --seed 2 --ensemble "
            "--steps-per-level 60");
    job_begin(p.d.port, "/inpaint", text, id);
    assert_int_equal(daemon_stop(&p.d, SIGKILL, 10000), -1);
    assert_int_equal(picture_daemon_start(&p), 0);
    root = job_end(p.d.port, id);
    picture_assert_images(&p, root, 3);
    picture_assert_file(&p, json_object_get(json_object_get(root, "ensemble"), "sd"), "out/sd.png");
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
        cmocka_unit_test(one_image_as_png), cmocka_unit_test(one_key_one_job),
        cmocka_unit_test(after_kill),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
