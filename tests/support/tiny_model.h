/* Writes a small model with random weights, so that tests of the daemon need no trained one.
 * Knows core and models; not what is tested with it. */
#ifndef EBM_TEST_TINY_MODEL_H
#define EBM_TEST_TINY_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "ebm/model.h"

/* What to make: `levels` levels of `steps` Langevin steps. */
typedef struct tiny_model {
    const char *id;
    int32_t levels, steps;
    int32_t side;     /* of the square, in pixels; 0: 8 */
    int32_t channels; /* of a pixel; 0: gray */
    int32_t blocks;   /* at each resolution; 0: 1 */
    uint64_t seed;
    bool denoise;      /* drawing ends with a denoising step */
    double step_scale; /* factor on the squared Langevin step; a huge one makes chains diverge */
} tiny_model;

/* Makes the model in memory. @own ebm_model_unref() @err NULL: stderr says why */
ebm_model *tiny_model_create(const tiny_model *what);
/* Creates DIR/ID with model.json and model.safetensors. @err false: stderr says why */
bool tiny_model_write(const char *dir, const tiny_model *what);

#endif
