/* Lays images out on a sheet and writes it as PNG. Has never heard of models. */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "ebm/memory.h"
#include "grid.h"

#define SHEET_MAX_BYTES ((size_t)64 << 20)
#define SIDE_MAX        16384
#define PAPER           255 /* gray level of the gaps */

typedef struct layout {
    int32_t columns, rows, zoom;
    int32_t cell_w, cell_h; /* one image with the gap to its right and below */
} layout;

/* Sizes that make no sheet fail in plan(). */
static bool too_large(const ebmt_grid *g)
{
    const int64_t zoom = g->zoom > 0 ? g->zoom : 1;
    int64_t columns = g->columns > 0 ? g->columns : (int64_t)ceil(sqrt((double)g->n));
    columns = columns < g->n ? columns : g->n;
    const int64_t rows = (g->n - 1) / columns + 1;
    const int64_t w = columns * (g->width * zoom + EBMT_GRID_GAP) + EBMT_GRID_GAP;
    const int64_t h = rows * (g->height * zoom + EBMT_GRID_GAP) + EBMT_GRID_GAP;
    return w > SIDE_MAX || h > SIDE_MAX || w * h * g->channels > (int64_t)SHEET_MAX_BYTES;
}

void ebmt_grid_fit(ebmt_grid *grid)
{
    while (grid->zoom > 1 && too_large(grid))
        grid->zoom--;
    while (grid->n > 1 && too_large(grid))
        grid->n--;
}

static ebm_status plan(const ebmt_grid *g, layout *l, ebm_image *sheet, ebm_error *err)
{
    if (!g->pixels || g->n < 1 || g->width < 1 || g->height < 1 || g->columns < 0 || g->zoom < 0 ||
        (g->channels != 1 && g->channels != 3))
        return ebm_error_set(err, EBM_ERR_ARG, "grid", "no images, or sizes that make no sheet");
    l->zoom = g->zoom ? g->zoom : 1;
    l->columns = g->columns ? g->columns : (int32_t)ceil(sqrt((double)g->n));
    if (l->columns > g->n)
        l->columns = g->n;
    l->rows = (g->n - 1) / l->columns + 1;
    int64_t cell_w = (int64_t)g->width * l->zoom + EBMT_GRID_GAP;
    int64_t cell_h = (int64_t)g->height * l->zoom + EBMT_GRID_GAP;
    if (cell_w > SIDE_MAX || cell_h > SIDE_MAX || cell_w * l->columns + EBMT_GRID_GAP > SIDE_MAX ||
        cell_h * l->rows + EBMT_GRID_GAP > SIDE_MAX)
        return ebm_error_set(err, EBM_ERR_LIMIT, "grid", "the sheet is over %d pixels wide or high",
                             SIDE_MAX);
    l->cell_w = (int32_t)cell_w;
    l->cell_h = (int32_t)cell_h;
    sheet->width = l->cell_w * l->columns + EBMT_GRID_GAP;
    sheet->height = l->cell_h * l->rows + EBMT_GRID_GAP;
    sheet->channels = g->channels;
    return EBM_OK;
}

/* Copies one image; (left, top) is the place of its first pixel on the sheet. */
static void place(const ebmt_grid *g, const uint8_t *image, int32_t zoom, int32_t left, int32_t top,
                  ebm_image *sheet)
{
    const size_t c = (size_t)g->channels;
    for (int32_t y = 0; y < g->height * zoom; y++) {
        size_t row = (size_t)(top + y) * (size_t)sheet->width + (size_t)left;
        const uint8_t *from = image + (size_t)(y / zoom) * (size_t)g->width * c;
        for (int32_t x = 0; x < g->width * zoom; x++)
            memcpy(sheet->pixels + (row + (size_t)x) * c, from + (size_t)(x / zoom) * c, c);
    }
}

ebm_status ebmt_grid_render(const ebmt_grid *grid, ebm_image *out, ebm_error *err)
{
    layout l = {0};
    size_t bytes;
    memset(out, 0, sizeof *out);
    ebm_status st = plan(grid, &l, out, err);
    if (st != EBM_OK)
        return st;
    bytes = (size_t)out->width * (size_t)out->height * (size_t)out->channels; /* <= 3 * 2^28 */
    if (bytes > SHEET_MAX_BYTES)
        return ebm_error_set(err, EBM_ERR_LIMIT, "grid", "the sheet takes %zu bytes, limit %zu",
                             bytes, SHEET_MAX_BYTES);
    out->pixels = ebm_alloc(bytes, 1);
    if (!out->pixels)
        return ebm_error_set(err, EBM_ERR_NOMEM, "grid", "no memory for %zu bytes", bytes);
    memset(out->pixels, PAPER, bytes);
    size_t image = (size_t)grid->width * (size_t)grid->height * (size_t)grid->channels;
    for (int32_t i = 0; i < grid->n; i++)
        place(grid, grid->pixels + (size_t)i * image, l.zoom,
              i % l.columns * l.cell_w + EBMT_GRID_GAP, i / l.columns * l.cell_h + EBMT_GRID_GAP,
              out);
    return EBM_OK;
}

ebm_status ebmt_grid_write(const char *path, const ebmt_grid *grid, ebm_error *err)
{
    ebm_image sheet = {0};
    unsigned char *data = NULL;
    size_t size = 0;
    ebm_status st = ebmt_grid_render(grid, &sheet, err);
    if (st == EBM_OK)
        st = ebm_png_encode(&sheet, NULL, 0, &data, &size, err);
    if (st == EBM_OK)
        st = ebm_file_write(path, data, size, err);
    ebm_free(data);
    ebm_free(sheet.pixels);
    return st;
}
