/* Images and snapshots of chains over the wire are the files that the command writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

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

static void assert_chains(const json_t *job, size_t n)
{
    const json_t *data = json_object_get(job, "data");
    char name[64];

    assert_int_equal(json_array_size(data), n);
    for (size_t k = 0; k < n; k++) {
        snprintf(name, sizeof(name), "out/chain%06zu.png", k);
        picture_assert_file(&p, json_object_get(json_array_get(data, k), "b64_json"), name);
    }
}

static void assert_snapshots(const json_t *job, size_t n, size_t keep)
{
    const json_t *marks = json_object_get(job, "snapshot_steps"), *item;
    char name[64];

    assert_int_equal(json_array_size(marks), keep);
    for (size_t k = 0; k < n; k++) {
        item = json_array_get(json_object_get(job, "data"), k);
        for (size_t j = 0; j < keep; j++) {
            snprintf(name, sizeof(name), "out/chain%06zu-step%d.png", k,
                     (int)json_integer_value(json_array_get(marks, j)));
            picture_assert_file(&p, json_array_get(json_object_get(item, "snapshots"), j), name);
        }
    }
}

static void images_and_snapshots(void **state)
{
    json_t *job;

    (void)state;
    picture_command(
        &p, "mcmc --model a-tiny --chains 3 --steps 60 --warmup 20 --sampler mala --level 1 "
            "--init samples --keep 2 --seed 3");
    job = json_call(
        p.d.port, "POST", "/mcmc",
        "{\"model\":\"a-tiny\",\"chains\":3,\"steps\":60,\"warmup\":20,\"sampler\":\"mala\","
        "\"level\":1,\"init\":\"samples\",\"keep\":2,\"seed\":3}",
        200);
    assert_chains(job, 3);
    assert_snapshots(job, 3, 2);
    json_decref(job);
    picture_command(&p, "mcmc --model a-tiny --chains 2 --steps 4 --ladder --seed 3");
    job = json_call(p.d.port, "POST", "/v1/mcmc",
                    "{\"model\":\"a-tiny\",\"chains\":2,\"steps\":4,\"ladder\":true,\"seed\":3}",
                    200);
    assert_chains(job, 2);
    json_decref(job);
}

/* A rule makes one part of all chains; each has its own snapshots all the same. */
static void snapshots_with_rules(void **state)
{
    json_t *job, *more;
    char path[128];

    (void)state;
    picture_command(&p, "mcmc --model a-tiny --chains 2 --steps 20 --keep 2 --seed 3");
    job = json_call(p.d.port, "POST", "/v1/mcmc",
                    "{\"model\":\"a-tiny\",\"chains\":2,\"steps\":20,\"keep\":2,\"seed\":3,"
                    "\"until\":{\"max_seconds\":1000}}",
                    200);
    assert_chains(job, 2);
    assert_snapshots(job, 2, 2);
    snprintf(path, sizeof(path), "/v1/chains/%s/extend",
             json_string_value(json_object_get(job, "id")));
    more = json_call(p.d.port, "POST", path,
                     "{\"steps\":20,\"keep\":2,\"until\":{\"max_seconds\":1000}}", 200);
    json_decref(job);
    picture_command(&p, "mcmc --model a-tiny --chains 2 --steps 40 --keep 4 --seed 3");
    assert_chains(more, 2);
    assert_snapshots(more, 2, 2); /* at 30 and 40: what is ahead is divided */
    json_decref(more);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(images_and_snapshots),
        cmocka_unit_test(snapshots_with_rules),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
