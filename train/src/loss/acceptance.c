/* See acceptance.h. */
#include "acceptance.h"

#include <math.h>

/* Of one direction: log pi at the start, and the log density of the move. */
typedef struct direction {
    double log_pi, log_move;
} direction;

static direction look(const ebm_levels *l, int32_t t, size_t dim, const float *anchor,
                      const ebmt__stand *from, const float *to)
{
    const double length = l->stride * l->step2[t], sigma = l->sigma[t + 1];
    const double tie = l->tether[t] / (sigma * sigma);
    double tied = 0.0, missed = 0.0;
    for (size_t i = 0; i < dim; i++) {
        double away = (double)from->y[i] - (double)anchor[i];
        double drift = 0.5 * l->stride * (double)from->grad[i] - 0.5 * length * tie * away;
        double miss = (double)to[i] - (double)from->y[i] - drift;
        tied += away * away;
        missed += miss * miss;
    }
    return (direction){from->net / l->step2[t] - 0.5 * tie * tied, -missed / (2.0 * length)};
}

double ebmt__acceptance(const ebm_levels *levels, int32_t level, size_t dim, const float *anchor,
                        const ebmt__stand *from, const ebmt__stand *to)
{
    const direction there = look(levels, level, dim, anchor, from, to->y);
    const direction back = look(levels, level, dim, anchor, to, from->y);
    return exp(fmin(0.0, back.log_pi + back.log_move - there.log_pi - there.log_move));
}
