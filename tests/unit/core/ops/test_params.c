/* Tables of operations: rows that hold together, defaults that pass, bounds that are kept. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ebm/params.h"

/* What a table cannot default: pictures. */
static void make(const ebm_operation *op, ebm_op_params *p)
{
    ebm_op_params_default(op, p);
    p->seed = 1;
    if (op->kind == EBM_OP_INPAINT)
        p->image = "x";
}

static void test_tables(void **state)
{
    (void)state;
    for (int k = EBM_OP_SAMPLE; k <= EBM_OP_LIKELIHOOD; k++) {
        const ebm_operation *op = ebm_operation_of((ebm_op_kind)k);
        ebm_op_params p;
        assert_int_equal(op->kind, k);
        assert_ptr_equal(ebm_operation_find(op->name), op);
        for (size_t i = 0; i < op->n_params; i++) {
            const ebm_param *row = &op->params[i];
            assert_ptr_equal(ebm_param_find(op->params, op->n_params, row->name), row);
            assert_true(row->offset < sizeof p);
            assert_true(row->min <= row->max && row->preset <= row->max);
            assert_int_equal(row->type == EBM_PARAM_CHOICE, row->choices != NULL);
            for (size_t j = 0; j < i; j++)
                assert_int_not_equal(op->params[j].offset, row->offset);
        }
        make(op, &p);
        assert_int_equal(ebm_op_params_check(op, &p, NULL), EBM_OK);
    }
    assert_null(ebm_operation_find("train"));
}

/* Every number at its bounds and just beyond them. */
static void test_bounds(void **state)
{
    (void)state;
    for (int k = EBM_OP_SAMPLE; k <= EBM_OP_LIKELIHOOD; k++) {
        const ebm_operation *op = ebm_operation_of((ebm_op_kind)k);
        for (size_t i = 0; i < op->n_params; i++) {
            const ebm_param *row = &op->params[i];
            ebm_op_params p;
            ebm_error err = {0};
            if (row->type != EBM_PARAM_INT && row->type != EBM_PARAM_REAL)
                continue;
            make(op, &p);
            ebm_param_store(row, row->max + 1, &p);
            assert_true(ebm_param_number(row, &p) == row->max + 1);
            assert_int_equal(ebm_op_params_check(op, &p, &err), EBM_ERR_RANGE);
            assert_string_equal(err.where, row->name);
            make(op, &p);
            ebm_param_store(row, row->min - 2, &p);
            assert_int_equal(ebm_op_params_check(op, &p, NULL), EBM_ERR_RANGE);
            if (row->type == EBM_PARAM_REAL) {
                ebm_param_store(row, (double)NAN, &p);
                assert_int_equal(ebm_op_params_check(op, &p, NULL), EBM_ERR_RANGE);
            }
        }
    }
}

/* Values that are fine alone. */
static const struct {
    ebm_op_kind kind;
    const char *row;
    double value;
    const char *row2;
    double value2;
    const char *where;
} pairs[] = {
    {EBM_OP_MCMC, "warmup", 1000, "steps", 1000, "warmup"},
    {EBM_OP_MCMC, "thin", 11, "steps", 10, "thin"},
    {EBM_OP_MCMC, "steps", 100000, "chains", 11, "thin"},
    {EBM_OP_MCMC, "keep", 6, "steps", 5, "keep"},
    {EBM_OP_MCMC, "ladder", 1, "until.ess", 10, "ladder"},
    {EBM_OP_MCMC, "init", EBM_INIT_IMAGE, "steps", 10, "image"},
    {EBM_OP_SAMPLE, "start_level", 1, "n", 1, "start_level"},
    {EBM_OP_SAMPLE, "first_index", 2147483647, "n", 2, "first_index"},
    {EBM_OP_INPAINT, "ensemble", 1, "n", 1, "ensemble"},
    {EBM_OP_INTERPOLATE, "level", 1, "frames", 3, "level"},
};

static void test_pairs(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        const ebm_operation *op = ebm_operation_of(pairs[i].kind);
        ebm_op_params p;
        ebm_error err = {0};
        make(op, &p);
        ebm_param_store(ebm_param_find(op->params, op->n_params, pairs[i].row), pairs[i].value, &p);
        ebm_param_store(ebm_param_find(op->params, op->n_params, pairs[i].row2), pairs[i].value2,
                        &p);
        assert_int_not_equal(ebm_op_params_check(op, &p, &err), EBM_OK);
        assert_string_equal(err.where, pairs[i].where);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_pairs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
