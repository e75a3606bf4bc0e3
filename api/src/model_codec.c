/* Descriptions of models, with the bounds of every parameter a client may send.
 * Knows the parameter table and a model's facts; not how models are found. */
#include <string.h>

#include "api_internal.h"

static const char *type_name(ebm_param_type type)
{
    switch (type) {
    case EBM_PARAM_INT:
    case EBM_PARAM_SEED:
        return "integer";
    case EBM_PARAM_REAL:
        return "number";
    case EBM_PARAM_BOOL:
        return "boolean";
    case EBM_PARAM_CHOICE:
    case EBM_PARAM_MODEL:
    case EBM_PARAM_IMAGE:
        return "string";
    case EBM_PARAM_OBJECT:
        return "object";
    }
    return "string";
}

/* What a request without the field gets from this model. */
static json_t *preset_value(const ebm_param *row, const ebm_op_params *effective,
                            const ebm_model_info *m, bool is_default)
{
    const ebm_operation *op = ebm_operation_of(EBM_OP_SAMPLE);

    if (row->type == EBM_PARAM_MODEL)
        return is_default ? json_string(m->id) : json_null();
    if (row->type == EBM_PARAM_SEED || row->type == EBM_PARAM_IMAGE ||
        row->type == EBM_PARAM_OBJECT)
        return json_null();
    if (row >= op->params && row < op->params + op->n_params)
        return ebma__param_value(row, ebm_param_number(row, effective));
    return ebma__param_value(row, row->type == EBM_PARAM_CHOICE ? 0.0 : row->preset);
}

static json_t *choices_array(const char *choices)
{
    json_t *a = json_array();

    while (a && *choices) {
        size_t n = 0;
        while (choices[n] && choices[n] != '|')
            n++;
        if (json_array_append_new(a, json_stringn(choices, n)) != 0) {
            json_decref(a);
            return NULL;
        }
        choices += n + (choices[n] == '|');
    }
    return a;
}

static json_t *param_object(const ebm_param *row, json_t *preset)
{
    json_t *o = json_object();
    bool ok = o != NULL;

    ebma__set(o, "name", json_string(row->name), &ok);
    ebma__set(o, "type", json_string(type_name(row->type)), &ok);
    if (row->type == EBM_PARAM_INT) {
        ebma__set(o, "min", json_integer((json_int_t)row->min), &ok);
        ebma__set(o, "max", json_integer((json_int_t)row->max), &ok);
    } else if (row->type == EBM_PARAM_REAL) {
        ebma__set(o, "min", json_real(row->min), &ok);
        ebma__set(o, "max", json_real(row->max), &ok);
    } else if (row->type == EBM_PARAM_SEED) {
        ebma__set(o, "min", json_integer(0), &ok);
        ebma__set(o, "max", json_integer((json_int_t)EBM_SEED_MAX), &ok);
    } else if (row->type == EBM_PARAM_CHOICE) {
        ebma__set(o, "choices", choices_array(row->choices), &ok);
    }
    ebma__set(o, "default", preset, &ok);
    if (row->unit && row->unit[0])
        ebma__set(o, "unit", json_string(row->unit), &ok);
    ebma__set(o, "help", json_string(row->help ? row->help : ""), &ok);
    if (!ok) {
        json_decref(o);
        return NULL;
    }
    return o;
}

static json_t *params_array(const ebm_model_info *m, bool is_default)
{
    ebma_table table = ebma_op_table(EBM_OP_SAMPLE);
    ebm_call call = {.operation = ebm_operation_of(EBM_OP_SAMPLE)};
    json_t *a = json_array();

    ebm_op_params_default(call.operation, &call.params);
    if (ebm_call_resolve(&call, m->levels, NULL) != EBM_OK) {
        json_decref(a);
        return NULL;
    }
    for (size_t i = 0; a && i < table.n; i++) {
        json_t *preset = preset_value(table.row[i], &call.params, m, is_default);

        if (json_array_append_new(a, param_object(table.row[i], preset)) != 0) {
            json_decref(a);
            return NULL;
        }
    }
    return a;
}

static json_t *steps_array(const ebm_levels *levels)
{
    json_t *a = json_array();

    for (int32_t t = 0; a && t < levels->count; t++) {
        if (json_array_append_new(a, json_integer(levels->steps[t])) != 0) {
            json_decref(a);
            return NULL;
        }
    }
    return a;
}

static json_t *model_object(const ebm_model_info *m, bool is_default)
{
    json_t *o = json_object();
    bool ok = o != NULL;

    ebma__set(o, "id", json_string(m->id), &ok);
    ebma__set(o, "object", json_string("model"), &ok);
    ebma__set(o, "version", json_string(m->version), &ok);
    ebma__set(o, "title", json_string(m->title), &ok);
    ebma__set(o, "licence", json_string(m->licence), &ok);
    ebma__set(o, "sha256", json_string(m->sha256), &ok);
    ebma__set(o, "default", json_boolean(is_default), &ok);
    ebma__set(o, "image",
              json_pack("{s:i, s:i, s:i}", "width", m->network.width, "height", m->network.height,
                        "channels", m->network.channels),
              &ok);
    ebma__set(o, "levels", json_integer(m->levels->count), &ok);
    ebma__set(o, "default_steps", steps_array(m->levels), &ok);
    ebma__set(o, "noise_scale", json_real(m->levels->noise_scale), &ok);
    ebma__set(o, "kernel_class", json_string(m->kernels->kernel_class), &ok);
    ebma__set(o, "parameters", params_array(m, is_default), &ok);
    if (!ok) {
        json_decref(o);
        return NULL;
    }
    return o;
}

ebm_status ebma_model_encode(const ebm_model_info *model, bool is_default, char **json,
                             size_t *size, ebm_error *err)
{
    return ebma__json_write(model_object(model, is_default), json, size, err);
}

ebm_status ebma_model_list_encode(const ebm_model_info *const *models, size_t n, char **json,
                                  size_t *size, ebm_error *err)
{
    json_t *root = json_object();
    json_t *data = json_array();
    bool ok = root != NULL && data != NULL;

    for (size_t i = 0; i < n && ok; i++) {
        if (json_array_append_new(data, model_object(models[i], i == 0)) != 0)
            ok = false;
    }
    ebma__set(root, "object", json_string("list"), &ok);
    ebma__set(root, "data", json_incref(data), &ok);
    json_decref(data);
    if (!ok) {
        json_decref(root);
        root = NULL;
    }
    return ebma__json_write(root, json, size, err);
}
