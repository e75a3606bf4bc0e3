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
    return c;
}

/* A run on bars. The trainer refers to what stands here. */
typedef struct scene {
    uint8_t pixels[RUN_IMAGES * RUN_DIM];
    ebmt_dataset data;
    ebmt__trainer *tr;
} scene;

static void step(scene *s, int iterations)
{
    for (int i = 0; i < iterations; i++)
        assert_int_equal(ebmt__trainer_step(s->tr, NULL), EBM_OK);
}

static void start(scene *s, const ebmt_config *c, int iterations)
{
    s->data = run_bars(s->pixels);
    assert_int_equal(run_trainer(c, &s->data, 2, &s->tr, NULL), EBM_OK);
    step(s, iterations);
}

static const float *chain(const ebmt__trainer *tr, int k)
{
    return tr->state.chains + k * RECORD;
}

/* Ten slots, fourteen chains: 0..9 first, then 10..13 and 0..5. */
static void test_chains_take_turns(void **state)
{
    scene s;
    const ebmt_config c = chains_config();
    float before[CHAINS * RECORD];
    (void)state;
    start(&s, &c, 1);
    assert_int_equal(s.tr->state.size.chains, CHAINS * RECORD);
    for (int k = 0; k < CHAINS; k++)
        assert_true((chain(s.tr, k)[RUN_DIM] > 0.0f) == (k < 10));
    memcpy(before, s.tr->state.chains, sizeof before);
    step(&s, 1);
    for (int k = 0; k < CHAINS; k++) {
        const bool same = memcmp(before + k * RECORD, chain(s.tr, k), RECORD * sizeof(float)) == 0;
        assert_true(same == (k > 5 && k < 10));
        assert_true(chain(s.tr, k)[RUN_DIM] > 0.0f);
    }
    assert_true(s.tr->stats.persistent_acceptance > 0.0 &&
                s.tr->stats.persistent_acceptance <= 1.0);
    ebmt__trainer_free(s.tr);
}

/* Five slots visit: 0..4, 5..9, then 10..13 and 0. */
static void test_visits_of_some_slots(void **state)
{
    scene s;
    ebmt_config c = chains_config();
    (void)state;
    c.persistent_visits = 5;
    start(&s, &c, 2);
    for (int k = 0; k < CHAINS; k++)
        assert_true((chain(s.tr, k)[RUN_DIM] > 0.0f) == (k < 10));
    step(&s, 1);
    for (int k = 0; k < CHAINS; k++)
        assert_true(chain(s.tr, k)[RUN_DIM] > 0.0f);
    ebmt__trainer_free(s.tr);
}

/* More slots than chains: each is visited once. */
static void test_fewer_chains_than_slots(void **state)
{
    ebmt_config c = chains_config();
    (void)state;
    assert_int_equal(ebmt__visits_at(&c, 0), 10);
    c.persistent_visits = 4;
    assert_int_equal(ebmt__visits_at(&c, 0), 4);
    c.persistent_chains = 3;
    assert_int_equal(ebmt__visits_at(&c, 0), 3);
    c.persistent_chains = 0;
    assert_int_equal(ebmt__visits_at(&c, 0), 0);
}

/* A warm start is matching alone: chains begin after it, at the weights that it leaves. */
static void test_none_in_a_warm_start(void **state)
{
    scene s;
    ebmt_config c = chains_config();
    (void)state;
    c.objective = EBMT_HYBRID;
    c.warm_start = 3;
    start(&s, &c, 3);
    for (int k = 0; k < CHAINS; k++)
        assert_true(chain(s.tr, k)[RUN_DIM] == 0.0f);
    assert_true(s.tr->stats.persistent_gap == 0.0);
    step(&s, 1); /* slots 30..39 of all: chains 2..11 */
    for (int k = 0; k < CHAINS; k++)
        assert_true((chain(s.tr, k)[RUN_DIM] > 0.0f) == (k >= 2 && k < 12));
    ebmt__trainer_free(s.tr);
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
    scene s;
    const ebmt_config c = chains_config();
    (void)state;
    start(&s, &c, 1);
    const double scale = s.tr->levels->scale[0] * s.tr->levels->abar[0];
    for (int k = 0; k < 10; k++) {
        const int own = k * RUN_IMAGES / CHAINS;
        const double near = distance2(chain(s.tr, k), s.pixels + own * RUN_DIM, scale);
        for (int i = 0; i < RUN_IMAGES; i++)
            if (i % RUN_SIDE != own % RUN_SIDE)
                assert_true(near < distance2(chain(s.tr, k), s.pixels + i * RUN_DIM, scale));
    }
    ebmt__trainer_free(s.tr);
}

