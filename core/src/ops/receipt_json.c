/* Receipts as JSON, in both directions made from the rows of the operation. What is read is
 * hostile until every field has passed its check. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "ebm/memory.h"
#include "ebm/receipt.h"
#include "io/json_scan.h"

#define FORMAT     1
#define MAX_BYTES  65536
#define MAX_DEPTH  4
#define MAX_TOKENS 1024
#define ASCII      (JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(17))

/* --- writing ------------------------------------------------------------------------------- */

static const char *choice_name(const char *choices, int32_t index, size_t *n)
{
    for (; index > 0; index--)
        choices += strcspn(choices, "|") + 1;
    *n = strcspn(choices, "|");
    return choices;
}

/* NULL when the value is absent: then the reader's default says the same. */
static json_t *value_of(const ebm_param *row, const ebm_op_params *p)
{
    const double v = ebm_param_number(row, p);
    size_t n;
    switch (row->type) {
    case EBM_PARAM_INT:
    case EBM_PARAM_SEED:
        return v < row->min ? NULL : json_integer((json_int_t)v);
    case EBM_PARAM_REAL:
        return v < row->min ? NULL : json_real(v);
    case EBM_PARAM_CHOICE: {
        const char *name = choice_name(row->choices, (int32_t)v, &n);
        return json_stringn(name, n);
    }
    case EBM_PARAM_BOOL:
        return v != 0.0 ? json_true() : NULL;
    case EBM_PARAM_MODEL:
    case EBM_PARAM_IMAGE:
    case EBM_PARAM_OBJECT:
        break;
    }
    return NULL;
}

/* "until.ess": the object `until` of the document, made when it is missing. */
static json_t *holder_of(json_t *document, const char **name)
{
    const char *point = strchr(*name, '.');
    char outer[32];
    if (!point)
        return document;
    (void)snprintf(outer, sizeof outer, "%.*s", (int)(point - *name), *name);
    *name = point + 1;
    json_t *inner = json_object_get(document, outer);
    if (inner)
        return inner;
    inner = json_object();
    return json_object_set_new(document, outer, inner) == 0 ? inner : NULL;
}

static json_t *params_object(const ebm_receipt *r)
{
    json_t *o = json_object();
    bool ok = o != NULL;
    for (size_t i = 0; i < r->operation->n_params && ok; i++) {
        const char *name = r->operation->params[i].name;
        json_t *v = value_of(&r->operation->params[i], &r->params);
        json_t *holder = v ? holder_of(o, &name) : NULL;
        if (v)
            ok = json_object_set_new(holder, name, v) == 0;
    }
    if (ok)
        return o;
    json_decref(o);
    return NULL;
}

static json_t *models_array(const ebm_receipt *r)
{
    json_t *a = json_array();
    for (int32_t i = 0; i < r->n_models; i++) {
        const char *levels = r->levels_sha256[i];
        json_t *m =
            json_pack("{s:s, s:s, s:s*, s:f}", "id", r->model[i].id, "sha256", r->sha256[i],
                      "levels_sha256", levels[0] ? levels : NULL, "weight", r->model[i].weight);
        if (json_array_append_new(a, m) != 0) {
            json_decref(a);
            return NULL;
        }
    }
    return a;
}

static json_t *inputs_object(const ebm_receipt_inputs *in)
{
    return json_pack("{s:s*, s:s*, s:s*}", "image", in->image[0] ? in->image : NULL, "to_image",
                     in->image_b[0] ? in->image_b : NULL, "known", in->known[0] ? in->known : NULL);
}

ebm_status ebm_receipt_text(const ebm_receipt *r, char **text, ebm_error *err)
{
    json_t *o = json_pack("{s:i, s:s, s:i, s:o, s:o, s:o, s:s, s:s}", "format", FORMAT, "operation",
                          r->operation->name, "item", (int)r->item, "params", params_object(r),
                          "models", models_array(r), "inputs", inputs_object(&r->inputs),
                          "kernel_class", r->kernel_class, "pixels_sha256", r->pixels_sha256);
    char *dumped = o ? json_dumps(o, ASCII) : NULL;
    const size_t n = dumped ? strlen(dumped) + 1 : 0;
    *text = dumped ? ebm_alloc(n, 1) : NULL;
    if (*text)
        memcpy(*text, dumped, n);
    free(dumped);
    json_decref(o);
    return *text ? EBM_OK : ebm_error_set(err, EBM_ERR_NOMEM, "receipt", "no memory");
}

