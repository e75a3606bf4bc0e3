/* Values against the rows of their operation. Knows rows; not where values come from. */
#include <math.h>
#include <string.h>

#include "ops/ops_internal.h"

/* Rows of all traces of a run: 64 chains of 100,000 steps would be two gigabytes. */
#define MAX_TRACE_ROWS 1000000

const ebm_param *ebm_param_find(const ebm_param *table, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}

ebm_status ebm_param_check(const ebm_param *row, double value, ebm_error *err)
{
    bool whole = row->type == EBM_PARAM_INT || row->type == EBM_PARAM_SEED;
    if (!(value >= row->min && value <= row->max))
        return ebm_error_set(err, EBM_ERR_RANGE, row->name, "must be %.17g..%.17g", row->min,
                             row->max);
    if (whole && value != floor(value))
        return ebm_error_set(err, EBM_ERR_RANGE, row->name, "must be a whole number");
    return EBM_OK;
}

double ebm_param_number(const ebm_param *row, const ebm_op_params *params)
{
    const char *at = (const char *)params + row->offset;
    switch (row->type) {
    case EBM_PARAM_INT:
    case EBM_PARAM_SEED:
        return (double)*(const int64_t *)(const void *)at;
    case EBM_PARAM_REAL:
        return *(const double *)(const void *)at;
    case EBM_PARAM_CHOICE:
        return *(const int32_t *)(const void *)at;
    case EBM_PARAM_BOOL:
        return *(const bool *)at;
    case EBM_PARAM_MODEL:
    case EBM_PARAM_IMAGE:
    case EBM_PARAM_OBJECT:
        break;
    }
    return 0.0;
}

void ebm_param_store(const ebm_param *row, double value, ebm_op_params *params)
{
    char *at = (char *)params + row->offset;
    switch (row->type) {
    case EBM_PARAM_INT:
    case EBM_PARAM_SEED:
        *(int64_t *)(void *)at = (int64_t)value;
        break;
    case EBM_PARAM_REAL:
        *(double *)(void *)at = value + 0.0; /* -0 becomes 0 */
        break;
    case EBM_PARAM_CHOICE:
        *(int32_t *)(void *)at = (int32_t)value;
        break;
    case EBM_PARAM_BOOL:
        *(bool *)at = value != 0.0;
        break;
    case EBM_PARAM_MODEL:
    case EBM_PARAM_IMAGE:
    case EBM_PARAM_OBJECT:
        break;
    }
}

void ebm_op_params_default(const ebm_operation *op, ebm_op_params *out)
{
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < op->n_params; i++)
        ebm_param_store(&op->params[i], op->params[i].preset, out);
}

static ebm_status check_row(const ebm_param *row, const ebm_op_params *p, ebm_error *err)
{
    double value = ebm_param_number(row, p);
    bool absent = value == row->preset && row->preset < row->min;
    if (absent || row->type == EBM_PARAM_MODEL || row->type == EBM_PARAM_IMAGE)
        return EBM_OK;
    return ebm_param_check(row, value, err);
}

ebm_status ebm__trace_rows_check(const ebm_op_params *p, int64_t steps, ebm_error *err)
{
    if (p->chains * (steps / p->thin) <= MAX_TRACE_ROWS)
        return EBM_OK;
    return ebm_error_set(err, EBM_ERR_RANGE, "thin", "traces would have over %d rows in all",
                         MAX_TRACE_ROWS);
}

/* What needs no model; with ladder a chain is longer than `steps`, see ebm_call_resolve(). */
static ebm_status check_mcmc(const ebm_op_params *p, ebm_error *err)
{
    if (p->warmup >= p->steps)
        return ebm_error_set(err, EBM_ERR_RANGE, "warmup", "must be less than steps");
    if (p->thin > p->steps)
        return ebm_error_set(err, EBM_ERR_RANGE, "thin", "must be at most steps");
    if (p->keep > p->steps)
        return ebm_error_set(err, EBM_ERR_RANGE, "keep", "must be at most steps");
    if (p->ladder && (p->until_ess > 0 || p->until_rhat > 0))
        return ebm_error_set(err, EBM_ERR_ARG, "ladder",
                             "levels cannot be compared: no until.ess or until.rhat");
    if (p->init == EBM_INIT_IMAGE && !p->image)
        return ebm_error_set(err, EBM_ERR_ARG, "image", "is needed with init image");
    if (p->init != EBM_INIT_IMAGE && p->image)
        return ebm_error_set(err, EBM_ERR_ARG, "image", "needs init image");
    return ebm__trace_rows_check(p, p->steps, err);
}

static ebm_status check_kind(const ebm_operation *op, const ebm_op_params *p, ebm_error *err)
{
    if (op->kind == EBM_OP_MCMC)
        return check_mcmc(p, err);
    if (op->kind == EBM_OP_SAMPLE && p->start_level >= 0 && !p->image)
        return ebm_error_set(err, EBM_ERR_ARG, "start_level", "needs an image to start from");
    if (op->kind == EBM_OP_INPAINT && !p->image)
        return ebm_error_set(err, EBM_ERR_ARG, "image", "is required");
    if (op->kind == EBM_OP_INPAINT && p->ensemble && p->n < 2)
        return ebm_error_set(err, EBM_ERR_RANGE, "ensemble", "needs n of at least 2");
    if (op->kind == EBM_OP_INTERPOLATE && !p->image != !p->image_b)
        return ebm_error_set(err, EBM_ERR_ARG, p->image ? "to.image" : "from.image",
                             "is needed beside the other one");
    if (op->kind == EBM_OP_INTERPOLATE && !p->image && p->level >= 0)
        return ebm_error_set(err, EBM_ERR_ARG, "level", "needs from.image and to.image");
    return EBM_OK;
}

/* How many items the operation makes, each with an index of its own. */
static int64_t items_of(const ebm_operation *op, const ebm_op_params *p)
{
    return op->kind == EBM_OP_MCMC ? p->chains : p->n;
}

ebm_status ebm_op_params_check(const ebm_operation *op, const ebm_op_params *params, ebm_error *err)
{
    for (size_t i = 0; i < op->n_params; i++) {
        ebm_status st = check_row(&op->params[i], params, err);
        if (st != EBM_OK)
            return st;
    }
    if (params->first_index + items_of(op, params) - 1 > INT32_MAX)
        return ebm_error_set(err, EBM_ERR_RANGE, "first_index", "the last index is over %ld",
                             (long)INT32_MAX);
    return check_kind(op, params, err);
}
