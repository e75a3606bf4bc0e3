/* See neighbours.h; below it, nearest neighbours, precision and recall. */
#include "eval/neighbours.h"

#include <cblas.h>
#include <math.h>
#include <stdbool.h>

#include "ebm/memory.h"
#include "eval/classifier_internal.h"

#define ROWS    128
#define COLUMNS 256
#define MAX_K   8

/* --- tiles --------------------------------------------------------------------------------- */

/* Scratch of one thread. @shape x [ROWS,dim]; y [COLUMNS,dim]; square [ROWS,COLUMNS] */
typedef struct tile_scratch {
    double *x, *y, *square;
} tile_scratch;

typedef struct tiling {
    const ebmt_points *x, *y;
    double *x_norms, *y_norms; /* squared lengths */
    tile_scratch *scratch;     /* [workers] */
    void (*visit)(void *user, const ebmt__tile *tile);
    void *user;
} tiling;

/* Rows as doubles: where they are, or converted into `room`. */
static const double *rows_of(const ebmt_points *p, int64_t first, int32_t n, double *room)
{
    const size_t at = (size_t)first * p->dim, count = (size_t)n * p->dim;
    if (p->values)
        return p->values + at;
    for (size_t i = 0; i < count; i++)
        room[i] = (double)p->bytes[at + i];
    return room;
}

static int32_t at_most(int64_t left, int32_t limit)
{
    return left < limit ? (int32_t)left : limit;
}

/* |x|^2 + |y|^2 - 2 x.y: exact for bytes, whose sums stay far under 2^53. */
static void fill_tile(const tiling *t, const double *x, const double *y, const ebmt__tile *tile,
                      double *square)
{
    int dim = (int)t->x->dim;
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, tile->rows, tile->columns, dim, -2.0, x,
                dim, y, dim, 0.0, square, tile->columns);
    for (int32_t i = 0; i < tile->rows; i++)
        for (int32_t j = 0; j < tile->columns; j++) {
            double *at = &square[(size_t)i * (size_t)tile->columns + (size_t)j];
            *at += t->x_norms[tile->first_row + i] + t->y_norms[tile->first_column + j];
            *at = *at > 0.0 ? *at : 0.0;
        }
}

static void row_task(void *user, int32_t i, int32_t worker)
{
    tiling *t = user;
    tile_scratch *s = &t->scratch[worker];
    ebmt__tile tile = {.first_row = (int64_t)i * ROWS, .square = s->square};
    tile.rows = at_most(t->x->n - tile.first_row, ROWS);
    const double *x = rows_of(t->x, tile.first_row, tile.rows, s->x);
    for (; tile.first_column < t->y->n; tile.first_column += COLUMNS) {
        tile.columns = at_most(t->y->n - tile.first_column, COLUMNS);
        fill_tile(t, x, rows_of(t->y, tile.first_column, tile.columns, s->y), &tile, s->square);
        t->visit(t->user, &tile);
    }
}

static double *squared_lengths(const ebmt_points *p)
{
    double *out = ebm_alloc((size_t)p->n, sizeof *out);
    for (size_t i = 0; out && i < (size_t)p->n; i++)
        for (size_t j = 0; j < p->dim; j++) {
            size_t at = i * p->dim + j;
            double v = p->values ? p->values[at] : (double)p->bytes[at];
            out[i] += v * v;
        }
    return out;
}

static bool scratch_init(const ebmt_points *x, const ebmt_points *y, tile_scratch *s)
{
    s->x = ebm_alloc(x->values ? 1 : ROWS, x->dim * sizeof(double));
    s->y = ebm_alloc(y->values ? 1 : COLUMNS, y->dim * sizeof(double));
    s->square = ebm_alloc((size_t)ROWS * COLUMNS, sizeof(double));
    return s->x && s->y && s->square;
}

static ebm_status tiling_init(tiling *t, int32_t workers, ebm_error *err)
{
    t->x_norms = squared_lengths(t->x);
    t->y_norms = squared_lengths(t->y);
    t->scratch = ebm_alloc((size_t)workers, sizeof *t->scratch);
    bool ok = t->x_norms && t->y_norms && t->scratch;
    for (int32_t i = 0; i < workers && ok; i++)
        ok = scratch_init(t->x, t->y, &t->scratch[i]);
    return ok ? EBM_OK : ebm_error_set(err, EBM_ERR_NOMEM, "neighbours", "no memory");
}