/* --- reading ------------------------------------------------------------------------------- */

static ebm_status refuse(const char *where, ebm_error *err)
{
    return ebm_error_set(err, EBM_ERR_FORMAT, where, "missing, or of the wrong type");
}

/* @shape out [room] */
static ebm_status text_field(const json_t *o, const char *key, size_t room, char *out,
                             ebm_error *err)
{
    const json_t *v = json_object_get(o, key);
    if (!json_is_string(v) || json_string_length(v) >= room ||
        strlen(json_string_value(v)) != json_string_length(v))
        return refuse(key, err);
    memcpy(out, json_string_value(v), json_string_length(v) + 1);
    return EBM_OK;
}

static ebm_status digest_field(const json_t *o, const char *key, bool needed, char out[65],
                               ebm_error *err)
{
    out[0] = '\0';
    if (!needed && !json_object_get(o, key))
        return EBM_OK;
    ebm_status st = text_field(o, key, 65, out, err);
    if (st == EBM_OK && (strlen(out) != 64 || strspn(out, "0123456789abcdef") != 64))
        st = refuse(key, err);
    return st;
}

static ebm_status take_choice(const ebm_param *row, const char *word, ebm_op_params *p,
                              ebm_error *err)
{
    for (int32_t i = 0; i <= (int32_t)row->max; i++) {
        size_t n;
        const char *name = choice_name(row->choices, i, &n);
        if (strlen(word) == n && memcmp(word, name, n) == 0) {
            ebm_param_store(row, i, p);
            return EBM_OK;
        }
    }
    return ebm_error_set(err, EBM_ERR_RANGE, row->name, "must be one of %s", row->choices);
}

static ebm_status take_value(const ebm_param *row, const json_t *v, ebm_op_params *p,
                             ebm_error *err)
{
    const bool whole = row->type == EBM_PARAM_INT || row->type == EBM_PARAM_SEED;
    if (row->type == EBM_PARAM_CHOICE && json_is_string(v))
        return take_choice(row, json_string_value(v), p, err);
    if (row->type == EBM_PARAM_BOOL && json_is_boolean(v)) {
        ebm_param_store(row, json_is_true(v), p);
        return EBM_OK;
    }
    if (!(whole && json_is_integer(v)) && !(row->type == EBM_PARAM_REAL && json_is_number(v)))
        return refuse(row->name, err);
    ebm_status st = ebm_param_check(row, json_number_value(v), err);
    if (st == EBM_OK)
        ebm_param_store(row, json_number_value(v), p);
    return st;
}

/* The member of a row, through its point; NULL when absent. */
static const json_t *member_of(const json_t *o, const char *name)
{
    const char *point = strchr(name, '.');
    char outer[32];
    if (!point)
        return json_object_get(o, name);
    (void)snprintf(outer, sizeof outer, "%.*s", (int)(point - name), name);
    return json_object_get(json_object_get(o, outer), point + 1);
}

/* Members of the object and of the objects in it. */
static size_t count_members(json_t *o)
{
    size_t n = 0;
    const char *key;
    json_t *v;
    json_object_foreach(o, key, v) n += json_is_object(v) ? json_object_size(v) : 1;
    return n;
}

static ebm_status take_params(json_t *o, ebm_receipt *r, ebm_error *err)
{
    size_t used = 0;
    if (!json_is_object(o))
        return refuse("params", err);
    ebm_op_params_default(r->operation, &r->params);
    for (size_t i = 0; i < r->operation->n_params; i++) {
        const ebm_param *row = &r->operation->params[i];
        const json_t *v = member_of(o, row->name);
        ebm_status st = v ? take_value(row, v, &r->params, err) : EBM_OK;
        if (st != EBM_OK)
            return st;
        used += v != NULL;
    }
    if (used != count_members(o))
        return ebm_error_set(err, EBM_ERR_FORMAT, "params", "holds a field that %s does not have",
                             r->operation->name);
    return EBM_OK;
}

