/* What the files of calibration share. */
#ifndef EBM__CALIBRATION_INTERNAL_H
#define EBM__CALIBRATION_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "ebm/calibration.h"

/* Bands of so many levels. */
int32_t ebm__bands(int32_t levels);

/* Allocates zeroed tables. @own ebm_calibration_clear() @err NOMEM */
EBM_MUST_CHECK ebm_status ebm__calibration_init(int32_t levels, ebm_calibration *out,
                                                ebm_error *err);

/* Means over the levels of each band. @shape features [EBM_FEATURES,T], pooled [EBM_FEATURES,B] */
void ebm__features_pool(const double *features, int32_t levels, double *pooled);

/* Standardises pooled features. @shape u [EBM_FEATURES,B], in place @range u ends in -1e6..1e6 */
void ebm__features_standardise(const ebm_calibration *c, double *u);

/* A row of the regression: features clipped narrowly, their squares, their distance. */
#define EBM__COLUMNS(bands) (2 * EBM_FEATURES * (size_t)(bands) + 1)

/* The row but for its last column. @shape u [EBM_FEATURES,B], x [EBM__COLUMNS(B)] */
void ebm__features_clip(const ebm_calibration *c, const double *u, double *x);

/* The last column: squared, per feature, by c->factor. @shape u [EBM_FEATURES,B] */
double ebm__distance(const ebm_calibration *c, const double *u);

/* @shape x [EBM__COLUMNS(B)] */
double ebm__log_odds(const ebm_calibration *c, const double *x);

/* Sorts a column and takes its quantiles; false: the middle 98 % have no spread.
 * @shape column [n], quantile [EBM_QUANTILES] */
bool ebm__quantiles(double *column, size_t n, double *quantile);

#endif