/* Images that are mirrored half of the time have chains whose image is mirrored for good. */
static void test_mirrored_images(void **state)
{
    uint8_t mirror[RUN_IMAGES * RUN_DIM];
    ebmt_config c = chains_config();
    scene s;
    int mirrored = 0;
    (void)state;
    c.flip = true;
    start(&s, &c, 2); /* both times each has the same */
    for (int i = 0; i < RUN_IMAGES * RUN_DIM; i++)
        mirror[i] = s.pixels[i - i % RUN_SIDE + RUN_SIDE - 1 - i % RUN_SIDE];
    const double scale = s.tr->levels->scale[0] * s.tr->levels->abar[0];
    for (int k = 0; k < CHAINS; k++) {
        const int own = k * RUN_IMAGES / CHAINS;
        mirrored += distance2(chain(s.tr, k), mirror + own * RUN_DIM, scale) <
                    distance2(chain(s.tr, k), s.pixels + own * RUN_DIM, scale);
    }
    assert_in_range(mirrored, 3, CHAINS - 3);
    ebmt__trainer_free(s.tr);
}

static void test_failed_iteration_moves_none(void **state)
{
    scene s;
    const ebmt_config c = chains_config();
    float before[CHAINS * RECORD];
    (void)state;
    start(&s, &c, 1);
    memcpy(before, s.tr->state.chains, sizeof before);
    for (size_t i = 0; i < s.tr->state.size.params; i++)
        s.tr->state.params[i] = NAN;
    assert_int_equal(ebmt__trainer_step(s.tr, NULL), EBM_ERR_DIVERGED);
    assert_memory_equal(before, s.tr->state.chains, sizeof before);
    assert_int_equal(s.tr->state.iteration, 1);
    ebmt__trainer_free(s.tr);
}

/* Mean difference of log densities, images less chains, over iterations 51 to 100. */
static double early_gap(uint64_t seed, double weight)
{
    enum { ITERATIONS = 100, LATTER = 50 };
    scene s;
    ebmt_config c = chains_config();
    double sum = 0.0;
    c.seed = seed;
    c.persistent_weight = weight;
    c.persistent_chains = 10;
    c.persistent_leapfrog = 8;
    start(&s, &c, 0);
    for (int i = 0; i < ITERATIONS; i++) {
        step(&s, 1);
        sum += i >= ITERATIONS - LATTER ? s.tr->stats.persistent_gap / LATTER : 0.0;
    }
    ebmt__trainer_free(s.tr);
    return sum;
}

/* Likelihood is at its largest where images and draws are as likely on average. Looked at as soon
 * as the chains have had their effect: how such a run goes on hangs, at this rate of learning, on
 * the last bit of a product, and so on the processor. Shares of 0.017 to 0.024 were seen
 * with OpenBLAS's kernels for Prescott, Haswell, Skylake-X and Sapphire Rapids. */
static void test_images_and_chains_become_as_likely(void **state)
{
    double without = 0.0, with = 0.0;
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        without += fabs(early_gap(seed, 0.0));
        with += fabs(early_gap(seed, 0.3));
    }
    print_message("gap without %g, with %g nats\n", without / 3, with / 3);
    assert_true(with < 0.05 * without);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chains_take_turns),
        cmocka_unit_test(test_visits_of_some_slots),
        cmocka_unit_test(test_fewer_chains_than_slots),
        cmocka_unit_test(test_none_in_a_warm_start),
        cmocka_unit_test(test_each_has_its_image),
        cmocka_unit_test(test_mirrored_images),
        cmocka_unit_test(test_failed_iteration_moves_none),
        cmocka_unit_test(test_images_and_chains_become_as_likely),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
