/* See attention.h. Scores are made panel by panel, EBM_PANEL queries or keys side by side, and made
 * again in the backward pass: nowhere is there a map of all pairs of pixels. */
#include "graph/attention.h"

#include <math.h>
#include <string.h>

#include "ebm/memory.h"
#include "kernels/share_inline.h"

#define N_STATS 5

/* Panels that a member has at hand. */
#define PANELS        2
#define PANELS_SECOND 4

/* --- memory ---------------------------------------------------------------------------------- */

static size_t rounded(size_t n)
{
    size_t unit = EBM_ALIGN / sizeof(float) > EBM_PANEL ? EBM_ALIGN / sizeof(float) : EBM_PANEL;
    return (n + unit - 1) / unit * unit;
}

static size_t pixels_of(const ebm_map_shape *m)
{
    return (size_t)m->h * (size_t)m->w;
}

size_t ebm__attention_floats(const ebm_map_shape *m, bool tangent)
{
    size_t planes = tangent ? 14 : 7;
    return (planes * (size_t)m->c + N_STATS) * rounded(pixels_of(m));
}

size_t ebm__attention_panel_floats(const ebm_map_shape *m, bool tangent)
{
    return (tangent ? PANELS_SECOND : PANELS) * pixels_of(m) * EBM_PANEL;
}

static float *take(float **work, size_t floats)
{
    float *at = *work;
    *work += floats;
    return at;
}

static ebm__attention_maps take_maps(float **work, size_t floats)
{
    ebm__attention_maps maps;
    maps.query = take(work, floats);
    maps.key = take(work, floats);
    maps.value = take(work, floats);
    return maps;
}

void ebm__attention_init(const ebm_kernels *k, const ebm_map_shape *m, bool tangent, float *work,
                         ebm__attention *out)
{
    size_t stride = rounded(pixels_of(m)), floats = (size_t)m->c * stride;
    *out = (ebm__attention){.kernels = k,
                            .channels = (size_t)m->c,
                            .pixels = pixels_of(m),
                            .stride = stride,
                            .scale = (float)(1.0 / sqrt((double)m->c))};
    float **stats[N_STATS] = {&out->stats.top, &out->stats.inverse, &out->stats.slope,
                              &out->stats.tangent, &out->stats.curve};
    for (int i = 0; i < N_STATS; i++)
        *stats[i] = take(&work, stride);
    out->x = take_maps(&work, floats);
    out->dx = take_maps(&work, floats);
    out->y = take(&work, floats);
    if (!tangent)
        return;
    out->t = take_maps(&work, floats);
    out->dt = take_maps(&work, floats);
    out->y2 = take(&work, floats);
}

/* --- panels ---------------------------------------------------------------------------------- */

/* One member's panel: EBM_PANEL queries from `first` on with all keys as rows, or the reverse. */
typedef struct side {
    const ebm__attention *a;
    size_t first;
    bool by_key; /* rows are queries */
} side;

/* panel(r,l) = (+=) sum_c rows(c,r) columns(c,first+l) */
static void dots(const side *s, const float *rows, const float *columns, bool accumulate,
                 float *panel)
{
    const ebm_panel_product p = {.a = rows,
                                 .row_step = 1,
                                 .term_step = s->a->stride,
                                 .rows = s->a->pixels,
                                 .terms = s->a->channels,
                                 .b = columns + s->first,
                                 .b_step = s->a->stride,
                                 .out = panel,
                                 .out_step = EBM_PANEL,
                                 .accumulate = accumulate};
    s->a->kernels->panel_product(&p);
}

/* out(c,first+l) = (+=) sum_r planes(c,r) panel(r,l) */
static void mix(const side *s, const float *planes, const float *panel, bool accumulate, float *out)
{
    const ebm_panel_product p = {.a = planes,
                                 .row_step = s->a->stride,
                                 .term_step = 1,
                                 .rows = s->a->channels,
                                 .terms = s->a->pixels,
                                 .b = panel,
                                 .b_step = EBM_PANEL,
                                 .out = out + s->first,
                                 .out_step = s->a->stride,
                                 .accumulate = accumulate};
    s->a->kernels->panel_product(&p);
}

