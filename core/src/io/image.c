/* Between the model's numbers in [-1,1], channel by channel, and interleaved 8-bit pixels.
 * Knows nothing of file formats. */
#include "ebm/io.h"

#include <math.h>

/* In double: x + 1 would round in float and could move a value across a half. */
static uint8_t to_pixel(float x)
{
    const double v = floor(((double)x + 1.0) * 127.5 + 0.5);
    if (!(v > 0)) { /* also NaN */
        return 0;
    }
    return v >= 255 ? 255 : (uint8_t)v;
}

void ebm_image_from_tensor(const float *x, int32_t c, int32_t h, int32_t w, uint8_t *pixels)
{
    const size_t channels = (size_t)c, area = (size_t)h * (size_t)w;
    for (size_t k = 0; k < channels; k++) {
        for (size_t i = 0; i < area; i++) {
            pixels[i * channels + k] = to_pixel(x[k * area + i]);
        }
    }
}

void ebm_image_to_tensor(const uint8_t *pixels, int32_t c, int32_t h, int32_t w, float *x)
{
    const size_t channels = (size_t)c, area = (size_t)h * (size_t)w;
    for (size_t k = 0; k < channels; k++) {
        for (size_t i = 0; i < area; i++) {
            x[k * area + i] = (float)((double)pixels[i * channels + k] / 127.5 - 1.0);
        }
    }
}
