/* The body of a request for an operation: from bytes to a checked request, every bad field
 * reported. Knows the fields and rules across fields; not which models exist or who asks. */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "api_internal.h"

static const ebm_param *find_row(const ebma_table *table, const char *name)
{
    for (size_t i = 0; i < table->n; i++) {
        if (strcmp(table->row[i]->name, name) == 0)
            return table->row[i];
    }
    return NULL;
}

/* True if some row lies in the object `name`: "until" for "until.ess". */
static bool is_group(const ebma_table *table, const char *name)
{
    size_t n = strlen(name);

    for (size_t i = 0; i < table->n; i++) {
        const char *row = table->row[i]->name;

        if (strncmp(row, name, n) == 0 && row[n] == '.')
            return true;
    }
    return false;
}

static void refuse_unknown(ebma__decoder *d, const char *group, const char *name, const char *near)
{
    ebma_field_error e = {.code = "unknown_field"};
    char text[96];

    if (near)
        snprintf(text, sizeof(text), "unknown field, did you mean '%s'?", near);
    else
        snprintf(text, sizeof(text), "unknown field");
    e.detail = text;
    ebma__problem_member(d->problem, d->arena, group, name, &e);
}

/* The members of an object of rows. A name that is too long for a row is none. */
static void decode_group(ebma__decoder *d, const ebma_table *table, const char *group,
                         json_t *object)
{
    static const ebma_field_error type = {.code = "wrong_type", .detail = "must be an object"};
    const char *name;
    json_t *value;
    char path[64];

    if (!json_is_object(object)) {
        ebma__problem_path(d->problem, d->arena, group, &type);
        return;
    }
    json_object_foreach(object, name, value)
    {
        int n = snprintf(path, sizeof(path), "%s.%s", group, name);
        const ebm_param *row = n > 0 && (size_t)n < sizeof(path) ? find_row(table, path) : NULL;

        if (row)
            ebma__decode_member(d, row, value);
        else
            refuse_unknown(d, group, name, ebma__suggest(table, path));
    }
}

static void decode_members(ebma__decoder *d, const ebma_table *table, json_t *root)
{
    const char *name;
    json_t *value;

    json_object_foreach(root, name, value)
    {
        const ebm_param *row = strchr(name, '.') ? NULL : find_row(table, name);

        if (row)
            ebma__decode_member(d, row, value);
        else if (is_group(table, name))
            decode_group(d, table, name, value);
        else
            refuse_unknown(d, NULL, name, ebma__suggest(table, name));
    }
}

static void presets(const ebm_operation *op, ebma_op_request *out)
{
    ebma_table table = ebma_op_table(op->kind);
    const ebm_param *delay = find_row(&table, "delay_ms");

    memset(out, 0, sizeof(*out));
    out->operation = op;
    ebm_op_params_default(op, &out->params);
    out->priority = -1;
    out->delay_ms = delay ? (int32_t)delay->preset : 0;
}

/* --- after the fields ---------------------------------------------------------------------- */

static const char *code_of(ebm_status st)
{
    return st == EBM_ERR_RANGE ? "out_of_range" : "invalid_combination";
}

void ebma_problem_row(ebma_problem *problem, ebm_arena *arena, const char *row, const char *code,
                      const char *detail)
{
    ebma_field_error e = {.code = code, .detail = detail};

    ebma__problem_path(problem, arena, row, &e);
}

/* The row of the pictures without which there is nothing to do, if they are missing. */
static const char *missing(const ebma_op_request *r)
{
    const ebma_table table = ebma_op_table(r->operation->kind);

    if (ebma_row_is_list(table.row[1]))
        return r->n_images == 0 ? table.row[1]->name : NULL;
    return r->operation->kind == EBM_OP_INPAINT && !r->params.image ? "image" : NULL;
}

/* Rules between fields; only worth a look when each field is right alone. */
static void check_together(ebma__decoder *d)
{
    const ebma_op_request *r = d->out;
    const char *row = missing(r);
    ebm_error err = {0};

    if (d->problem->n_errors > 0)
        return;
    if (row)
        ebma_problem_row(d->problem, d->arena, row, "required", "is required");
    else if (ebm_op_params_check(r->operation, &r->params, &err) != EBM_OK)
        ebma_problem_row(d->problem, d->arena, err.where, code_of(err.status), err.text);
}

/* 415 if all that is wrong is files that are no PNG: the client has sent another format. */
static void judge_media(ebma_problem *problem)
{
    bool all = problem->n_errors > 0;

    for (const ebma_field_error *e = problem->first; e; e = e->next)
        all = all && strcmp(e->code, EBMA_NOT_A_PNG_FIELD) == 0;
    if (all && problem->first)
        problem->code = EBMA_NOT_A_PNG;
}

