/* From an image of bytes to the Inception network's input: size, channels, range. */
#include "ebm/resize_axis.h"
#include "ebm/memory.h"
#include "eval/image_sets.h"
#include "eval/inception_internal.h"

#define SIDE EBMT_INCEPTION_SIDE

static const struct {
    const char *name;
    ebm_axis_kind axis;
    double centre, half_range; /* value = (u - centre) / half_range */
} inputs[EBMT_INCEPTION_INPUTS] = {
    [EBMT_INCEPTION_BILINEAR] = {"bilinear", EBM_AXIS_LINEAR, 127.5, 127.5},
    [EBMT_INCEPTION_ANTIALIAS] = {"antialias", EBM_AXIS_TRIANGLE, 127.5, 127.5},
    [EBMT_INCEPTION_TF1] = {"tf1", EBM_AXIS_CORNER, 128.0, 128.0},
};

const char *ebmt_inception_input_name(ebmt_inception_input input)
{
    return inputs[input].name;
}

/* @shape map [H,W]; half [H,SIDE] */
static void resize_rows(const ebm_axis *a, const uint8_t *map, int32_t height, double *half)
{
    for (int32_t y = 0; y < height; y++, map += a->in)
        for (int32_t i = 0; i < SIDE; i++) {
            const double *w = a->weight + (ptrdiff_t)i * a->room;
            double sum = 0.0;
            for (int32_t j = 0; j < a->n[i]; j++)
                sum += w[j] * (double)map[a->first[i] + j];
            *half++ = sum;
        }
}

/* @shape half [H,SIDE]; x [SIDE,SIDE,3], of which every third number is written */
static void resize_columns(ebmt_inception_input input, const ebm_axis *a, const double *half,
                           float *x)
{
    const double centre = inputs[input].centre, half_range = inputs[input].half_range;
    for (int32_t i = 0; i < SIDE; i++) {
        const double *w = a->weight + (ptrdiff_t)i * a->room;
        for (int32_t k = 0; k < SIDE; k++, x += 3) {
            double sum = 0.0;
            for (int32_t j = 0; j < a->n[i]; j++)
                sum += w[j] * half[(ptrdiff_t)(a->first[i] + j) * SIDE + k];
            *x = (float)((sum - centre) / half_range);
        }
    }
}

/* Gray stands in all three channels; an alpha channel is left out. */
static void fill_channels(ebmt_inception_input input, const ebmt_dataset *images, int64_t index,
                          const ebm_axis *across, const ebm_axis *down, double *half, float *x)
{
    const size_t map = (size_t)images->height * (size_t)images->width;
    const uint8_t *image = images->pixels + (size_t)index * ebmt__image_bytes(images);
    for (size_t k = 0; k < 3; k++) {
        if (k == 0 || images->channels >= 3) {
            resize_rows(across, image + k * map, images->height, half);
            resize_columns(input, down, half, x + k);
            continue;
        }
        for (size_t p = 0; p < (size_t)SIDE * SIDE; p++)
            x[3 * p + k] = x[3 * p];
    }
}

ebm_status ebmt__inception_image(ebmt_inception_input input, const ebmt_dataset *images,
                                 int64_t index, float *x, ebm_error *err)
{
    ebm_axis across = {0}, down = {0};
    double *half = ebm_alloc((size_t)images->height, SIDE * sizeof *half);
    ebm_status st = EBM_OK;
    if (half && ebm_axis_init(inputs[input].axis, images->width, SIDE, &across) &&
        ebm_axis_init(inputs[input].axis, images->height, SIDE, &down))
        fill_channels(input, images, index, &across, &down, half, x);
    else
        st = ebm_error_set(err, EBM_ERR_NOMEM, "inception", "no memory to resize an image");
    ebm_axis_clear(&across);
    ebm_axis_clear(&down);
    ebm_free(half);
    return st;
}
