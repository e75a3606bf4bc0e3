/* A request written as the body that asks for it again. Knows rows and values; not models. */
#include <string.h>

#include "api_internal.h"

static json_t *choice_word(const ebm_param *row, int32_t index)
{
    const char *at = row->choices;

    for (; index > 0; index--)
        at += strcspn(at, "|") + 1;
    return json_stringn(at, strcspn(at, "|"));
}

json_t *ebma__param_value(const ebm_param *row, double value)
{
    switch (row->type) {
    case EBM_PARAM_INT:
    case EBM_PARAM_SEED:
        return value < row->min ? json_null() : json_integer((json_int_t)value);
    case EBM_PARAM_REAL:
        return value < row->min ? json_null() : json_real(value);
    case EBM_PARAM_BOOL:
        return json_boolean(value != 0.0);
    case EBM_PARAM_CHOICE:
        return choice_word(row, (int32_t)value);
    case EBM_PARAM_MODEL:
    case EBM_PARAM_IMAGE:
    case EBM_PARAM_OBJECT:
        break;
    }
    return json_null();
}

static json_t *model_value(const ebma_op_request *r)
{
    json_t *list;
    bool ok;

    if (r->n_models == 1 && r->model[0].weight == 1.0)
        return json_string(r->model[0].id);
    list = json_array();
    ok = list != NULL;
    for (int32_t i = 0; i < r->n_models && ok; i++)
        ok = json_array_append_new(list, json_pack("{s:s, s:f}", "id", r->model[i].id, "weight",
                                                   r->model[i].weight)) == 0;
    if (!ok) {
        json_decref(list);
        return NULL;
    }
    return list;
}

/* The value of a row that only a server has; NULL: it is not written. */
static json_t *own_value(const ebma_op_request *r, const ebm_param *row)
{
    if (row->type == EBM_PARAM_MODEL)
        return model_value(r);
    if (strcmp(row->name, "width") == 0)
        return ebma__param_value(row, r->width);
    if (strcmp(row->name, "height") == 0)
        return ebma__param_value(row, r->height);
    if (strcmp(row->name, "output_format") == 0)
        return choice_word(row, 0);
    if (strcmp(row->name, "response_format") == 0)
        return choice_word(row, (int32_t)r->format);
    if (strcmp(row->name, "sheet") == 0)
        return json_boolean(r->sheet);
    if (strcmp(row->name, "animation") == 0)
        return json_boolean(r->animation);
    if (strcmp(row->name, "delay_ms") == 0)
        return json_integer(r->delay_ms);
    return NULL; /* priority and time-out are the job's, not the result's */
}

static const ebma_picture *picture_of(const ebma_op_request *r, const ebm_param *row)
{
    if (row->offset == offsetof(ebm_op_params, mask))
        return &r->mask;
    return row->offset == offsetof(ebm_op_params, image_b) ? &r->image_b : &r->image;
}

static json_t *pictures_value(const ebma_op_request *r)
{
    json_t *list = json_array();

    for (int32_t i = 0; list && i < r->n_images; i++) {
        if (json_array_append_new(list, ebma__base64(r->images[i].png, r->images[i].size)) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

ebm_status ebma__metadata_take(const json_t *value, ebm_arena *arena, const char **out)
{
    char *text = NULL, *kept = NULL;
    size_t size;
    ebm_status st = ebma__json_write(json_deep_copy(value), &text, &size, NULL);

    *out = NULL;
    if (st == EBM_OK && size > EBMA_METADATA_MAX)
        st = EBM_ERR_LIMIT;
    if (st == EBM_OK)
        kept = ebm_arena_alloc(arena, size + 1, 1);
    if (st == EBM_OK && !kept)
        st = EBM_ERR_NOMEM;
    if (st == EBM_OK)
        *out = memcpy(kept, text, size + 1);
    ebm_free(text);
    return st;
}

json_t *ebma__metadata(const char *text)
{
    return json_loads(text, JSON_REJECT_DUPLICATES, NULL);
}

static void set_row(json_t *root, const ebma_op_request *r, const ebm_param *row, bool whole,
                    bool *ok)
{
    const ebm_operation *op = r->operation;
    json_t *value;

    if (ebma_row_is_list(row)) {
        if (whole)
            ebma__set(root, row->name, pictures_value(r), ok);
    } else if (row->type == EBM_PARAM_IMAGE) {
        const ebma_picture *p = picture_of(r, row);

        if (whole && p->size > 0)
            ebma__set_path(root, row->name, ebma__base64(p->png, p->size), ok);
    } else if (row->type == EBM_PARAM_OBJECT) {
        if (whole && r->metadata)
            ebma__set(root, row->name, ebma__metadata(r->metadata), ok);
    } else if (row >= op->params && row < op->params + op->n_params) {
        ebma__set_path(root, row->name, ebma__param_value(row, ebm_param_number(row, &r->params)),
                       ok);
    } else {
        value = own_value(r, row);
        if (value)
            ebma__set(root, row->name, value, ok);
    }
}

/* A stored request has all rows, a few of them in an object, and comes under the same bound as what
 * clients send: models' lists, and metadata (a member has 5 bytes), must leave room for them. */
_Static_assert(EBMA_METADATA_MAX / 5 + 2 * EBMA_TABLE_MAX + 2 * EBM_COMPOSE_MAX_PARTS <=
                   EBMA_KEYS_MAX,
               "what is accepted can be stored and read");

json_t *ebma__op_object(const ebma_op_request *request, bool whole)
{
    ebma_table table = ebma_op_table(request->operation->kind);
    json_t *root = json_object();
    bool ok = root != NULL;

    for (size_t i = 0; i < table.n && ok; i++)
        set_row(root, request, table.row[i], whole, &ok);
    if (!ok) {
        json_decref(root);
        return NULL;
    }
    return root;
}

ebm_status ebma_op_encode(const ebma_op_request *request, bool whole, char **json, size_t *size,
                          ebm_error *err)
{
    return ebma__json_write(ebma__op_object(request, whole), json, size, err);
}
