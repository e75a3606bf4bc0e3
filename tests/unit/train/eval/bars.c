/* See bars.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bars.h"
#include "ebm/memory.h"
#include "ebm/rng.h"

#define SIDE 8

static void draw_bar(uint8_t *image, uint32_t place, int32_t along, int32_t across)
{
    int32_t at = (int32_t)(place % SIDE);
    for (int32_t i = 0; i < SIDE; i++)
        image[at * across + i * along] = 230;
}

void bars_make(int64_t n, uint64_t seed, ebmt_dataset *out)
{
    *out = (ebmt_dataset){.count = n, .channels = 1, .height = SIDE, .width = SIDE};
    out->pixels = ebm_alloc((size_t)n, SIDE * SIDE);
    out->labels = ebm_alloc((size_t)n, 1);
    assert_non_null(out->pixels);
    assert_non_null(out->labels);
    for (int64_t i = 0; i < n; i++) {
        const ebm_stream stream = {.seed = seed, .purpose = EBM_PURPOSE_TEST, .chain = (uint32_t)i};
        uint8_t *image = out->pixels + i * SIDE * SIDE;
        for (uint32_t k = 0; k < SIDE * SIDE; k++)
            image[k] = (uint8_t)(ebm_rng_word(&stream, k) % 100);
        out->labels[i] = (uint8_t)(i % 3);
        if (i % 3 != 1)
            draw_bar(image, ebm_rng_word(&stream, 100), SIDE, 1);
        if (i % 3 != 0)
            draw_bar(image, ebm_rng_word(&stream, 101), 1, SIDE);
    }
}
