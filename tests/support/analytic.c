/* Closed forms behind analytic.h; all sums in double. */
#include "analytic.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LOG_2PI 1.8378770664093453

typedef double matrix[ANALYTIC_MAX][ANALYTIC_MAX];

/* Inverse of a symmetric positive matrix by Gauss-Jordan; returns the log determinant. */
static double invert(size_t n, matrix m, matrix inverse)
{
    double logdet = 0.0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            inverse[i][j] = i == j;
    for (size_t i = 0; i < n; i++) {
        double pivot = m[i][i];
        logdet += log(pivot);
        for (size_t j = 0; j < n; j++) {
            m[i][j] /= pivot;
            inverse[i][j] /= pivot;
        }
        for (size_t k = 0; k < n; k++) {
            double factor = k == i ? 0.0 : m[k][i];
            for (size_t j = 0; j < n; j++) {
                m[k][j] -= factor * m[i][j];
                inverse[k][j] -= factor * inverse[i][j];
            }
        }
    }
    return logdet;
}

/* Precision of A x_t (scale = A) and log determinant of its covariance. */
static double precision(const analytic_gauss *g, int32_t t, double scale, matrix out)
{
    matrix cov;
    double a = g->levels->abar[t], s = g->levels->sbar[t];
    for (size_t i = 0; i < g->n; i++)
        for (size_t j = 0; j < g->n; j++)
            cov[i][j] = scale * scale * (a * a * g->cov[i][j] + (i == j ? s * s : 0.0));
    return invert(g->n, cov, out);
}

/* Log of the Gaussian without its normaliser; p is the precision. */
static double quadratic(const analytic_gauss *g, int32_t t, double scale, matrix p, const float *y,
                        double *grad)
{
    double sum = 0.0;
    for (size_t c = 0; c < g->copies; c++)
        for (size_t i = 0; i < g->n; i++) {
            double row = 0.0, centre = scale * g->levels->abar[t];
            for (size_t j = 0; j < g->n; j++)
                row += p[i][j] * ((double)y[c * g->n + j] - centre * g->mean[j]);
            sum += row * ((double)y[c * g->n + i] - centre * g->mean[i]);
            if (grad)
                grad[c * g->n + i] = -row;
        }
    return -0.5 * sum;
}

static void gauss_gradient(void *self, const float *y, int32_t t, float *net, float *grad)
{
    analytic_gauss *g = self;
    double step2 = g->levels->step2[t], row[256];
    if (!g->known[t])
        precision(g, t, g->levels->scale[t], g->inverse[t]);
    g->known[t] = 1;
    double value = quadratic(g, t, g->levels->scale[t], g->inverse[t], y, row);
    for (size_t i = 0; i < g->n * g->copies; i++)
        grad[i] = (float)(step2 * row[i]);
    if (net)
        *net = (float)(step2 * value);
    g->calls++;
}

ebm_density analytic_gauss_density(analytic_gauss *g)
{
    return (ebm_density){.dim = g->n * g->copies, .self = g, .gradient = gauss_gradient};
}

double analytic_gauss_logz(const analytic_gauss *g, int32_t t)
{
    matrix p;
    double logdet = precision(g, t, g->levels->scale[t], p);
    return 0.5 * (double)g->copies * ((double)g->n * LOG_2PI + logdet);
}

double analytic_gauss_logp0(const analytic_gauss *g, const float *x)
{
    matrix p;
    double logdet = precision(g, 0, 1.0, p);
    return quadratic(g, 0, 1.0, p, x, NULL) -
           0.5 * (double)g->copies * ((double)g->n * LOG_2PI + logdet);
}

static void mixture_gradient(void *self, const float *y, int32_t t, float *net, float *grad)
{
    const analytic_mixture *m = self;
    const ebm_levels *l = m->levels;
    double scale = l->scale[t], a = scale * l->abar[t], s = scale * l->sbar[t];
    double var = a * a * m->var + s * s, top = -1e300, sum = 0.0, slope = 0.0;
    for (size_t k = 0; k < m->k; k++) {
        double d = (double)y[0] - a * m->mean[k];
        top = fmax(top, -0.5 * d * d / var);
    }
    for (size_t k = 0; k < m->k; k++) {
        double d = (double)y[0] - a * m->mean[k], w = exp(-0.5 * d * d / var - top);
        sum += w;
        slope -= w * d / var;
    }
    grad[0] = (float)(l->step2[t] * slope / sum);
    if (net)
        *net = (float)(l->step2[t] * (top + log(sum / (double)m->k) - 0.5 * (LOG_2PI + log(var))));
}

ebm_density analytic_mixture_density(analytic_mixture *m)
{
    return (ebm_density){.dim = 1, .self = m, .gradient = mixture_gradient};
}

ebm_levels analytic_levels(void)
{
    const ebm_schedule_t6 schedule = ebm_schedule_t6_default();
    ebm_levels levels;
    if (ebm_levels_t6(&schedule, &levels, NULL) != EBM_OK)
        abort();
    levels.noise_scale = 1.0;
    return levels;
}
