/* The body of POST /v1/sample: from bytes to a checked request, every bad field reported.
 * Knows the fields and rules across fields; not which models exist or who asks. */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "api_internal.h"

static const ebm_param own_rows[] = {
    {.name = "model",
     .type = EBM_PARAM_MODEL,
     .unit = "",
     .help = "id of a loaded model; absent: the server's default"},
    {.name = "response_format",
     .type = EBM_PARAM_CHOICE,
     .choices = "b64_json|none",
     .unit = "",
     .help = "how images come back: base64 PNG in the JSON, or energies and digests only"},
    {.name = "priority",
     .type = EBM_PARAM_INT,
     .min = 0,
     .max = 9,
     .preset = 5,
     .unit = "",
     .help = "9 goes first"},
    {.name = "timeout_s",
     .type = EBM_PARAM_REAL,
     .min = 0.001,
     .max = 604800,
     .preset = 0,
     .unit = "s",
     .help = "the job ends when it is not done by then; absent or null: no such limit"},
};
#define N_OWN_ROWS (sizeof(own_rows) / sizeof(own_rows[0]))

ebma_table ebma_sample_table(void)
{
    ebma_table t = {.n = 0};
    size_t n_core;
    const ebm_param *core = ebm_sample_params(&n_core);

    t.row[t.n++] = &own_rows[0];
    for (size_t i = 0; i < n_core && t.n < EBMA_TABLE_MAX - (N_OWN_ROWS - 1); i++)
        t.row[t.n++] = &core[i];
    for (size_t i = 1; i < N_OWN_ROWS; i++)
        t.row[t.n++] = &own_rows[i];
    return t;
}

static const ebm_param *find_row(const ebma_table *table, const char *name)
{
    for (size_t i = 0; i < table->n; i++) {
        if (strcmp(table->row[i]->name, name) == 0)
            return table->row[i];
    }
    return NULL;
}

static void refuse_unknown(ebma__decoder *d, const ebma_table *table, const char *name)
{
    const char *near = ebma__suggest(table, name);
    ebma_field_error e = {.code = "unknown_field"};
    char text[96];

    if (near)
        snprintf(text, sizeof(text), "unknown field, did you mean '%s'?", near);
    else
        snprintf(text, sizeof(text), "unknown field");
    e.detail = text;
    ebma_problem_field(d->problem, d->arena, name, &e);
}

static void presets(const ebma_table *table, ebma_sample_request *out)
{
    const ebm_param *n = find_row(table, "n");
    const ebm_param *first = find_row(table, "first_index");
    const ebm_param *priority = find_row(table, "priority");

    memset(out, 0, sizeof(*out));
    out->n = n ? (int32_t)n->preset : 1;
    out->first_index = first ? (uint32_t)first->preset : 0;
    out->format = EBMA_FORMAT_B64_JSON;
    out->priority = priority ? (int32_t)priority->preset : 0;
}

static ebm_status draw_seed(uint64_t *seed)
{
    uint64_t word = 0;

    if (getrandom(&word, sizeof(word), 0) != (ssize_t)sizeof(word))
        return EBM_ERR_IO;
    *seed = word >> 11; /* 53 bits */
    return EBM_OK;
}

/* Rules between fields; only worth a look when each field is right alone. */
static void check_together(ebma__decoder *d)
{
    const ebma_sample_request *r = d->out;
    ebma_field_error e = {.code = "out_of_range",
                          .detail = "first_index + n must not pass 2147483648",
                          .bounded = true,
                          .min = 0.0,
                          .max = 2147483648.0 - (double)r->n};

    if (d->problem->n_errors == 0 && (uint64_t)r->first_index + (uint64_t)r->n > 2147483648u)
        ebma_problem_field(d->problem, d->arena, "first_index", &e);
}

static void decode_members(ebma__decoder *d, json_t *root)
{
    ebma_table table = ebma_sample_table();

    presets(&table, d->out);
    for (void *it = json_object_iter(root); it; it = json_object_iter_next(root, it)) {
        const char *name = json_object_iter_key(it);
        const ebm_param *row = find_row(&table, name);

        if (row)
            ebma__decode_member(d, row, json_object_iter_value(it));
        else
            refuse_unknown(d, &table, name);
    }
    check_together(d);
}

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
        return refuse_body(arena, problem, "too_many_fields", "more than 256 members");
    default:
        problem->code = EBMA_MALFORMED_JSON;
        return EBM_ERR_ARG;
    }
}

static ebm_status finish(ebma__decoder *d)
{
    if (d->problem->code == EBMA_OUT_OF_MEMORY)
        return EBM_ERR_NOMEM;
    if (d->problem->n_errors > 0)
        return EBM_ERR_RANGE;
    if (d->seed_given)
        return EBM_OK;
    if (draw_seed(&d->out->seed) == EBM_OK)
        return EBM_OK;
    d->problem->code = EBMA_INTERNAL;
    return EBM_ERR_IO;
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

ebm_status ebma_sample_decode(const char *json, size_t len, ebm_arena *arena,
                              ebma_sample_request *out, ebma_problem *problem)
{
    ebma__decoder d = {.arena = arena, .problem = problem, .out = out};
    json_t *root = NULL;
    ebm_status st;

    memset(problem, 0, sizeof(*problem));
    st = scan(json, len, arena, problem);
    if (st != EBM_OK)
        return st;
    root = json_loadb(json, len, JSON_REJECT_DUPLICATES, NULL);
    if (!root) {
        problem->code = EBMA_MALFORMED_JSON;
        return EBM_ERR_ARG;
    }
    if (!json_is_object(root)) {
        st = refuse_body(arena, problem, "wrong_type", "the body must be a JSON object");
        goto out;
    }
    decode_members(&d, root);
    st = finish(&d);
out:
    json_decref(root);
    return st;
}
