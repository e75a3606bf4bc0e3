/* The daemon and the command beside each other, see picture_daemon.h. */
#include "daemon_models.h"
#include "picture_daemon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <nettle/base64.h>

#include "ebm/io.h"
#include "ebm/memory.h"

/* A picture as a PNG file in the daemon's directory; kind 2 is a mask whose lower half is white. */
static picture_file make_picture(const picture_daemon *p, const char *name, int kind)
{
    uint8_t pixels[PICTURE_SIDE * PICTURE_SIDE];
    ebm_image image = {PICTURE_SIDE, PICTURE_SIDE, 1, pixels};
    picture_file f = {NULL, 0};

    for (int i = 0; i < PICTURE_SIDE * PICTURE_SIDE; i++)
        pixels[i] = (uint8_t)(kind == 2 ? (i < 32 ? 0 : 255) : (i * (3 + 4 * kind)) % 256);
    assert_int_equal(ebm_png_encode(&image, NULL, 0, &f.bytes, &f.size, NULL), EBM_OK);
    assert_true(temp_dir_write(p->d.dir, name, f.bytes, f.size));
    return f;
}

int picture_daemon_start(picture_daemon *p)
{
    const char *const more[] = {"--workers", "2", "--store", p->d.store, NULL};

    return daemon_start(&p->d, more) ? 0 : -1;
}

int picture_daemon_setup(picture_daemon *p)
{
    static const tiny_model models[] = {
        {.id = "a-tiny", .levels = 3, .steps = 5, .seed = 1, .step_scale = 1.0},
        {.id = "b-tiny", .levels = 3, .steps = 5, .seed = 2, .step_scale = 1.0},
        {.id = "slow", .levels = 40, .steps = 20, .seed = 3, .step_scale = 1.0}};

    if (!daemon_prepare_models(&p->d, models, 3))
        return -1;
    p->one = make_picture(p, "one.png", 0);
    p->two = make_picture(p, "two.png", 1);
    p->mask = make_picture(p, "mask.png", 2);
    return picture_daemon_start(p);
}

int picture_daemon_teardown(picture_daemon *p)
{
    ebm_free(p->one.bytes);
    ebm_free(p->two.bytes);
    ebm_free(p->mask.bytes);
    return daemon_end(&p->d, 10000);
}

json_t *picture_post_json(const picture_daemon *p, const char *path, json_t *body, int status)
{
    char *text = json_dumps(body, 0);
    json_t *root = json_call(p->d.port, "POST", path, text, status);

    json_decref(body);
    free(text);
    return root;
}

json_t *picture_post_form(const picture_daemon *p, const char *path, http_form *f, int status)
{
    http_reply r;
    json_t *root;

    http_form_close(f);
    assert_true(http_send_form(p->d.port, path, "", f, &r));
    root = json_of_reply(&r, status);
    http_reply_clear(&r);
    http_form_clear(f);
    return root;
}

json_t *picture_base64(const picture_file *f)
{
    char *text = calloc(1, BASE64_ENCODE_RAW_LENGTH(f->size) + 1);
    json_t *value;

    base64_encode_raw(text, f->size, f->bytes);
    value = json_string(text);
    free(text);
    return value;
}

void picture_command(const picture_daemon *p, const char *arguments)
{
    char text[4 * TEMP_PATH_MAX];

    snprintf(text, sizeof(text),
             "rm -rf %s/out; cd %s && '" EBM_BINARY "' %s --models models --threads 1 --out out"
             " >/dev/null",
             p->d.dir, p->d.dir, arguments);
    assert_int_equal(system(text), 0);
}

void picture_assert_file(const picture_daemon *p, const json_t *value, const char *name)
{
    unsigned char *bytes;
    size_t size;
    picture_file f;
    json_t *want;

    assert_int_equal(ebm_file_read(p->d.dir, name, 1u << 20, &bytes, &size, NULL), EBM_OK);
    f = (picture_file){bytes, size};
    want = picture_base64(&f);
    if (!json_is_string(value) || !json_equal(want, value))
        fail_msg("%s differs", name);
    json_decref(want);
    ebm_free(bytes);
}

void picture_assert_images(const picture_daemon *p, const json_t *root, size_t n)
{
    const json_t *data = json_object_get(root, "data");
    char name[64];

    assert_int_equal(json_array_size(data), n);
    for (size_t k = 0; k < n; k++) {
        snprintf(name, sizeof(name), "out/%06zu.png", k);
        picture_assert_file(p, json_object_get(json_array_get(data, k), "b64_json"), name);
    }
}
