/* Numbers out of tensors: exact values of every dtype, and every kind of non-number refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "assert_numbers.h"
#include "ebm/io.h"

static ebm_st_tensor tensor(ebm_dtype dtype, const unsigned char *data, size_t count)
{
    const ebm_st_tensor t = {.name = "w",
                             .dtype = dtype,
                             .rank = 1,
                             .dim = {(int64_t)count},
                             .count = count,
                             .data = data};
    return t;
}

/* Data start one byte late: nothing may assume alignment. */
static const unsigned char f32[] = {9, 0, 0, 0x80, 0x3F, 0, 0, 0x20, 0xC1, 1, 0, 0, 0};
static const unsigned char f64[] = {9,    0,    0,    0,    0,    0,    0,    0xF0, 0x3F,
                                    0x9A, 0x99, 0x99, 0x99, 0x99, 0x99, 0xB9, 0xBF};
static const unsigned char bf16[] = {9, 0x80, 0x3F, 0x20, 0xC1, 0x01, 0x00};

static void values_are_exact(void **state)
{
    (void)state;
    const ebm_st_tensor a = tensor(EBM_F32, f32 + 1, 3), b = tensor(EBM_F64, f64 + 1, 2),
                        c = tensor(EBM_BF16, bf16 + 1, 3);
    float x[3];
    double y[3];
    assert_int_equal(ebm_st_to_float(&a, 3, x, NULL), EBM_OK);
    assert_int_equal(ebm_st_to_double(&a, 3, y, NULL), EBM_OK);
    assert_true(x[0] == 1.0f && x[1] == -10.0f && x[2] == 0x1p-149f);
    assert_true(y[0] == 1.0 && y[1] == -10.0 && y[2] == 0x1p-149);
    assert_int_equal(ebm_st_to_double(&b, 2, y, NULL), EBM_OK);
    assert_true(y[0] == 1.0 && y[1] == -0.1);
    assert_int_equal(ebm_st_to_float(&b, 2, x, NULL), EBM_OK);
    assert_true(x[1] == -0.1f);
    assert_int_equal(ebm_st_to_float(&c, 3, x, NULL), EBM_OK);
    assert_true(x[0] == 1.0f && x[1] == -10.0f && x[2] == 0x1p-133f);
}

static void non_numbers_are_refused(void **state)
{
    (void)state;
    static const struct {
        ebm_dtype dtype;
        unsigned char bytes[16]; /* two values, the second one bad */
        ebm_status to_double;
    } cases[] = {
        {EBM_F32, {0, 0, 0, 0, 0, 0, 0x80, 0x7F}, EBM_ERR_FORMAT},
        {EBM_F32, {0, 0, 0, 0, 0, 0, 0x80, 0xFF}, EBM_ERR_FORMAT},
        {EBM_F32, {0, 0, 0, 0, 1, 0, 0x80, 0x7F}, EBM_ERR_FORMAT},
        {EBM_F32, {0, 0, 0, 0, 0, 0, 0xC0, 0xFF}, EBM_ERR_FORMAT},
        {EBM_BF16, {0, 0, 0x80, 0x7F}, EBM_ERR_FORMAT},
        {EBM_BF16, {0, 0, 0xC1, 0x7F}, EBM_ERR_FORMAT},
        {EBM_F64, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xF0, 0x7F}, EBM_ERR_FORMAT},
        {EBM_F64, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xF8, 0xFF}, EBM_ERR_FORMAT},
        /* 2^1000: a number, but none that float can hold */
        {EBM_F64, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x70, 0x7E}, EBM_OK},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const ebm_st_tensor t = tensor(cases[i].dtype, cases[i].bytes, 2);
        ebm_error err = {EBM_OK, 0, "", ""};
        float x[2];
        double y[2];
        assert_int_equal(ebm_st_to_float(&t, 2, x, &err), EBM_ERR_FORMAT);
        assert_int_equal(err.index, 1);
        assert_string_equal(err.where, "w");
        assert_int_equal(ebm_st_to_double(&t, 2, y, NULL), cases[i].to_double);
    }
}

static void count_and_dtype_must_fit(void **state)
{
    (void)state;
    const ebm_st_tensor a = tensor(EBM_F32, f32 + 1, 3), b = tensor(EBM_I64, f64 + 1, 2);
    float x[4];
    double y[4];
    ebm_error err = {EBM_OK, 0, "", ""};
    assert_int_equal(ebm_st_to_float(&a, 2, x, &err), EBM_ERR_SHAPE);
    assert_int_equal(ebm_st_to_double(&a, 4, y, &err), EBM_ERR_SHAPE);
    assert_int_equal(ebm_st_to_float(&b, 2, x, NULL), EBM_ERR_FORMAT);
    assert_int_equal(ebm_st_to_double(&b, 2, y, NULL), EBM_ERR_FORMAT);
    assert_string_equal(err.where, "w");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_exact),
        cmocka_unit_test(non_numbers_are_refused),
        cmocka_unit_test(count_and_dtype_must_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
