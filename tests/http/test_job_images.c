/* Single pictures of jobs over the wire: the bytes of the job object, under a tag that is their
 * digest, for every kind that makes pictures; and what is answered when there is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

#include "ebm/io.h"
#include "job_client.h"
#include "picture_daemon.h"

#define LONG "{\"model\":\"slow\",\"steps_per_level\":2000,\"n\":8}"

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

static void get_image(const char *id, const char *name, const char *headers, http_reply *r)
{
    char path[160];

    snprintf(path, sizeof(path), "/v1/jobs/%s/images/%s", id, name);
    assert_true(http_call(p.d.port, "GET", path, headers, NULL, r));
}

static void expect(const char *id, const char *name, int status, const char *code)
{
    char text[64];
    http_reply r;

    snprintf(text, sizeof(text), "\"code\":\"%s\"", code);
    get_image(id, name, "", &r);
    if (r.status != status || !strstr(r.body, text))
        fail_msg("%s: %d %s", name, r.status, r.body);
    http_reply_clear(&r);
}

static void assert_header(const http_reply *r, const char *name, const char *want)
{
    char value[128] = "";

    assert_non_null(http_header(r, name, value, sizeof(value)));
    assert_string_equal(value, want);
}

/* The picture is what the item of the job object says. */
static void check_image(const char *id, size_t k, const json_t *item)
{
    const json_t *inside = json_object_get(item, "b64_json");
    char name[32], digest[65], tag[68];
    http_reply r;

    snprintf(name, sizeof(name), "%zu.png", k);
    get_image(id, name, "", &r);
    assert_int_equal(r.status, 200);
    ebm_sha256_hex(r.body, r.size, digest);
    assert_string_equal(digest, json_string_value(json_object_get(item, "sha256")));
    snprintf(tag, sizeof(tag), "\"%s\"", digest);
    assert_header(&r, "ETag", tag);
    assert_header(&r, "Content-Type", "image/png");
    assert_header(&r, "Cache-Control", "private, max-age=31536000, immutable");
    if (inside) {
        const picture_file f = {(unsigned char *)r.body, r.size};
        json_t *outside = picture_base64(&f);

        assert_true(json_equal(inside, outside));
        json_decref(outside);
    }
    http_reply_clear(&r);
}

/* An item has the bytes, the address where they are, or neither. */
static void check_form(const json_t *job, size_t k, const char *format)
{
    const json_t *item = json_array_get(json_object_get(job, "data"), k);
    const json_t *url = json_object_get(item, "url");
    char want[128];

    assert_true(!json_object_get(item, "b64_json") == (strcmp(format, "b64_json") != 0));
    assert_true(!url == (strcmp(format, "url") != 0));
    snprintf(want, sizeof(want), "/v1/jobs/%s/images/%zu.png",
             json_string_value(json_object_get(job, "id")), k);
    if (url)
        assert_string_equal(json_string_value(url), want);
}

static void check_job(const char *path, json_t *body, size_t n)
{
    json_t *job = picture_post_json(&p, path, body, 200);
    const char *id = json_string_value(json_object_get(job, "id"));
    const json_t *data = json_object_get(job, "data");
    char name[32];

    assert_int_equal(json_array_size(data), n);
    for (size_t k = 0; k < n; k++) {
        check_image(id, k, json_array_get(data, k));
        check_form(
            job, k,
            json_string_value(json_object_get(json_object_get(job, "params"), "response_format")));
    }
    snprintf(name, sizeof(name), "%zu.png", n); /* behind them other results may be kept */
    expect(id, name, 404, "image_not_found");
    json_decref(job);
}

static void every_kind(void **state)
{
    (void)state;
    check_job("/sample", json_pack("{s:i, s:i}", "n", 3, "seed", 1), 3);
    check_job("/sample", json_pack("{s:i, s:s}", "n", 2, "response_format", "none"), 2);
    check_job("/sample", json_pack("{s:i, s:s}", "n", 2, "response_format", "url"), 2);
    check_job("/sample", json_pack("{s:i, s:b}", "n", 2, "progressive", 1), 2);
    check_job("/sample", json_pack("{s:i, s:i}", "n", 2, "first_index", 7), 2);
    check_job("/inpaint",
              json_pack("{s:o, s:o, s:i}", "image", picture_base64(&p.one), "mask",
                        picture_base64(&p.mask), "n", 2),
              2);
    check_job("/interpolate", json_pack("{s:{s:i}, s:i}", "from", "seed", 1, "frames", 3), 3);
    check_job("/mcmc", json_pack("{s:i, s:i, s:i}", "chains", 3, "steps", 20, "keep", 2), 3);
    check_job("/mcmc",
              json_pack("{s:i, s:i, s:{s:f}}", "chains", 2, "steps", 20, "until", "rhat", 1.5), 2);
}

