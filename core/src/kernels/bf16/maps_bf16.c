/* Loading, storing, activations, pooling and the head of the bfloat16 sets. See maps_bf16.h.
 * Sums and products are float32 or wider; only operand maps are rounded. */
#include "kernels/kernel_sets.h"

#if defined(__AVX512BF16__)
#include "kernels/bf16/maps_bf16.h"
#include "kernels/panel_inline.h"

/* Values in a wide map, padding included. */
static size_t wide_values(const ebm_map_shape *m)
{
    return grid_of(m->h, m->w).all * padded_channels(m->c);
}

static size_t thin_values(const ebm_map_shape *m)
{
    return grid_of(m->h, m->w).all * (size_t)m->c;
}

size_t ebm__bf16_value_floats(const ebm_map_shape *m)
{
    return is_thin(m->c) ? thin_values(m) : wide_values(m);
}

size_t ebm__bf16_operand_floats(const ebm_map_shape *m)
{
    return is_thin(m->c) ? thin_values(m) : wide_values(m) / 2;
}

bool ebm__bf16_value_is_operand(const ebm_map_shape *m)
{
    return is_thin(m->c);
}

/* Index of pixel (i,j), channel 0, in a wide map. */
static size_t pixel(const ebm_map_shape *m, size_t i, size_t j)
{
    grid g = grid_of(m->h, m->w);
    return (g.lead + i * g.row + j) * padded_channels(m->c);
}

static size_t height(const ebm_map_shape *m)
{
    return (size_t)m->h;
}

static size_t width(const ebm_map_shape *m)
{
    return (size_t)m->w;
}

void ebm__bf16_value_load(const ebm_map_shape *m, const float *image, float *value)
{
    if (is_thin(m->c)) {
        ebm__map_load(m, thin_layout(m->h, m->w), image, value);
        return;
    }
    memset(value, 0, wide_values(m) * sizeof *value);
    for (size_t c = 0; c < (size_t)m->c; c++)
        for (size_t i = 0; i < height(m); i++)
            for (size_t j = 0; j < width(m); j++)
                value[pixel(m, i, j) + c] = *image++;
}

void ebm__bf16_value_store(const ebm_map_shape *m, const float *value, float *image)
{
    if (is_thin(m->c)) {
        ebm__map_store(m, thin_layout(m->h, m->w), value, image);
        return;
    }
    for (size_t c = 0; c < (size_t)m->c; c++)
        for (size_t i = 0; i < height(m); i++)
            for (size_t j = 0; j < width(m); j++)
                *image++ = value[pixel(m, i, j) + c];
}

/* Rounds to nearest, ties to even; NaN stays NaN. */
static bf16 rounded(float x)
{
    bf16 lanes[32];
    store_bf16(lanes, (floats32){.low = _mm512_set1_ps(x), .high = _mm512_set1_ps(x)});
    return lanes[0];
}

void ebm__bf16_operand_load(const ebm_map_shape *m, const float *image, float *operand)
{
    if (is_thin(m->c)) {
        ebm__map_load(m, thin_layout(m->h, m->w), image, operand);
        return;
    }
    memset(operand, 0, wide_values(m) * sizeof(bf16));
    for (size_t c = 0; c < (size_t)m->c; c++)
        for (size_t i = 0; i < height(m); i++)
            for (size_t j = 0; j < width(m); j++)
                wide(operand)[pixel(m, i, j) + c] = rounded(*image++);
}

void ebm__bf16_operand_store(const ebm_map_shape *m, const float *operand, float *image)
{
    if (is_thin(m->c)) {
        ebm__map_store(m, thin_layout(m->h, m->w), operand, image);
        return;
    }
    for (size_t c = 0; c < (size_t)m->c; c++)
        for (size_t i = 0; i < height(m); i++)
            for (size_t j = 0; j < width(m); j++)
                *image++ = float_of(wide_const(operand)[pixel(m, i, j) + c]);
}

/* A member's part of a map that is walked from end to end. Padding is zero and stays so. */
static size_t first_value(const ebm_map_shape *m, ebm_share share)
{
    return ebm__share_first(grid_of(m->h, m->w).all, share) * padded_channels(m->c);
}

