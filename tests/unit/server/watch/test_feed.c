/* Feeds: numbers that only grow, replay, what a later event makes superfluous, bounds and gaps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ebm/memory.h"
#include "fail_alloc.h"
#include "watch/feed.h"

static ebmd_feed f;

static int setup(void **state)
{
    (void)state;
    ebmd_feed_start(&f, 1000);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ebmd_feed_clear(&f);
    return 0;
}

static void push(ebma_event_type type, int32_t index, int64_t now)
{
    const ebma_event e = {.type = type,
                          .id = "j",
                          .kind = "k",
                          .model = "m",
                          .index = index,
                          .png = "x",
                          .png_size = 1};

    ebmd_feed_push(&f, &e, now);
}

/* Types of all that comes after a number, as letters. */
static const char *after(int64_t id)
{
    static char text[64];
    size_t n = 0;

    for (const ebmd_feed_item *i = ebmd_feed_after(&f, id); i; i = i->next)
        text[n++] = ebma_event_name(i->type)[i->type == EBMA_EVENT_PREVIEW ? 2 : 0];
    text[n] = '\0';
    return text;
}

static void numbers(void **state)
{
    (void)state;
    assert_int_equal(ebmd_feed_number(&f, 1500), 1500);
    assert_int_equal(ebmd_feed_number(&f, 1500), 1501);
    assert_int_equal(ebmd_feed_number(&f, 7), 1502); /* a clock that was set back */
    assert_int_equal(ebmd_feed_number(&f, 2000), 2000);
}

static void replay(void **state)
{
    (void)state;
    assert_string_equal(after(0), "");
    push(EBMA_EVENT_QUEUED, 0, 1001);
    push(EBMA_EVENT_STARTED, 0, 1002);
    push(EBMA_EVENT_IMAGE, 0, 1003);
    push(EBMA_EVENT_IMAGE, 0, 1003);
    assert_string_equal(after(0), "qsii");
    assert_string_equal(after(1001), "sii");
    assert_string_equal(after(1003), "i");
    assert_string_equal(after(1004), "");
    assert_false(ebmd_feed_covers(&f, 999)); /* before there was a feed */
    assert_true(ebmd_feed_covers(&f, 1000));
    assert_true(ebmd_feed_covers(&f, 1004));
    assert_false(ebmd_feed_covers(&f, 1005)); /* never given */
}

/* Only the newest progress is worth sending, the newest preview of each part, the newest place. */
static void what_is_superfluous(void **state)
{
    (void)state;
    push(EBMA_EVENT_QUEUED, 0, 1001);
    push(EBMA_EVENT_QUEUED, 0, 1002);
    push(EBMA_EVENT_STARTED, 0, 1003);
    for (int i = 0; i < 1000; i++) {
        push(EBMA_EVENT_PROGRESS, 0, 1010 + i);
        push(EBMA_EVENT_PREVIEW, i % 3, 1010 + i);
    }
    assert_int_equal(strlen(after(0)), 2 + 1 + 3);
    assert_int_equal(f.items, 6);
    assert_true(ebmd_feed_covers(&f, 1001)); /* nothing that counts was lost */
    push(EBMA_EVENT_PROGRESS, 0, 9000);
    assert_string_equal(after(8999), "p");
}

static void bounds(void **state)
{
    static char png[100000];
    const ebma_event big = {.type = EBMA_EVENT_IMAGE, .png = png, .png_size = sizeof(png)};

    (void)state;
    for (unsigned i = 0; i < EBMD_FEED_ITEMS_MAX + 5; i++)
        push(EBMA_EVENT_IMAGE, 0, 2000 + i);
    assert_int_equal(f.items, EBMD_FEED_ITEMS_MAX);
    assert_int_equal(f.lost, 2004);
    assert_false(ebmd_feed_covers(&f, 2003));
    assert_true(ebmd_feed_covers(&f, 2004));
    for (int i = 0; i < 20; i++) {
        ebmd_feed_push(&f, &big, 5000 + i);
        assert_true(f.bytes <= EBMD_FEED_BYTES_MAX);
    }
    assert_int_equal(f.items, EBMD_FEED_BYTES_MAX / (4 * ((sizeof(png) + 2) / 3) + 24));
}

/* What there is no memory for is a gap, and the feed goes on. */
static void without_memory(void **state)
{
    (void)state;
    FOR_EACH_ALLOC_FAILURE
    {
        int64_t before = f.newest;

        push(EBMA_EVENT_IMAGE, 0, 2000);
        assert_true(f.newest > before);
        assert_int_equal(ebmd_feed_covers(&f, before), !fail_alloc_hit());
    }
    push(EBMA_EVENT_IMAGE, 0, 3000);
    assert_string_equal(after(2999), "i");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(numbers, setup, teardown),
        cmocka_unit_test_setup_teardown(replay, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_superfluous, setup, teardown),
        cmocka_unit_test_setup_teardown(bounds, setup, teardown),
        cmocka_unit_test_setup_teardown(without_memory, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