static ebm_status draw_seed(const ebm_param *row, ebm_op_params *params)
{
    uint64_t word = 0;

    if (row->type != EBM_PARAM_SEED || ebm_param_number(row, params) >= 0.0)
        return EBM_OK;
    if (getrandom(&word, sizeof(word), 0) != (ssize_t)sizeof(word))
        return EBM_ERR_IO;
    ebm_param_store(row, (double)(word >> 11), params); /* 53 bits */
    return EBM_OK;
}

static ebm_status finish(ebma__decoder *d)
{
    const ebm_operation *op = d->out->operation;
    ebm_status st = EBM_OK;

    if (d->problem->code == EBMA_OUT_OF_MEMORY)
        return EBM_ERR_NOMEM;
    judge_media(d->problem);
    if (d->problem->n_errors > 0)
        return EBM_ERR_RANGE;
    for (size_t i = 0; i < op->n_params && st == EBM_OK; i++)
        st = draw_seed(&op->params[i], &d->out->params);
    if (st != EBM_OK)
        d->problem->code = EBMA_INTERNAL;
    return st;
}

/* --- bodies -------------------------------------------------------------------------------- */

static ebm_status refuse_body(ebm_arena *arena, ebma_problem *problem, const char *code,
                              const char *detail)
{
    ebma_field_error e = {.code = code, .detail = detail};

    ebma_problem_field(problem, arena, NULL, &e);
    return EBM_ERR_RANGE;
}

static ebm_status scan(const char *json, size_t len, ebm_arena *arena, ebma_problem *problem)
{
    switch (ebma__json_scan(json, len)) {
    case EBMA__SCAN_OK:
        return EBM_OK;
    case EBMA__SCAN_TOO_LONG:
        problem->code = EBMA_PAYLOAD_TOO_LARGE;
        return EBM_ERR_LIMIT;
    case EBMA__SCAN_TOO_MANY_KEYS:
        return refuse_body(arena, problem, "too_many_fields", "more than 1024 members");
    default:
        problem->code = EBMA_MALFORMED_JSON;
        return EBM_ERR_ARG;
    }
}

ebm_status ebma_body_canonical(const char *json, size_t size, char **out, size_t *out_size,
                               ebm_error *err)
{
    json_t *root = json_loadb(json, size, JSON_REJECT_DUPLICATES, NULL);

    *out = NULL;
    *out_size = 0;
    if (!root)
        return ebm_error_set(err, EBM_ERR_ARG, NULL, "not a JSON document");
    return ebma__json_write_sorted(root, out, out_size, err);
}

/* Reads an object's members by the rows of a table. */
static ebm_status read_body(ebma__decoder *d, const ebma_table *table, const char *json, size_t len)
{
    json_t *root = NULL;
    ebm_status st;

    memset(d->problem, 0, sizeof(*d->problem));
    st = scan(json, len, d->arena, d->problem);
    if (st != EBM_OK)
        return st;
    root = json_loadb(json, len, JSON_REJECT_DUPLICATES, NULL);
    if (!root) {
        d->problem->code = EBMA_MALFORMED_JSON;
        return EBM_ERR_ARG;
    }
    if (json_is_object(root))
        decode_members(d, table, root);
    else
        st = refuse_body(d->arena, d->problem, "wrong_type", "the body must be a JSON object");
    json_decref(root);
    return st;
}

ebm_status ebma_op_decode(const ebm_operation *op, const char *json, size_t len, ebm_arena *arena,
                          ebma_op_request *out, ebma_problem *problem)
{
    const ebma_table table = ebma_op_table(op->kind);
    ebma__decoder d = {.arena = arena, .problem = problem, .out = out};
    ebm_status st;

    presets(op, out);
    st = read_body(&d, &table, json, len);
    if (st != EBM_OK)
        return st;
    check_together(&d);
    return finish(&d);
}

ebm_status ebma_chain_decode(ebma_chain_call call, const char *json, size_t len, ebm_arena *arena,
                             ebma_op_request *out, ebma_problem *problem)
{
    const ebma_table table = ebma_chain_table(call);
    ebma__decoder d = {.arena = arena, .problem = problem, .out = out};
    ebm_status st;

    presets(ebm_operation_of(EBM_OP_MCMC), out);
    st = read_body(&d, &table, json, len);
    return st == EBM_OK ? finish(&d) : st;
}
