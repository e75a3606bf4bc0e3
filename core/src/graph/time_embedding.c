/* The sinusoidal embedding of a level's number. */
#include "ebm/graph.h"

#include <math.h>

void ebm_time_embedding(int32_t t, int32_t dim, float *out)
{
    int32_t half = dim / 2;
    for (int32_t j = 0; j < half; j++) {
        double angle = (double)t * exp(-log(10000.0) * (double)j / (double)(half - 1));
        out[j] = (float)sin(angle);
        out[half + j] = (float)cos(angle);
    }
}
