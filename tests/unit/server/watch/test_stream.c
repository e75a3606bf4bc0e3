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
static size_t padding; /* bytes that make a job object large */

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

/* A job object that is longer than most reads, and blank behind its end. */
static ebm_status describe(void *arg, const char *id, ebmd_job_state *state, char **json,
                           size_t *size)
{
    int n;

    (void)arg;
    *size = strlen("{\"id\":\"\"}") + strlen(id) + padding;
    *json = ebm_alloc(*size + 1, 1);
    if (!*json)
        return EBM_ERR_NOMEM;
    n = snprintf(*json, *size + 1, "{\"id\":\"%s\"}", id);
    memset(*json + n, ' ', padding);
    *state = EBMD_JOB_CANCELED;
    return EBM_OK;
}

static int setup(void **state)
{
    ebmd_live_options opt = {
        .seconds = seconds, .describe = describe, .streams = 8, .beat_ms = 1e9};

    padding = 0;
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

/* --- large events ---------------------------------------------------------------------------- */

#define LARGE_MAX (3u << 20)

/* Reads on to the end; returns how many bytes came. */
static size_t swallow(ebmd_stream *s)
{
    static char piece[65536];
    size_t n = 0;
    ssize_t got;

    while ((got = ebmd_stream_read(s, piece, sizeof(piece))) > 0)
        n += (size_t)got;
    assert_int_equal(got, EBMD_STREAM_END);
    return n;
}

/* That the stream has ended without the event, and its client is to come again for it. */
static void expect_bye(ebmd_stream *s)
{
    char text[1024];

    assert_int_equal(drain(s, 512, text), EBMD_STREAM_END);
    take_number(text, "\"retry_ms\":");
    assert_string_equal(text, "event: bye\ndata: {\"retry_ms\":}\n\n");
    assert_true(s->stays);
    ebmd_stream_clear(s);
}

/* A stream that has come to its pause, of which large events come out of the budget. */
static void begin_within(ebmd_stream *s, ebmd_budget *budget)
{
    char text[1024];

    begin(s);
    s->replies = budget;
    assert_int_equal(drain(s, 512, text), 0);
}

/* Job objects of many megabytes, of as many streams as there may be, for clients that do not read:
 * one of these has its object, the next one is told to come again. */
static void large_events_share_a_budget(void **state)
{
    const size_t object = strlen("{\"id\":\"\"}") + strlen(bench_id_of(1)) + LARGE_MAX;
    ebmd_budget budget = {.max = object + object / 2};
    ebmd_stream first, second;
    char piece[512];

    (void)state;
    begin_within(&first, &budget);
    begin_within(&second, &budget);
    assert_int_equal(atomic_load(&budget.used), 0); /* small ones cost nothing */
    padding = LARGE_MAX;
    cancel();
    assert_int_equal(ebmd_stream_read(&first, piece, sizeof(piece)), sizeof(piece));
    assert_int_equal(atomic_load(&budget.used), object);
    expect_bye(&second);
    assert_int_equal(atomic_load(&budget.used), object);
    assert_in_range(swallow(&first), object - sizeof(piece) + 1, object);
    assert_false(first.stays);
    assert_int_equal(atomic_load(&budget.used), 0); /* it is sent, */
    ebmd_stream_clear(&first);
    begin(&second);
    second.replies = &budget;
    while (atomic_load(&budget.used) == 0)
        assert_true(ebmd_stream_read(&second, piece, sizeof(piece)) > 0);
    ebmd_stream_clear(&second); /* or its client has left */
    assert_int_equal(atomic_load(&budget.used), 0);
}

/* Not only the end of a job is large: so is what stands in for events that were missed, and an
 * image of a large model. */
static void other_large_events(void **state)
{
    static unsigned char png[EBMD_REPLY_SMALL];
    const ebma_event event = {.type = EBMA_EVENT_IMAGE, .png = png, .png_size = sizeof(png)};
    ebmd_budget none = {.max = 0};
    ebmd_stream s;
    char text[1024];

    (void)state;
    bench_claim(b, 1);
    begin_within(&s, &none);
    ebmd_live_show(live, bench_id_of(1), &event);
    expect_bye(&s);
    begin(&s);
    s.replies = &none;
    s.watch.missed = true;
    padding = LARGE_MAX;
    assert_true(ebmd_stream_read(&s, text, sizeof(text)) > 0); /* the rules */
    expect_bye(&s);
}

/* Who reads earns new time with every event, and with every stride of a long one: not with every
 * piece, or a few bytes a minute would do. */
static void strides(void **state)
{
    static char piece[EBMD_STREAM_STRIDE / 4];
    ebmd_stream s;

    (void)state;
    begin_within(&s, NULL);
    assert_true(s.strides);
    padding = LARGE_MAX;
    cancel();
    for (int i = 0; i < 11; i++) {
        assert_int_equal(ebmd_stream_read(&s, piece, sizeof(piece)), sizeof(piece));
        assert_int_equal(s.strides, i == 0 || i == 3 || i == 7);
    }
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
        cmocka_unit_test_setup_teardown(large_events_share_a_budget, setup, teardown),
        cmocka_unit_test_setup_teardown(other_large_events, setup, teardown),
        cmocka_unit_test_setup_teardown(strides, setup, teardown),
        cmocka_unit_test_setup_teardown(without_memory, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
