/* See grid2d.h. */
#include "eval/grid2d.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ebm/memory.h"
#include "ebm/session.h"
#include "report/grid.h"

#define INNER       4   /* points of a cell, in a row, at which a truth with edges is looked at */
#define BLUR_REACH  6.0 /* standard deviations */
#define LEAST_TRUTH 1e-12
#define RIM         0.05

typedef struct grid {
    const ebmt__grid2d_options *opt;
    const ebm_levels *levels;
    double step; /* width of a cell */
    double *truth, *logp;
    ebm_session **session; /* per worker */
} grid;

static double middle(const grid *g, int32_t i)
{
    return -g->opt->half + ((double)i + 0.5) * g->step;
}

/* --- the truth ------------------------------------------------------------------------------ */

/* Mean density of abar_0 x over a cell, times the area of a cell. */
static void truth_row(void *user, int32_t row, int32_t worker)
{
    grid *g = user;
    double abar = g->levels->abar[0], inner = g->step / INNER;
    (void)worker;
    for (int32_t column = 0; column < g->opt->side; column++) {
        double sum = 0.0;
        for (int32_t k = 0; k < INNER * INNER; k++) {
            double x = middle(g, column) + (k % INNER - 0.5 * (INNER - 1)) * inner;
            double y = middle(g, row) + (k / INNER - 0.5 * (INNER - 1)) * inner;
            sum += ebmt_toy_density(g->opt->toy, x / abar, y / abar);
        }
        g->truth[row * g->opt->side + column] =
            sum / (INNER * INNER) / (abar * abar) * g->step * g->step;
    }
}

/* Convolves n values, `stride` apart, with weights w[-reach..reach]; copy [n] is scratch. */
static void blur_line(double *line, int32_t n, int32_t stride, const double *w, int32_t reach,
                      double *copy)
{
    for (int32_t i = 0; i < n; i++)
        copy[i] = line[i * stride];
    for (int32_t i = 0; i < n; i++) {
        double sum = 0.0;
        for (int32_t k = -reach; k <= reach; k++)
            if (i + k >= 0 && i + k < n)
                sum += w[k] * copy[i + k];
        line[i * stride] = sum;
    }
}

/* Adds the noise of level 0 and that of rounding, first along rows, then along columns. */
static ebm_status blur_truth(grid *g, ebm_error *err)
{
    double abar = g->levels->abar[0], sbar = g->levels->sbar[0], total = 0.0;
    double sd = sqrt(sbar * sbar + abar * abar * EBMT_TOY_ROUNDING) / g->step;
    int32_t n = g->opt->side, reach = (int32_t)ceil(BLUR_REACH * sd);
    reach = reach < n ? reach : n;
    double *room = ebm_alloc((size_t)(2 * reach + 1) + (size_t)n, sizeof *room);
    if (!room)
        return ebm_error_set(err, EBM_ERR_NOMEM, "grid", "no memory");
    double *w = room + reach, *copy = room + 2 * reach + 1;
    for (int32_t k = -reach; k <= reach; k++)
        total += w[k] = exp(-0.5 * (double)k * (double)k / (sd * sd));
    for (int32_t k = -reach; k <= reach; k++)
        w[k] /= total;
    for (int32_t i = 0; i < n; i++)
        blur_line(g->truth + i * n, n, 1, w, reach, copy);
    for (int32_t i = 0; i < n; i++)
        blur_line(g->truth + i, n, n, w, reach, copy);
    ebm_free(room);
    return EBM_OK;
}

/* --- the model ------------------------------------------------------------------------------ */

static void model_row(void *user, int32_t row, int32_t worker)
{
    grid *g = user;
    float x[2], work[2];
    x[1] = (float)middle(g, row);
    for (int32_t column = 0; column < g->opt->side; column++) {
        x[0] = (float)middle(g, column);
        g->logp[row * g->opt->side + column] = ebm_session_logp(g->session[worker], x, work);
    }
}

static ebm_status make_sessions(grid *g, ebm_model *m, int32_t n, ebm_error *err)
{
    ebm_status st = EBM_OK;
    g->session = calloc((size_t)n, sizeof *g->session);
    if (!g->session)
        return ebm_error_set(err, EBM_ERR_NOMEM, "grid", "no memory");
    for (int32_t i = 0; i < n && st == EBM_OK; i++)
        st = ebm_session_create(m, NULL, &g->session[i], err);
    return st;
}

/* Turns logp into probabilities per cell; the largest is taken out first, so that exp is safe. */
static ebm_status normalise(grid *g, ebmt__grid2d *out, ebm_error *err)
{
    size_t cells = (size_t)g->opt->side * (size_t)g->opt->side;
    double most = -(double)INFINITY, sum = 0.0;
    for (size_t i = 0; i < cells; i++) {
        if (!isfinite(g->logp[i]))
            return ebm_error_set(err, EBM_ERR_DIVERGED, "grid", "an energy is not finite");
        most = fmax(most, g->logp[i]);
    }
    for (size_t i = 0; i < cells; i++)
        sum += exp(g->logp[i] - most);
    out->log_z = most + log(sum) + 2.0 * log(g->step);
    for (size_t i = 0; i < cells; i++)
        out->model[i] = exp(g->logp[i] - most) / sum;
    return EBM_OK;
}

/* --- figures -------------------------------------------------------------------------------- */

