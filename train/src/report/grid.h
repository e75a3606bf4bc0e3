/* Many small images on one sheet. Knows pixels; has never heard of models. */
#ifndef EBMT_GRID_H
#define EBMT_GRID_H

#include <stdint.h>

#include "ebm/io.h"
#include "ebm/status.h"

#define EBMT_GRID_GAP 2 /* pixels between two images and around all of them */

/* What to put on the sheet, row by row. */
typedef struct ebmt_grid {
    const uint8_t *pixels; /* [n,H,W,C] */
    int32_t n;
    int32_t width, height, channels; /* of one image; channels 1 or 3 */
    int32_t columns;                 /* images per row; 0: as square as can be */
    int32_t zoom;                    /* every pixel becomes zoom x zoom; 0 means 1 */
} ebmt_grid;

/* Makes the zoom, then the number of images smaller until the sheet is one that can be drawn. */
void ebmt_grid_fit(ebmt_grid *grid);

/* Draws the sheet. @own out->pixels: ebm_free() @err ARG, LIMIT (sheet over 64 MiB), NOMEM */
EBM_MUST_CHECK ebm_status ebmt_grid_render(const ebmt_grid *grid, ebm_image *out, ebm_error *err);

/* Draws the sheet into a PNG file, atomically. @err as above, IO */
EBM_MUST_CHECK ebm_status ebmt_grid_write(const char *path, const ebmt_grid *grid, ebm_error *err);

#endif
