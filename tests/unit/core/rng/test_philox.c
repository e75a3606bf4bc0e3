/* Philox: the published known answers, and what the streams promise. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ebm/rng.h"

/* Known-answer vectors of Philox 4x32-10 published with the Random123 library. */
static const struct {
    uint32_t counter[4], key[2], expected[4];
} known[] = {
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
     {0xffffffff, 0xffffffff},
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

static void test_known_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        uint32_t out[4];
        ebm_philox4x32(known[i].counter, known[i].key, out);
        assert_memory_equal(out, known[i].expected, sizeof out);
    }
}

/* A word is the block function at the documented counter. */
static void test_stream_counter_layout(void **state)
{
    const ebm_stream s = {.seed = 0x0123456789abcdefu,
                          .purpose = EBM_PURPOSE_LANGEVIN,
                          .chain = 77,
                          .level = 3,
                          .step = 12};
    const uint32_t counter[4] = {5, 12, 3u | 2u << 16, 77};
    const uint32_t key[2] = {0x89abcdefu, 0x01234567u};
    uint32_t out[4];
    (void)state;
    ebm_philox4x32(counter, key, out);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(ebm_rng_word(&s, 20 + i), out[i]);
    assert_true(ebm_rng_uniform(&s, 20) == (double)out[0] / 4294967296.0);
}

/* Changing any part of a stream's name changes its draws. */
static void test_streams_differ(void **state)
{
    const ebm_stream base = {.seed = 1, .purpose = EBM_PURPOSE_DATA};
    ebm_stream other[5] = {base, base, base, base, base};
    (void)state;
    other[0].seed = 1ull << 32;
    other[1].purpose = EBM_PURPOSE_INITIAL;
    other[2].chain = 1;
    other[3].level = 1;
    other[4].step = 1;
    for (int i = 0; i < 5; i++)
        assert_int_not_equal(ebm_rng_word(&base, 0), ebm_rng_word(&other[i], 0));
}

/* Words 0 and 1 at the documented counter, cut to 53 bits, and no two alike where seeds, uses,
 * images and numbers are neighbours. */
static void test_seeds_of_seeds(void **state)
{
    const uint32_t counter[4] = {0, 9, 2u | 28u << 16, 7}, key[2] = {5, 1};
    uint64_t seen[2 * 2 * 2 * 2];
    uint32_t out[4];
    size_t n = 0;
    (void)state;
    ebm_philox4x32(counter, key, out);
    assert_true(ebm_rng_seed(5 | 1ull << 32, EBM_SEED_PATH, 7, 9) ==
                (((uint64_t)out[1] << 32 | out[0]) & 0x1fffffffffffffu));
    for (uint32_t i = 0; i < 16; i++) {
        seen[n] =
            ebm_rng_seed(1 + (i & 1), i & 2 ? EBM_SEED_PATH : EBM_SEED_SAMPLES, i >> 2 & 1, i >> 3);
        assert_true(seen[n] >> 53 == 0);
        for (size_t k = 0; k < n; k++)
            assert_true(seen[k] != seen[n]);
        n++;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers),
        cmocka_unit_test(test_stream_counter_layout),
        cmocka_unit_test(test_streams_differ),
        cmocka_unit_test(test_seeds_of_seeds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
