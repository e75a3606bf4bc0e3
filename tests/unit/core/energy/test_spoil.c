/* Spoiled copies, pixel by pixel where they can be told by hand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "assert_numbers.h"
#include "ebm/spoil.h"

/* Two channels of 4 rows and 6 columns: pixel i holds i/100, its partner's -i/100. */
enum { C = 2, H = 4, W = 6, DIM = C * H * W };

static const ebm_shape shape = {C, H, W};
static float image[DIM], partner[DIM], out[DIM];
static const ebm_spoil_source source = {&shape, image, partner, 3, 7};

static int fill(void **state)
{
    (void)state;
    for (int i = 0; i < DIM; i++) {
        image[i] = (float)(i + 1) / 100.0f;
        partner[i] = -image[i];
        out[i] = 99.0f;
    }
    return 0;
}

/* Where a kind takes pixel (y, x) from; the sign says whose. */
static float expected(ebm_spoil_kind kind, int c, int y, int x)
{
    const float *map = image + c * H * W;
    switch (kind) {
    case EBM_SPOIL_TOP_BOTTOM:
        return y < 2 ? map[y * W + x] : -map[y * W + x];
    case EBM_SPOIL_LEFT_RIGHT:
        return x < 3 ? map[y * W + x] : -map[y * W + x];
    case EBM_SPOIL_QUARTERS:
        return map[(y ^ 2) * W + (x + 3) % W];
    case EBM_SPOIL_MOVE: /* 5/28 of 4 rows: one */
        return map[(y + 3) % H * W + x];
    case EBM_SPOIL_INVERT:
        return -map[y * W + x];
    default: /* EBM_SPOIL_MEAN of an image and its negative */
        return 0.0f;
    }
}

static void test_pixels(void **state)
{
    static const ebm_spoil_kind kinds[] = {EBM_SPOIL_TOP_BOTTOM, EBM_SPOIL_LEFT_RIGHT,
                                           EBM_SPOIL_QUARTERS,   EBM_SPOIL_MEAN,
                                           EBM_SPOIL_MOVE,       EBM_SPOIL_INVERT};
    (void)state;
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        ebm_spoil(kinds[k], &source, out);
        for (int i = 0; i < DIM; i++) {
            const float want = expected(kinds[k], i / (H * W), i / W % H, i % W);
            if (out[i] != want)
                fail_msg("%s, pixel %d: %g, not %g", ebm_spoil_name(kinds[k]), i, (double)out[i],
                         (double)want);
        }
    }
}

/* An impulse becomes a bell of variance sigma^2 = (28/14)^2 along each axis, with the same sum; a
 * constant stays one, up to the edges. */
static void test_blur(void **state)
{
    enum { SIDE = 28 };
    static float one[SIDE * SIDE], soft[SIDE * SIDE];
    const ebm_shape square = {1, SIDE, SIDE};
    const ebm_spoil_source from = {&square, one, NULL, 0, 0};
    double sum = 0, rows = 0, columns = 0, corner = 0;
    (void)state;
    memset(one, 0, sizeof one);
    one[14 * SIDE + 13] = 1.0f;
    ebm_spoil(EBM_SPOIL_BLUR, &from, soft);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            const double v = (double)soft[y * SIDE + x];
            sum += v;
            rows += v * (y - 14) * (y - 14);
            columns += v * (x - 13) * (x - 13);
        }
    assert_close(sum, 1.0, 1e-6);
    assert_close(rows, 4.0, 1e-5);
    assert_close(columns, 4.0, 1e-5);
    one[14 * SIDE + 13] = 0.0f;
    one[0] = 1.0f; /* what an edge throws back */
    ebm_spoil(EBM_SPOIL_BLUR, &from, soft);
    for (int i = 0; i < SIDE * SIDE; i++)
        corner += (double)soft[i];
    assert_close(corner, 1.0, 1e-6);
    for (int i = 0; i < SIDE * SIDE; i++)
        one[i] = -0.25f;
    ebm_spoil(EBM_SPOIL_BLUR, &from, soft);
    assert_memory_equal(soft, one, sizeof one);
}

/* One pixel in 20 within 5 standard errors, the same in all channels, others untouched; another
 * copy has others. */
static void test_salt_and_pepper(void **state)
{
    enum { SIDE = 64, PLANE = SIDE * SIDE };
    static float ones[3 * PLANE], first[3 * PLANE], second[3 * PLANE];
    const ebm_shape square = {3, SIDE, SIDE};
    ebm_spoil_source from = {&square, ones, NULL, 5, 1};
    int flipped = 0;
    (void)state;
    for (int i = 0; i < 3 * PLANE; i++)
        ones[i] = 0.5f;
    ebm_spoil(EBM_SPOIL_SALT_PEPPER, &from, first);
    for (int i = 0; i < PLANE; i++) {
        flipped += first[i] == -0.5f;
        assert_true(fabsf(first[i]) == 0.5f);
        assert_true(first[i + PLANE] == first[i] && first[i + 2 * PLANE] == first[i]);
    }
    assert_close(flipped, 0.05 * PLANE, 5 * sqrt(0.05 * 0.95 * PLANE));
    from.index = 2;
    ebm_spoil(EBM_SPOIL_SALT_PEPPER, &from, second);
    assert_memory_not_equal(first, second, sizeof first);
}

/* Every kind fills every pixel of every size, a single pixel and odd sides among them. */
static void test_sizes(void **state)
{
    static const ebm_shape shapes[] = {{1, 1, 1}, {3, 1, 5}, {1, 7, 1}, {2, 5, 3}};
    (void)state;
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++)
        for (int kind = 0; kind < EBM_SPOIL_KINDS; kind++) {
            const int dim = shapes[s].channels * shapes[s].height * shapes[s].width;
            ebm_spoil_source from = source;
            from.shape = &shapes[s];
            (void)fill(NULL);
            ebm_spoil((ebm_spoil_kind)kind, &from, out);
            for (int i = 0; i < dim; i++)
                assert_true(fabsf(out[i]) <= 1.0f);
            assert_true(out[dim] == 99.0f);
            assert_non_null(ebm_spoil_name((ebm_spoil_kind)kind));
        }
    assert_null(ebm_spoil_name((ebm_spoil_kind)EBM_SPOIL_KINDS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_pixels, fill),
        cmocka_unit_test(test_blur),
        cmocka_unit_test(test_salt_and_pepper),
        cmocka_unit_test(test_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