static size_t end_value(const ebm_map_shape *m, ebm_share share)
{
    return ebm__share_end(grid_of(m->h, m->w).all, share) * padded_channels(m->c);
}

void ebm__bf16_act_forward(ebm_activation act, const ebm_map_shape *m, const float *x, float *y,
                           ebm_share share)
{
    if (is_thin(m->c)) {
        ebm__map_act_forward(act, m, thin_layout(m->h, m->w), x, y, share);
        return;
    }
    for (size_t i = first_value(m, share); i < end_value(m, share); i += BLOCK)
        store_bf16(wide(y) + i, act32(act, load_floats(x + i)));
}

void ebm__bf16_act_tangent(const ebm_gate *gate, const ebm_map_shape *m, const float *v, float *y,
                           ebm_share share)
{
    if (is_thin(m->c)) {
        ebm__map_act_tangent(gate, m, thin_layout(m->h, m->w), v, y, share);
        return;
    }
    for (size_t i = first_value(m, share); i < end_value(m, share); i += BLOCK) {
        floats32 value = load_floats(v + i);
        if (gate->act.kind != EBM_ACT_NONE)
            value = mul32(value, gate32(gate, i));
        store_bf16(wide(y) + i, value);
    }
}

void ebm__bf16_gate_backward(const ebm_gate *gate, const ebm_map_shape *m, const float *u,
                             float *dx, bool accumulate)
{
    if (is_thin(m->c)) {
        ebm__map_gate_backward(gate, m, thin_layout(m->h, m->w), u, dx, accumulate);
        return;
    }
    for (size_t i = 0; i < wide_values(m); i += BLOCK) {
        floats32 value = load_bf16(wide_const(u) + i);
        if (gate->act.kind != EBM_ACT_NONE)
            value = mul32(value, gate32(gate, i));
        if (accumulate)
            value = add32(load_bf16(wide(dx) + i), value);
        store_bf16(wide(dx) + i, value);
    }
}

void ebm__bf16_curve_backward(ebm_activation act, const ebm_map_shape *m, const float *x,
                              const float *v, const float *u, float *dx, bool accumulate)
{
    if (is_thin(m->c)) {
        ebm__map_curve_backward(act, m, thin_layout(m->h, m->w), x, v, u, dx, accumulate);
        return;
    }
    for (size_t i = 0; i < wide_values(m); i += BLOCK) {
        floats32 curve = curve32(act, load_floats(x + i));
        floats32 value = mul32(mul32(curve, load_floats(v + i)), load_bf16(wide_const(u) + i));
        if (accumulate)
            value = add32(load_bf16(wide(dx) + i), value);
        store_bf16(wide(dx) + i, value);
    }
}

void ebm__bf16_add(const ebm_map_shape *m, const float *dy, float *dx, ebm_share share)
{
    if (is_thin(m->c)) {
        ebm__map_add(m, thin_layout(m->h, m->w), dy, dx, share);
        return;
    }
    for (size_t i = first_value(m, share); i < end_value(m, share); i += BLOCK)
        store_bf16(wide(dx) + i, add32(load_bf16(wide(dx) + i), load_bf16(wide_const(dy) + i)));
}

static ebm_map_shape half(const ebm_map_shape *m)
{
    return (ebm_map_shape){.c = m->c, .h = m->h / 2, .w = m->w / 2};
}

/* A quarter of all. */
static floats32 quarter32(floats32 v)
{
    const __m512 quarter = _mm512_set1_ps(0.25f);
    return (floats32){.low = _mm512_mul_ps(quarter, v.low), .high = _mm512_mul_ps(quarter, v.high)};
}

/* The average of the four pixels from `at` on. */
static floats32 average(const float *at, size_t column, size_t row)
{
    floats32 upper = add32(load_floats(at), load_floats(at + column));
    floats32 lower = add32(load_floats(at + row), load_floats(at + row + column));
    return quarter32(add32(upper, lower));
}

