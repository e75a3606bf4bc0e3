/* Streams and what they are told, without sockets: a store, watches, and the turns that each gets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fail_alloc.h"
#include "watch/live.h"
#include "store_bench.h"

static store_bench *b;
static ebmd_live *live;
static atomic_bool gone;
static char pictured[EBMD_ID_SIZE]; /* the job whose picture was announced last */

static void hear(void *arg, ebmd_event event, const ebmd_row *row)
{
    (void)arg;
    if (event == EBMD_EVENT_ENDED)
        ebmd_live_ended(live, row->id);
    else if (event == EBMD_EVENT_STARTED)
        ebmd_live_started(live, row);
    else if (event == EBMD_EVENT_QUEUED)
        ebmd_live_queued(live, row->id);
}

static double seconds(void *arg, int64_t work)
{
    (void)arg;
    return (double)work / 100.0;
}

static void hear_picture(void *arg, const char *id)
{
    snprintf(arg, EBMD_ID_SIZE, "%s", id);
}

static int setup(void **state)
{
    ebmd_live_options opt = {.seconds = seconds,
                             .pictured = hear_picture,
                             .arg = pictured,
                             .streams = 8,
                             .beat_ms = 1e9};

    if (bench_setup_memory(state) != 0)
        return -1;
    b = *state;
    opt.store = b->store;
    live = ebmd_live_create(&opt);
    b->store->ops->listen(b->store, hear, NULL);
    atomic_store(&gone, false);
    return live ? 0 : -1;
}

static int teardown(void **state)
{
    ebmd_live_free(live);
    return bench_teardown(state);
}

static void wake(void *arg)
{
    ++*(int *)arg;
}

static void watch(ebmd_watch *w, int job, int64_t last_seen, int *woken)
{
    ebmd_view v = bench_view_of(b, job);

    memset(w, 0, sizeof(*w));
    snprintf(w->id, sizeof(w->id), "%s", bench_id_of(job));
    w->wake = wake;
    w->arg = woken;
    w->gone = &gone;
    w->last_seen = last_seen;
    assert_int_equal(ebmd_live_admit(live, w), EBMD_ADMITTED);
    assert_true(ebmd_live_join(w, &v));
}

/* The turns up to the first one with nothing to send, as letters: Begin, Reset, enD, draiN; events
 * by the first letter of their name, previews as v. */
static const char *turns(ebmd_watch *w)
{
    static char text[64];
    size_t n = 0;

    for (;;) {
        ebmd_next next = ebmd_live_next(w);
        char c = "?BR.!DNOX"[next.turn];

        if (next.turn == EBMD_TURN_NOTHING)
            break;
        if (next.turn == EBMD_TURN_EVENT) {
            c = next.item->type == EBMA_EVENT_PREVIEW ? 'v' : ebma_event_name(next.item->type)[0];
            ebm_free(next.item);
        }
        text[n++] = c;
        if (strchr("DNOX", c) || n == 60)
            break;
    }
    text[n] = '\0';
    return text;
}

static void show(int job, ebma_event_type type, int32_t index)
{
    const ebma_event e = {.type = type, .index = index, .png = "x", .png_size = 1};

    ebmd_live_show(live, bench_id_of(job), &e);
}

static void life_of_a_stream(void **state)
{
    const ebmd_progress half = {.fraction = 0.5};
    ebmd_lease lease;
    ebmd_watch w;
    int woken = 0;

    (void)state;
    bench_accept(b, 1);
    watch(&w, 1, -1, &woken);
    assert_string_equal(turns(&w), "Bq");
    show(1, EBMA_EVENT_IMAGE, 0); /* nothing can be shown of what has not begun */
    lease = bench_claim(b, 1);
    assert_string_equal(turns(&w), "sp");
    assert_int_equal(b->store->ops->heartbeat(b->store, &lease, &half), EBMD_KEEP);
    ebmd_live_queued(live, bench_id_of(1)); /* as good as waiting for the next look */
    ebmd_live_tick(live);
    show(1, EBMA_EVENT_IMAGE, 0);
    assert_string_equal(turns(&w), "pi");
    assert_int_equal(bench_save(b, &lease, NULL, true), EBM_OK); /* given back */
    ebmd_live_tick(live);
    assert_string_equal(turns(&w), "q");
    lease = bench_claim(b, 1);
    assert_string_equal(turns(&w), "sp");
    woken = 0;
    assert_int_equal(bench_finish(b, &lease), EBM_OK);
    assert_int_equal(woken, 1);
    show(1, EBMA_EVENT_IMAGE, 1); /* too late */
    assert_string_equal(turns(&w), "D");
    ebmd_live_leave(&w);
    ebmd_live_leave(&w); /* twice is once */
}

