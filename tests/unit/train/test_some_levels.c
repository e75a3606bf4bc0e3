/* A run that trains some levels alone: which it draws, and which it validates. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "run_scene.h"
#include "validate.h"

enum { LOWEST = 1, HIGHEST = 2, ITERATIONS = 4 };

static void test_some_levels(void **state)
{
    uint8_t pixels[RUN_IMAGES * RUN_DIM];
    const ebmt_dataset data = run_bars(pixels);
    ebmt_config c = run_config(EBMT_MATCHING);
    ebmt__trainer *tr = NULL;
    int64_t matched[EBM_MAX_LEVELS] = {0};
    double gap[EBM_MAX_LEVELS], error[EBM_MAX_LEVELS];
    (void)state;
    c.lowest_level = LOWEST;
    c.highest_level = HIGHEST;
    assert_int_equal(run_trainer(&c, &data, 2, &tr, NULL), EBM_OK);
    const int32_t levels = tr->levels->count;
    assert_true(levels > HIGHEST + 1);
    for (int i = 0; i < ITERATIONS; i++) {
        assert_int_equal(ebmt__trainer_step(tr, NULL), EBM_OK);
        for (int32_t t = 0; t < levels; t++)
            matched[t] += tr->stats.matched[t];
    }
    assert_int_equal(ebmt__validate(tr, &data, gap, error, NULL), EBM_OK);
    for (int32_t t = 0; t < levels; t++) {
        const bool trained = t >= LOWEST && t <= HIGHEST;
        assert_true((matched[t] > 0) == trained);
        assert_true(isfinite(gap[t]) == trained && isfinite(error[t]) == trained);
    }
    assert_int_equal(matched[LOWEST] + matched[HIGHEST], ITERATIONS * c.batch);
    ebmt__trainer_free(tr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_some_levels)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
