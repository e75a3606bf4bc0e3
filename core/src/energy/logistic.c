/* Logistic regression by Newton's method. Knows matrices; has never heard of images. */
#include "energy/logistic.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "ebm/memory.h"
#include "energy/cholesky.h"

#define MAX_STEPS 100
#define CLOSE     1e-12 /* squared Newton decrement: the step from there is exact to rounding */
#define SLOPE     1e-4  /* share of the promised decrease that a step has to bring (Armijo) */

/* @shape gradient, step, trial [size]; hessian [ebm__triangle(size)] */
typedef struct newton {
    const ebm__logistic *p;
    size_t size;
    double *gradient, *step, *trial, *hessian;
} newton;

static double margin(const ebm__logistic *p, size_t row, const double *b)
{
    const double *x = p->x + row * p->columns;
    double sum = b[p->columns];
    for (size_t i = 0; i < p->columns; i++)
        sum += b[i] * x[i];
    return p->weight[row] > 0 ? sum : -sum;
}

static double objective(const ebm__logistic *p, const double *b)
{
    double sum = 0;
    for (size_t row = 0; row < p->rows; row++) {
        if (p->weight[row] == 0)
            continue;
        const double m = margin(p, row, b);
        /* log(1 + exp(-m)) without overflow */
        sum += fabs(p->weight[row]) * ((m < 0 ? -m : 0) + log1p(exp(-fabs(m))));
    }
    for (size_t i = 0; i < p->columns; i++)
        sum += 0.5 * p->ridge * b[i] * b[i];
    return sum;
}

static void add_row(newton *n, size_t row, const double *b)
{
    const ebm__logistic *p = n->p;
    const double *x = p->x + row * p->columns, w = p->weight[row];
    const double wrong = 1 / (1 + exp(margin(p, row, b))); /* chance of the other class */
    const double curve = fabs(w) * wrong * (1 - wrong);
    for (size_t i = 0; i < p->columns; i++) {
        double *h = n->hessian + ebm__triangle(i);
        n->gradient[i] -= w * wrong * x[i];
        for (size_t j = 0; j <= i; j++)
            h[j] += curve * x[i] * x[j];
    }
    double *last = n->hessian + ebm__triangle(p->columns);
    n->gradient[p->columns] -= w * wrong;
    for (size_t j = 0; j < p->columns; j++)
        last[j] += curve * x[j];
    last[p->columns] += curve;
}

static void derive(newton *n, const double *b)
{
    const ebm__logistic *p = n->p;
    memset(n->gradient, 0, n->size * sizeof *n->gradient);
    memset(n->hessian, 0, ebm__triangle(n->size) * sizeof *n->hessian);
    for (size_t row = 0; row < p->rows; row++)
        if (p->weight[row] != 0)
            add_row(n, row, b);
    for (size_t i = 0; i < p->columns; i++) {
        n->gradient[i] += p->ridge * b[i];
        n->hessian[ebm__triangle(i) + i] += p->ridge;
    }
}

/* Far from the minimum a whole step may overshoot: halves it until it goes down far enough. */
static void descend(newton *n, double decrement, double *b)
{
    const double before = objective(n->p, b);
    for (double length = 1; length > 1e-9; length /= 2) {
        for (size_t i = 0; i < n->size; i++)
            n->trial[i] = b[i] - length * n->step[i];
        if (decrement <= CLOSE ||
            objective(n->p, n->trial) <= before - SLOPE * length * decrement) {
            memcpy(b, n->trial, n->size * sizeof *b);
            return;
        }
    }
}

static ebm_status minimise(newton *n, double *b, ebm_error *err)
{
    for (int k = 0; k < MAX_STEPS; k++) {
        double decrement = 0;
        derive(n, b);
        if (!ebm__cholesky_factorise(n->hessian, n->size))
            break;
        memcpy(n->step, n->gradient, n->size * sizeof *n->step);
        ebm__cholesky_forward(n->hessian, n->size, n->step);
        ebm__cholesky_backward(n->hessian, n->size, n->step);
        for (size_t i = 0; i < n->size; i++)
            decrement += n->gradient[i] * n->step[i];
        descend(n, decrement, b);
        if (decrement <= CLOSE)
            return EBM_OK;
    }
    return ebm_error_set(err, EBM_ERR_RANGE, "logistic", "has no minimum");
}

static bool has_both_classes(const ebm__logistic *p)
{
    bool first = false, second = false;
    for (size_t row = 0; row < p->rows; row++) {
        first = first || p->weight[row] > 0;
        second = second || p->weight[row] < 0;
    }
    return first && second;
}

ebm_status ebm__logistic_fit(const ebm__logistic *problem, double *b, ebm_error *err)
{
    newton n = {.p = problem, .size = problem->columns + 1};
    if (!has_both_classes(problem))
        return ebm_error_set(err, EBM_ERR_RANGE, "logistic", "needs rows of both classes");
    double *block = ebm_alloc(3 * n.size + ebm__triangle(n.size), sizeof *block);
    if (!block)
        return ebm_error_set(err, EBM_ERR_NOMEM, "logistic", "no memory");
    n.gradient = block;
    n.step = n.gradient + n.size;
    n.trial = n.step + n.size;
    n.hessian = n.trial + n.size;
    memset(b, 0, n.size * sizeof *b);
    ebm_status st = minimise(&n, b, err);
    ebm_free(block);
    return st;
}
