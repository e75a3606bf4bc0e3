/* Convolutions as one matrix product per image: im2col, then OpenBLAS sgemm.
 *
 * One product per image and one BLAS thread, always: OpenBLAS sums in an order that depends on the
 * shape of the product and on its threads, so neither may depend on who runs beside us.
 * The sum over input channels is cut into pieces: their columns stay in the second-level cache,
 * and short sums lose less, which keeps the signs of activations near zero right.
 * The data gradient is the convolution with the flipped, transposed kernel, by the same route. */
#include "kernels/kernel_sets.h"

#include <cblas.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "kernels/map_inline.h"
#include "kernels/panel_inline.h"

/* Input channels whose columns are made and multiplied at a time. */
#define CHANNELS_AT_ONCE 16

/* Columns of all channels, for the weight gradient. */
static size_t column_floats(const ebm_conv_shape *s)
{
    return (size_t)s->c_in * ebm__conv_taps(s) * ebm__conv_pixels(s);
}

/* Forward weights [O, I*k*k], then flipped and transposed ones [I, O*k*k]. */
static size_t packed_floats(const ebm_conv_shape *s)
{
    return 2 * ebm__conv_weights(s);
}

/* Columns, and behind them a result before it is stored. */
static size_t scratch_columns(const ebm_conv_shape *s)
{
    ebm_conv_shape t = ebm__conv_transposed(s);
    size_t forward = column_floats(s), backward = column_floats(&t);
    return forward > backward ? forward : backward;
}

static size_t scratch_floats(const ebm_conv_shape *s)
{
    size_t wider = (size_t)(s->c_in > s->c_out ? s->c_in : s->c_out);
    return scratch_columns(s) + wider * ebm__conv_pixels(s);
}

static void pack(const ebm_conv_shape *s, const float *w, const float *gain, float *packed)
{
    size_t taps = ebm__conv_taps(s), in = (size_t)s->c_in, out = (size_t)s->c_out;
    float *flipped = packed + ebm__conv_weights(s);
    for (size_t o = 0; o < out; o++)
        for (size_t i = 0; i < in; i++)
            for (size_t tap = 0; tap < taps; tap++) {
                float value = (gain ? gain[o] : 1.0f) * w[(o * in + i) * taps + tap];
                packed[(o * in + i) * taps + tap] = value;
                flipped[(i * out + o) * taps + (taps - 1 - tap)] = value;
            }
}

/* One row of a shifted map: y[j] = x[j+shift], zero where that leaves the row. */
static void shift_row(int32_t w, int32_t shift, const float *x, float *y)
{
    int32_t first = shift < 0 ? -shift : 0, end = shift > 0 ? w - shift : w;
    if (end <= first) {
        memset(y, 0, (size_t)w * sizeof *y);
        return;
    }
    for (int32_t j = 0; j < first; j++)
        y[j] = 0.0f;
    memcpy(y + first, x + first + shift, (size_t)(end - first) * sizeof *y);
    for (int32_t j = end; j < w; j++)
        y[j] = 0.0f;
}

/* columns [channels*k*k, H*W]: row (i,tap) is map i shifted by the tap's offset. */
static void im2col(const ebm_conv_shape *s, int32_t channels, const float *x, float *columns)
{
    size_t w = (size_t)s->w;
    for (int32_t i = 0; i < channels; i++, x += ebm__conv_pixels(s))
        for (int32_t tap = 0; tap < s->k * s->k; tap++) {
            int32_t di = tap / s->k - s->k / 2, dj = tap % s->k - s->k / 2;
            for (int32_t r = 0; r < s->h; r++, columns += w) {
                if (r + di < 0 || r + di >= s->h)
                    memset(columns, 0, w * sizeof *columns);
                else
                    shift_row(s->w, dj, x + (size_t)(r + di) * w, columns);
            }
        }
}