/* A size that is asked for is the model's; who asks for none may get any. */
static void sizes(void **state)
{
    json_t *job = picture_post_json(&p, "/sample", json_object(), 200), *problem, *one;

    (void)state;
    assert_true(json_is_null(json_object_get(json_object_get(job, "params"), "width")));
    json_decref(job);
    job = picture_post_json(
        &p, "/sample", json_pack("{s:i, s:i}", "width", PICTURE_SIDE, "height", PICTURE_SIDE), 200);
    one = json_object_get(json_object_get(job, "params"), "width");
    assert_int_equal(json_integer_value(one), PICTURE_SIDE);
    json_decref(job);
    problem = picture_post_json(&p, "/mcmc",
                                json_pack("{s:i, s:i, s:i}", "width", PICTURE_SIDE, "height",
                                          PICTURE_SIDE + 1, "steps", 10),
                                422);
    one = json_array_get(json_object_get(problem, "errors"), 0);
    assert_string_equal(json_string_value(json_object_get(one, "pointer")), "/height");
    assert_string_equal(json_string_value(json_object_get(one, "code")), "not_the_models");
    json_decref(problem);
}

static void no_pictures(void **state)
{
    static const char *const names[] = {
        "00.png",  "-1.png",    "+0.png",         "0x0.png",        "1e0.png",
        "%30.png", "0.png.png", "4294967296.png", "2147483648.png", "99999999999999999999.png"};
    json_t *job = picture_post_json(&p, "/energy",
                                    json_pack("{s:[o]}", "images", picture_base64(&p.one)), 200);
    http_reply r;

    (void)state;
    expect(json_string_value(json_object_get(job, "id")), "0.png", 404, "image_not_found");
    json_decref(job);
    job = picture_post_json(&p, "/sample", json_object(), 200);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        expect(json_string_value(json_object_get(job, "id")), names[i], 404, "image_not_found");
    expect(json_string_value(json_object_get(job, "id")), "0.png?x=1", 400, "bad_query");
    expect("job_00000000000000000000000000", "0.png", 404, "job_not_found");
    expect("none", "0.png", 404, "job_not_found");
    get_image(json_string_value(json_object_get(job, "id")), "0.jpg", "", &r);
    assert_int_equal(r.status, 404);
    http_reply_clear(&r);
    json_decref(job);
}

/* Whoever has a picture is not sent it again. */
static void conditions(void **state)
{
    static const struct {
        const char *format; /* of the header's value, given the digest */
        int status;
    } rows[] = {
        {"\"%s\"", 304}, {"W/\"%s\"", 304}, {"\"a\", \"%s\"", 304}, {"\"a\",W/\"%s\" ,\"b\"", 304},
        {"*", 304},      {"%s", 200},       {"\"a\"", 200},         {"\"%s", 200},
        {"\"\"", 200},   {",,, ,", 200},    {"\"0%s\"", 200}};
    json_t *job = picture_post_json(&p, "/sample", json_pack("{s:i}", "seed", 3), 200);
    const char *id = json_string_value(json_object_get(job, "id"));
    const char *digest = json_string_value(
        json_object_get(json_array_get(json_object_get(job, "data"), 0), "sha256"));

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *mark = strstr(rows[i].format, "%s");
        int before = mark ? (int)(mark - rows[i].format) : (int)strlen(rows[i].format);
        char header[256];
        http_reply r;

        snprintf(header, sizeof(header), "If-None-Match: %.*s%s%s\r\n", before, rows[i].format,
                 mark ? digest : "", mark ? mark + 2 : "");
        get_image(id, "0.png", header, &r);
        if (r.status != rows[i].status)
            fail_msg("%s: %d", header, r.status);
        assert_int_equal(r.size == 0, r.status == 304);
        assert_non_null(http_header(&r, "ETag", header, sizeof(header)));
        assert_header(&r, "Cache-Control", "private, max-age=31536000, immutable");
        http_reply_clear(&r);
    }
    json_decref(job);
}

/* Nothing may be kept of an answer that will be another one later. */
static void not_yet_and_no_more(void **state)
{
    char id[64] = "", path[96], text[128];
    http_reply r;

    (void)state;
    job_begin(p.d.port, "/sample", LONG, id);
    get_image(id, "0.png", "If-None-Match: *\r\n", &r);
    assert_int_equal(r.status, 409);
    assert_non_null(strstr(r.body, "\"job_at_work\""));
    assert_header(&r, "Retry-After", "1");
    assert_header(&r, "Cache-Control", "no-store");
    assert_null(http_header(&r, "ETag", text, sizeof(text)));
    http_reply_clear(&r);
    assert_in_range(job_cancel(p.d.port, id), 200, 202);
    json_decref(job_end(p.d.port, id));
    expect(id, "0.png", 404, "image_not_found");
    snprintf(path, sizeof(path), "/v1/jobs/%s", id);
    assert_int_equal(http_status(p.d.port, "DELETE", path, "", NULL), 204);
    expect(id, "0.png", 410, "job_gone");
}

