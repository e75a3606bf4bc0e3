/* Digests of level tables: a known one, and that nothing of the tables is left out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ebm/levels.h"
#include "fail_alloc.h"

static void digest_of(const ebm_levels *l, char hex[65])
{
    assert_int_equal(ebm_levels_digest(l, hex, NULL), EBM_OK);
}

static void density_of(const ebm_levels *l, char hex[65])
{
    assert_int_equal(ebm_levels_density_digest(l, hex, NULL), EBM_OK);
}

/* SHA-256 of the little-endian doubles 1 1 0 1 0 0 (settings), 0.75 0.5 (a), six zeros (sigma,
 * abar, sbar), 0.25 (step2), 1 (tether), 0 (scale), 30 (steps), by Python's hashlib: kept files
 * hold such digests. */
static void test_known_digest(void **state)
{
    ebm_levels l;
    char hex[65];
    (void)state;
    assert_int_equal(ebm_levels_init(1, &l, NULL), EBM_OK);
    l.a[0] = 0.75;
    l.a[1] = 0.5;
    l.step2[0] = 0.25;
    l.tether[0] = 1;
    l.steps[0] = 30;
    digest_of(&l, hex);
    assert_string_equal(hex, "58f3ea87fd598053c3db54803650d9c4377ab1adf6940f3050bd046e5b13815b");
    /* the same without settings but the first, and without steps */
    assert_int_equal(ebm_levels_density_digest(&l, hex, NULL), EBM_OK);
    assert_string_equal(hex, "828f4910afe5c9df5ed95f6d05dde411ea60bfa74cc1bad8f2985056697987fd");
    ebm_levels_clear(&l);
}

/* The value of every entry and setting counts, also at the ends of tables. */
static void test_everything_counts(void **state)
{
    const ebm_schedule_t6 schedule = ebm_schedule_t6_default();
    ebm_levels l;
    enum { SAMPLING = 7 }; /* from here on densities stay what they are */
    char before[65], density[65], now[65];
    (void)state;
    assert_int_equal(ebm_levels_t6(&schedule, &l, NULL), EBM_OK);
    digest_of(&l, before);
    density_of(&l, density);
    double *reals[] = {&l.a[6],      &l.sigma[6], &l.abar[0],     &l.sbar[6], &l.step2[5],
                       &l.tether[0], &l.scale[5], &l.noise_scale, &l.stride};
    for (size_t i = 0; i < sizeof reals / sizeof reals[0]; i++) {
        const double kept = *reals[i];
        *reals[i] = kept * (1 + 1e-15);
        digest_of(&l, now);
        assert_string_not_equal(now, before);
        density_of(&l, now);
        assert_int_equal(strcmp(now, density) == 0, i >= SAMPLING);
        *reals[i] = kept;
    }
    bool *switches[] = {&l.denoise, &l.paired_noise, &l.predict};
    for (size_t i = 0; i < 3; i++) {
        *switches[i] = true;
        digest_of(&l, now);
        assert_string_not_equal(now, before);
        density_of(&l, now);
        assert_string_equal(now, density);
        *switches[i] = false;
    }
    l.steps[5]++;
    digest_of(&l, now);
    assert_string_not_equal(now, before);
    density_of(&l, now);
    assert_string_equal(now, density);
    l.steps[5]--;
    digest_of(&l, now);
    assert_string_equal(now, before);
    ebm_levels_clear(&l);
}

static void test_no_memory(void **state)
{
    const ebm_schedule_t6 schedule = ebm_schedule_t6_default();
    ebm_levels l;
    char hex[65];
    (void)state;
    assert_int_equal(ebm_levels_t6(&schedule, &l, NULL), EBM_OK);
    FOR_EACH_ALLOC_FAILURE
    {
        ebm_status st = ebm_levels_digest(&l, hex, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
    }
    ebm_levels_clear(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_digest),
        cmocka_unit_test(test_everything_counts),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
