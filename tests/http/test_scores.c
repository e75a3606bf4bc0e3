/* Numbers about pictures over the wire: energies and likelihoods are those that the command prints,
 * however the request is written. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ebm/calibration.h"
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

/* The lines that a command has written to p.d.dir/lines. @own json_decref() */
static json_t *lines_of(const char *arguments)
{
    char text[4 * TEMP_PATH_MAX];
    unsigned char *bytes;
    size_t size;
    json_t *list = json_array();

    snprintf(text, sizeof(text), "cd %s && '" EBM_BINARY "' %s --models models --threads 1 >lines",
             p.d.dir, arguments);
    assert_int_equal(system(text), 0);
    assert_int_equal(ebm_file_read(p.d.dir, "lines", 1u << 20, &bytes, &size, NULL), EBM_OK);
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
    json_t *root =
        picture_post_json(&p, "/energy",
                          json_pack("{s:[o, o], s:i, s:i, s:b}", "images", picture_base64(&p.one),
                                    picture_base64(&p.two), "seed", 3, "draws", 5, "gradient", 1),
                          200);
    const json_t *first = json_array_get(json_object_get(root, "data"), 0);
    http_form f = {0};
    json_t *by_form;

    (void)state;
    assert_numbers(json_array_get(lines, 1), first);
    assert_int_equal(json_array_size(json_object_get(first, "energies")), 3);
    assert_int_equal(json_array_size(json_object_get(first, "gradient")),
                     PICTURE_SIDE * PICTURE_SIDE);
    assert_true(json_equal(json_object_get(json_array_get(lines, 0), "comparable_within"),
                           json_object_get(root, "comparable_within")));
    http_form_add(&f, "images", "1", p.one.bytes, p.one.size);
    http_form_add(&f, "images", "2", p.two.bytes, p.two.size);
    http_form_text(&f, "seed", "3");
    http_form_text(&f, "draws", "5");
    http_form_text(&f, "gradient", "true");
    by_form = picture_post_form(&p, "/v1/energy", &f, 200);
    assert_true(json_equal(json_object_get(by_form, "data"), json_object_get(root, "data")));
    json_decref(by_form);
    json_decref(root);
    json_decref(lines);
}

static void restart(void)
{
    assert_int_equal(daemon_stop(&p.d, SIGTERM, 10000), 0);
    assert_int_equal(picture_daemon_start(&p), 0);
}

/* With a calibration beside the model, made with as many draws, the daemon's score is the
 * command's, too; with another number of draws there is none. */
static void unusual(void **state)
{
    char file[TEMP_PATH_MAX + 32];
    json_t *lines, *root;
    const json_t *first;

    (void)state;
    json_decref(lines_of("sample --model a-tiny --n 100 --seed 1 --out drawn"));
    lines = lines_of("energy --model a-tiny --calibrate drawn --fit resize --seed 1 --draws 2");
    assert_int_equal(json_array_size(lines), 1 + EBM_SPOIL_KINDS + 1);
    json_decref(lines);
    restart();
    lines = lines_of("energy --model a-tiny --images one.png --seed 3 --draws 2");
    root = picture_post_json(
        &p, "/energy",
        json_pack("{s:[o], s:i, s:i}", "images", picture_base64(&p.one), "seed", 3, "draws", 2),
        200);
    first = json_array_get(json_object_get(root, "data"), 0);
    assert_numbers(json_array_get(lines, 1), first);
    assert_true(json_is_real(json_object_get(first, "score")));
    assert_number(json_number_value(json_object_get(first, "ood_percentile")),
                  json_number_value(json_object_get(json_array_get(lines, 1), "ood_percentile")));
    assert_int_equal(json_array_size(json_object_get(first, "percentiles")), 3);
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(root, "calibration"), "count")), 100);
    json_decref(root);
    json_decref(lines);
    root = picture_post_json(
        &p, "/energy",
        json_pack("{s:[o], s:i, s:i}", "images", picture_base64(&p.one), "seed", 3, "draws", 3),
        200);
    assert_null(json_object_get(json_array_get(json_object_get(root, "data"), 0), "score"));
    json_decref(root);
    snprintf(file, sizeof(file), "%s/a-tiny/" EBM_CALIBRATION_FILE, p.d.models);
    assert_int_equal(remove(file), 0);
    restart();
}

static void likelihoods(void **state)
{
    static const char *const members[] = {"log_partition_forward", "log_partition_reverse",
                                          "log_partition_top"};
    json_t *lines = lines_of("likelihood --model a-tiny --images one.png --seed 3 --particles 4 "
                             "--temperatures 5 --warmup 6 --paths 2");
    json_t *root = picture_post_json(&p, "/likelihood",
                                     json_pack("{s:[o], s:i, s:i, s:i, s:i, s:i}", "images",
                                               picture_base64(&p.one), "seed", 3, "particles", 4,
                                               "temperatures", 5, "warmup", 6, "paths", 2),
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
}

/* A job of four particles, each of 6,000 evaluations. */
static void begin_long(char id[64])
{
    json_t *body =
        json_pack("{s:[o], s:s, s:i, s:i, s:i, s:i}", "images", picture_base64(&p.one), "method",
                  "ais", "particles", 2, "temperatures", 500, "warmup", 10, "seed", 3);
    char *text = json_dumps(body, 0);

    job_begin(p.d.port, "/likelihood", text, id);
    json_decref(body);
    free(text);
}

/* How far it is; 1 if it has ended. */
static double fraction(const char *id)
{
    json_t *job = job_look(p.d.port, id);
    const bool ended = json_is_string(json_object_get(job, "completed_at"));
    double at = json_number_value(json_object_get(json_object_get(job, "progress"), "fraction"));

    json_decref(job);
    return ended ? 1.0 : at;
}

/* Killed twice on its way through a particle and gone on with there, the numbers are those of the
 * undisturbed run. */
static void killed_within_a_particle(void **state)
{
    char whole[64], killed[64];
    json_t *a, *b;

    (void)state;
    begin_long(whole);
    a = job_end(p.d.port, whole);
    begin_long(killed);
    for (int kills = 0; kills < 2; kills++) {
        while (fraction(killed) < 0.1 * (1 + kills))
            continue;
        assert_int_equal(daemon_stop(&p.d, SIGKILL, 10000), -1);
        assert_int_equal(picture_daemon_start(&p), 0);
    }
    b = job_end(p.d.port, killed);
    assert_string_equal(json_string_value(json_object_get(b, "status")), "succeeded");
    assert_true(json_equal(json_object_get(a, "data"), json_object_get(b, "data")));
    json_decref(a);
    json_decref(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(energies), cmocka_unit_test(unusual),
                                       cmocka_unit_test(likelihoods),
                                       cmocka_unit_test(killed_within_a_particle)};

    return cmocka_run_group_tests(tests, setup, teardown);
}
