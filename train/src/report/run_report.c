/* Formats the course of a run; measures nothing. */
#include "run_report.h"

#include <stdio.h>
#include <string.h>

#include "ebm/io.h"
#include "ebm/memory.h"
#include "html_page.h"
#include "report_sheets.h"
#include "svg_chart.h"

/* For curves, texts and configuration: far above what they take. */
#define BYTES_BESIDE_SHEETS ((size_t)2 << 20)

typedef struct graph {
    ebmt__quantity what;
    bool per_level;
    const char *title, *meaning;
} graph;

static const graph graphs[] = {
    {EBMT_LOSS, false, "Loss", "of the likelihood term, mean over the samples that had it"},
    {EBMT_MATCHING_LOSS, false, "Matching loss", "1 for a network that is constant"},
    {EBMT_LEVEL_MATCHING, true, "Matching loss per level", ""},
    {EBMT_LEVEL_GAP, true, "Energy gap per level",
     "net(data) less net(chains); near 0 when chains look like data to the network"},
    {EBMT_LEVEL_DISPLACEMENT, true, "Displacement per level",
     "root mean square way of the chains; steady in a healthy run"},
    {EBMT_LEVEL_ACCEPTANCE, true, "Acceptance per level",
     "what a Metropolis test, which the chains do not make, would let pass of their moves, 0 to 1; "
     "near 0 the steps are too long for the density"},
    {EBMT_LEVEL_VALIDATION, true, "Validation gap per level",
     "log density of training images less that of held-out ones, nats; grows when images are "
     "learned by heart"},
    {EBMT_PERSISTENT_GAP, false, "Gap of persistent chains",
     "log density of their images less that of the chains, nats; below 0 the chains have found "
     "what "
     "is too likely, far above the learning rate is too large for them"},
    {EBMT_PERSISTENT_ACCEPTANCE, false, "Acceptance of persistent chains", ""},
    {EBMT_GRAD_NORM, false, "Gradient norm", ""},
    {EBMT_LR, false, "Learning rate", ""},
};

/* --- curves -------------------------------------------------------------------------------- */

/* Room for one chart. */
typedef struct canvas {
    ebmt__curve curve[EBMT_HISTORY_LEVELS];
    double x[EBMT_HISTORY_LEVELS][EBMT_HISTORY_BINS], y[EBMT_HISTORY_LEVELS][EBMT_HISTORY_BINS];
} canvas;

static void fill_curve(canvas *c, const ebmt__history *h, const graph *g, int32_t row)
{
    const double last = (double)ebmt__history_last(h);
    ebmt__curve *curve = &c->curve[row];
    curve->x = c->x[row];
    curve->y = c->y[row];
    curve->n = 0;
    (void)snprintf(curve->label, sizeof curve->label, "level %d", ebmt__history_level(h, row));
    for (int32_t bin = 0; bin < EBMT_HISTORY_BINS; bin++) {
        double *x = &c->x[row][curve->n];
        if (!ebmt__history_at(h, g->what, row, bin, x, &c->y[row][curve->n]))
            continue;
        *x = *x < last ? *x : last;
        curve->n++;
    }
}

static ebm_status put_graph(FILE *f, const ebmt__history *h, const graph *g, canvas *c,
                            ebm_error *err)
{
    int32_t rows = g->per_level ? ebmt__history_rows(h) : 1;
    int32_t points = 0;
    for (int32_t row = 0; row < rows; row++) {
        fill_curve(c, h, g, row);
        points += c->curve[row].n;
    }
    if (points == 0)
        return EBM_OK;
    const ebmt__chart chart = {
        .curve = c->curve, .n = rows, .x_max = (double)ebmt__history_last(h)};
    (void)fprintf(f, "<h2>%s</h2><p><small>%s</small></p>\n", g->title, g->meaning);
    return ebmt__chart_put(f, &chart, err);
}

