/* Requests as multipart/form-data: each part is a field, named as in JSON ("until.ess" for one in
 * an object). They become the JSON body that says the same, so that there is one way on from here.
 * Knows rows and parts; not what is asked for. */
#include <string.h>

#include "api_internal.h"
#include "ebm/io.h"
#include "ebma/multipart.h"

#define PARTS_MAX  96
#define NUMBER_MAX 64u /* bytes of a part that is a number */

typedef struct form {
    ebma_table table;
    ebm_arena *arena;
    ebma_problem *problem;
    json_t *root;
    char name[EBMA_MULTIPART_NAME_MAX + 1];
    char *part; /* bytes of the part so far */
    size_t size;
} form;

static const ebm_param *row_of(const form *f)
{
    for (size_t i = 0; i < f->table.n; i++) {
        if (strcmp(f->table.row[i]->name, f->name) == 0)
            return f->table.row[i];
    }
    return NULL;
}

/* Numbers are written as in JSON; what is none stays text, and is refused as that. A part may have
 * megabytes, and the reader of JSON takes many times as much: only what a number needs gets there.
 */
static json_t *number_value(const form *f)
{
    json_t *value =
        f->size <= NUMBER_MAX ? json_loadb(f->part, f->size, JSON_DECODE_ANY, NULL) : NULL;

    if (json_is_number(value) || json_is_null(value))
        return value;
    json_decref(value);
    return json_stringn(f->part, f->size);
}

/* What is too long, or no JSON, stays text, and is refused as that. */
static json_t *object_value(const form *f)
{
    json_t *value = f->size <= EBMA_METADATA_MAX
                        ? json_loadb(f->part, f->size, JSON_REJECT_DUPLICATES, NULL)
                        : NULL;

    return value ? value : json_stringn(f->part, f->size);
}

static bool says(const form *f, const char *word)
{
    return f->size == strlen(word) && memcmp(f->part, word, f->size) == 0;
}

static json_t *bool_value(const form *f)
{
    if (says(f, "true") || says(f, "false"))
        return json_boolean(says(f, "true"));
    return json_stringn(f->part, f->size);
}

static json_t *value_of(const form *f, const ebm_param *row)
{
    if (!row)
        return json_true(); /* of any kind: the name is refused */
    switch (row->type) {
    case EBM_PARAM_INT:
    case EBM_PARAM_SEED:
    case EBM_PARAM_REAL:
        return number_value(f);
    case EBM_PARAM_BOOL:
        return bool_value(f);
    case EBM_PARAM_OBJECT:
        return object_value(f);
    case EBM_PARAM_IMAGE:
        return ebma__base64((const unsigned char *)f->part, f->size);
    case EBM_PARAM_CHOICE:
    case EBM_PARAM_MODEL:
        break;
    }
    return json_stringn(f->part, f->size);
}

/* What stands at the field's place already, or NULL. A part "until" is in the way of "until.ess".
 */
static const json_t *taken(const form *f)
{
    const char *point = strchr(f->name, '.');
    char group[EBMA_MULTIPART_NAME_MAX + 1];
    const json_t *there;

    if (!point || !row_of(f))
        return json_object_get(f->root, f->name);
    memcpy(group, f->name, (size_t)(point - f->name));
    group[point - f->name] = '\0';
    there = json_object_get(f->root, group);
    return json_is_object(there) ? json_object_get(there, point + 1) : there;
}

static bool append(form *f, json_t *value)
{
    json_t *list = json_object_get(f->root, f->name);
    bool ok = true;

    if (!list) {
        list = json_array();
        ebma__set(f->root, f->name, list, &ok);
    }
    if (!ok) {
        json_decref(value);
        return false;
    }
    return json_array_append_new(list, value) == 0;
}

static bool on_begin(void *arg, const ebma_multipart_part *part)
{
    form *f = arg;

    memcpy(f->name, part->name, strlen(part->name) + 1);
    f->size = 0;
    return true;
}