typedef struct lanes {
    float at[EBM_PANEL];
} lanes;

/* The numbers of the queries in row r of a panel. */
static lanes stat_at(const side *s, const float *stat, size_t r)
{
    lanes out;
    if (!s->by_key)
        memcpy(out.at, stat + s->first, sizeof out.at);
    for (size_t l = 0; s->by_key && l < EBM_PANEL; l++)
        out.at[l] = stat[r];
    return out;
}

/* Keeps for each query of the panel the mean of b under the weights p. */
static void keep_means(const side *s, const float *p, const float *b, float *stat)
{
    double sum[EBM_PANEL] = {0};
    for (size_t r = 0; r < s->a->pixels; r++)
        for (size_t l = 0; l < EBM_PANEL; l++)
            sum[l] += (double)p[r * EBM_PANEL + l] * (double)b[r * EBM_PANEL + l];
    for (size_t l = 0; l < EBM_PANEL; l++)
        stat[s->first + l] = (float)sum[l];
}

/* --- weights --------------------------------------------------------------------------------- */

/* From scores to exponentials; the largest score of a query becomes exp(0). */
static void exponentials(const side *s, float *panel)
{
    for (size_t r = 0; r < s->a->pixels; r++) {
        const lanes top = stat_at(s, s->a->stats.top, r);
        float *row = panel + r * EBM_PANEL;
        for (size_t l = 0; l < EBM_PANEL; l++)
            row[l] = s->a->scale * (row[l] - top.at[l]);
    }
    s->a->kernels->exponential(s->a->pixels * EBM_PANEL, panel);
}

static void normalise(const side *s, float *panel)
{
    for (size_t r = 0; r < s->a->pixels; r++) {
        const lanes inverse = stat_at(s, s->a->stats.inverse, r);
        for (size_t l = 0; l < EBM_PANEL; l++)
            panel[r * EBM_PANEL + l] *= inverse.at[l];
    }
}

static void keep_tops(const side *s, const float *panel)
{
    lanes top;
    memcpy(top.at, panel, sizeof top.at);
    for (size_t r = 1; r < s->a->pixels; r++)
        for (size_t l = 0; l < EBM_PANEL; l++) {
            float score = panel[r * EBM_PANEL + l];
            top.at[l] = score > top.at[l] ? score : top.at[l];
        }
    memcpy(s->a->stats.top + s->first, top.at, sizeof top.at);
}

static void keep_inverses(const side *s, const float *panel)
{
    double sum[EBM_PANEL] = {0};
    for (size_t r = 0; r < s->a->pixels; r++)
        for (size_t l = 0; l < EBM_PANEL; l++)
            sum[l] += (double)panel[r * EBM_PANEL + l];
    for (size_t l = 0; l < EBM_PANEL; l++)
        s->a->stats.inverse[s->first + l] = (float)(1.0 / sum[l]);
}

/* p of a panel. By queries all of a softmax is at hand, and what makes its rows is kept; by keys
 * the rows are made from that, with the same bits. */
static void weights(const side *s, float *p)
{
    const ebm__attention_maps *x = &s->a->x;
    dots(s, s->by_key ? x->query : x->key, s->by_key ? x->key : x->query, false, p);
    if (!s->by_key)
        keep_tops(s, p);
    exponentials(s, p);
    if (!s->by_key)
        keep_inverses(s, p);
    normalise(s, p);
}

/* Tangents of the scores. */
static void score_tangents(const side *s, float *panel)
{
    const ebm__attention_maps *x = &s->a->x, *t = &s->a->t;
    dots(s, s->by_key ? t->query : x->key, s->by_key ? x->key : t->query, false, panel);
    dots(s, s->by_key ? x->query : t->key, s->by_key ? t->key : x->query, true, panel);
    for (size_t i = 0; i < s->a->pixels * EBM_PANEL; i++)
        panel[i] *= s->a->scale;
}

