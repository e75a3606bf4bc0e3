/* The watch: quiet on what healthy runs look like, alarmed by the signs, never by a single sample.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "assert_numbers.h"
#include "fail_alloc.h"
#include "watch.h"

enum { T = 4 };

typedef struct rig {
    ebm_levels levels;
    float means[2 * (T + 1) * 3];
    ebmt__watch watch;
    double displacement[T], matching[T];
    int64_t chains[T], matched[T];
} rig;

static void make_rig(double limit, rig *r)
{
    const ebm_schedule_geometric schedule = {
        .count = T, .ratio_min = 0.01, .ratio_max = 100, .steps = 3};
    *r = (rig){.chains = {4, 4, 4, 4}, .matched = {8, 8, 8, 8}};
    assert_int_equal(ebm_levels_geometric(&schedule, &r->levels, NULL), EBM_OK);
    assert_int_equal(ebmt__watch_floats(T), sizeof r->means / sizeof(float));
    assert_int_equal(ebmt__watch_init(&r->levels, limit, r->means, &r->watch, NULL), EBM_OK);
    for (int t = 0; t < T; t++) {
        r->displacement[t] = r->levels.sigma[t + 1];
        r->matching[t] = 0.4;
    }
    r->displacement[T - 1] = sqrt(2.0);
}

static void see(rig *r, int times)
{
    const ebmt__signs signs = {r->displacement, r->matching, r->chains, r->matched};
    for (int i = 0; i < times; i++)
        ebmt__watch_see(&r->watch, &signs);
}

static void free_rig(rig *r)
{
    ebmt__watch_clear(&r->watch);
    ebm_levels_clear(&r->levels);
}

/* Chains that sample their conditional stand at 1, and there is no judgement before 32 samples. */
static void test_healthy(void **state)
{
    rig r;
    (void)state;
    make_rig(1.5, &r);
    r.matched[0] = 0; /* one iteration without that level changes nothing */
    see(&r, 1);
    assert_close(ebmt__watch_alarm(&r.watch, NULL), 0.0, 0.0);
    see(&r, 100);
    assert_close(ebmt__watch_alarm(&r.watch, NULL), 1.0, 1e-6);
    assert_false(ebmt__watch_uneasy(&r.watch));
    assert_int_equal(ebmt__watch_check(&r.watch, 101, NULL), EBM_OK);
    free_rig(&r);
}

/* Chains of one level go twice as far: uneasy first, then stopped, with the level named. */
static void test_chains_run_away(void **state)
{
    rig r;
    ebm_error err = {0};
    int uneasy = 0, stopped = 0;
    (void)state;
    make_rig(1.5, &r);
    see(&r, 100);
    r.displacement[2] *= 2.0;
    for (int i = 1; i <= 60 && !stopped; i++) {
        see(&r, 1);
        if (!uneasy && ebmt__watch_uneasy(&r.watch))
            uneasy = i;
        if (ebmt__watch_check(&r.watch, i, &err) != EBM_OK)
            stopped = i;
    }
    /* the running mean passes 1.25 after 64 ln(1/0.75)/4 iterations and 1.5 after 64 ln(2)/4 */
    assert_in_range(uneasy, 5, 6);
    assert_in_range(stopped, 11, 13);
    assert_int_equal(err.status, EBM_ERR_DIVERGED);
    assert_non_null(strstr(err.text, "level 2"));
    free_rig(&r);
}

static void test_gradients_run_away(void **state)
{
    rig r;
    int32_t level = -1;
    (void)state;
    make_rig(1.5, &r);
    r.matching[0] = 4.0; /* as random weights may begin */
    see(&r, 30);
    assert_close(ebmt__watch_alarm(&r.watch, &level), 1.0, 1e-6);
    r.matching[0] = 0.8;
    see(&r, 100);
    r.matching[0] = 1.6;
    see(&r, 200);
    assert_close(ebmt__watch_alarm(&r.watch, &level), 1.6, 1e-6);
    assert_int_equal(level, 0);
    r.matching[0] = (double)NAN;
    see(&r, 1);
    assert_true(isinf(ebmt__watch_alarm(&r.watch, NULL)));
    free_rig(&r);
}

/* With as many levels as samples no level is judged alone, but all together are. */
static void test_many_levels(void **state)
{
    rig r;
    int32_t level = -1;
    (void)state;
    make_rig(1.5, &r);
    for (int t = 0; t < T; t++)
        r.matched[t] = 0;
    for (int i = 0; i < 100; i++) { /* 25 samples a level, 100 in all; the last 40 go too far */
        for (int t = 0; t < T; t++)
            r.chains[t] = t == i % T;
        if (i == 60)
            for (int t = 0; t < T; t++)
                r.displacement[t] *= 3.0;
        if (i == 31)
            assert_close(ebmt__watch_alarm(&r.watch, NULL), 0.0, 0.0);
        see(&r, 1);
    }
    assert_in_range((int)(100.0 * ebmt__watch_alarm(&r.watch, &level)), 200, 230);
    assert_int_equal(level, T);
    free_rig(&r);
}

static void test_no_limit(void **state)
{
    rig r;
    (void)state;
    make_rig(0.0, &r);
    r.displacement[1] = 1e30;
    see(&r, 100);
    assert_false(ebmt__watch_uneasy(&r.watch));
    assert_int_equal(ebmt__watch_check(&r.watch, 1, NULL), EBM_OK);
    free_rig(&r);
}

static void test_no_memory(void **state)
{
    rig r;
    (void)state;
    make_rig(1.0, &r);
    FOR_EACH_ALLOC_FAILURE
    {
        ebmt__watch w;
        ebm_status st = ebmt__watch_init(&r.levels, 1.0, r.means, &w, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        ebmt__watch_clear(&w);
    }
    free_rig(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_healthy),
        cmocka_unit_test(test_chains_run_away),
        cmocka_unit_test(test_gradients_run_away),
        cmocka_unit_test(test_many_levels),
        cmocka_unit_test(test_no_limit),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
