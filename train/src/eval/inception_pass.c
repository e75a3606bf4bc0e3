/* See inception_pass.h. Maps are [H,W,C], so that a branch writes its channels into the block's
 * output where they belong, and a 1x1 convolution is a product without columns. */
#include "eval/inception_pass.h"

#include <cblas.h>
#include <string.h>

#include "ebm/memory.h"

ebm_status ebmt__inception_scratch_init(const ebmt__inception_plan *plan,
                                        ebmt__inception_scratch *out, ebm_error *err)
{
    memset(out, 0, sizeof *out);
    bool ok = true;
    for (int i = 0; i < EBMT_MAP_COUNT && ok; i++) {
        out->maps[i] = ebm_alloc(plan->map_floats[i], sizeof(float));
        ok = out->maps[i] != NULL;
    }
    out->columns = ok ? ebm_alloc(plan->columns, sizeof(float)) : NULL;
    return out->columns ? EBM_OK
                        : ebm_error_set(err, EBM_ERR_NOMEM, "inception", "no memory for a pass");
}

void ebmt__inception_scratch_clear(ebmt__inception_scratch *s)
{
    for (int i = 0; i < EBMT_MAP_COUNT; i++)
        ebm_free(s->maps[i]);
    ebm_free(s->columns);
    memset(s, 0, sizeof *s);
}

/* --- convolution --------------------------------------------------------------------------- */

static bool inside(int32_t at, int32_t size)
{
    return at >= 0 && at < size;
}

/* What output pixel (i,j) sees: kh runs of kw pixels each, zero outside. Returns the end. */
static float *gather_pixel(const ebmt__inception_op *o, const float *x, int32_t i, int32_t j,
                           float *columns)
{
    const size_t c = (size_t)o->c_in, run = (size_t)o->kw * c;
    const int32_t top = i * o->stride - o->pad_h, left = j * o->stride - o->pad_w;
    const bool whole = left >= 0 && left + o->kw <= o->side_in;
    for (int32_t a = 0; a < o->kh; a++, columns += run) {
        const float *line = x + (ptrdiff_t)(top + a) * o->side_in * o->c_in;
        if (inside(top + a, o->side_in) && whole) {
            memcpy(columns, line + (size_t)left * c, run * sizeof *columns);
            continue;
        }
        memset(columns, 0, run * sizeof *columns);
        for (int32_t b = 0; b < o->kw && inside(top + a, o->side_in); b++)
            if (inside(left + b, o->side_in))
                memcpy(columns + (size_t)b * c, line + (size_t)(left + b) * c, c * sizeof *columns);
    }
    return columns;
}

/* Columns of `rows` rows of the output from row `first` on; for 1x1 they are the input itself. */
static const float *gather(const ebmt__inception_op *o, const float *x, int32_t first, int32_t rows,
                           float *columns)
{
    if (o->kh == 1 && o->kw == 1 && o->stride == 1)
        return x + (size_t)first * (size_t)o->side * (size_t)o->c_in;
    float *at = columns;
    for (int32_t i = first; i < first + rows; i++)
        for (int32_t j = 0; j < o->side; j++)
            at = gather_pixel(o, x, i, j, at);
    return columns;
}

static void add_bias_relu(const ebmt__inception_op *o, const float *bias, int32_t pixels, float *y)
{
    const size_t c = (size_t)o->c;
    for (int32_t p = 0; p < pixels; p++, y += o->pitch)
        for (size_t k = 0; k < c; k++) {
            const float v = y[k] + bias[k];
            y[k] = v > 0.0f ? v : 0.0f;
        }
}

/* @shape x [side_in,side_in,c_in]; y the slice in [side,side,pitch] */
static void convolve(const ebmt__inception_op *o, const float *params, const float *x,
                     float *columns, float *y)
{
    const int depth = o->kh * o->kw * o->c_in;
    const int32_t strip = ebmt__inception_strip(o);
    for (int32_t first = 0; first < o->side; first += strip) {
        const int32_t rows = strip < o->side - first ? strip : o->side - first;
        const float *in = gather(o, x, first, rows, columns);
        float *out = y + (size_t)first * (size_t)o->side * (size_t)o->pitch;
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows * o->side, o->c, depth, 1.0f,
                    in, depth, params + o->weight, o->c, 0.0f, out, o->pitch);
        add_bias_relu(o, params + o->bias, rows * o->side, out);
    }
}

