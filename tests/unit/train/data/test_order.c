/* The order of samples: a permutation per epoch, batches that tile the epochs without a seam,
 * and any iteration alone equal to the same one in a row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ebmt/data.h"
#include "fail_alloc.h"

#define COUNT  97
#define EPOCHS 5

static ebmt_order *make(int64_t count, uint64_t seed)
{
    ebmt_order *order = NULL;
    assert_int_equal(ebmt_order_create(count, seed, &order, NULL), EBM_OK);
    return order;
}

/* The endless sequence, as batches of `batch` give it. */
static void sequence(uint64_t seed, int32_t batch, int64_t n, int64_t *out)
{
    ebmt_order *order = make(COUNT, seed);
    int64_t piece[2 * COUNT];
    for (int64_t i = 0; i * batch < n; i++) {
        ebmt_order_batch(order, i, batch, piece);
        for (int32_t k = 0; k < batch && i * batch + k < n; k++)
            out[i * batch + k] = piece[k];
    }
    ebmt_order_free(order);
}

static void test_permutations(void **state)
{
    int64_t all[EPOCHS * COUNT];
    (void)state;
    sequence(11, 1, EPOCHS * COUNT, all);
    for (int e = 0; e < EPOCHS; e++) {
        int seen[COUNT] = {0}, moved = 0;
        for (int k = 0; k < COUNT; k++) {
            int64_t sample = all[e * COUNT + k];
            assert_in_range(sample, 0, COUNT - 1);
            seen[sample]++;
            moved += sample != k;
        }
        for (int k = 0; k < COUNT; k++)
            assert_int_equal(seen[k], 1);
        /* a uniform permutation leaves one place on average; 10 would be a chance of 1e-7 */
        assert_true(moved > COUNT - 10);
        if (e > 0)
            assert_memory_not_equal(all, all + e * COUNT, COUNT * sizeof *all);
    }
}

static void test_batches_tile(void **state)
{
    int64_t one[EPOCHS * COUNT], many[EPOCHS * COUNT];
    const int32_t sizes[] = {2, 7, 96, 97, 98, 2 * COUNT};
    (void)state;
    sequence(11, 1, EPOCHS * COUNT, one);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        sequence(11, sizes[i], EPOCHS * COUNT, many);
        assert_memory_equal(one, many, sizeof one);
    }
}

static void test_any_iteration_alone(void **state)
{
    int64_t row[EPOCHS * COUNT], alone[10];
    (void)state;
    sequence(3, 10, 400, row);
    for (int64_t i = 39; i >= 0; i--) {
        ebmt_order *order = make(COUNT, 3);
        ebmt_order_batch(order, i, 10, alone);
        assert_memory_equal(alone, row + 10 * i, sizeof alone);
        ebmt_order_free(order);
    }
}

static void test_seeds_differ(void **state)
{
    int64_t a[COUNT], b[COUNT];
    (void)state;
    sequence(1, 1, COUNT, a);
    sequence(2, 1, COUNT, b);
    assert_memory_not_equal(a, b, sizeof a);
}

static void test_edges(void **state)
{
    ebmt_order *order = NULL;
    int64_t index[3];
    (void)state;
    assert_int_equal(ebmt_order_create(0, 1, &order, NULL), EBM_ERR_RANGE);
    assert_null(order);
    assert_int_equal(ebmt_order_create(-1, 1, &order, NULL), EBM_ERR_RANGE);
    assert_int_equal(ebmt_order_create((int64_t)1 << 31, 1, &order, NULL), EBM_ERR_RANGE);
    ebmt_order_free(NULL);
    order = make(1, 1);
    ebmt_order_batch(order, 1000000, 3, index);
    assert_int_equal(index[0] | index[1] | index[2], 0);
    ebmt_order_free(order);
}

static void test_no_memory(void **state)
{
    (void)state;
    FOR_EACH_ALLOC_FAILURE
    {
        ebmt_order *order;
        ebm_status st = ebmt_order_create(COUNT, 1, &order, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        ebmt_order_free(order);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_permutations),
        cmocka_unit_test(test_batches_tile),
        cmocka_unit_test(test_any_iteration_alone),
        cmocka_unit_test(test_seeds_differ),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
