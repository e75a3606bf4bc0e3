/* Animated PNG: every frame is taken out again, made a still picture and decoded. */
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
#include "io/bytes.h"
#include "io/png_chunks.h"

enum { FRAMES = 5, W = 90, H = 60, BYTES = W * H * 3 };

/* Noise, so that the pixel data of a frame need several chunks. */
static void fill(uint8_t *pixels, uint32_t h)
{
    for (size_t i = 0; i < BYTES; i++) {
        h = h * 1664525u + 1013904223u;
        pixels[i] = (uint8_t)(h >> 24);
    }
}

/* Copies IHDR, the pixel data of frame `want` as IDAT, and IEND. Counts what else it sees. */
static size_t still_of(const unsigned char *data, size_t size, int want, unsigned char *out)
{
    size_t at = EBM__PNG_SIGNATURE, to = EBM__PNG_SIGNATURE;
    uint32_t sequence = 0;
    int frame = -1;
    ebm__png_chunk c;
    memcpy(out, data, EBM__PNG_SIGNATURE);
    while (ebm__png_next(data, size, &at, &c)) {
        if (ebm__png_is(&c, "IHDR") || ebm__png_is(&c, "IEND")) {
            to += ebm__png_put(out + to, ebm__png_is(&c, "IHDR") ? "IHDR" : "IEND", c.data, c.size);
        } else if (ebm__png_is(&c, "acTL")) {
            assert_int_equal(ebm__load_be32(c.data), FRAMES);
            assert_int_equal(ebm__load_be32(c.data + 4), 0);
        } else if (ebm__png_is(&c, "fcTL")) {
            assert_int_equal(ebm__load_be32(c.data), sequence++);
            assert_int_equal(ebm__load_be32(c.data + 4), W);
            assert_int_equal(ebm__load_be32(c.data + 8), H);
            assert_int_equal(c.data[20] * 256 + c.data[21], 120);
            assert_int_equal(c.data[22] * 256 + c.data[23], 1000);
            frame++;
        } else if (ebm__png_is(&c, "IDAT")) {
            assert_int_equal(frame, 0);
            if (want == 0)
                to += ebm__png_put(out + to, "IDAT", c.data, c.size);
        } else {
            assert_true(ebm__png_is(&c, "fdAT"));
            assert_int_equal(ebm__load_be32(c.data), sequence++);
            if (want == frame)
                to += ebm__png_put(out + to, "IDAT", c.data + 4, c.size - 4);
        }
    }
    assert_int_equal(at, size);
    assert_int_equal(frame, FRAMES - 1);
    return to;
}

static void frames_come_back(void **state)
{
    static uint8_t pixels[FRAMES][BYTES];
    static unsigned char still[1 << 17];
    ebm_image frames[FRAMES], back;
    unsigned char *data;
    size_t size;
    (void)state;
    for (uint32_t i = 0; i < FRAMES; i++) {
        fill(pixels[i], i);
        frames[i] = (ebm_image){W, H, 3, pixels[i]};
    }
    assert_int_equal(ebm_apng_encode(frames, FRAMES, 120, &data, &size, NULL), EBM_OK);
    for (int i = 0; i < FRAMES; i++) {
        size_t n = still_of(data, size, i, still);
        assert_int_equal(ebm_png_decode(still, n, &back, NULL), EBM_OK);
        assert_memory_equal(back.pixels, pixels[i], BYTES);
        ebm_free(back.pixels);
    }
    /* a reader without animation sees the first frame */
    assert_int_equal(ebm_png_decode(data, size, &back, NULL), EBM_OK);
    assert_memory_equal(back.pixels, pixels[0], BYTES);
    ebm_free(back.pixels);
    ebm_free(data);
}

static void refusals(void **state)
{
    uint8_t pixels[4] = {0};
    const ebm_image same[2] = {{2, 2, 1, pixels}, {2, 2, 1, pixels}};
    const ebm_image other[2] = {{2, 2, 1, pixels}, {2, 1, 1, pixels}};
    unsigned char *data;
    size_t size;
    (void)state;
    assert_int_equal(ebm_apng_encode(same, 0, 10, &data, &size, NULL), EBM_ERR_ARG);
    assert_int_equal(ebm_apng_encode(same, EBM_APNG_MAX_FRAMES + 1, 10, &data, &size, NULL),
                     EBM_ERR_ARG);
    assert_int_equal(ebm_apng_encode(same, 2, 0, &data, &size, NULL), EBM_ERR_ARG);
    assert_int_equal(ebm_apng_encode(other, 2, 10, &data, &size, NULL), EBM_ERR_ARG);
    FOR_EACH_ALLOC_FAILURE
    {
        ebm_status st = ebm_apng_encode(same, 2, 10, &data, &size, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        ebm_free(data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_come_back),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
