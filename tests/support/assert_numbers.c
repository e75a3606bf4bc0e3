/* Number assertions on top of cmocka: says what was expected and where the worst element is. */
#include "assert_numbers.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include <cmocka.h>

void assert_close_at(double got, double want, double tol, const char *file, int line)
{
    if (got == want || fabs(got - want) <= tol) {
        return;
    }
    print_error("got %.17g, want %.17g, difference %.3g exceeds %.3g\n", got, want,
                fabs(got - want), tol);
    _fail(file, line);
}

static double element(const void *values, int is_double, size_t i)
{
    return is_double ? ((const double *)values)[i] : (double)((const float *)values)[i];
}

void assert_rel_l2_at(const void *got, int got_double, const void *want, int want_double, size_t n,
                      double bound, const char *file, int line)
{
    double diff2 = 0, norm2 = 0, worst = -1;
    size_t worst_at = 0;
    for (size_t i = 0; i < n; i++) {
        const double g = element(got, got_double, i), w = element(want, want_double, i);
        const double d = fabs(g - w);
        diff2 += d * d;
        norm2 += w * w;
        if (!(d <= worst)) {
            worst = d;
            worst_at = i;
        }
    }
    const double error = norm2 > 0 ? sqrt(diff2 / norm2) : sqrt(diff2);
    if (error <= bound) {
        return;
    }
    print_error("relative L2 error %.3g exceeds %.3g over %zu values\n", error, bound, n);
    if (n > 0) {
        print_error("worst at %zu: got %.17g, want %.17g\n", worst_at,
                    element(got, got_double, worst_at), element(want, want_double, worst_at));
    }
    _fail(file, line);
}
