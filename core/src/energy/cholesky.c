/* Cholesky's factors of symmetric matrices, packed. Knows matrices; has never heard of images. */
#include "energy/cholesky.h"

#include <math.h>

bool ebm__cholesky_factorise(double *a, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        double *row = a + ebm__triangle(i);
        for (size_t j = 0; j <= i; j++) {
            const double *above = a + ebm__triangle(j);
            double sum = row[j];
            for (size_t k = 0; k < j; k++)
                sum -= row[k] * above[k];
            if (j < i)
                row[j] = sum / above[j];
            else if (sum > 0 && isfinite(sum))
                row[j] = sqrt(sum);
            else
                return false;
        }
    }
    return true;
}

void ebm__cholesky_forward(const double *l, size_t size, double *x)
{
    for (size_t i = 0; i < size; i++) {
        const double *row = l + ebm__triangle(i);
        double sum = x[i];
        for (size_t k = 0; k < i; k++)
            sum -= row[k] * x[k];
        x[i] = sum / row[i];
    }
}

void ebm__cholesky_backward(const double *l, size_t size, double *x)
{
    for (size_t i = size; i-- > 0;) {
        double sum = x[i];
        for (size_t k = i + 1; k < size; k++)
            sum -= l[ebm__triangle(k) + i] * x[k];
        x[i] = sum / l[ebm__triangle(i) + i];
    }
}