void ebm__bf16_pool_forward(const ebm_map_shape *m, const float *x, float *y, ebm_activation act,
                            float *activated, ebm_share share)
{
    const ebm_map_shape small = half(m);
    const ebm__bf16_end end = {.m = small, .value = y, .act = act, .operand = activated};
    size_t channels = padded_channels(m->c), row = grid_of(m->h, m->w).row * channels;
    float sums[BLOCK];
    if (is_thin(m->c)) {
        ebm__map_pool_forward(m, thin_layout(m->h, m->w), thin_layout(small.h, small.w), x, y, act,
                              activated, share);
        return;
    }
    for (size_t i = ebm__share_first(height(&small), share);
         i < ebm__share_end(height(&small), share); i++)
        for (size_t j = 0; j < width(&small); j++)
            for (size_t c = 0; c < channels; c += BLOCK) {
                store_floats(sums, average(x + pixel(m, 2 * i, 2 * j) + c, channels, row));
                ebm__bf16_finish(&end, i * (width(&small) + 1) + j, 1, (int32_t)c, sums, BLOCK);
            }
    ebm__bf16_finish_edges(&end, share);
}

void ebm__bf16_pool_backward(const ebm_map_shape *m, const float *dy, float *dx, ebm_share share)
{
    const ebm_map_shape small = half(m);
    const ebm__bf16_end end = {.m = *m, .operand = dx};
    size_t channels = padded_channels(m->c);
    if (is_thin(m->c)) {
        ebm__map_pool_backward(m, thin_layout(m->h, m->w), thin_layout(small.h, small.w), dy, dx,
                               share);
        return;
    }
    for (size_t i = ebm__share_first(height(m), share); i < ebm__share_end(height(m), share); i++)
        for (size_t j = 0; j < width(m); j++) {
            bool inside = i / 2 < height(&small) && j / 2 < width(&small);
            const bf16 *from = wide_const(dy) + pixel(&small, i / 2, j / 2);
            bf16 *to = wide(dx) + pixel(m, i, j);
            for (size_t c = 0; c < channels; c += BLOCK)
                store_bf16(to + c, inside ? quarter32(load_bf16(from + c)) : zero32());
        }
    ebm__bf16_finish_edges(&end, share);
}

void ebm__bf16_up_forward(const ebm_map_shape *m, const float *x, const ebm_conv_result *out,
                          ebm_share share)
{
    const ebm_map_shape small = half(m);
    const ebm__bf16_end end = {.m = *m,
                               .residual = out->residual,
                               .value = out->y,
                               .act = out->act,
                               .operand = out->activated};
    float sums[BLOCK];
    if (is_thin(m->c)) {
        ebm__map_up_forward(m, thin_layout(small.h, small.w), thin_layout(m->h, m->w), x, out,
                            share);
        return;
    }
    for (size_t i = ebm__share_first(height(m), share); i < ebm__share_end(height(m), share); i++)
        for (size_t j = 0; j < width(m); j++) {
            bool inside = i / 2 < height(&small) && j / 2 < width(&small);
            const float *from = x + pixel(&small, i / 2, j / 2);
            for (size_t c = 0; c < padded_channels(m->c); c += BLOCK) {
                store_floats(sums, inside ? load_floats(from + c) : zero32());
                ebm__bf16_finish(&end, i * (width(m) + 1) + j, 1, (int32_t)c, sums, BLOCK);
            }
        }
    ebm__bf16_finish_edges(&end, share);
}

/* The sum of the four pixels from `at` on. */
static floats32 four(const bf16 *at, size_t column, size_t row)
{
    floats32 upper = add32(load_bf16(at), load_bf16(at + column));
    return add32(upper, add32(load_bf16(at + row), load_bf16(at + row + column)));
}

void ebm__bf16_up_backward(const ebm_map_shape *m, const float *dy, float *dx, ebm_share share)
{
    const ebm_map_shape small = half(m);
    const ebm__bf16_end end = {.m = small, .operand = dx};
    size_t channels = padded_channels(m->c), row = grid_of(m->h, m->w).row * channels;
    if (is_thin(m->c)) {
        ebm__map_up_backward(m, thin_layout(small.h, small.w), thin_layout(m->h, m->w), dy, dx,
                             share);
        return;
    }
    for (size_t i = ebm__share_first(height(&small), share);
         i < ebm__share_end(height(&small), share); i++)
        for (size_t j = 0; j < width(&small); j++)
            for (size_t c = 0; c < channels; c += BLOCK)
                store_bf16(wide(dx) + pixel(&small, i, j) + c,
                           four(wide_const(dy) + pixel(m, 2 * i, 2 * j) + c, channels, row));
    ebm__bf16_finish_edges(&end, share);
}

