/* Sets of chains as files: what goes in comes back, damage and forged lengths are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ebm/io.h"
#include "ebm/memory.h"
#include "ebm/receipt.h"
#include "fail_alloc.h"
#include "io/bytes.h"

enum { CHAINS = 3, ROWS = 5, COLUMNS = 4, FLAGS = 24 /* where they stand */ };

static const char digest[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
static double scalars[CHAINS][ROWS * COLUMNS];

/* Chain k has k + 2 rows and a checkpoint of 10 k + 1 bytes. */
static void make(ebm_chain_set *set, ebm_trace *traces)
{
    static const unsigned char blob[64] = "a checkpoint, whatever is in it";
    const ebm_call call = {.operation = ebm_operation_of(EBM_OP_MCMC)};
    memset(set, 0, sizeof *set);
    ebm_receipt_begin(&call, 0, &set->run);
    ebm_op_params_default(call.operation, &set->run.params);
    set->run.params.chains = set->n = CHAINS;
    set->run.n_models = 1;
    set->run.model[0] = (ebm_weighted){"a", 1.0};
    memcpy(set->run.sha256[0], digest, 65);
    set->columns = COLUMNS;
    for (int k = 0; k < CHAINS; k++) {
        set->chain[k].checkpoint = blob;
        set->chain[k].checkpoint_bytes = (size_t)(10 * k + 1);
        for (int i = 0; i < ROWS * COLUMNS; i++)
            scalars[k][i] = k + i / 7.0;
        traces[k] = (ebm_trace){.thin = 1,
                                .n_directions = COLUMNS - 2,
                                .room = ROWS,
                                .count = (size_t)k + 2,
                                .scalars = scalars[k]};
    }
}

static void encode(unsigned char **data, size_t *size)
{
    static ebm_chain_set set;
    ebm_trace traces[CHAINS];
    make(&set, traces);
    assert_int_equal(ebm_chain_set_encode(&set, traces, data, size, NULL), EBM_OK);
}

static void test_round_trip(void **state)
{
    static ebm_chain_set set;
    double rows[ROWS * COLUMNS];
    unsigned char *data;
    size_t size;
    (void)state;
    encode(&data, &size);
    assert_int_equal(ebm_chain_set_decode(data, size, &set, NULL), EBM_OK);
    assert_int_equal(set.n, CHAINS);
    assert_int_equal(set.run.params.chains, CHAINS);
    for (int k = 0; k < CHAINS; k++) {
        ebm_trace trace = {.n_directions = COLUMNS - 2, .room = ROWS, .scalars = rows};
        assert_int_equal(set.chain[k].checkpoint_bytes, 10 * k + 1);
        assert_int_equal(ebm_chain_set_trace(&set, k, &trace, NULL), EBM_OK);
        assert_int_equal(trace.count, k + 2);
        assert_memory_equal(rows, scalars[k], trace.count * COLUMNS * sizeof rows[0]);
        trace.room = (size_t)k + 1;
        assert_int_equal(ebm_chain_set_trace(&set, k, &trace, NULL), EBM_ERR_LIMIT);
        trace.n_directions = 1;
        assert_int_equal(ebm_chain_set_trace(&set, k, &trace, NULL), EBM_ERR_FORMAT);
    }
    ebm_free(data);
}

static void sign(unsigned char *data, size_t size)
{
    char hex[65];
    ebm_sha256_hex(data, size - 64, hex);
    memcpy(data + size - 64, hex, 64);
}

/* Whether the states come from another seed is told; a file of the first version, which had no word
 * for it, is read as one that says no. */
static void test_forks(void **state)
{
    static ebm_chain_set set;
    ebm_trace traces[CHAINS];
    unsigned char *data;
    size_t size;
    (void)state;
    make(&set, traces);
    set.forked = true;
    assert_int_equal(ebm_chain_set_encode(&set, traces, &data, &size, NULL), EBM_OK);
    assert_int_equal(ebm_chain_set_decode(data, size, &set, NULL), EBM_OK);
    assert_true(set.forked);
    ebm__store_le32(data + FLAGS, 2); /* a word of a later build */
    sign(data, size);
    assert_int_equal(ebm_chain_set_decode(data, size, &set, NULL), EBM_ERR_FORMAT);
    ebm__store_le32(data + 8, 1);
    memmove(data + FLAGS, data + FLAGS + 4, size - FLAGS - 4);
    sign(data, size - 4);
    assert_int_equal(ebm_chain_set_decode(data, size - 4, &set, NULL), EBM_OK);
    assert_false(set.forked);
    assert_int_equal(set.n, CHAINS);
    ebm_free(data);
}

static void test_damage(void **state)
{
    static ebm_chain_set set;
    unsigned char *data;
    size_t size;
    (void)state;
    encode(&data, &size);
    for (size_t n = 0; n < size; n++)
        assert_int_not_equal(ebm_chain_set_decode(data, n, &set, NULL), EBM_OK);
    for (size_t i = 0; i < size; i++) {
        data[i] ^= 0x10;
        assert_int_not_equal(ebm_chain_set_decode(data, size, &set, NULL), EBM_OK);
        data[i] ^= 0x10;
    }
    ebm_free(data);
}

/* Lengths that lie, under a digest that is right. */
static void test_forged_lengths(void **state)
{
    static const uint32_t values[] = {0, 1, 4, 65, 0x7fffffff, 0xffffffff};
    static ebm_chain_set set;
    unsigned char *data;
    size_t size;
    (void)state;
    encode(&data, &size);
    const size_t part = FLAGS + 4 + (size_t)ebm__load_le32(data + 12);
    const size_t fields[] = {8, 12, 16, 20, part, part + 4, part + 8, part + 12};
    for (size_t f = 0; f < sizeof fields / sizeof fields[0]; f++)
        for (size_t v = 0; v < sizeof values / sizeof values[0]; v++) {
            const uint32_t kept = ebm__load_le32(data + fields[f]);
            if (values[v] == kept)
                continue;
            ebm__store_le32(data + fields[f], values[v]);
            sign(data, size);
            assert_int_not_equal(ebm_chain_set_decode(data, size, &set, NULL), EBM_OK);
            ebm__store_le32(data + fields[f], kept);
        }
    sign(data, size);
    assert_int_equal(ebm_chain_set_decode(data, size, &set, NULL), EBM_OK);
    ebm_free(data);
}

static void test_allocations(void **state)
{
    static ebm_chain_set set;
    ebm_trace traces[CHAINS];
    unsigned char *data;
    size_t size;
    (void)state;
    make(&set, traces);
    FOR_EACH_ALLOC_FAILURE
    {
        ebm_status st = ebm_chain_set_encode(&set, traces, &data, &size, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        ebm_free(data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),  cmocka_unit_test(test_forks),
        cmocka_unit_test(test_damage),      cmocka_unit_test(test_forged_lengths),
        cmocka_unit_test(test_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