/* --- pictures of chains on their way -----------------------------------------------------------
 */

/* Looks once. Returns the status; says whether one should come back. */
static int peek(const char *id, bool *again)
{
    static const unsigned char shape[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n', 0, 0, 0, 13,
                                          'I',  'H', 'D', 'R', 0,    0,    0,    8,    0, 0, 0, 8};
    char path[96], value[32];
    http_reply r;
    int status;

    snprintf(path, sizeof(path), "/v1/jobs/%s/preview.png", id);
    assert_true(http_call(p.d.port, "GET", path, "", NULL, &r));
    status = r.status;
    assert_header(&r, "Cache-Control", "no-store");
    *again = http_header(&r, "Retry-After", value, sizeof(value)) != NULL;
    if (status == 200) {
        assert_header(&r, "Content-Type", "image/png");
        assert_true(r.size > sizeof(shape));
        assert_memory_equal(r.body, shape, sizeof(shape));
    } else if (status == 404) {
        assert_non_null(strstr(r.body, "\"no_preview\""));
        assert_non_null(strstr(r.body, *again ? "\"retryable\":true" : "\"retryable\":false"));
    }
    http_reply_clear(&r);
    return status;
}

/* Many may look at once; each gets a picture as soon as a chain has its turn. */
static void look_together(const char *id)
{
    int fd[8];
    char request[160];
    http_reply r;

    snprintf(request, sizeof(request), "GET /v1/jobs/%s/preview.png HTTP/1.1\r\nHost: t\r\n\r\n",
             id);
    for (int i = 0; i < 8; i++) {
        fd[i] = http_connect(p.d.port);
        assert_true(fd[i] >= 0 && http_send_text(fd[i], request));
    }
    for (int i = 0; i < 8; i++) {
        assert_true(http_read(fd[i], false, &r));
        assert_int_equal(r.status, 200);
        http_reply_clear(&r);
        close(fd[i]);
    }
}

/* A job that makes no pictures on its way, while it waits. */
static void no_previews(void)
{
    json_t *body = json_pack("{s:[o]}", "images", picture_base64(&p.one));
    char *text = json_dumps(body, JSON_COMPACT), id[64];
    bool again = true;

    job_begin(p.d.port, "/energy", text, id);
    assert_int_equal(peek(id, &again), 404);
    assert_false(again);
    free(text);
    json_decref(body);
}

static void previews(void **state)
{
    char id[64], path[96];
    bool again = true;
    http_reply r;

    (void)state;
    assert_int_equal(http_status(p.d.admin, "POST", "/v1/admin/pause", "", NULL), 200);
    job_begin(p.d.port, "/sample", LONG, id);
    assert_int_equal(peek(id, &again), 404); /* it waits: */
    assert_true(again);
    no_previews();
    assert_int_equal(http_status(p.d.admin, "POST", "/v1/admin/resume", "", NULL), 200);
    while (peek(id, &again) != 200)
        assert_true(again);
    look_together(id);
    snprintf(path, sizeof(path), "/v1/jobs/%s", id);
    assert_true(http_call(p.d.port, "GET", path, "", NULL, &r));
    assert_non_null(strstr(r.body, "/preview.png\""));
    http_reply_clear(&r);
    assert_in_range(job_cancel(p.d.port, id), 200, 202);
    snprintf(path, sizeof(path), "/v1/jobs/%s?wait=30", id);
    assert_true(http_call(p.d.port, "GET", path, "", NULL, &r));
    assert_null(strstr(r.body, "/preview.png\""));
    http_reply_clear(&r);
    assert_int_equal(peek(id, &again), 404);
    assert_false(again); /* there will be none */
    snprintf(path, sizeof(path), "/v1/jobs/%s", id);
    assert_int_equal(http_status(p.d.port, "DELETE", path, "", NULL), 204);
    assert_int_equal(peek(id, &again), 410);
    assert_int_equal(http_get_status(p.d.port, "/v1/jobs/none/preview.png"), 404);
    assert_int_equal(http_get_status(p.d.port, "/v1/jobs/none/preview.png?x=1"), 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind),          cmocka_unit_test(sizes),
        cmocka_unit_test(no_pictures),         cmocka_unit_test(conditions),
        cmocka_unit_test(not_yet_and_no_more), cmocka_unit_test(previews),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
