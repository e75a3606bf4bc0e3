/* See conv_pool.h. The convolution is one matrix product of columns and weights. */
#include "eval/conv_pool.h"

#include <cblas.h>
#include <stdbool.h>
#include <string.h>

#define TAPS 9

static bool inside(int32_t from, int32_t size)
{
    return from >= 0 && from < size;
}

/* Row (y,x) of the columns holds the nine neighbours, c_in numbers each, zero outside. */
static void im2col(const ebmt__conv_pool *s, const float *x, float *columns)
{
    size_t c = (size_t)s->c_in;
    for (int32_t row = 0; row < s->n * s->h; row++)
        for (int32_t j = 0; j < s->w; j++)
            for (int32_t tap = 0; tap < TAPS; tap++, columns += c) {
                int32_t di = tap / 3 - 1, dj = tap % 3 - 1;
                if (!inside(row % s->h + di, s->h) || !inside(j + dj, s->w)) {
                    memset(columns, 0, c * sizeof *columns);
                    continue;
                }
                const float *from = x + ((size_t)(row + di) * (size_t)s->w + (size_t)(j + dj)) * c;
                for (size_t k = 0; k < c; k++)
                    columns[k] = from[k];
            }
}

/* The transpose of the above: adds every column's number where it came from. */
static void col2im(const ebmt__conv_pool *s, const float *columns, float *x)
{
    size_t c = (size_t)s->c_in;
    memset(x, 0, ebmt__conv_pixels(s) * c * sizeof *x);
    for (int32_t row = 0; row < s->n * s->h; row++)
        for (int32_t j = 0; j < s->w; j++)
            for (int32_t tap = 0; tap < TAPS; tap++, columns += c) {
                int32_t di = tap / 3 - 1, dj = tap % 3 - 1;
                if (!inside(row % s->h + di, s->h) || !inside(j + dj, s->w))
                    continue;
                float *to = x + ((size_t)(row + di) * (size_t)s->w + (size_t)(j + dj)) * c;
                for (size_t k = 0; k < c; k++)
                    to[k] += columns[k];
            }
}

/* Where the four candidates of output pixel `cell` begin in the full map. */
static size_t window(const ebmt__conv_pool *s, size_t cell)
{
    size_t w2 = (size_t)(s->w / 2), h2 = (size_t)(s->h / 2);
    size_t image = cell / (h2 * w2), i = cell / w2 % h2, j = cell % w2;
    return ((image * (size_t)s->h + 2 * i) * (size_t)s->w + 2 * j) * (size_t)s->c_out;
}

/* The maximum commutes with adding a bias and with the ReLU, so both see a quarter of the map. */
static void pool(const ebmt__conv_pool *s, const float *bias, const float *full, uint8_t *choice,
                 float *y)
{
    size_t c = (size_t)s->c_out, down = (size_t)s->w * c;
    size_t cells = ebmt__conv_outputs(s) / c;
    for (size_t cell = 0; cell < cells; cell++, y += c, choice += c) {
        const float *at = full + window(s, cell);
        for (size_t o = 0; o < c; o++) {
            float a = at[o], b = at[o + c], d = at[o + down], e = at[o + down + c];
            float top = a > b ? a : b, low = d > e ? d : e, best = top > low ? top : low;
            int32_t which = top >= low ? b > a : 2 + (e > d);
            best += bias[o];
            y[o] = best > 0.0f ? best : 0.0f;
            choice[o] = (uint8_t)(best > 0.0f ? which : 4);
        }
    }
}

void ebmt__conv_pool_forward(const ebmt__conv_pool *s, const float *weight, const float *bias,
                             const float *x, ebmt__conv_trace *trace, float *y)
{
    int rows = (int)ebmt__conv_pixels(s), depth = TAPS * s->c_in;
    im2col(s, x, trace->columns);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows, s->c_out, depth, 1.0f,
                trace->columns, depth, weight, s->c_out, 0.0f, trace->full, s->c_out);
    pool(s, bias, trace->full, trace->choice, y);
}

/* Gradient in the full map: each output's goes to the candidate that won. */
static void unpool(const ebmt__conv_pool *s, const uint8_t *choice, const float *d_y, float *d_full,
                   float *d_bias)
{
    size_t c = (size_t)s->c_out, down = (size_t)s->w * c;
    size_t cells = ebmt__conv_outputs(s) / c;
    const size_t offset[4] = {0, c, down, down + c};
    memset(d_full, 0, ebmt__conv_pixels(s) * c * sizeof *d_full);
    for (size_t cell = 0; cell < cells; cell++, d_y += c, choice += c) {
        float *at = d_full + window(s, cell);
        for (size_t o = 0; o < c; o++) {
            if (choice[o] == 4)
                continue;
            at[offset[choice[o]] + o] = d_y[o];
            d_bias[o] += d_y[o];
        }
    }
}

void ebmt__conv_pool_backward(const ebmt__conv_pool *s, const float *weight,
                              ebmt__conv_trace *trace, const float *d_y, float *d_weight,
                              float *d_bias, float *d_x)
{
    int rows = (int)ebmt__conv_pixels(s), depth = TAPS * s->c_in;
    unpool(s, trace->choice, d_y, trace->full, d_bias);
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, depth, s->c_out, rows, 1.0f,
                trace->columns, depth, trace->full, s->c_out, 1.0f, d_weight, s->c_out);
    if (!d_x)
        return;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows, depth, s->c_out, 1.0f, trace->full,
                s->c_out, weight, s->c_out, 0.0f, trace->columns, depth);
    col2im(s, trace->columns, d_x);
}
