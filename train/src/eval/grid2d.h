/* A model of points against the density its data came from, both on a grid: the one place where a
 * divergence is computed and not estimated. */
#ifndef EBMT_GRID2D_H
#define EBMT_GRID2D_H

#include "ebm/model.h"
#include "ebmt/pool.h"
#include "ebmt/toy2d.h"

typedef struct ebmt__grid2d_options {
    ebmt_toy toy;
    int32_t side; /* cells in a row, 16..4096 */
    double half;  /* the grid covers [-half, half]^2; 1.1..8 */
} ebmt__grid2d_options;

/* @shape truth, model [side,side], rows from y = -half up: probability per cell, each sums to 1
 * @unit  nats */
typedef struct ebmt__grid2d {
    int32_t side;
    double kl;         /* KL(truth || model) at level 0 */
    double kl_reverse; /* KL(model || truth), the truth floored at 1e-12 of a uniform density */
    double entropy;    /* differential entropy of the truth at level 0 */
    double log_z;      /* log of the integral of exp(logp) over the grid */
    double rim;        /* share of the model within a twentieth of the grid's edge: what may lie
                          outside is of this size */
    double *truth, *model;
} ebmt__grid2d;

/* Evaluates the model at level 0 in the middle of every cell and sums (midpoint rule). The truth is
 * the density of x_0 = abar_0 x + sbar_0 e, x rounded to 8 bits as data are.
 * @eq  KL = sum p (log p - logp + log_z), p the truth; docs/math/toy2d.md
 * @own clear with ebmt__grid2d_clear()
 * @err RANGE, SHAPE (not a model of points), NOMEM, DIVERGED (a value is not finite) */
EBM_MUST_CHECK ebm_status ebmt__grid2d_evaluate(ebm_model *m, const ebmt__grid2d_options *opt,
                                                ebmt_pool *pool, ebmt__grid2d *out, ebm_error *err);
void ebmt__grid2d_clear(ebmt__grid2d *g); /* safe on a zeroed struct */

/* Draws truth and model side by side, dark where likely, both on one scale. @err IO, NOMEM */
EBM_MUST_CHECK ebm_status ebmt__grid2d_draw(const ebmt__grid2d *g, const char *path,
                                            ebm_error *err);

#endif
