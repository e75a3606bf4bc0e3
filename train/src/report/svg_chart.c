/* See svg_chart.h. */
#include "svg_chart.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ebm/memory.h"

/* Of the picture, and of the part of it within the axes. */
#define WIDTH  760
#define HEIGHT 240
#define LEFT   70.0
#define RIGHT  650.0
#define TOP    10.0
#define BOTTOM 215.0
#define TICKS  4 /* parts of the vertical axis */

typedef struct range {
    double low, high;
} range;

static int ascending(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* A range that has a height, with a little room around it. */
static range widen(double low, double high)
{
    double room = 0.05 * (high - low);
    if (!(room > 0.0))
        room = low != 0.0 ? 0.1 * fabs(low) : 1.0;
    return (range){low - room, high + room};
}

static ebm_status find_range(const ebmt__chart *c, size_t points, range *out, ebm_error *err)
{
    size_t at = 0;
    double *all = ebm_alloc(points, sizeof *all);
    if (!all)
        return ebm_error_set(err, EBM_ERR_NOMEM, "chart", "no memory");
    for (int32_t i = 0; i < c->n; i++) {
        if (c->curve[i].n > 0)
            memcpy(all + at, c->curve[i].y, (size_t)c->curve[i].n * sizeof *all);
        at += (size_t)c->curve[i].n;
    }
    qsort(all, points, sizeof *all, ascending);
    size_t cut = (points - 1) / 100;
    *out = widen(all[cut], all[points - 1 - cut]);
    ebm_free(all);
    return EBM_OK;
}

/* A far outlier need not be told from a near one, and the number stays short. */
static double y_of(const range *r, double value)
{
    double part = (value - r->low) / (r->high - r->low);
    part = part < -1.0 ? -1.0 : part > 2.0 ? 2.0 : part;
    return BOTTOM - part * (BOTTOM - TOP);
}

static void put_axes(FILE *f, const ebmt__chart *c, const range *r)
{
    for (int i = 0; i <= TICKS; i++) {
        double value = r->low + (r->high - r->low) * i / TICKS, y = y_of(r, value);
        (void)fprintf(f,
                      "<path d=\"M%.0f %.1fH%.0f\" stroke=\"#ddd\"/><text x=\"%.0f\" y=\"%.1f\" "
                      "text-anchor=\"end\">%.4g</text>\n",
                      LEFT, y, RIGHT, LEFT - 6.0, y + 4.0, value);
    }
    for (int i = 0; i <= 2; i++)
        (void)fprintf(f, "<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"middle\">%.6g</text>\n",
                      LEFT + (RIGHT - LEFT) * i / 2.0, BOTTOM + 18.0, c->x_max * i / 2.0);
}

static void put_curve(FILE *f, const ebmt__chart *c, int32_t which, const range *r)
{
    const ebmt__curve *curve = &c->curve[which];
    int hue = c->n > 1 ? 240 - 240 * which / (c->n - 1) : 210;
    /* an inner picture cuts off what is outside of it */
    (void)fprintf(
        f,
        "<svg x=\"%.0f\" y=\"%.0f\" width=\"%.0f\" height=\"%.0f\" viewBox=\"%.0f %.0f %.0f "
        "%.0f\"><path fill=\"none\" stroke=\"hsl(%d,70%%,45%%)\" stroke-width=\"1.5\" "
        "stroke-linecap=\"round\" d=\"",
        LEFT, TOP, RIGHT - LEFT, BOTTOM - TOP, LEFT, TOP, RIGHT - LEFT, BOTTOM - TOP, hue);
    for (int32_t i = 0; i < curve->n; i++)
        (void)fprintf(f, "%c%.1f %.1f", i ? 'L' : 'M',
                      LEFT + (RIGHT - LEFT) * curve->x[i] / c->x_max, y_of(r, curve->y[i]));
    (void)fputs(curve->n == 1 ? "h0\"/></svg>\n" : "\"/></svg>\n", f); /* h0: a dot */
    if (c->n > 1)
        (void)fprintf(f, "<text x=\"%.0f\" y=\"%.0f\" fill=\"hsl(%d,70%%,45%%)\">%s</text>\n",
                      RIGHT + 12.0, TOP + 12.0 + 17.0 * which, hue, curve->label);
}

ebm_status ebmt__chart_put(FILE *f, const ebmt__chart *chart, ebm_error *err)
{
    size_t points = 0;
    range r = {0.0, 1.0};
    for (int32_t i = 0; i < chart->n; i++)
        points += (size_t)chart->curve[i].n;
    if (points == 0)
        return EBM_OK;
    ebm_status st = find_range(chart, points, &r, err);
    if (st != EBM_OK)
        return st;
    (void)fprintf(f, "<svg viewBox=\"0 0 %d %d\" width=\"%d\" font-size=\"12\">\n", WIDTH, HEIGHT,
                  WIDTH);
    put_axes(f, chart, &r);
    for (int32_t i = 0; i < chart->n; i++)
        if (chart->curve[i].n > 0)
            put_curve(f, chart, i, &r);
    (void)fputs("</svg>\n", f);
    return EBM_OK;
}
