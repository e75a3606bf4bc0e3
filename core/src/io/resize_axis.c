/* Weights of resizing. See ebm/resize_axis.h. */
#include "ebm/resize_axis.h"

#include <math.h>
#include <stddef.h>

#include "ebm/memory.h"

void ebm_axis_clear(ebm_axis *a)
{
    ebm_free(a->first);
    ebm_free(a->n);
    ebm_free(a->weight);
    *a = (ebm_axis){0};
}

/* The inputs whose centres lie strictly inside the triangle of output i. */
static void fill_triangle(ebm_axis *a, int32_t i)
{
    const double scale = (double)a->in / (double)a->out, support = scale > 1 ? scale : 1;
    const double centre = ((double)i + 0.5) * scale;
    double *w = a->weight + (size_t)i * (size_t)a->room, sum = 0;
    int32_t first = (int32_t)floor(centre - support), n = 0;
    if (first < 0)
        first = 0;
    while (first < a->in - 1 && (double)first + 0.5 <= centre - support)
        first++;
    for (int32_t j = first; j < a->in && n < a->room; j++, n++) {
        w[n] = 1.0 - fabs((double)j + 0.5 - centre) / support;
        if (w[n] <= 0)
            break;
        sum += w[n];
    }
    for (int32_t k = 0; k < n; k++)
        w[k] /= sum;
    a->first[i] = first;
    a->n[i] = n;
}

/* The two inputs around a position; beyond the last centre there is only the last input. */
static void fill_pair(ebm_axis *a, int32_t i, double at)
{
    double *w = a->weight + (size_t)i * (size_t)a->room;
    at = at > 0 ? at : 0;
    const int32_t first = (int32_t)at < a->in - 1 ? (int32_t)at : a->in - 1;
    w[1] = first < a->in - 1 ? at - (double)first : 0;
    w[0] = 1 - w[1];
    a->first[i] = first;
    a->n[i] = first < a->in - 1 ? 2 : 1;
}

static void fill_row(ebm_axis *a, ebm_axis_kind kind, int32_t i)
{
    const double scale = (double)a->in / (double)a->out;
    switch (kind) {
    case EBM_AXIS_TRIANGLE:
        fill_triangle(a, i);
        break;
    case EBM_AXIS_LINEAR:
        fill_pair(a, i, ((double)i + 0.5) * scale - 0.5);
        break;
    case EBM_AXIS_CORNER:
        fill_pair(a, i, (double)i * scale);
        break;
    }
}

bool ebm_axis_init(ebm_axis_kind kind, int32_t in, int32_t out, ebm_axis *a)
{
    const double scale = (double)in / (double)out;
    *a = (ebm_axis){.in = in, .out = out, .room = (int32_t)ceil(2 * (scale > 1 ? scale : 1)) + 1};
    size_t cells;
    if (!ebm_size_mul((size_t)out, (size_t)a->room, &cells))
        return false;
    a->first = ebm_alloc((size_t)out, sizeof *a->first);
    a->n = ebm_alloc((size_t)out, sizeof *a->n);
    a->weight = ebm_alloc(cells, sizeof *a->weight);
    if (!a->first || !a->n || !a->weight)
        return false;
    for (int32_t i = 0; i < out; i++)
        fill_row(a, kind, i);
    return true;
}