static void tiling_clear(tiling *t, int32_t workers)
{
    for (int32_t i = 0; t->scratch && i < workers; i++) {
        ebm_free(t->scratch[i].x);
        ebm_free(t->scratch[i].y);
        ebm_free(t->scratch[i].square);
    }
    ebm_free(t->scratch);
    ebm_free(t->x_norms);
    ebm_free(t->y_norms);
}

ebm_status ebmt__tiles(const ebmt_points *x, const ebmt_points *y, ebmt_pool *pool,
                       void (*visit)(void *user, const ebmt__tile *tile), void *user,
                       ebm_error *err)
{
    tiling t = {.x = x, .y = y, .visit = visit, .user = user};
    if (x->n < 1 || y->n < 1 || x->n > INT32_MAX || y->n > INT32_MAX)
        return ebm_error_set(err, EBM_ERR_RANGE, "neighbours", "%lld and %lld points",
                             (long long)x->n, (long long)y->n);
    if (x->dim != y->dim || x->dim < 1 || x->dim > (1u << 20))
        return ebm_error_set(err, EBM_ERR_SHAPE, "neighbours", "%zu and %zu dimensions", x->dim,
                             y->dim);
    ebm_status st = tiling_init(&t, ebmt_pool_threads(pool), err);
    if (st == EBM_OK) {
        ebmt__blas_single_thread();
        ebmt_pool_run(pool, (int32_t)((x->n + ROWS - 1) / ROWS), row_task, &t);
    }
    tiling_clear(&t, ebmt_pool_threads(pool));
    return st;
}

/* --- the nearest --------------------------------------------------------------------------- */

typedef struct nearest_job {
    double *square;
    int64_t *index;
    /* of so many points of x and of y, those of x being spread over y, none is its own neighbour;
       0: they have nothing in common */
    int64_t spread, over;
} nearest_job;

static void visit_nearest(void *user, const ebmt__tile *tile)
{
    nearest_job *job = user;
    for (int32_t i = 0; i < tile->rows; i++) {
        const double *row = tile->square + (size_t)i * (size_t)tile->columns;
        int64_t at = tile->first_row + i;
        int64_t self = job->spread > 0 ? at * job->over / job->spread - tile->first_column : -1;
        for (int32_t j = 0; j < tile->columns; j++)
            if (row[j] < job->square[at] && j != self) {
                job->square[at] = row[j];
                job->index[at] = tile->first_column + j;
            }
    }
}

static ebm_status find_nearest(const ebmt_points *x, const ebmt_points *y, ebmt_pool *pool,
                               nearest_job *job, ebm_error *err)
{
    for (int64_t i = 0; i < x->n; i++) {
        job->square[i] = INFINITY;
        job->index[i] = 0;
    }
    ebm_status st = ebmt__tiles(x, y, pool, visit_nearest, job, err);
    for (int64_t i = 0; i < x->n && st == EBM_OK; i++)
        job->square[i] = sqrt(job->square[i]);
    return st;
}

ebm_status ebmt_nearest(const ebmt_points *x, const ebmt_points *y, ebmt_pool *pool,
                        double *distance, int64_t *index, ebm_error *err)
{
    nearest_job job = {distance, index, 0, 0};
    return find_nearest(x, y, pool, &job, err);
}

ebm_status ebmt_nearest_other(const ebmt_points *x, const ebmt_points *y, ebmt_pool *pool,
                              double *distance, int64_t *index, ebm_error *err)
{
    nearest_job job = {distance, index, x->n, y->n};
    if (y->n < 2 || x->n > y->n)
        return ebm_error_set(err, EBM_ERR_RANGE, "neighbours", "%lld of %lld points",
                             (long long)x->n, (long long)y->n);
    return find_nearest(x, y, pool, &job, err);
}

/* --- precision and recall ------------------------------------------------------------------ */