/* What the head sums up of one block of channels: act(x), act'(x)*v or an operand map. */
typedef struct summand {
    ebm_activation act;
    const float *x, *v;
    const bf16 *operand;
} summand;

static floats32 summand_at(const summand *what, size_t at)
{
    if (what->operand)
        return load_bf16(what->operand + at);
    floats32 x = load_floats(what->x + at);
    return what->v ? mul32(slope32(what->act, x), load_floats(what->v + at)) : act32(what->act, x);
}

/* Floats along a row, doubles over the rows. */
static void sum_block(const summand *what, const ebm_map_shape *m, size_t first, float *sums)
{
    double total[BLOCK] = {0};
    float row[BLOCK];
    for (size_t i = 0; i < height(m); i++) {
        floats32 acc = zero32();
        for (size_t j = 0; j < width(m); j++)
            acc = add32(acc, summand_at(what, pixel(m, i, j) + first));
        store_floats(row, acc);
        for (size_t c = 0; c < BLOCK; c++)
            total[c] += (double)row[c];
    }
    for (size_t c = first; c < first + BLOCK && c < (size_t)m->c; c++)
        sums[c] = (float)total[c - first];
}

static void sum_channels(const summand *what, const ebm_map_shape *m, float *sums, ebm_share share)
{
    size_t blocks = padded_channels(m->c) / BLOCK;
    for (size_t b = ebm__share_first(blocks, share); b < ebm__share_end(blocks, share); b++)
        sum_block(what, m, b * BLOCK, sums);
}

void ebm__bf16_head_sum(ebm_activation act, const ebm_map_shape *m, const float *x, float *sums,
                        ebm_share share)
{
    const summand what = {.act = act, .x = x};
    if (is_thin(m->c))
        ebm__map_head_sum(act, m, thin_layout(m->h, m->w), x, sums, share);
    else
        sum_channels(&what, m, sums, share);
}

void ebm__bf16_head_tangent(ebm_activation act, const ebm_map_shape *m, const float *x,
                            const float *v, float *sums)
{
    const summand what = {.act = act, .x = x, .v = v};
    if (is_thin(m->c))
        ebm__map_head_tangent(act, m, thin_layout(m->h, m->w), x, v, sums);
    else
        sum_channels(&what, m, sums, EBM_ALONE);
}

void ebm__bf16_operand_sum(const ebm_map_shape *m, const float *dy, float *sums)
{
    const summand what = {.operand = wide_const(dy)};
    if (is_thin(m->c))
        ebm__map_head_sum((ebm_activation){.kind = EBM_ACT_NONE}, m, thin_layout(m->h, m->w), dy,
                          sums, EBM_ALONE);
    else
        sum_channels(&what, m, sums, EBM_ALONE);
}

void ebm__bf16_head_backward(ebm_activation act, const ebm_map_shape *m, const float *x,
                             const float *d, float *dx, ebm_share share)
{
    const ebm__bf16_end end = {.m = *m, .operand = dx};
    if (is_thin(m->c)) {
        ebm__map_head_backward(act, m, thin_layout(m->h, m->w), x, d, dx, share);
        return;
    }
    for (size_t first = 0; first < padded_channels(m->c); first += BLOCK) {
        float block[BLOCK] = {0};
        for (size_t c = first; c < first + BLOCK && c < (size_t)m->c; c++)
            block[c - first] = d[c];
        floats32 scale = load_floats(block);
        for (size_t i = ebm__share_first(height(m), share); i < ebm__share_end(height(m), share);
             i++)
            for (size_t j = 0; j < width(m); j++) {
                size_t at = pixel(m, i, j) + first;
                store_bf16(wide(dx) + at, mul32(scale, slope32(act, load_floats(x + at))));
            }
    }
    ebm__bf16_finish_edges(&end, share);
}

/* Attention has no operands that pay for being rounded: float32, as in the other sets. */
void ebm__bf16_panel_product(const ebm_panel_product *p)
{
    ebm__panel_product(p, 8);
}

void ebm__bf16_exponential(size_t n, float *x)
{
    ebm__exp_run(n, x);
}
#endif
