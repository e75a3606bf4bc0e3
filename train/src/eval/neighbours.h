/* All distances between two sets, tile by tile, on a pool of threads. Knows points only. */
#ifndef EBMT_NEIGHBOURS_H
#define EBMT_NEIGHBOURS_H

#include "ebmt/statistics.h"

/* Squared distances of some rows of x to some of y.
 * @shape square [rows, columns] */
typedef struct ebmt__tile {
    int64_t first_row, first_column;
    int32_t rows, columns;
    const double *square;
} ebmt__tile;

/* Calls visit for every tile. Tiles of one row come from one thread, in order of columns; tiles of
 * other rows may come at the same time, so visit may only write what belongs to its rows.
 * @err SHAPE, RANGE (a set is empty), NOMEM */
EBM_MUST_CHECK ebm_status ebmt__tiles(const ebmt_points *x, const ebmt_points *y, ebmt_pool *pool,
                                      void (*visit)(void *user, const ebmt__tile *tile), void *user,
                                      ebm_error *err);

#endif