static ebm_status take_model(const json_t *m, ebm_receipt *r, ebm_error *err)
{
    ebm_weighted *to = &r->model[r->n_models];
    ebm_status st = text_field(m, "id", sizeof to->id, to->id, err);
    if (st == EBM_OK && !ebm_model_id_valid(to->id))
        st = ebm_error_set(err, EBM_ERR_FORMAT, "id", "is not a model id");
    if (st == EBM_OK)
        st = digest_field(m, "sha256", true, r->sha256[r->n_models], err);
    if (st == EBM_OK)
        st = digest_field(m, "levels_sha256", false, r->levels_sha256[r->n_models], err);
    to->weight = json_number_value(json_object_get(m, "weight"));
    if (st == EBM_OK && !(fabs(to->weight) <= 100.0 && to->weight != 0.0))
        st = ebm_error_set(err, EBM_ERR_RANGE, "weight", "must be -100..100, not 0");
    r->n_models++;
    return st;
}

static ebm_status take_models(const json_t *a, ebm_receipt *r, ebm_error *err)
{
    ebm_status st = EBM_OK;
    if (!json_is_array(a) || json_array_size(a) < 1 || json_array_size(a) > EBM_COMPOSE_MAX_PARTS)
        return refuse("models", err);
    for (size_t i = 0; i < json_array_size(a) && st == EBM_OK; i++)
        st = take_model(json_array_get(a, i), r, err);
    return st;
}

static ebm_status take_head(const json_t *o, ebm_receipt *r, ebm_error *err)
{
    char name[32];
    const json_t *item = json_object_get(o, "item");
    if (json_integer_value(json_object_get(o, "format")) != FORMAT)
        return ebm_error_set(err, EBM_ERR_FORMAT, "format", "only format %d is known", FORMAT);
    ebm_status st = text_field(o, "operation", sizeof name, name, err);
    if (st != EBM_OK)
        return st;
    r->operation = ebm_operation_find(name);
    if (!r->operation || r->operation->kind > EBM_OP_INTERPOLATE)
        return ebm_error_set(err, EBM_ERR_FORMAT, "operation", "makes no images");
    if (!json_is_integer(item) || json_integer_value(item) < 0 || json_integer_value(item) > 1023)
        return refuse("item", err);
    r->item = (int32_t)json_integer_value(item);
    return EBM_OK;
}

static ebm_status take_all(const json_t *o, ebm_receipt *r, ebm_error *err)
{
    const json_t *inputs = json_object_get(o, "inputs");
    ebm_status st = take_head(o, r, err);
    if (st == EBM_OK)
        st = take_params(json_object_get(o, "params"), r, err);
    if (st == EBM_OK)
        st = take_models(json_object_get(o, "models"), r, err);
    if (st == EBM_OK)
        st = text_field(o, "kernel_class", sizeof r->kernel_class, r->kernel_class, err);
    if (st == EBM_OK)
        st = digest_field(inputs, "image", false, r->inputs.image, err);
    if (st == EBM_OK)
        st = digest_field(inputs, "to_image", false, r->inputs.image_b, err);
    if (st == EBM_OK)
        st = digest_field(inputs, "known", false, r->inputs.known, err);
    if (st != EBM_OK)
        return st;
    const char *pixels = json_string_value(json_object_get(o, "pixels_sha256"));
    return pixels && pixels[0] == '\0'
               ? EBM_OK
               : digest_field(o, "pixels_sha256", true, r->pixels_sha256, err);
}

ebm_status ebm_receipt_parse(const char *text, size_t size, ebm_receipt *out, ebm_error *err)
{
    json_t *o = NULL;
    memset(out, 0, sizeof *out);
    if (size > MAX_BYTES)
        return ebm_error_set(err, EBM_ERR_LIMIT, "receipt", "is over %d bytes", MAX_BYTES);
    ebm_status st = ebm__json_parse(text, size, MAX_DEPTH, MAX_TOKENS, "receipt", &o, err);
    if (st == EBM_OK)
        st = take_all(o, out, err);
    json_decref(o);
    return st;
}
