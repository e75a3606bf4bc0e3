/* Sheets of images: geometry, zoom, gaps, limits, and the PNG that comes out. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ebm/io.h"
#include "ebm/memory.h"
#include "fail_alloc.h"
#include "report/grid.h"
#include "temp_dir.h"

static const uint8_t three[] = {1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16, 21, 22, 23, 24, 25, 26};

static uint8_t at(const ebm_image *sheet, int32_t x, int32_t y, int32_t c)
{
    return sheet->pixels[((size_t)y * (size_t)sheet->width + (size_t)x) * (size_t)sheet->channels +
                         (size_t)c];
}

/* Three gray images, 3 wide and 2 high, two to a row: 12 x 10 with gaps of 2 all around. */
static void test_gray(void **state)
{
    const ebmt_grid grid = {
        .pixels = three, .n = 3, .width = 3, .height = 2, .channels = 1, .columns = 2};
    ebm_image sheet;
    (void)state;
    assert_int_equal(ebmt_grid_render(&grid, &sheet, NULL), EBM_OK);
    assert_int_equal(sheet.width, 2 + 3 + 2 + 3 + 2);
    assert_int_equal(sheet.height, 2 + 2 + 2 + 2 + 2);
    assert_int_equal(sheet.channels, 1);
    for (int32_t y = 0; y < sheet.height; y++)
        for (int32_t x = 0; x < sheet.width; x++) {
            int32_t column = x / 5, row = y / 4, i = row * 2 + column;
            bool gap = x % 5 < 2 || y % 4 < 2 || column > 1 || row > 1 || i > 2;
            uint8_t want = gap ? 255 : three[i * 6 + (y % 4 - 2) * 3 + (x % 5 - 2)];
            assert_int_equal(at(&sheet, x, y, 0), want);
        }
    ebm_free(sheet.pixels);
}

static void test_colour_zoomed(void **state)
{
    const ebmt_grid grid = {
        .pixels = three, .n = 3, .width = 1, .height = 2, .channels = 3, .columns = 0, .zoom = 3};
    ebm_image sheet;
    (void)state;
    assert_int_equal(ebmt_grid_render(&grid, &sheet, NULL), EBM_OK);
    assert_int_equal(sheet.width, 2 + 3 + 2 + 3 + 2); /* three images: a square of two columns */
    assert_int_equal(sheet.height, 2 + 6 + 2 + 6 + 2);
    for (int32_t c = 0; c < 3; c++) {
        assert_int_equal(at(&sheet, 2, 2, c), 1 + c);   /* first pixel of the first image ... */
        assert_int_equal(at(&sheet, 4, 4, c), 1 + c);   /* ... is three by three */
        assert_int_equal(at(&sheet, 4, 5, c), 4 + c);   /* below it its second one */
        assert_int_equal(at(&sheet, 5, 2, c), 255);     /* gap */
        assert_int_equal(at(&sheet, 7, 7, c), 14 + c);  /* end of the second image */
        assert_int_equal(at(&sheet, 2, 10, c), 21 + c); /* third image, second row */
        assert_int_equal(at(&sheet, 7, 10, c), 255);    /* place of a fourth */
    }
    ebm_free(sheet.pixels);
}

static const struct {
    ebmt_grid grid;
    ebm_status expected;
} bad[] = {
    {{three, 0, 3, 2, 1, 2, 1}, EBM_ERR_ARG},
    {{three, -1, 3, 2, 1, 2, 1}, EBM_ERR_ARG},
    {{NULL, 3, 3, 2, 1, 2, 1}, EBM_ERR_ARG},
    {{three, 3, 0, 2, 1, 2, 1}, EBM_ERR_ARG},
    {{three, 3, 3, 0, 1, 2, 1}, EBM_ERR_ARG},
    {{three, 3, 3, 2, 2, 2, 1}, EBM_ERR_ARG},
    {{three, 3, 3, 2, 1, -1, 1}, EBM_ERR_ARG},
    {{three, 3, 3, 2, 1, 2, -1}, EBM_ERR_ARG},
    {{three, 3, 3, 2, 1, 2, 100000}, EBM_ERR_LIMIT},
    {{three, 3, 3, 2, 1, 2, INT32_MAX}, EBM_ERR_LIMIT},
    {{three, INT32_MAX, 3, 2, 1, 1, 1}, EBM_ERR_LIMIT},
    {{three, 16, 2000, 4000, 3, 0, 1}, EBM_ERR_LIMIT}, /* sides fit, 386 MB do not */
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ebm_image sheet;
        assert_int_equal(ebmt_grid_render(&bad[i].grid, &sheet, NULL), bad[i].expected);
        assert_null(sheet.pixels);
    }
}

