/* Persistent chains of a run: who is visited when, that a failed iteration moves none, and that
 * what they teach makes images and chains as likely. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ebm/memory.h"
#include "loss/persistent.h"
#include "run_scene.h"
#include "visits.h"

enum { CHAINS = 14, RECORD = RUN_DIM + 2 };

static ebmt_config chains_config(void)
{
    ebmt_config c = run_config(EBMT_MATCHING);
    c.persistent_chains = CHAINS;
    c.persistent_leapfrog = 2;
    return c;
}

static const float *chain(const ebmt__trainer *tr, int k)
{
    return tr->state.chains + k * RECORD;
}

/* Ten slots, fourteen chains: 0..9 first, then 10..13 and 0..5. */
static void test_chains_take_turns(void **state)
{
    uint8_t pixels[RUN_IMAGES * RUN_DIM];
    const ebmt_dataset data = run_bars(pixels);
    const ebmt_config c = chains_config();
    float before[CHAINS * RECORD];
    ebmt__trainer *tr = NULL;
    (void)state;
    assert_int_equal(run_trainer(&c, &data, 2, &tr, NULL), EBM_OK);
    assert_int_equal(tr->state.size.chains, CHAINS * RECORD);
    assert_int_equal(ebmt__trainer_step(tr, NULL), EBM_OK);
    for (int k = 0; k < CHAINS; k++)
        assert_true((chain(tr, k)[RUN_DIM] > 0.0f) == (k < 10));
    memcpy(before, tr->state.chains, sizeof before);
    assert_int_equal(ebmt__trainer_step(tr, NULL), EBM_OK);
    for (int k = 0; k < CHAINS; k++) {
        const bool same = memcmp(before + k * RECORD, chain(tr, k), RECORD * sizeof(float)) == 0;
        assert_true(same == (k > 5 && k < 10));
        assert_true(chain(tr, k)[RUN_DIM] > 0.0f);
    }
    assert_true(tr->stats.persistent_acceptance > 0.0 && tr->stats.persistent_acceptance <= 1.0);
    ebmt__trainer_free(tr);
}

/* More slots than chains: each is visited once. */
static void test_fewer_chains_than_slots(void **state)
{
    ebmt_config c = chains_config();
    (void)state;
    assert_int_equal(ebmt__visits(&c), 10);
    c.persistent_chains = 3;
    assert_int_equal(ebmt__visits(&c), 3);
    c.persistent_chains = 0;
    assert_int_equal(ebmt__visits(&c), 0);
}

static double distance2(const float *y, const uint8_t *image, double scale)
{
    double sum = 0.0;
    for (int i = 0; i < RUN_DIM; i++) {
        const double d = (double)y[i] - scale * ((double)image[i] / 127.5 - 1.0);
        sum += d * d;
    }
    return sum;
}

/* Chain k begins at image k n/N: after one visit no image with another bar is nearer. */
static void test_each_has_its_image(void **state)
{
    uint8_t pixels[RUN_IMAGES * RUN_DIM];
    const ebmt_dataset data = run_bars(pixels);
    const ebmt_config c = chains_config();
    ebmt__trainer *tr = NULL;
    (void)state;
    assert_int_equal(run_trainer(&c, &data, 2, &tr, NULL), EBM_OK);
    assert_int_equal(ebmt__trainer_step(tr, NULL), EBM_OK);
    const double scale = tr->levels->scale[0] * tr->levels->abar[0];
    for (int k = 0; k < 10; k++) {
        const int own = k * RUN_IMAGES / CHAINS;
        const double near = distance2(chain(tr, k), pixels + own * RUN_DIM, scale);
        for (int i = 0; i < RUN_IMAGES; i++)
            if (i % RUN_SIDE != own % RUN_SIDE)
                assert_true(near < distance2(chain(tr, k), pixels + i * RUN_DIM, scale));
    }
    ebmt__trainer_free(tr);
}

