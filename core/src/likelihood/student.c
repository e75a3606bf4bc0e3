/* Quantiles of Student's t, see student.h. */
#include "likelihood/student.h"

#include <math.h>

double ebm__student(size_t freedom)
{
    static const double small[] = {INFINITY, 12.706205, 4.302653, 3.182446, 2.776445, 2.570582,
                                   2.446912, 2.364624,  2.306004, 2.262157, 2.228139};
    const double z = 1.959963984540054, z2 = z * z, n = (double)freedom;
    if (freedom < sizeof small / sizeof small[0])
        return small[freedom];
    return z * (1 + (z2 + 1) / (4 * n) + ((5 * z2 + 16) * z2 + 3) / (96 * n * n) +
                (((3 * z2 + 19) * z2 + 17) * z2 - 15) / (384 * n * n * n));
}