/* Columns of `channels` maps from x on: made in scratch, or x itself when the kernel is 1x1. */
static const float *columns_of(const ebm_conv_shape *s, int32_t channels, const float *x,
                               float *scratch)
{
    if (s->k == 1)
        return x;
    im2col(s, channels, x, scratch);
    return scratch;
}

/* y += weights * columns(x) */
static void add_product(const ebm_conv_shape *s, const float *weights, const float *x, float *y,
                        float *scratch)
{
    int pixels = (int)ebm__conv_pixels(s), taps = s->k * s->k, depth = s->c_in * taps;
    for (int32_t first = 0; first < s->c_in; first += CHANNELS_AT_ONCE) {
        int32_t left = s->c_in - first;
        int32_t channels = left < CHANNELS_AT_ONCE ? left : CHANNELS_AT_ONCE;
        const float *columns = columns_of(s, channels, x + (size_t)first * (size_t)pixels, scratch);
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, s->c_out, pixels, channels * taps,
                    1.0f, weights + first * taps, depth, columns, pixels, 1.0f, y, pixels);
    }
}

/* One product is one member's: its shape may not depend on the size of a team. */
static void forward(const ebm_conv_shape *s, const float *packed, const float *x,
                    const ebm_conv_result *out, float *scratch, ebm_share share)
{
    size_t pixels = ebm__conv_pixels(s);
    const float *residual = out->residual;
    float *product = out->y ? out->y : scratch + scratch_columns(s);
    if (share.index != 0)
        return;
    for (size_t o = 0; o < (size_t)s->c_out; o++)
        for (size_t p = 0; p < pixels; p++)
            product[o * pixels + p] = out->bias[o] + (residual ? residual[o * pixels + p] : 0.0f);
    add_product(s, packed, x, product, scratch);
    if (out->activated)
        ebm__act_run(out->act, (size_t)s->c_out * pixels, product, out->activated);
}

static void backward_data(const ebm_conv_shape *s, const float *packed, const float *dy,
                          const ebm_conv_gradient *out, float *scratch, ebm_share share)
{
    ebm_conv_shape t = ebm__conv_transposed(s);
    size_t n = (size_t)s->c_in * ebm__conv_pixels(s);
    float *product = out->accumulate ? scratch + scratch_columns(s) : out->dx;
    if (share.index != 0)
        return;
    memset(product, 0, n * sizeof *product);
    add_product(&t, packed + ebm__conv_weights(s), dy, product, scratch);
    ebm__gate_run(out->gate.act, n, ebm__gate_source(&out->gate), product, product);
    for (size_t i = 0; out->accumulate && i < n; i++)
        out->dx[i] += product[i];
}

static void backward_weights(const ebm_conv_shape *s, const float *x, const float *dy, float *dw,
                             float *scratch)
{
    int pixels = (int)ebm__conv_pixels(s), depth = s->c_in * s->k * s->k;
    const float *columns = columns_of(s, s->c_in, x, scratch);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, s->c_out, depth, pixels, 1.0f, dy, pixels,
                columns, pixels, 1.0f, dw, depth);
}

/* Two rows: with four columns to a register, more would not stay in registers. */
static void multiply_panel(const ebm_panel_product *p)
{
    ebm__panel_product(p, 2);
}

/* Filled in once: the class names the CPU kind that OpenBLAS chose its kernels for. */
static char class_name[48];
static ebm_kernels table;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fill_table(void)
{
    openblas_set_num_threads(1); /* our threads own the parallelism */
    snprintf(class_name, sizeof class_name, "blas-%s", openblas_get_corename());
    table = ebm__kernels_ref;
    table.name = "blas";
    table.kernel_class = class_name;
    table.conv_packed_floats = packed_floats;
    table.conv_scratch_floats = scratch_floats;
    table.conv_pack = pack;
    table.conv_forward = forward;
    table.conv_backward_data = backward_data;
    table.conv_backward_weights = backward_weights;
    table.panel_product = multiply_panel;
}

const ebm_kernels *ebm__kernels_blas(void)
{
    pthread_once(&once, fill_table);
    return &table;
}