static bool on_data(void *arg, const char *bytes, size_t n)
{
    form *f = arg;

    memcpy(f->part + f->size, bytes, n); /* no part is longer than the body */
    f->size += n;
    return true;
}

/* JSON's texts hold no zero byte; pictures may. */
static bool is_text(const form *f, const ebm_param *row)
{
    return (row && row->type == EBM_PARAM_IMAGE) || !memchr(f->part, '\0', f->size);
}

static bool on_end(void *arg)
{
    form *f = arg;
    const ebm_param *row = row_of(f);
    static const ebma_field_error twice = {.code = "duplicate_field",
                                           .detail = "is there more than once"};
    bool ok = true;
    json_t *value;

    if (!(row && ebma_row_is_list(row)) && taken(f)) {
        ebma__problem_path(f->problem, f->arena, f->name, &twice);
        return true;
    }
    value = is_text(f, row) ? value_of(f, row) : NULL;
    if (!value)
        return false; /* text that is not UTF-8, or no memory for it */
    if (row && ebma_row_is_list(row))
        ok = append(f, value);
    else if (row)
        ebma__set_path(f->root, f->name, value, &ok);
    else
        ebma__set(f->root, f->name, value, &ok);
    return ok;
}

static ebma_multipart_fault read_parts(form *f, const char *boundary, const char *body, size_t size)
{
    const ebma_multipart_limits limits = {.parts = PARTS_MAX,
                                          .header_bytes = EBMA_MULTIPART_HEADER_MAX,
                                          .part_bytes = EBM_PNG_MAX_BYTES,
                                          .total_bytes = EBMA_UPLOAD_MAX};
    const ebma_multipart_sink sink = {on_begin, on_data, on_end, f};
    ebma_multipart parser;
    ebma_multipart_fault fault;

    ebma_multipart_init(&parser, boundary, &limits, &sink);
    fault = ebma_multipart_feed(&parser, body, size);
    return fault == EBMA_MULTIPART_OK ? ebma_multipart_finish(&parser) : fault;
}

static ebm_status refuse(ebma_problem *problem, ebma_problem_code code)
{
    problem->code = code;
    return code == EBMA_PAYLOAD_TOO_LARGE ? EBM_ERR_LIMIT : EBM_ERR_ARG;
}

static ebm_status convert(form *f, const char *boundary, const ebma_form *in, char **json,
                          size_t *size)
{
    ebma_multipart_fault fault = read_parts(f, boundary, in->body, in->size);

    if (fault != EBMA_MULTIPART_OK)
        return refuse(f->problem, ebma_multipart_problem(fault));
    if (f->problem->n_errors > 0)
        return EBM_ERR_RANGE;
    if (ebma__json_write(json_incref(f->root), json, size, NULL) == EBM_OK)
        return EBM_OK;
    f->problem->code = EBMA_OUT_OF_MEMORY;
    return EBM_ERR_NOMEM;
}

ebm_status ebma_form_decode(const ebm_operation *op, const ebma_form *in, ebm_arena *arena,
                            char **json, size_t *size, ebma_problem *problem)
{
    form f = {.table = ebma_op_table(op->kind), .arena = arena, .problem = problem};
    char boundary[EBMA_MULTIPART_BOUNDARY_MAX + 1];
    ebm_status st = EBM_ERR_NOMEM;

    *json = NULL;
    *size = 0;
    memset(problem, 0, sizeof(*problem));
    if (!ebma_multipart_boundary(in->content_type, boundary))
        return refuse(problem, EBMA_MALFORMED_MULTIPART);
    f.root = json_object();
    f.part = ebm_alloc(in->size, 1);
    if (f.root && f.part)
        st = convert(&f, boundary, in, json, size);
    else
        problem->code = EBMA_OUT_OF_MEMORY;
    json_decref(f.root);
    ebm_free(f.part);
    return st;
}
