/* Does the log density of a chain stay where that of data lies? */
#include <math.h>

#include "diagnostics/diagnostics_internal.h"

/* Widths of the band beyond which a value counts as diverged: far outside any sampling noise. */
#define FAR 10.0

static double mean_of_draws(const ebm_series *s, size_t first, size_t end)
{
    double sum = 0.0;
    for (size_t c = 0; c < s->chains; c++)
        for (size_t i = first; i < end; i++)
            sum += s->values[c * s->chain_stride + i * s->stride];
    return sum / ((double)s->chains * (double)(end - first));
}

ebm_status ebm_drift_of(const ebm_series *logp, const ebm_band *band, ebm_drift *out,
                        ebm_error *err)
{
    const size_t quarter = logp->draws / 4;
    double far = FAR * (band->high - band->low);
    size_t outside = 0;
    ebm_status st = ebm__series_check(logp, err);
    *out = (ebm_drift){0};
    if (st != EBM_OK)
        return st;
    if (!(isfinite(band->low) && isfinite(band->high) && band->low < band->high))
        return ebm_error_set(err, EBM_ERR_RANGE, "band", "needs finite low < high");
    for (size_t c = 0; c < logp->chains; c++)
        for (size_t i = 0; i < logp->draws; i++) {
            double v = logp->values[c * logp->chain_stride + i * logp->stride];
            outside += !(v >= band->low && v <= band->high);
            out->diverged |= !(v >= band->low - far && v <= band->high + far);
        }
    out->outside = (double)outside / ((double)logp->chains * (double)logp->draws);
    out->early = mean_of_draws(logp, 0, quarter);
    out->late = mean_of_draws(logp, logp->draws - quarter, logp->draws);
    out->left_band = !(out->late >= band->low && out->late <= band->high);
    return EBM_OK;
}
