/* Feeds bytes to the reader of calibration files; one that it accepts must give percentiles, and a
 * finite score of anything finite. */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "ebm/calibration.h"

#define LEVELS 6

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char digest[] = "b12ae4a28fda015dc72dbb4d7f0f73b7e1f6748f30bca86df23568830ea53960";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const double features[EBM_FEATURES * LEVELS] = {1e300, -1e300, 0.0, 1e-300};
    static ebm_levels levels;
    const ebm_calibrated of = {digest, &levels};
    ebm_calibration c = {0};

    if (!levels.a && ebm_levels_init(LEVELS, &levels, NULL) != EBM_OK)
        abort();
    if (ebm_calibration_parse((const char *)data, size, &of, &c, NULL) == EBM_OK) {
        for (int32_t t = 0; t <= LEVELS; t++) {
            double p = ebm_calibration_percentile(&c, t, 0.0);

            if (!(p >= 0.0 && p <= 100.0))
                abort();
        }
        if (!isfinite(ebm_calibration_score(&c, features)))
            abort();
    }
    ebm_calibration_clear(&c);
    return 0;
}
