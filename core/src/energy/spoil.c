/* Spoiled copies of images. Knows pixels; see spoil.h for what they are for. */
#include "ebm/spoil.h"

#include <string.h>

#include "ebm/rng.h"

#define SALT_SHARE 0.05

const char *ebm_spoil_name(ebm_spoil_kind kind)
{
    static const char *const names[EBM_SPOIL_KINDS] = {
        "halves, top and bottom",
        "halves, left and right",
        "quarters exchanged",
        "mean of two",
        "blurred",
        "moved",
        "inverted",
        "salt and pepper",
    };
    return (unsigned)kind < EBM_SPOIL_KINDS ? names[kind] : NULL;
}

static size_t plane_of(const ebm_shape *s)
{
    return (size_t)s->height * (size_t)s->width;
}

/* The partner from row `top` and from column `left` on, the image elsewhere. */
static void join(const ebm_spoil_source *from, int32_t top, int32_t left, float *out)
{
    const ebm_shape *s = from->shape;
    size_t i = 0;
    for (int32_t c = 0; c < s->channels; c++)
        for (int32_t y = 0; y < s->height; y++)
            for (int32_t x = 0; x < s->width; x++, i++)
                out[i] = y >= top && x >= left ? from->partner[i] : from->image[i];
}

/* Moves the image down and to the right, round the edges. */
static void roll(const ebm_spoil_source *from, int32_t down, int32_t right, float *out)
{
    const ebm_shape *s = from->shape;
    const size_t plane = plane_of(s), width = (size_t)s->width;
    for (int32_t c = 0; c < s->channels; c++)
        for (int32_t y = 0; y < s->height; y++)
            for (int32_t x = 0; x < s->width; x++) {
                size_t to_y = (size_t)((y + down) % s->height);
                size_t to_x = (size_t)((x + right) % s->width);
                size_t map = (size_t)c * plane;
                out[map + to_y * width + to_x] = from->image[map + (size_t)y * width + (size_t)x];
            }
}

/* One pass of (1,2,1)/4 along n pixels, `stride` apart, in place. */
static void soften(float *line, int32_t n, size_t stride)
{
    float before = line[0];
    for (int32_t i = 0; i < n; i++) {
        float *at = line + (size_t)i * stride;
        const float here = *at, after = i + 1 < n ? at[stride] : here;
        *at = 0.25f * before + 0.5f * here + 0.25f * after;
        before = here;
    }
}

static void blur(const ebm_spoil_source *from, float *out)
{
    const ebm_shape *s = from->shape;
    const size_t width = (size_t)s->width;
    const int32_t side = s->width < s->height ? s->width : s->height;
    const int32_t passes = (2 * side * side + 195) / 196; /* 2 sigma^2, rounded up */
    memcpy(out, from->image, (size_t)s->channels * plane_of(s) * sizeof *out);
    for (int32_t c = 0; c < s->channels; c++) {
        float *map = out + (size_t)c * plane_of(s);
        for (int32_t pass = 0; pass < passes; pass++) {
            for (int32_t y = 0; y < s->height; y++)
                soften(map + (size_t)y * width, s->width, 1);
            for (int32_t x = 0; x < s->width; x++)
                soften(map + x, s->height, width);
        }
    }
}

/* Inverts the pixels whose draw lies below `share`. */
static void invert(const ebm_spoil_source *from, double share, float *out)
{
    const size_t plane = plane_of(from->shape), dim = (size_t)from->shape->channels * plane;
    const ebm_stream stream = {
        .seed = from->seed, .purpose = EBM_PURPOSE_SPOIL, .chain = from->index};
    for (size_t i = 0; i < dim; i++) {
        const bool chosen = ebm_rng_uniform(&stream, (uint32_t)(i % plane)) < share;
        out[i] = chosen ? -from->image[i] : from->image[i];
    }
}

static void average(const ebm_spoil_source *from, float *out)
{
    const size_t dim = (size_t)from->shape->channels * plane_of(from->shape);
    for (size_t i = 0; i < dim; i++)
        out[i] = 0.5f * (from->image[i] + from->partner[i]);
}

void ebm_spoil(ebm_spoil_kind kind, const ebm_spoil_source *from, float *out)
{
    const int32_t height = from->shape->height, width = from->shape->width;
    switch (kind) {
    case EBM_SPOIL_TOP_BOTTOM:
        join(from, height / 2, 0, out);
        break;
    case EBM_SPOIL_LEFT_RIGHT:
        join(from, 0, width / 2, out);
        break;
    case EBM_SPOIL_QUARTERS:
        roll(from, height / 2, width / 2, out);
        break;
    case EBM_SPOIL_MEAN:
        average(from, out);
        break;
    case EBM_SPOIL_BLUR:
        blur(from, out);
        break;
    case EBM_SPOIL_MOVE:
        roll(from, (5 * height + 27) / 28, 0, out);
        break;
    case EBM_SPOIL_INVERT:
        invert(from, 1.0, out);
        break;
    case EBM_SPOIL_SALT_PEPPER:
        invert(from, SALT_SHARE, out);
        break;
    }
}