/* b = factor * p * (b - the mean of its query) */
static void centre(const side *s, const float *p, const float *stat, float factor, float *b)
{
    for (size_t r = 0; r < s->a->pixels; r++) {
        const lanes mean = stat_at(s, stat, r);
        for (size_t l = 0; l < EBM_PANEL; l++) {
            size_t i = r * EBM_PANEL + l;
            b[i] = factor * p[i] * (b[i] - mean.at[l]);
        }
    }
}

/* --- passes ---------------------------------------------------------------------------------- */

static size_t first_panel(const ebm__attention *a, ebm_share share)
{
    return ebm__share_first(a->stride / EBM_PANEL, share);
}

static size_t end_panel(const ebm__attention *a, ebm_share share)
{
    return ebm__share_end(a->stride / EBM_PANEL, share);
}

void ebm__attention_forward(const ebm__attention *a, float *panels, ebm_share share)
{
    for (size_t i = first_panel(a, share); i < end_panel(a, share); i++) {
        const side s = {.a = a, .first = i * EBM_PANEL};
        weights(&s, panels);
        mix(&s, a->x.value, panels, false, a->y);
    }
}

/* @eq p'_ij = p_ij (s'_ij - sum_l p_il s'_il), y'_i = sum_j p'_ij v_j + p_ij v'_j */
void ebm__attention_tangent(const ebm__attention *a, float *panels, ebm_share share)
{
    float *p = panels, *dp = panels + a->pixels * EBM_PANEL;
    for (size_t i = first_panel(a, share); i < end_panel(a, share); i++) {
        const side s = {.a = a, .first = i * EBM_PANEL};
        weights(&s, p);
        score_tangents(&s, dp);
        keep_means(&s, p, dp, a->stats.tangent);
        centre(&s, p, a->stats.tangent, 1.0f, dp);
        mix(&s, a->x.value, dp, false, a->y);
        mix(&s, a->t.value, p, true, a->y);
    }
}

/* @eq with g = dy: e_ij = p_ij (g_i.v_j - sum_l p_il g_i.v_l)/sqrt(C);
 *     dq_i = sum_j e_ij k_j, dk_j = sum_i e_ij q_i, dv_j = sum_i p_ij g_i */
void ebm__attention_backward_query(const ebm__attention *a, float *panels, ebm_share share)
{
    float *p = panels, *e = panels + a->pixels * EBM_PANEL;
    for (size_t i = first_panel(a, share); i < end_panel(a, share); i++) {
        const side s = {.a = a, .first = i * EBM_PANEL};
        weights(&s, p);
        dots(&s, a->x.value, a->y, false, e);
        keep_means(&s, p, e, a->stats.slope);
        centre(&s, p, a->stats.slope, a->scale, e);
        mix(&s, a->x.key, e, false, a->dx.query);
    }
}

void ebm__attention_backward_key(const ebm__attention *a, float *panels, ebm_share share)
{
    float *p = panels, *e = panels + a->pixels * EBM_PANEL;
    for (size_t i = first_panel(a, share); i < end_panel(a, share); i++) {
        const side s = {.a = a, .first = i * EBM_PANEL, .by_key = true};
        weights(&s, p);
        dots(&s, a->y, a->x.value, false, e);
        centre(&s, p, a->stats.slope, a->scale, e);
        mix(&s, a->x.query, e, false, a->dx.key);
        mix(&s, a->y, p, false, a->dx.value);
    }
}

/* --- backward of a tangent ------------------------------------------------------------------- */

/* With g the gradient in y', h that in y, and L = <g, y'> + <h, y>:
 * @eq m_i = sum_j p_ij s'_ij, A_i = sum_j p_ij g_i.v_j,
 *     t_ij = (s'_ij - m_i)(g_i.v_j - A_i) + g_i.v'_j + h_i.v_j, E_i = sum_j p_ij t_ij;
 *     dL/ds'_ij = e_ij = p_ij (g_i.v_j - A_i), dL/ds_ij = f_ij = p_ij (t_ij - E_i);
 *     dq' = sum e k, dq = sum f k + e k' over keys, dk' = sum e q, dk = sum f q + e q' over
 *     queries, all /sqrt(C); dv' = sum p g, dv = sum p' g + p h over queries */