/* What chains say is told once each time that it has been found out. */
static void what_chains_say(void **state)
{
    ebmd_progress at = {.fraction = 0.1, .chains = {.chains = 2, .draws = 9}};
    ebmd_lease lease;
    ebmd_watch w;
    int woken = 0;

    (void)state;
    bench_accept(b, 1);
    lease = bench_claim(b, 1);
    watch(&w, 1, -1, &woken);
    assert_string_equal(turns(&w), "Bsp");
    for (at.told = 1; at.told < 3; at.told++) {
        assert_int_equal(b->store->ops->heartbeat(b->store, &lease, &at), EBMD_KEEP);
        ebmd_live_queued(live, bench_id_of(1));
        ebmd_live_tick(live);
        assert_string_equal(turns(&w), "pd");
        ebmd_live_queued(live, bench_id_of(1));
        ebmd_live_tick(live);
        assert_string_equal(turns(&w), "");
    }
    ebmd_live_leave(&w);
}

static void a_drain(void **state)
{
    ebmd_watch w;
    int woken = 0;

    (void)state;
    bench_accept(b, 1);
    watch(&w, 1, -1, &woken);
    woken = 0;
    ebmd_live_drain(live);
    assert_int_equal(woken, 1);
    assert_string_equal(turns(&w), "BqN");
    ebmd_live_leave(&w);
}

/* A stream that comes back finds what it missed, also when nobody watched for a while. */
static void coming_back(void **state)
{
    ebmd_watch first, second;
    int64_t seen;
    int woken = 0;

    (void)state;
    bench_accept(b, 1);
    watch(&first, 1, -1, &woken);
    assert_string_equal(turns(&first), "Bq");
    seen = first.cursor;
    ebmd_live_leave(&first);
    ebmd_live_tick(live);
    bench_claim(b, 1);
    watch(&second, 1, seen, &woken);
    assert_string_equal(turns(&second), "Bsp");
    ebmd_live_leave(&second);
    watch(&second, 1, seen - 1000000, &woken); /* of another time */
    assert_string_equal(turns(&second), "BR");
    ebmd_live_leave(&second);
}

static void previews(void **state)
{
    ebmd_watch plain, curious;
    int woken = 0;

    (void)state;
    bench_accept(b, 1);
    assert_false(ebmd_live_watched(live, bench_id_of(1)));
    watch(&plain, 1, -1, &woken);
    bench_claim(b, 1);
    assert_true(ebmd_live_watched(live, bench_id_of(1)));
    assert_false(ebmd_live_wants(live, bench_id_of(1), 5, -1)); /* nobody has asked for it */
    watch(&curious, 1, -1, &woken);
    curious.preview_every = 3;
    assert_false(ebmd_live_wants(live, bench_id_of(1), 5, 7)); /* two levels further */
    assert_true(ebmd_live_wants(live, bench_id_of(1), 5, 8));
    assert_false(ebmd_live_wants(live, bench_id_of(1), 0, 8)); /* not twice in half a second */
    show(1, EBMA_EVENT_PREVIEW, 0);
    assert_non_null(strchr(turns(&curious), 'v'));
    assert_null(strchr(turns(&plain), 'v'));
    ebmd_live_leave(&plain);
    ebmd_live_leave(&curious);
}

/* Eight streams, two for one owner. */
static ebm_status picture(int job, double age_ms, const char *want)
{
    char *png;
    size_t size;
    ebm_status st = ebmd_live_picture_get(live, bench_id_of(job), age_ms, &png, &size);

    if (st == EBM_OK) {
        assert_int_equal(size, strlen(want));
        assert_memory_equal(png, want, size);
    }
    ebm_free(png);
    return st;
}

