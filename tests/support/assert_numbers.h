/* Assertions on numbers for every test: one absolute bound, one relative L2 bound. A NaN never
 * passes. They know nothing of what the numbers mean. */
#ifndef ASSERT_NUMBERS_H
#define ASSERT_NUMBERS_H

#include <stddef.h>

/* Fails the test unless |got - want| <= tol. Equal infinities are close. */
#define assert_close(got, want, tol) assert_close_at((got), (want), (tol), __FILE__, __LINE__)

/* Fails the test unless ||got - want|| <= bound * ||want||, all sums in double; when want is all
 * zero the bound is on ||got|| itself. Each of got and want may point to float or to double.
 * @shape got, want [n] */
#define assert_rel_l2(got, want, n, bound)                                                         \
    assert_rel_l2_at((got), ASSERT_IS_DOUBLE(got), (want), ASSERT_IS_DOUBLE(want), (n), (bound),   \
                     __FILE__, __LINE__)

#define ASSERT_IS_DOUBLE(p)                                                                        \
    _Generic((p), double * : 1, const double * : 1, float * : 0, const float * : 0)

void assert_close_at(double got, double want, double tol, const char *file, int line);
void assert_rel_l2_at(const void *got, int got_double, const void *want, int want_double, size_t n,
                      double bound, const char *file, int line);

#endif