typedef struct second_panels {
    float *p;
    float *scores; /* s', then p' */
    float *slopes; /* g.v, then e/sqrt(C) */
    float *curves; /* g.v' + h.v, then t, then f/sqrt(C) */
} second_panels;

static second_panels second_panels_of(const ebm__attention *a, float *panels)
{
    size_t floats = a->pixels * EBM_PANEL;
    return (second_panels){.p = panels,
                           .scores = panels + floats,
                           .slopes = panels + 2 * floats,
                           .curves = panels + 3 * floats};
}

static void second_products(const side *s, const second_panels *n)
{
    const ebm__attention *a = s->a;
    const float *value = a->x.value, *tangent = a->t.value;
    weights(s, n->p);
    score_tangents(s, n->scores);
    dots(s, s->by_key ? a->y : value, s->by_key ? value : a->y, false, n->slopes);
    dots(s, s->by_key ? a->y : tangent, s->by_key ? tangent : a->y, false, n->curves);
    dots(s, s->by_key ? a->y2 : value, s->by_key ? value : a->y2, true, n->curves);
}

/* curves = t */
static void bend(const side *s, const second_panels *n)
{
    for (size_t r = 0; r < s->a->pixels; r++) {
        const lanes m = stat_at(s, s->a->stats.tangent, r);
        const lanes mean = stat_at(s, s->a->stats.slope, r);
        for (size_t l = 0; l < EBM_PANEL; l++) {
            size_t i = r * EBM_PANEL + l;
            n->curves[i] += (n->scores[i] - m.at[l]) * (n->slopes[i] - mean.at[l]);
        }
    }
}

static void centre_all(const side *s, const second_panels *n)
{
    const ebm__attention_stats *stats = &s->a->stats;
    centre(s, n->p, stats->tangent, 1.0f, n->scores);
    centre(s, n->p, stats->slope, s->a->scale, n->slopes);
    centre(s, n->p, stats->curve, s->a->scale, n->curves);
}

void ebm__attention_second_query(const ebm__attention *a, float *panels, ebm_share share)
{
    const second_panels n = second_panels_of(a, panels);
    for (size_t i = first_panel(a, share); i < end_panel(a, share); i++) {
        const side s = {.a = a, .first = i * EBM_PANEL};
        second_products(&s, &n);
        keep_means(&s, n.p, n.scores, a->stats.tangent);
        keep_means(&s, n.p, n.slopes, a->stats.slope);
        bend(&s, &n);
        keep_means(&s, n.p, n.curves, a->stats.curve);
        centre_all(&s, &n);
        mix(&s, a->x.key, n.slopes, false, a->dt.query);
        mix(&s, a->x.key, n.curves, false, a->dx.query);
        mix(&s, a->t.key, n.slopes, true, a->dx.query);
    }
}

void ebm__attention_second_key(const ebm__attention *a, float *panels, ebm_share share)
{
    const second_panels n = second_panels_of(a, panels);
    for (size_t i = first_panel(a, share); i < end_panel(a, share); i++) {
        const side s = {.a = a, .first = i * EBM_PANEL, .by_key = true};
        second_products(&s, &n);
        bend(&s, &n);
        centre_all(&s, &n);
        mix(&s, a->x.query, n.slopes, false, a->dt.key);
        mix(&s, a->y, n.p, false, a->dt.value);
        mix(&s, a->x.query, n.curves, false, a->dx.key);
        mix(&s, a->t.query, n.slopes, true, a->dx.key);
        mix(&s, a->y, n.scores, false, a->dx.value);
        mix(&s, a->y2, n.p, true, a->dx.value);
    }
}