static void compare(const grid *g, ebmt__grid2d *out)
{
    size_t cells = (size_t)g->opt->side * (size_t)g->opt->side;
    double log_cell = 2.0 * log(g->step), total = 0.0;
    for (size_t i = 0; i < cells; i++)
        total += out->truth[i];
    for (size_t i = 0; i < cells; i++) {
        double p = out->truth[i] /= total, q = out->model[i];
        double log_q = g->logp[i] - out->log_z + log_cell; /* also where q itself is 0 */
        if (p > 0.0) {
            out->kl += p * (log(p) - log_q);
            out->entropy -= p * (log(p) - log_cell);
        }
        if (q > 0.0)
            out->kl_reverse += q * (log_q - log(fmax(p, LEAST_TRUTH / (double)cells)));
    }
}

static double rim_share(const ebmt__grid2d *g)
{
    int32_t n = g->side, edge = (int32_t)(RIM * n);
    double sum = 0.0;
    for (int32_t y = 0; y < n; y++)
        for (int32_t x = 0; x < n; x++)
            if (x < edge || y < edge || x >= n - edge || y >= n - edge)
                sum += g->model[y * n + x];
    return sum;
}

static ebm_status check(const ebm_model *m, const ebmt__grid2d_options *opt, ebm_error *err)
{
    const ebm_graph_info *g = ebm_model_describe(m)->graph;
    if (g->channels != 2 || g->height != 1 || g->width != 1)
        return ebm_error_set(err, EBM_ERR_SHAPE, "model", "is not a model of points");
    if (opt->side < 16 || opt->side > 4096)
        return ebm_error_set(err, EBM_ERR_RANGE, "grid", "must have 16..4096 cells in a row");
    if (!(opt->half >= 1.1 && opt->half <= 8.0))
        return ebm_error_set(err, EBM_ERR_RANGE, "half", "must be 1.1..8");
    return EBM_OK;
}

static ebm_status fill(grid *g, ebmt_pool *pool, ebmt__grid2d *out, ebm_error *err)
{
    ebmt_pool_run(pool, g->opt->side, truth_row, g);
    ebm_status st = blur_truth(g, err);
    if (st != EBM_OK)
        return st;
    ebmt_pool_run(pool, g->opt->side, model_row, g);
    st = normalise(g, out, err);
    if (st == EBM_OK) {
        compare(g, out);
        out->rim = rim_share(out);
    }
    return st;
}

ebm_status ebmt__grid2d_evaluate(ebm_model *m, const ebmt__grid2d_options *opt, ebmt_pool *pool,
                                 ebmt__grid2d *out, ebm_error *err)
{
    grid g = {.opt = opt, .levels = ebm_model_describe(m)->levels};
    *out = (ebmt__grid2d){0};
    ebm_status st = check(m, opt, err);
    if (st != EBM_OK)
        return st;
    size_t cells = (size_t)opt->side * (size_t)opt->side;
    g.step = 2.0 * opt->half / (double)opt->side;
    out->side = opt->side;
    out->truth = ebm_alloc(cells, sizeof *out->truth);
    out->model = ebm_alloc(cells, sizeof *out->model);
    g.logp = ebm_alloc(cells, sizeof *g.logp);
    g.truth = out->truth;
    if (out->truth && out->model && g.logp)
        st = make_sessions(&g, m, ebmt_pool_threads(pool), err);
    else
        st = ebm_error_set(err, EBM_ERR_NOMEM, "grid", "no memory");
    if (st == EBM_OK)
        st = fill(&g, pool, out, err);
    for (int32_t i = 0; g.session && i < ebmt_pool_threads(pool); i++)
        ebm_session_free(g.session[i]);
    free(g.session);
    ebm_free(g.logp);
    if (st != EBM_OK)
        ebmt__grid2d_clear(out);
    return st;
}

void ebmt__grid2d_clear(ebmt__grid2d *g)
{
    ebm_free(g->truth);
    ebm_free(g->model);
    *g = (ebmt__grid2d){0};
}

/* --- the picture ---------------------------------------------------------------------------- */

static void shade(const double *p, int32_t n, double most, uint8_t *pixels)
{
    for (int32_t y = 0; y < n; y++)
        for (int32_t x = 0; x < n; x++) {
            double dark = fmin(p[(n - 1 - y) * n + x] / most, 1.0); /* y points up */
            pixels[y * n + x] = (uint8_t)(255.0 * (1.0 - dark) + 0.5);
        }
}

ebm_status ebmt__grid2d_draw(const ebmt__grid2d *g, const char *path, ebm_error *err)
{
    size_t cells = (size_t)g->side * (size_t)g->side;
    double most = 0.0;
    for (size_t i = 0; i < cells; i++)
        most = fmax(most, g->truth[i]);
    most *= 1.25; /* so that a model which is too sure somewhere shows */
    uint8_t *pixels = ebm_alloc(2 * cells, 1);
    if (!pixels)
        return ebm_error_set(err, EBM_ERR_NOMEM, "grid", "no memory");
    shade(g->truth, g->side, most, pixels);
    shade(g->model, g->side, most, pixels + cells);
    const ebmt_grid sheet = {
        .pixels = pixels, .n = 2, .width = g->side, .height = g->side, .channels = 1, .columns = 2};
    ebm_status st = ebmt_grid_write(path, &sheet, err);
    ebm_free(pixels);
    return st;
}