/* Sheets of a run's samples fit as they are up to 128 pixels a side; beyond, the zoom goes first.
 */
static void test_fit(void **state)
{
    static const struct {
        int32_t n, side, channels, columns, zoom, want_n, want_zoom;
    } rows[] = {
        {64, 28, 1, 0, 2, 64, 2},    {64, 128, 3, 0, 2, 64, 2},  {36, 512, 3, 0, 2, 36, 1},
        {64, 512, 3, 0, 2, 64, 1},   {36, 1024, 3, 0, 2, 20, 1}, {64, 1024, 1, 0, 2, 56, 1},
        {100, 471, 3, 10, 1, 90, 1}, {1, 1024, 3, 0, 2, 1, 2},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ebmt_grid grid = {.pixels = three,
                          .n = rows[i].n,
                          .width = rows[i].side,
                          .height = rows[i].side,
                          .channels = rows[i].channels,
                          .columns = rows[i].columns,
                          .zoom = rows[i].zoom};
        ebmt_grid_fit(&grid);
        assert_int_equal(grid.n, rows[i].want_n);
        assert_int_equal(grid.zoom, rows[i].want_zoom);
        const int64_t columns = rows[i].columns ? rows[i].columns : (int64_t)ceil(sqrt(grid.n));
        const int64_t cell = rows[i].side * grid.zoom + 2;
        const int64_t bytes =
            (columns * cell + 2) * (((grid.n - 1) / columns + 1) * cell + 2) * rows[i].channels;
        assert_true(bytes <= 64 << 20);
    }
}

static void test_file(void **state)
{
    const ebmt_grid grid = {.pixels = three, .n = 3, .width = 3, .height = 2, .channels = 1};
    char dir[TEMP_PATH_MAX], path[TEMP_PATH_MAX];
    unsigned char *data = NULL;
    size_t size;
    ebm_image want, got;
    (void)state;
    assert_true(temp_dir_make(dir));
    assert_true(temp_dir_join(dir, "sheet.png", path));
    assert_int_equal(ebmt_grid_write(path, &grid, NULL), EBM_OK);
    assert_int_equal(ebm_file_read(NULL, path, 1 << 20, &data, &size, NULL), EBM_OK);
    assert_int_equal(ebm_png_decode(data, size, &got, NULL), EBM_OK);
    assert_int_equal(ebmt_grid_render(&grid, &want, NULL), EBM_OK);
    assert_int_equal(got.width, want.width);
    assert_int_equal(got.height, want.height);
    assert_memory_equal(got.pixels, want.pixels, (size_t)want.width * (size_t)want.height);
    assert_int_equal(ebmt_grid_write("/nonexistent/x.png", &grid, NULL), EBM_ERR_IO);
    ebm_free(data);
    ebm_free(got.pixels);
    ebm_free(want.pixels);
    temp_dir_remove(dir);
}

static void test_no_memory(void **state)
{
    const ebmt_grid grid = {.pixels = three, .n = 3, .width = 3, .height = 2, .channels = 1};
    (void)state;
    FOR_EACH_ALLOC_FAILURE
    {
        ebm_image sheet;
        ebm_status st = ebmt_grid_render(&grid, &sheet, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        ebm_free(sheet.pixels);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gray),      cmocka_unit_test(test_colour_zoomed),
        cmocka_unit_test(test_refused),   cmocka_unit_test(test_file),
        cmocka_unit_test(test_no_memory), cmocka_unit_test(test_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