static ebm_status put_graphs(FILE *f, const ebmt__history *h, ebm_error *err)
{
    ebm_status st = EBM_OK;
    canvas *c = ebm_alloc(1, sizeof *c);
    if (!c)
        return ebm_error_set(err, EBM_ERR_NOMEM, "report", "no memory");
    for (size_t i = 0; i < sizeof graphs / sizeof graphs[0] && st == EBM_OK; i++)
        st = put_graph(f, h, &graphs[i], c, err);
    ebm_free(c);
    return st;
}

/* --- numbers ------------------------------------------------------------------------------- */

static bool newest(const ebmt__history *h, ebmt__quantity what, int32_t row, double *mean)
{
    double iteration;
    for (int32_t bin = EBMT_HISTORY_BINS - 1; bin >= 0; bin--)
        if (ebmt__history_at(h, what, row, bin, &iteration, mean))
            return true;
    return false;
}

static void put_cell(FILE *f, const ebmt__history *h, ebmt__quantity what, int32_t row)
{
    double value;
    if (newest(h, what, row, &value))
        (void)fprintf(f, "<td>%.4g", value);
    else
        (void)fputs("<td>&ndash;", f);
    if (what == EBMT_LEVEL_VALIDATION && newest(h, EBMT_LEVEL_VALIDATION_ERROR, row, &value))
        (void)fprintf(f, " <small>&plusmn; %.2g</small>", value);
    (void)fputs("</td>", f);
}

static void put_table(FILE *f, const ebmt__history *h)
{
    (void)fputs("<table><tr><th>level</th><th>energy gap</th><th>displacement</th>"
                "<th>acceptance</th>"
                "<th>matching</th><th>validation gap, nats</th></tr>\n",
                f);
    for (int32_t row = 0; row < ebmt__history_rows(h); row++) {
        (void)fprintf(f, "<tr><td>%d</td>", ebmt__history_level(h, row));
        put_cell(f, h, EBMT_LEVEL_GAP, row);
        put_cell(f, h, EBMT_LEVEL_DISPLACEMENT, row);
        put_cell(f, h, EBMT_LEVEL_ACCEPTANCE, row);
        put_cell(f, h, EBMT_LEVEL_MATCHING, row);
        put_cell(f, h, EBMT_LEVEL_VALIDATION, row);
        (void)fputs("</tr>\n", f);
    }
    (void)fputs("</table>\n", f);
}

/* --- the page ------------------------------------------------------------------------------ */

static ebm_status put_page(FILE *f, const void *user, ebm_error *err)
{
    const ebmt__run_report *r = user;
    ebmt__html_begin(f, r->title[0] ? r->title : "Training run");
    (void)fprintf(f, "<p>%lld iterations. ", (long long)ebmt__history_last(r->history));
    ebmt__html_text(f, r->outcome);
    (void)fputs("<br>Each point is a mean over its part of the run.</p>\n", f);
    if (ebmt__history_last(r->history) > 0)
        put_table(f, r->history);
    ebm_status st = put_graphs(f, r->history, err);
    if (st == EBM_OK)
        st = ebmt__report_sheets_put(f, r->dir, EBMT_REPORT_MAX_BYTES - BYTES_BESIDE_SHEETS, err);
    (void)fputs("<h2>Configuration</h2><pre>", f);
    ebmt__html_text(f, r->config_json);
    (void)fputs("</pre>\n", f);
    ebmt__html_end(f);
    return st;
}

ebm_status ebmt__run_report_write(const ebmt__run_report *report, ebm_error *err)
{
    size_t room = strlen(report->dir) + sizeof "/report.html";
    char *text = NULL, *path = ebm_alloc(room, 1);
    if (!path)
        return ebm_error_set(err, EBM_ERR_NOMEM, "report", "no memory");
    (void)snprintf(path, room, "%s/report.html", report->dir);
    ebm_status st = ebmt__html_build(put_page, report, &text, err);
    if (st == EBM_OK)
        st = ebm_file_write(path, text, strlen(text), err);
    ebm_free(text);
    ebm_free(path);
    return st;
}
