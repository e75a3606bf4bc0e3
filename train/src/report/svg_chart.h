/* A line chart as inline SVG. Knows numbers; has never heard of training. */
#ifndef EBMT_SVG_CHART_H
#define EBMT_SVG_CHART_H

#include <stdint.h>
#include <stdio.h>

#include "ebm/status.h"

/* One line. @shape x, y [n], finite; x ascending */
typedef struct ebmt__curve {
    const double *x, *y;
    int32_t n;
    char label[32]; /* no markup in it */
} ebmt__curve;

/* @range x_max > 0; curves without points are left out */
typedef struct ebmt__chart {
    const ebmt__curve *curve;
    int32_t n;
    double x_max; /* x begins at 0 */
} ebmt__chart;

/* Draws axes, lines from blue to red, and a legend if there are several. The vertical axis spans
 * the first to the 99th percentile, so that a wild start does not flatten the rest; what is beyond
 * is cut off. Draws nothing if there is no point. @err NOMEM */
EBM_MUST_CHECK ebm_status ebmt__chart_put(FILE *f, const ebmt__chart *chart, ebm_error *err);

#endif