/* Asked for once, made once, kept until the job ends; no stream hears of it. */
static void single_pictures(void **state)
{
    ebmd_view v;
    ebmd_lease lease;

    (void)state;
    bench_accept(b, 1);
    lease = bench_claim(b, 1);
    v = bench_view_of(b, 1);
    assert_int_equal(ebmd_live_wants(live, bench_id_of(1), 5, -1), 0);
    assert_int_equal(picture(1, 1e9, ""), EBM_ERR_NOT_FOUND);
    assert_true(ebmd_live_picture_ask(live, &v));
    assert_true(ebmd_live_watched(live, bench_id_of(1)));
    assert_int_equal(picture(1, 1e9, ""), EBM_ERR_NOT_FOUND);
    assert_int_equal(ebmd_live_wants(live, bench_id_of(1), 5, 5), EBMD_WANTED_PICTURE);
    pictured[0] = '\0';
    ebmd_live_picture_put(live, bench_id_of(1), "one", 3);
    assert_string_equal(pictured, bench_id_of(1));
    assert_false(ebmd_live_watched(live, bench_id_of(1)));
    assert_int_equal(picture(1, 1e9, "one"), EBM_OK);
    assert_int_equal(picture(1, -1.0, ""), EBM_ERR_NOT_FOUND); /* too old */
    assert_true(ebmd_live_picture_ask(live, &v));
    assert_int_equal(ebmd_live_wants(live, bench_id_of(1), 5, 5), 0); /* twice in half a second */
    ebmd_live_picture_put(live, bench_id_of(1), "three", 5);
    assert_int_equal(picture(1, 1e9, "three"), EBM_OK);
    ebmd_live_picture_put(live, bench_id_of(2), "x", 1); /* nobody has asked */
    assert_int_equal(picture(2, 1e9, ""), EBM_ERR_NOT_FOUND);
    assert_int_equal(bench_finish(b, &lease), EBM_OK);
    assert_int_equal(picture(1, 1e9, ""), EBM_ERR_NOT_FOUND);
}

static void admission(void **state)
{
    ebmd_watch w[9];

    (void)state;
    memset(w, 0, sizeof(w));
    for (int i = 0; i < 9; i++)
        snprintf(w[i].owner, sizeof(w[i].owner), "%s", i < 3 ? "alice" : "");
    assert_int_equal(ebmd_live_admit(live, &w[0]), EBMD_ADMITTED);
    assert_int_equal(ebmd_live_admit(live, &w[1]), EBMD_ADMITTED);
    assert_int_equal(ebmd_live_admit(live, &w[2]), EBMD_LIVE_OWNER_FULL);
    for (int i = 3; i < 9; i++)
        assert_int_equal(ebmd_live_admit(live, &w[i]), EBMD_ADMITTED);
    assert_int_equal(ebmd_live_count(live), 8);
    assert_int_equal(ebmd_live_admit(live, &w[2]), EBMD_LIVE_FULL);
    ebmd_live_leave(&w[0]);
    assert_int_equal(ebmd_live_admit(live, &w[2]), EBMD_ADMITTED);
    for (int i = 1; i < 9; i++)
        ebmd_live_leave(&w[i]);
    assert_int_equal(ebmd_live_count(live), 0);
}

static void clients_that_are_gone_are_woken(void **state)
{
    ebmd_watch w;
    int woken = 0;

    (void)state;
    bench_accept(b, 1);
    watch(&w, 1, -1, &woken);
    turns(&w);
    ebmd_live_tick(live);
    woken = 0;
    ebmd_live_tick(live);
    assert_int_equal(woken, 0);
    atomic_store(&gone, true);
    ebmd_live_tick(live);
    assert_int_equal(woken, 1);
    ebmd_live_leave(&w);
}

/* One failed allocation anywhere: a gap, a stream that ends, or nothing; never a broken one. */
static void without_memory(void **state)
{
    (void)state;
    bench_accept(b, 1);
    bench_claim(b, 1);
    FOR_EACH_ALLOC_FAILURE
    {
        ebmd_view v = {.position = 0};
        ebmd_watch w = {.wake = wake, .gone = &gone, .last_seen = -1};
        int woken = 0;

        w.arg = &woken;
        snprintf(w.id, sizeof(w.id), "%s", bench_id_of(1));
        assert_int_equal(b->store->ops->get(b->store, w.id, NULL, &v), EBM_OK);
        assert_int_equal(ebmd_live_admit(live, &w), EBMD_ADMITTED);
        if (ebmd_live_join(&w, &v)) {
            ebmd_live_tick(live);
            assert_int_equal(turns(&w)[0], 'B');
        }
        ebmd_live_leave(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(life_of_a_stream, setup, teardown),
        cmocka_unit_test_setup_teardown(what_chains_say, setup, teardown),
        cmocka_unit_test_setup_teardown(a_drain, setup, teardown),
        cmocka_unit_test_setup_teardown(coming_back, setup, teardown),
        cmocka_unit_test_setup_teardown(previews, setup, teardown),
        cmocka_unit_test_setup_teardown(single_pictures, setup, teardown),
        cmocka_unit_test_setup_teardown(admission, setup, teardown),
        cmocka_unit_test_setup_teardown(clients_that_are_gone_are_woken, setup, teardown),
        cmocka_unit_test_setup_teardown(without_memory, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
