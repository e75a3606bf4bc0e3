/* The acceptance probability of a Langevin move against its closed form for Gaussians. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "assert_numbers.h"
#include "loss/acceptance.h"

enum { DIM = 3 };

static const float anchor[DIM] = {0.3f, -0.2f, 0.1f};

/* One level: h = 2 step2 = 0.2, tied to the anchor with sigma 0.5, or not. */
static void make_levels(double tether, ebm_levels *l)
{
    assert_int_equal(ebm_levels_init(1, l, NULL), EBM_OK);
    l->stride = 2.0;
    l->step2[0] = 0.1;
    l->sigma[1] = 0.5;
    l->tether[0] = tether;
}

/* net = -step2 |y|^2 / (2 v) with v = 0.8. */
static ebmt__stand stand_at(const ebm_levels *l, const float *y, float *grad)
{
    const double share = l->step2[0] / 0.8;
    ebmt__stand s = {y, grad, 0.0};
    for (int i = 0; i < DIM; i++) {
        s.net -= 0.5 * share * (double)y[i] * (double)y[i];
        grad[i] = (float)(-share * (double)y[i]);
    }
    return s;
}

/* For a Gaussian of precision P and mean m: log a = h P^2 (|y - m|^2 - |y' - m|^2)/8, since
 * q(y|y')/q(y'|y) has the exponent (1 - c^2)(|y'-m|^2 - |y-m|^2)/(2h) with c = 1 - hP/2. */
static double closed_form(const ebm_levels *l, const float *from, const float *to)
{
    const double tie = l->tether[0] / 0.25, p = 1.0 / 0.8 + tie, h = 0.2;
    double less = 0.0;
    for (int i = 0; i < DIM; i++) {
        double m = tie * (double)anchor[i] / p;
        less += pow((double)from[i] - m, 2) - pow((double)to[i] - m, 2);
    }
    return fmin(1.0, exp(h * p * p * less / 8.0));
}

static void check(double tether, const float *from, const float *to)
{
    ebm_levels l;
    float grad[2][DIM];
    make_levels(tether, &l);
    const ebmt__stand a = stand_at(&l, from, grad[0]), b = stand_at(&l, to, grad[1]);
    assert_close(ebmt__acceptance(&l, 0, DIM, anchor, &a, &b), closed_form(&l, from, to), 1e-6);
    ebm_levels_clear(&l);
}

static void test_gaussians(void **state)
{
    static const float y[][DIM] = {{0.1f, 0.4f, -0.3f}, {0.9f, -1.1f, 0.6f}, {0, 0, 0}};
    (void)state;
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++)
            for (int tether = 0; tether < 2; tether++)
                check(tether, y[i], y[k]);
    assert_true(closed_form(&(ebm_levels){.tether = (double[]){1.0}}, y[0], y[1]) < 0.5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_gaussians)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
