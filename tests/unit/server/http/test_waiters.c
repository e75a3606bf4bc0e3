/* Who waits for a job: woken once, by whatever comes first; and which jobs nobody wants any more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "http/waiters.h"

#define A "job_a"
#define B "job_b"

static ebmd_waiters *w;

static int setup(void **state)
{
    (void)state;
    w = ebmd_waiters_create();
    return w ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    ebmd_waiters_free(w);
    return 0;
}

static void wake(void *arg)
{
    ++*(int *)arg;
}

static void add(ebmd_waiter *one, const char *id, int *woken)
{
    snprintf(one->id, sizeof(one->id), "%s", id);
    one->wake = wake;
    one->arg = woken;
    ebmd_waiters_add(w, one);
}

static void an_end_wakes_its_own(void **state)
{
    ebmd_waiter first = {.keep_job = false}, second = {.keep_job = false};
    int a = 0, b = 0;

    (void)state;
    add(&first, A, &a);
    add(&second, B, &b);
    ebmd_waiters_end(w, A);
    ebmd_waiters_end(w, A);
    assert_true(a == 1 && b == 0);
    assert_false(first.lapsed || first.dismissed);
    assert_false(ebmd_waiters_remove(&first));
    ebmd_waiters_dismiss(w);
    assert_true(a == 1 && b == 1 && second.dismissed);
    assert_int_equal(ebmd_waiters_count(w), 0);
}

static void times(void **state)
{
    ebmd_waiter ever = {.until = 0.0}, soon = {.until = 10.0}, later = {.until = 20.0};
    char id[EBMD_ID_SIZE];
    int n = 0;

    (void)state;
    add(&ever, A, &n);
    add(&soon, A, &n);
    add(&later, A, &n);
    ebmd_waiters_lapse(w, 9.9);
    assert_int_equal(n, 0);
    ebmd_waiters_lapse(w, 10.0);
    assert_true(n == 1 && soon.lapsed && !later.lapsed);
    ebmd_waiters_lapse(w, 1e300);
    assert_true(n == 2 && later.lapsed);
    assert_false(ebmd_waiters_remove(&soon));
    assert_false(ebmd_waiters_unwanted(w, id)); /* a job goes on without those whose time is up */
    ebmd_waiters_end(w, A);
    assert_true(n == 3 && !ever.lapsed);
}

static void only_those_that_look(void **state)
{
    ebmd_waiter looks = {.poll = true, .keep_job = true, .until = 1e9}, waits = {.until = 1e9};
    int a = 0, b = 0;

    (void)state;
    add(&looks, A, &a);
    add(&waits, A, &b);
    assert_int_equal(ebmd_waiters_count(w), 2);
    assert_int_equal(ebmd_waiters_expecting(w), 1);
    ebmd_waiters_end_polls(w);
    assert_true(a == 1 && b == 0 && looks.lapsed);
    assert_int_equal(ebmd_waiters_expecting(w), 1);
    ebmd_waiters_end(w, A);
}

/* The rule of clients that leave: a job is unwanted when the last one that did not want it kept is
 * gone and nobody else is there. */
static void those_that_leave(void **state)
{
    ebmd_waiter one = {.keep_job = false}, other = {.keep_job = false},
                watcher = {.keep_job = true, .poll = true};
    char id[EBMD_ID_SIZE];
    int n = 0;

    (void)state;
    add(&one, A, &n);
    add(&other, A, &n);
    atomic_store(&one.gone, true);
    assert_false(ebmd_waiters_unwanted(w, id)); /* another one waits */
    assert_true(ebmd_waiters_remove(&one));
    atomic_store(&other.gone, true);
    assert_true(ebmd_waiters_unwanted(w, id));
    assert_string_equal(id, A);
    assert_false(ebmd_waiters_unwanted(w, id)); /* told once */
    ebmd_waiters_end(w, A);
    add(&one, B, &n);
    add(&watcher, B, &n);
    ebmd_waiters_remove(&one);
    assert_false(ebmd_waiters_unwanted(w, id)); /* it has another subscriber */
    ebmd_waiters_remove(&watcher);
    assert_false(ebmd_waiters_unwanted(w, id)); /* who only looks cancels nothing */
}

/* A request that was let in just before the end and comes to wait just after it. */
static void too_late(void **state)
{
    ebmd_waiter late = {.until = 0.0};
    int n = 0;

    (void)state;
    ebmd_waiters_dismiss(w);
    add(&late, A, &n);
    assert_true(n == 1 && late.dismissed);
    assert_int_equal(ebmd_waiters_count(w), 0);
    assert_false(ebmd_waiters_remove(&late));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_end_wakes_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(times, setup, teardown),
        cmocka_unit_test_setup_teardown(only_those_that_look, setup, teardown),
        cmocka_unit_test_setup_teardown(those_that_leave, setup, teardown),
        cmocka_unit_test_setup_teardown(too_late, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