/* Images that are mirrored half of the time have chains whose image is mirrored for good. */
static void test_mirrored_images(void **state)
{
    uint8_t pixels[RUN_IMAGES * RUN_DIM], mirror[RUN_IMAGES * RUN_DIM];
    const ebmt_dataset data = run_bars(pixels);
    ebmt_config c = chains_config();
    ebmt__trainer *tr = NULL;
    int mirrored = 0;
    (void)state;
    for (int i = 0; i < RUN_IMAGES * RUN_DIM; i++)
        mirror[i] = pixels[i - i % RUN_SIDE + RUN_SIDE - 1 - i % RUN_SIDE];
    c.flip = true;
    assert_int_equal(run_trainer(&c, &data, 2, &tr, NULL), EBM_OK);
    for (int i = 0; i < 2; i++) /* both times each has the same */
        assert_int_equal(ebmt__trainer_step(tr, NULL), EBM_OK);
    const double scale = tr->levels->scale[0] * tr->levels->abar[0];
    for (int k = 0; k < CHAINS; k++) {
        const int own = k * RUN_IMAGES / CHAINS;
        mirrored += distance2(chain(tr, k), mirror + own * RUN_DIM, scale) <
                    distance2(chain(tr, k), pixels + own * RUN_DIM, scale);
    }
    assert_in_range(mirrored, 3, CHAINS - 3);
    ebmt__trainer_free(tr);
}

static void test_failed_iteration_moves_none(void **state)
{
    uint8_t pixels[RUN_IMAGES * RUN_DIM];
    const ebmt_dataset data = run_bars(pixels);
    const ebmt_config c = chains_config();
    float before[CHAINS * RECORD];
    ebmt__trainer *tr = NULL;
    (void)state;
    assert_int_equal(run_trainer(&c, &data, 2, &tr, NULL), EBM_OK);
    assert_int_equal(ebmt__trainer_step(tr, NULL), EBM_OK);
    memcpy(before, tr->state.chains, sizeof before);
    for (size_t i = 0; i < tr->state.size.params; i++)
        tr->state.params[i] = NAN;
    assert_int_equal(ebmt__trainer_step(tr, NULL), EBM_ERR_DIVERGED);
    assert_memory_equal(before, tr->state.chains, sizeof before);
    assert_int_equal(tr->state.iteration, 1);
    ebmt__trainer_free(tr);
}

/* Mean difference of log densities, images less chains, over the last 100 of some iterations. */
static double late_gap(double weight)
{
    enum { ITERATIONS = 300 };
    uint8_t pixels[RUN_IMAGES * RUN_DIM];
    const ebmt_dataset data = run_bars(pixels);
    ebmt_config c = chains_config();
    ebmt__trainer *tr = NULL;
    double sum = 0.0;
    c.persistent_weight = weight;
    c.persistent_chains = 10;
    c.persistent_leapfrog = 8;
    assert_int_equal(run_trainer(&c, &data, 2, &tr, NULL), EBM_OK);
    for (int i = 0; i < ITERATIONS; i++) {
        assert_int_equal(ebmt__trainer_step(tr, NULL), EBM_OK);
        sum += i >= ITERATIONS - 100 ? tr->stats.persistent_gap / 100.0 : 0.0;
    }
    ebmt__trainer_free(tr);
    return sum;
}

/* Likelihood is at its largest where images and draws are as likely on average. */
static void test_images_and_chains_become_as_likely(void **state)
{
    (void)state;
    const double without = late_gap(0.0), with = late_gap(0.3);
    print_message("gap without %g, with %g nats\n", without, with);
    assert_true(fabs(with) < 0.05 * fabs(without));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chains_take_turns),
        cmocka_unit_test(test_fewer_chains_than_slots),
        cmocka_unit_test(test_each_has_its_image),
        cmocka_unit_test(test_mirrored_images),
        cmocka_unit_test(test_failed_iteration_moves_none),
        cmocka_unit_test(test_images_and_chains_become_as_likely),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
