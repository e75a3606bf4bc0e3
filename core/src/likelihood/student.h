/* How far a 95 % interval reaches where the error itself is estimated from few values. */
#ifndef EBM__STUDENT_H
#define EBM__STUDENT_H

#include <stddef.h>

/* The 97.5 % quantile of Student's t, within 1e-4. @range infinite without a degree of freedom
 * @eq Abramowitz, Stegun 1964, 26.7.5, in powers of 1/freedom; below 11 the table */
double ebm__student(size_t freedom);

#endif