/* --- pools --------------------------------------------------------------------------------- */

/* Joins the pixels of a 3x3 window that are inside the map. Returns their number.
 * @shape y [c], zeroed or overwritten by the first */
static int32_t join_window(const ebmt__inception_op *o, const float *x, int32_t i, int32_t j,
                           bool max, float *y)
{
    const size_t c = (size_t)o->c;
    int32_t n = 0;
    for (int32_t t = 0; t < 9; t++) {
        const int32_t h = i * o->stride - o->pad_h + t / 3, w = j * o->stride - o->pad_w + t % 3;
        if (!inside(h, o->side_in) || !inside(w, o->side_in))
            continue;
        const float *from = x + ((size_t)h * (size_t)o->side_in + (size_t)w) * c;
        if (n++ == 0)
            memcpy(y, from, c * sizeof *y);
        else if (max)
            for (size_t k = 0; k < c; k++)
                y[k] = from[k] > y[k] ? from[k] : y[k];
        else
            for (size_t k = 0; k < c; k++)
                y[k] += from[k];
    }
    return n;
}

static void pool(const ebmt__inception_op *o, const float *x, float *y)
{
    const bool max = o->kind == EBMT_INCEPTION_SHRINK || o->pool == EBMT_POOL_MAX;
    for (int32_t p = 0; p < o->side * o->side; p++, y += o->pitch) {
        const int32_t n = join_window(o, x, p / o->side, p % o->side, max, y);
        const float over = (float)(o->pool == EBMT_POOL_MEAN_NINE ? 9 : n);
        for (int32_t k = 0; k < o->c && !max; k++)
            y[k] /= over;
    }
}

/* --- the pass ------------------------------------------------------------------------------ */

static void show(const ebmt__inception_op *o, const float *y, ebmt__inception_tap tap, void *user)
{
    char block[sizeof o->name];
    const size_t n = strcspn(o->name, ".");
    ebmt__inception_view view = {o->name, y, o->side, o->c, o->pitch};
    tap(user, &view);
    if (!o->last || o->name[n] == '\0')
        return;
    memcpy(block, o->name, n);
    block[n] = '\0';
    view = (ebmt__inception_view){block, y - o->offset, o->side, o->pitch, o->pitch};
    tap(user, &view);
}

/* @shape x [side,side,c]; mean [c] */
static void mean_of_map(const float *x, int32_t side, int32_t c, float *mean)
{
    for (int32_t k = 0; k < c; k++) {
        double sum = 0.0;
        for (int32_t p = 0; p < side * side; p++)
            sum += (double)x[(size_t)p * (size_t)c + (size_t)k];
        mean[k] = (float)(sum / (side * side));
    }
}

void ebmt__inception_pass(const ebmt__inception_plan *plan, const float *params,
                          ebmt__inception_scratch *s, ebmt__inception_tap tap, void *user,
                          float *features)
{
    float *maps[EBMT_MAP_COUNT];
    memcpy(maps, s->maps, sizeof maps);
    for (int32_t i = 0; i < EBMT_INCEPTION_OPS; i++) {
        const ebmt__inception_op *o = &plan->op[i];
        float *y = maps[o->to] + o->offset;
        if (o->kind == EBMT_INCEPTION_CONV)
            convolve(o, params, maps[o->from], s->columns, y);
        else
            pool(o, maps[o->from], y);
        if (tap)
            show(o, y, tap, user);
        if (o->last) {
            float *old = maps[EBMT_MAP_IN];
            maps[EBMT_MAP_IN] = maps[EBMT_MAP_OUT];
            maps[EBMT_MAP_OUT] = old;
        }
    }
    mean_of_map(maps[EBMT_MAP_IN], plan->op[EBMT_INCEPTION_OPS - 1].side, plan->features, features);
}
