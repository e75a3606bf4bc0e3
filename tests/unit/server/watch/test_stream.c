/* The bytes of a stream of events, without sockets: what stands on the wire, however it is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fail_alloc.h"
#include "store_bench.h"
#include "watch/stream.h"

static store_bench *b;
static ebmd_live *live;
static atomic_bool gone;

static void hear(void *arg, ebmd_event event, const ebmd_row *row)
{
    (void)arg;
    if (event == EBMD_EVENT_ENDED)
        ebmd_live_ended(live, row->id);
}

static double seconds(void *arg, int64_t work)
{
    (void)arg;
    return (double)work / 100.0;
}

static void wake(void *arg)
{
    (void)arg;
}

/* A job object that is longer than most reads. */
static ebm_status describe(void *arg, const char *id, ebmd_job_state *state, char **json,
                           size_t *size)
{
    (void)arg;
    *size = strlen("{\"id\":\"\"}") + strlen(id);
    *json = ebm_alloc(*size + 1, 1);
    if (!*json)
        return EBM_ERR_NOMEM;
    snprintf(*json, *size + 1, "{\"id\":\"%s\"}", id);
    *state = EBMD_JOB_CANCELED;
    return EBM_OK;
}

static int setup(void **state)
{
    ebmd_live_options opt = {
        .seconds = seconds, .describe = describe, .streams = 8, .beat_ms = 1e9};

    if (bench_setup_memory(state) != 0)
        return -1;
    b = *state;
    opt.store = b->store;
    live = ebmd_live_create(&opt);
    b->store->ops->listen(b->store, hear, NULL);
    bench_accept(b, 1);
    return live ? 0 : -1;
}

static int teardown(void **state)
{
    ebmd_live_free(live);
    return bench_teardown(state);
}

static void begin(ebmd_stream *s)
{
    ebmd_view v = bench_view_of(b, 1);

    memset(s, 0, sizeof(*s));
    snprintf(s->watch.id, sizeof(s->watch.id), "%s", bench_id_of(1));
    s->watch.wake = wake;
    s->watch.gone = &gone;
    s->watch.last_seen = -1;
    assert_int_equal(ebmd_live_admit(live, &s->watch), EBMD_ADMITTED);
    assert_true(ebmd_live_join(&s->watch, &v));
}

static void cancel(void)
{
    ebmd_view now;

    assert_int_equal(b->store->ops->cancel(b->store, bench_id_of(1), NULL, &now, NULL), EBM_OK);
}

/* All that comes up to the next pause or the end, read in pieces of `room` bytes.
 * @shape text [1024] @return what the last read said: 0 or EBMD_STREAM_END */
static ssize_t drain(ebmd_stream *s, size_t room, char *text)
{
    size_t n = 0;
    ssize_t got;

    while ((got = ebmd_stream_read(s, text + n, room)) > 0) {
        assert_true((size_t)got <= room);
        n += (size_t)got;
        assert_true(n + room < 1024);
    }
    text[n] = '\0';
    return got;
}

/* Takes away the number of "name: N" or "id: N", which no test can know. */
static void take_number(char *text, const char *name)
{
    char *at = strstr(text, name), *end;

    assert_non_null(at);
    at += strlen(name);
    end = at + strspn(at, "0123456789");
    assert_true(end > at);
    memmove(at, end, strlen(end) + 1);
}

/* WHATWG HTML 9.2.6: fields on lines of their own, an empty line after each event. */
static void what_stands_on_the_wire(void **state)
{
    static const size_t rooms[] = {1, 7, 512};
    char want[256], text[1024];

    (void)state;
    for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
        ebmd_stream s;

        begin(&s);
        assert_int_equal(drain(&s, rooms[i], text), 0);
        take_number(text, "retry: ");
        take_number(text, "id: ");
        snprintf(want, sizeof(want),
                 "retry: \n\nid: \nevent: queued\n"
                 "data: {\"id\":\"%s\",\"position\":0,\"eta_s\":1.0}\n\n",
                 bench_id_of(1));
        assert_string_equal(text, want);
        ebmd_stream_clear(&s);
    }
}

static void how_it_ends(void **state)
{
    char want[256], text[1024];
    ebmd_stream s;

    (void)state;
    begin(&s);
    assert_int_equal(drain(&s, 512, text), 0);
    cancel();
    assert_int_equal(drain(&s, 5, text), EBMD_STREAM_END);
    take_number(text, "id: ");
    snprintf(want, sizeof(want), "id: \nevent: canceled\ndata: {\"id\":\"%s\"}\n\n",
             bench_id_of(1));
    assert_string_equal(text, want);
    assert_false(s.stays); /* it was the job that ended */
    assert_int_equal(drain(&s, 512, text), EBMD_STREAM_END);
    assert_string_equal(text, "");
    ebmd_stream_clear(&s);
}

/* A stream that we end says when to come back, and has no number: nothing of the job is missed. */
static void when_we_go_away(void **state)
{
    char text[1024];
    ebmd_stream s;

    (void)state;
    begin(&s);
    assert_int_equal(drain(&s, 512, text), 0);
    ebmd_live_drain(live);
    assert_int_equal(drain(&s, 512, text), EBMD_STREAM_END);
    take_number(text, "\"retry_ms\":");
    assert_string_equal(text, "event: draining\ndata: {\"retry_ms\":}\n\n");
    assert_true(s.stays);
    ebmd_stream_clear(&s);
}

/* Never half an event: either all of it, or the end, and the client comes back. */
static void without_memory(void **state)
{
    char text[1024];

    (void)state;
    cancel();
    FOR_EACH_ALLOC_FAILURE
    {
        ebmd_view v = bench_view_of(b, 1);
        ebmd_stream s = {.watch = {.wake = wake, .gone = &gone, .last_seen = -1}};
        bool joined;

        snprintf(s.watch.id, sizeof(s.watch.id), "%s", bench_id_of(1));
        joined = ebmd_live_admit(live, &s.watch) == EBMD_ADMITTED && ebmd_live_join(&s.watch, &v);
        if (joined) {
            assert_int_equal(drain(&s, 512, text), EBMD_STREAM_END);
            assert_true(*text == '\0' || strcmp(text + strlen(text) - 2, "\n\n") == 0);
            assert_int_equal(s.stays, fail_alloc_hit());
        }
        ebmd_stream_clear(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_stands_on_the_wire, setup, teardown),
        cmocka_unit_test_setup_teardown(how_it_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(when_we_go_away, setup, teardown),
        cmocka_unit_test_setup_teardown(without_memory, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