/* The k+1 smallest of each row, ascending: a point of a set is its own nearest neighbour. */
typedef struct radius_job {
    int32_t keep;
    double *smallest; /* [n, keep] */
} radius_job;

static void visit_radius(void *user, const ebmt__tile *tile)
{
    radius_job *job = user;
    for (int32_t i = 0; i < tile->rows; i++) {
        const double *row = tile->square + (size_t)i * (size_t)tile->columns;
        double *best = job->smallest + (size_t)(tile->first_row + i) * (size_t)job->keep;
        for (int32_t j = 0; j < tile->columns; j++) {
            int32_t at = job->keep - 1;
            if (row[j] >= best[at])
                continue;
            for (; at > 0 && best[at - 1] > row[j]; at--)
                best[at] = best[at - 1];
            best[at] = row[j];
        }
    }
}

/* Squared distance of each point to its k-th neighbour in the same set. @shape out [x->n] */
static ebm_status radii(const ebmt_points *x, int32_t k, ebmt_pool *pool, double *out,
                        ebm_error *err)
{
    const size_t keep = (size_t)k + 1, n = (size_t)x->n;
    radius_job job = {k + 1, ebm_alloc(n, keep * sizeof(double))};
    if (!job.smallest)
        return ebm_error_set(err, EBM_ERR_NOMEM, "neighbours", "no memory for %zu points", n);
    for (size_t i = 0; i < n * keep; i++)
        job.smallest[i] = INFINITY;
    ebm_status st = ebmt__tiles(x, x, pool, visit_radius, &job, err);
    for (size_t i = 0; i < n; i++)
        out[i] = job.smallest[i * keep + (size_t)k];
    ebm_free(job.smallest);
    return st;
}

typedef struct cover_job {
    const double *radius; /* squared, of each column's point */
    uint8_t *covered;     /* of each row's point */
} cover_job;

static void visit_cover(void *user, const ebmt__tile *tile)
{
    cover_job *job = user;
    const double *radius = job->radius + tile->first_column;
    for (int32_t i = 0; i < tile->rows; i++) {
        const double *row = tile->square + (size_t)i * (size_t)tile->columns;
        uint8_t hit = 0;
        for (int32_t j = 0; j < tile->columns; j++)
            hit |= row[j] <= radius[j];
        job->covered[tile->first_row + i] |= hit;
    }
}

/* Share of x inside the balls around y. */
static ebm_status cover(const ebmt_points *x, const ebmt_points *y, int32_t k, ebmt_pool *pool,
                        ebmt_number *out, ebm_error *err)
{
    double *radius = ebm_alloc((size_t)y->n, sizeof *radius), inside = 0.0;
    uint8_t *covered = ebm_alloc((size_t)x->n, 1);
    cover_job job = {radius, covered};
    ebm_status st = EBM_OK;
    if (!radius || !covered)
        st = ebm_error_set(err, EBM_ERR_NOMEM, "neighbours", "no memory");
    if (st == EBM_OK)
        st = radii(y, k, pool, radius, err);
    if (st == EBM_OK)
        st = ebmt__tiles(x, y, pool, visit_cover, &job, err);
    for (int64_t i = 0; i < x->n && st == EBM_OK; i++)
        inside += covered[i];
    double p = inside / (double)x->n;
    *out = (ebmt_number){p, sqrt(p * (1.0 - p) / (double)x->n), x->n};
    ebm_free(radius);
    ebm_free(covered);
    return st;
}

ebm_status ebmt_precision_recall(const ebmt_points *x, const ebmt_points *y, int32_t k,
                                 ebmt_pool *pool, ebmt_number *precision, ebmt_number *recall,
                                 ebm_error *err)
{
    if (k < 1 || k > MAX_K || x->n <= k || y->n <= k)
        return ebm_error_set(err, EBM_ERR_RANGE, "k", "%d neighbours of %lld and %lld points", k,
                             (long long)x->n, (long long)y->n);
    ebm_status st = cover(x, y, k, pool, precision, err);
    return st == EBM_OK ? cover(y, x, k, pool, recall, err) : st;
}
