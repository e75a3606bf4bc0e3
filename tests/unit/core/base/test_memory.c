/* Size arithmetic at the edge, aligned zeroed blocks, the arena's limit and its failures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ebm/memory.h"
#include "fail_alloc.h"

static void sizes_at_the_edge(void **state)
{
    (void)state;
    size_t out;
    assert_true(ebm_size_add(SIZE_MAX - 1, 1, &out));
    assert_true(out == SIZE_MAX);
    assert_false(ebm_size_add(SIZE_MAX, 1, &out));
    assert_true(ebm_size_mul(SIZE_MAX / 3, 3, &out));
    assert_false(ebm_size_mul(SIZE_MAX / 3 + 1, 3, &out));
    assert_true(ebm_size_mul(0, SIZE_MAX, &out));
    assert_int_equal(out, 0);
}

static int all_zero(const void *block, size_t n)
{
    const unsigned char *p = block;
    for (size_t i = 0; i < n; i++) {
        if (p[i] != 0) {
            return 0;
        }
    }
    return 1;
}

/* Dirty blocks are given back and asked for again, so that the heap hands out used memory. */
static void blocks_are_aligned_and_zero(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 63, 64, 65, 4096, 100001};
    unsigned char *blocks[50];
    for (size_t i = 0; i < 2 * sizeof(sizes) / sizeof(sizes[0]); i++) {
        const size_t n = sizes[i / 2];
        for (size_t k = 0; k < 50; k++) {
            blocks[k] = ebm_alloc(n, 1);
            assert_non_null(blocks[k]);
            assert_int_equal((uintptr_t)blocks[k] % EBM_ALIGN, 0);
            assert_true(all_zero(blocks[k], n));
            memset(blocks[k], 0xA5, n > 0 ? n : 1);
        }
        for (size_t k = 0; k < 50; k++) {
            ebm_free(blocks[k]);
        }
    }
    ebm_free(NULL);
}

static void overflow_is_no_memory(void **state)
{
    (void)state;
    fail_alloc_reset();
    assert_null(ebm_alloc(SIZE_MAX, 2));
    assert_null(ebm_alloc(SIZE_MAX, 1));
    assert_null(ebm_alloc(SIZE_MAX / 2 + 1, 2));
    assert_int_equal(fail_alloc_count(), 0);
}

static void arena_hands_out_zeroed_blocks(void **state)
{
    (void)state;
    ebm_arena *arena = ebm_arena_create(1 << 20);
    unsigned char *blocks[300];
    assert_non_null(arena);
    for (size_t i = 0; i < 300; i++) {
        const size_t n = i * 7;
        blocks[i] = ebm_arena_alloc(arena, n, 1);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % 16, 0);
        assert_true(all_zero(blocks[i], n));
        memset(blocks[i], (int)(i % 251) + 1, n);
    }
    for (size_t i = 0; i < 300; i++) {
        for (size_t k = 0; k < i * 7; k++) {
            assert_int_equal(blocks[i][k], i % 251 + 1);
        }
    }
    ebm_arena_free(arena);
    ebm_arena_free(NULL);
}

static void arena_keeps_its_limit(void **state)
{
    (void)state;
    ebm_arena *arena = ebm_arena_create(100);
    assert_non_null(arena);
    assert_null(ebm_arena_alloc(arena, 101, 1));
    assert_null(ebm_arena_alloc(arena, SIZE_MAX, 2));
    assert_null(ebm_arena_alloc(arena, SIZE_MAX, 1));
    assert_int_equal(ebm_arena_used(arena), 0);
    assert_non_null(ebm_arena_alloc(arena, 50, 1));
    assert_int_equal(ebm_arena_used(arena), 50);
    assert_null(ebm_arena_alloc(arena, 37, 1)); /* 64 + 37 = 101 */
    assert_non_null(ebm_arena_alloc(arena, 36, 1));
    assert_int_equal(ebm_arena_used(arena), 100);
    assert_null(ebm_arena_alloc(arena, 0, 1));
    ebm_arena_free(arena);
}

static void small_requests_share_a_chunk(void **state)
{
    (void)state;
    ebm_arena *arena = ebm_arena_create(SIZE_MAX);
    assert_non_null(arena);
    fail_alloc_reset();
    for (int i = 0; i < 100; i++) {
        assert_non_null(ebm_arena_alloc(arena, 16, 1));
        if (i == 50) { /* a large one does not end the shared chunk */
            assert_non_null(ebm_arena_alloc(arena, 100000, 1));
        }
    }
    assert_int_equal(fail_alloc_count(), 2);
    ebm_arena_free(arena);
}

static void strings_are_copied(void **state)
{
    (void)state;
    ebm_arena *arena = ebm_arena_create(64);
    assert_non_null(arena);
    const char *copy = ebm_arena_strndup(arena, "hello world", 5);
    assert_string_equal(copy, "hello");
    assert_string_equal(ebm_arena_strndup(arena, NULL, 0), "");
    assert_null(ebm_arena_strndup(arena, "x", SIZE_MAX));
    ebm_arena_free(arena);
}

static void no_memory(void **state)
{
    (void)state;
    FOR_EACH_ALLOC_FAILURE
    {
        ebm_arena *arena = ebm_arena_create(1 << 20);
        void *small = arena != NULL ? ebm_arena_alloc(arena, 10, 1) : NULL;
        void *large = arena != NULL ? ebm_arena_alloc(arena, 10000, 1) : NULL;
        void *block = ebm_alloc(10, 1);
        const int got = (arena != NULL) + (small != NULL) + (large != NULL) + (block != NULL);
        assert_int_equal(got < 4, fail_alloc_hit());
        if (arena != NULL && small == NULL) { /* still usable */
            assert_non_null(ebm_arena_alloc(arena, 10, 1));
        }
        ebm_free(block);
        ebm_arena_free(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_at_the_edge),     cmocka_unit_test(blocks_are_aligned_and_zero),
        cmocka_unit_test(overflow_is_no_memory), cmocka_unit_test(arena_hands_out_zeroed_blocks),
        cmocka_unit_test(arena_keeps_its_limit), cmocka_unit_test(small_requests_share_a_chunk),
        cmocka_unit_test(strings_are_copied),    cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
