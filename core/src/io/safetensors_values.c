/* Numbers out of a safetensors tensor, every one checked to be finite.
 * Knows the encodings; never what the numbers mean. */
#include "ebm/io.h"

#include <math.h>

#include "io/bytes.h"

static ebm_status check_count(const ebm_st_tensor *t, size_t count, ebm_error *err)
{
    if (t->count != count) {
        return ebm_error_set(err, EBM_ERR_SHAPE, t->name, "has %zu values, expected %zu", t->count,
                             count);
    }
    if (t->dtype == EBM_I64) {
        return ebm_error_set(err, EBM_ERR_FORMAT, t->name, "dtype I64 where floats are expected");
    }
    return EBM_OK;
}

static ebm_status not_finite(const ebm_st_tensor *t, size_t i, ebm_error *err)
{
    const bool first = err != NULL && err->status == EBM_OK;
    const ebm_status st =
        ebm_error_set(err, EBM_ERR_FORMAT, t->name, "value %zu is not a finite number", i);
    if (first) {
        err->index = (int64_t)i;
    }
    return st;
}

/* Every float format here fits into a double exactly. */
static double value_at(const ebm_st_tensor *t, size_t i)
{
    switch (t->dtype) {
    case EBM_F32:
        return (double)ebm__float_of_bits(ebm__load_le32(t->data + 4 * i));
    case EBM_F64:
        return ebm__double_of_bits(ebm__load_le64(t->data + 8 * i));
    case EBM_BF16: {
        const uint32_t high = (uint32_t)t->data[2 * i] | (uint32_t)t->data[2 * i + 1] << 8;
        return (double)ebm__float_of_bits(high << 16);
    }
    case EBM_I64:
        break; /* refused by check_count() */
    }
    return NAN;
}

ebm_status ebm_st_to_float(const ebm_st_tensor *t, size_t count, float *out, ebm_error *err)
{
    const ebm_status st = check_count(t, count, err);
    if (st != EBM_OK) {
        return st;
    }
    for (size_t i = 0; i < count; i++) {
        out[i] = (float)value_at(t, i);
        if (!isfinite(out[i])) { /* also a double too large for float */
            return not_finite(t, i, err);
        }
    }
    return EBM_OK;
}

ebm_status ebm_st_to_double(const ebm_st_tensor *t, size_t count, double *out, ebm_error *err)
{
    const ebm_status st = check_count(t, count, err);
    if (st != EBM_OK) {
        return st;
    }
    for (size_t i = 0; i < count; i++) {
        out[i] = value_at(t, i);
        if (!isfinite(out[i])) {
            return not_finite(t, i, err);
        }
    }
    return EBM_OK;
}
