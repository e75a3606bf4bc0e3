/* Training pairs: their moments, and that a slot is a pure function of seed and iteration. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "assert_numbers.h"
#include "ebm/memory.h"
#include "loss/objective.h"
#include "loss/pairs.h"

enum { SIDE = 32, DIM = SIDE * SIDE };

/* One gray image of a constant value, so that means are known. */
static ebmt_dataset constant_image(uint8_t *pixels, uint8_t value)
{
    memset(pixels, value, DIM);
    return (ebmt_dataset){
        .count = 1, .channels = 1, .height = SIDE, .width = SIDE, .pixels = pixels};
}

typedef struct rig {
    ebm_levels levels;
    float buffer[5 * DIM];
    ebmt__pair pair;
    uint8_t pixels[DIM];
    ebmt_dataset data;
    bool shared;
} rig;

static rig *make_rig(void)
{
    ebm_schedule_t6 schedule = ebm_schedule_t6_default();
    rig *r = ebm_alloc(1, sizeof *r);
    assert_non_null(r);
    assert_int_equal(ebm_levels_t6(&schedule, &r->levels, NULL), EBM_OK);
    r->pair = (ebmt__pair){.clean = r->buffer,
                           .y_plus = r->buffer + DIM,
                           .x_next = r->buffer + 2 * DIM,
                           .y_minus = r->buffer + 3 * DIM};
    r->data = constant_image(r->pixels, 204); /* 204/127.5 - 1 = 0.6 */
    return r;
}

static void free_rig(rig *r)
{
    ebm_levels_clear(&r->levels);
    ebm_free(r);
}

static void make_of(rig *r, uint64_t seed, uint32_t slot, int32_t lowest, int32_t highest)
{
    const ebmt__draw draw = {.data = &r->data,
                             .levels = &r->levels,
                             .lowest = lowest,
                             .highest = highest,
                             .seed = seed,
                             .shared = r->shared};
    assert_int_equal(ebmt__pair_make(&draw, 0, slot, r->buffer + 4 * DIM, &r->pair, NULL), EBM_OK);
}

static void make(rig *r, uint64_t seed, uint32_t slot)
{
    make_of(r, seed, slot, 0, r->levels.count - 1);
}

/* Of levels 2..4 each is drawn, a third of the time within 5 standard errors, and no other. */
static void test_some_levels(void **state)
{
    enum { SLOTS = 300 };
    int seen[6] = {0};
    rig *r = make_rig();
    (void)state;
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        make_of(r, 5, slot, 2, 4);
        seen[r->pair.level]++;
    }
    assert_int_equal(seen[2] + seen[3] + seen[4], SLOTS);
    for (int t = 2; t <= 4; t++)
        assert_close(seen[t], SLOTS / 3.0, 5.0 * sqrt(SLOTS * 2.0 / 9.0));
    make_of(r, 5, 0, 5, 5);
    assert_int_equal(r->pair.level, 5);
    free_rig(r);
}

/* y_plus = scale (abar x + sbar e1), x_next = a x_t + sigma e2: means and variances over pixels
 * and many slots, per level, within 5 standard errors (60 checks, fixed seed). */
static void check_moments(bool shared)
{
    double n[6] = {0}, y1[6] = {0}, y2[6] = {0}, x1[6] = {0}, x2[6] = {0};
    rig *r = make_rig();
    r->shared = shared;
    for (uint32_t slot = 0; slot < 240; slot++) {
        make(r, 5, slot);
        int32_t t = r->pair.level;
        double my = r->levels.scale[t] * r->levels.abar[t] * 0.6, a = r->levels.a[t + 1];
        double mx = a * r->levels.abar[t] * 0.6;
        for (int i = 0; i < DIM; i++) {
            double dy = (double)r->pair.y_plus[i] - my, dx = (double)r->pair.x_next[i] - mx;
            y1[t] += dy;
            y2[t] += dy * dy;
            x1[t] += dx;
            x2[t] += dx * dx;
        }
        n[t] += DIM;
    }
    for (int t = 0; t < 6; t++) {
        double a = r->levels.a[t + 1], s = r->levels.sigma[t + 1], noise = r->levels.sbar[t];
        double vy = r->levels.scale[t] * r->levels.scale[t] * noise * noise;
        double vx = a * a * noise * noise + s * s;
        assert_true(n[t] > 10 * DIM); /* every level is drawn */
        assert_close(y1[t] / n[t], 0.0, 5.0 * sqrt(vy / n[t]));
        assert_close(x1[t] / n[t], 0.0, 5.0 * sqrt(vx / n[t]));
        assert_close(y2[t] / n[t], vy, 5.0 * vy * sqrt(2.0 / n[t]));
        assert_close(x2[t] / n[t], vx, 5.0 * vx * sqrt(2.0 / n[t]));
    }
    free_rig(r);
}

static void test_moments(void **state)
{
    (void)state;
    check_moments(false);
    check_moments(true);
}

/* With shared noise (x_next - abar' x)/sbar' is (y_plus/scale - abar x)/sbar, pixel by pixel. */
static void test_shared_noise(void **state)
{
    rig *r = make_rig();
    (void)state;
    r->shared = true;
    for (uint32_t slot = 0; slot < 12; slot++) {
        make(r, 3, slot);
        const ebm_levels *l = &r->levels;
        int32_t t = r->pair.level;
        for (int i = 0; i < DIM; i++) {
            double y = (double)r->pair.y_plus[i] / l->scale[t], x = (double)r->pair.x_next[i];
            assert_close((y - l->abar[t] * 0.6) / l->sbar[t],
                         (x - l->abar[t + 1] * 0.6) / l->sbar[t + 1], 1e-4);
        }
    }
    free_rig(r);
}

static void test_pure_function(void **state)
{
    float first[2 * DIM];
    rig *r = make_rig();
    (void)state;
    make(r, 9, 4);
    memcpy(first, r->pair.y_plus, sizeof first); /* y_plus and x_next lie side by side */
    make(r, 9, 5);
    assert_memory_not_equal(first, r->pair.y_plus, sizeof first);
    make(r, 9, 4);
    assert_memory_equal(first, r->pair.y_plus, sizeof first);
    assert_true(ebmt__iteration_seed(1, 0) != ebmt__iteration_seed(1, 1));
    assert_true(ebmt__iteration_seed(1, 0) != ebmt__iteration_seed(2, 0));
    free_rig(r);
}

/* The paper's loss weights, to the digits of its table. */
static void test_paper_weights(void **state)
{
    static const double w[6] = {1.0, 0.626686, 0.511981, 0.453815, 0.418533, 0.323764};
    rig *r = make_rig();
    (void)state;
    for (int32_t t = 0; t < 6; t++)
        assert_close(ebmt__paper_weight(&r->levels, t), w[t], 6e-7);
    free_rig(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_some_levels),   cmocka_unit_test(test_moments),
        cmocka_unit_test(test_shared_noise),  cmocka_unit_test(test_pure_function),
        cmocka_unit_test(test_paper_weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
