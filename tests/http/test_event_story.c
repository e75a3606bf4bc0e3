/* What a stream tells of a job: from its beginning to its end, and what its chains show of
 * themselves on the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <sys/socket.h>

#include "daemon_models.h"
#include "event_client.h"
#include "job_client.h"
#include "real_time.h"

#define EVENTS "Accept: text/event-stream\r\n"
/* long enough, on a fast machine too, for two looks at it, which are 250 ms apart */
#define SHORT "{\"model\":\"slow\",\"steps_per_level\":400,\"n\":2}"

static daemon_process d;

static int setup(void **state)
{
    static const tiny_model slow = {
        .id = "slow", .levels = 400, .steps = 4, .seed = 3, .step_scale = 1.0};
    static const char *const more[] = {"--workers", "1", NULL};

    (void)state;
    return daemon_prepare_models(&d, &slow, 1) && daemon_start(&d, more) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return daemon_end(&d, 15000);
}

/* Started before anything else, numbers that grow, previews and images that are PNGs, and exactly
 * one end, with the object that GET gives. */
static double energy_of(const json_t *job, size_t k)
{
    return json_real_value(
        json_object_get(json_array_get(json_object_get(job, "data"), k), "energy"));
}

static void from_beginning_to_end(void **state)
{
    event_client c;
    one_event e;
    char id[64], value[64];
    long long last = 0;
    int progress = 0, previews = 0, images = 0, weighed = 0;
    double fraction = -1.0, energy[2] = {0};
    json_int_t seed = -1;
    json_t *end, *job;

    (void)state;
    assert_true(events_open(&c, d.port, "POST", "/v1/sample?preview_every=50", EVENTS, SHORT));
    assert_int_equal(c.reply.status, 200);
    assert_string_equal(http_header(&c.reply, "Content-Type", value, sizeof(value)),
                        "text/event-stream");
    assert_string_equal(http_header(&c.reply, "Cache-Control", value, sizeof(value)), "no-store");
    assert_string_equal(http_header(&c.reply, "X-Accel-Buffering", value, sizeof(value)), "no");
    assert_non_null(http_header(&c.reply, "Location", value, sizeof(value)));
    assert_non_null(http_header(&c.reply, "X-Job-Id", id, sizeof(id)));
    assert_true(events_next(&c, &e, 20000));
    if (strcmp(e.name, "queued") == 0) {
        event_clear(&e);
        assert_true(events_next(&c, &e, 20000));
    }
    assert_string_equal(e.name, "started");
    while (strcmp(e.name, "completed") != 0) {
        json_t *data = json_loads(e.data, 0, NULL);

        assert_non_null(data);
        assert_true(e.id > last);
        last = e.id;
        progress += strcmp(e.name, "progress") == 0 ? 1 : 0;
        previews += strcmp(e.name, "preview") == 0 ? 1 : 0;
        images += strcmp(e.name, "image") == 0 ? 1 : 0;
        if (strcmp(e.name, "progress") == 0) {
            double now = json_number_value(json_object_get(data, "fraction"));

            assert_true(now >= fraction && now <= 1.0);
            fraction = now;
            weighed += json_is_real(json_object_get(data, "energy_mean")) ? 1 : 0;
        }
        if (strcmp(e.name, "image") == 0) {
            energy[json_integer_value(json_object_get(data, "index")) & 1] =
                json_real_value(json_object_get(data, "energy"));
            seed = json_integer_value(json_object_get(data, "seed"));
        }
        if (strcmp(e.name, "image") == 0 || strcmp(e.name, "preview") == 0)
            assert_memory_equal(json_string_value(json_object_get(data, "b64_json")), "iVBORw0KGgo",
                                11);
        json_decref(data);
        event_clear(&e);
        assert_true(events_next(&c, &e, 20000));
    }
    assert_true(progress > 0 && previews > 0 && images == 2 && weighed > 0);
    end = json_loads(e.data, 0, NULL);
    for (size_t k = 0; k < 2; k++)
        assert_true(energy[k] == energy_of(end, k));
    assert_true(seed == json_integer_value(json_object_get(end, "seed")));
    job = job_look(d.port, id);
    assert_true(json_equal(end, job));
    json_decref(end);
    json_decref(job);
    event_clear(&e);
    assert_false(events_next(&c, &e, 2000));
    assert_true(c.ended);
    events_close(&c);
}

/* A connection that has had a stream and stays is closed in its time, and nothing of the stream is
 * touched then; the sanitizers would tell. */
static void a_connection_that_stays(void **state)
{
    event_client c;
    one_event e;
    char byte;

    (void)state;
    assert_true(events_open(&c, d.port, "POST", "/v1/sample", EVENTS,
                            "{\"model\":\"slow\",\"steps_per_level\":4}"));
    assert_true(events_until(&c, "completed", &e, 20000));
    event_clear(&e);
    assert_false(events_next(&c, &e, 2000));
    assert_true(c.ended);
    for (int i = 0; i < 200 && recv(c.fd, &byte, 1, MSG_DONTWAIT) != 0; i++)
        real_sleep_ms(100); /* it has 15 s */
    assert_int_equal(recv(c.fd, &byte, 1, MSG_DONTWAIT), 0);
    assert_int_equal(http_get_status(d.port, "/healthz"), 200);
    events_close(&c);
}

/* Pictures that were not asked for are told of, by the number that the job object has for them. */
static void without_pictures(void **state)
{
    event_client c;
    one_event e;

    (void)state;
    assert_true(events_open(&c, d.port, "POST", "/v1/sample", EVENTS,
                            "{\"model\":\"slow\",\"steps_per_level\":10,\"first_index\":7,"
                            "\"response_format\":\"none\"}"));
    assert_true(events_until(&c, "image", &e, 20000));
    json_t *data = json_loads(e.data, 0, NULL);

    assert_int_equal(json_integer_value(json_object_get(data, "index")), 7);
    assert_int_equal(json_string_length(json_object_get(data, "sha256")), 64);
    assert_null(json_object_get(data, "b64_json"));
    json_decref(data);
    event_clear(&e);
    events_close(&c);
}

/* Chains that test their moves tell how many were accepted, where they stand, and what they look
 * like. */
static void long_chains(void **state)
{
    double rate = -1.0;
    event_client c;
    one_event e;

    (void)state;
    assert_true(events_open(&c, d.port, "POST", "/v1/mcmc?preview_every=1", EVENTS,
                            "{\"model\":\"slow\",\"sampler\":\"mala\",\"steps\":100000,"
                            "\"thin\":100,\"warmup\":1}"));
    assert_int_equal(c.reply.status, 200);
    while (rate < 0.0) {
        json_t *data, *value;

        assert_true(events_until(&c, "progress", &e, 20000));
        data = json_loads(e.data, 0, NULL);
        value = json_object_get(data, "accept_rate");
        rate = json_is_real(value) ? json_real_value(value) : rate;
        if (rate >= 0.0)
            assert_in_range(json_integer_value(json_object_get(data, "step")), 1, 100000);
        json_decref(data);
        event_clear(&e);
    }
    assert_true(rate <= 1.0);
    for (int i = 0; i < 2; i++) {
        assert_true(events_until(&c, "preview", &e, 20000));
        assert_non_null(strstr(e.data, "\"b64_json\":\"iVBORw0KGgo"));
        event_clear(&e);
    }
    events_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_beginning_to_end),
        cmocka_unit_test(long_chains),
        cmocka_unit_test(without_pictures),
        cmocka_unit_test(a_connection_that_stays),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
