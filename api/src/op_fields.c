/* One member of a request against its row: type, bounds, where to store it.
 * Knows the rows and the request struct; not how the body was read. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "api_internal.h"

/* A seed of -1 stands for one that is drawn. */
static double least(const ebm_param *row)
{
    return row->type == EBM_PARAM_SEED ? -1.0 : row->min;
}

static void refuse(ebma__decoder *d, const ebm_param *row, const char *code, const char *detail)
{
    ebma_field_error e = {.detail = detail, .code = code};

    if (row->type == EBM_PARAM_INT || row->type == EBM_PARAM_REAL || row->type == EBM_PARAM_SEED) {
        e.bounded = true;
        e.min = least(row);
        e.max = row->max;
    }
    ebma__problem_path(d->problem, d->arena, row->name, &e);
}

static void refuse_range(ebma__decoder *d, const ebm_param *row)
{
    char text[96];

    snprintf(text, sizeof(text), "must be %.16g..%.16g%s", least(row), row->max,
             row->type == EBM_PARAM_SEED ? "; -1 has one drawn" : "");
    refuse(d, row, "out_of_range", text);
}

/* --- numbers and words --------------------------------------------------------------------- */

/* Core's rows say where a value lies; the few rows of our own are told apart by name. */
static void store(ebma__decoder *d, const ebm_param *row, double value)
{
    const ebm_operation *op = d->out->operation;

    if (row >= op->params && row < op->params + op->n_params)
        ebm_param_store(row, value, &d->out->params);
    else if (strcmp(row->name, "priority") == 0)
        d->out->priority = (int32_t)value;
    else if (strcmp(row->name, "timeout_s") == 0)
        d->out->timeout_s = value;
    else if (strcmp(row->name, "delay_ms") == 0)
        d->out->delay_ms = (int32_t)value;
    else if (strcmp(row->name, "width") == 0)
        d->out->width = (int32_t)value;
    else if (strcmp(row->name, "height") == 0)
        d->out->height = (int32_t)value;
    else if (strcmp(row->name, "response_format") == 0)
        d->out->format = (ebma_format)value;
    else if (strcmp(row->name, "sheet") == 0)
        d->out->sheet = value != 0.0;
    else if (strcmp(row->name, "animation") == 0)
        d->out->animation = value != 0.0;
}

/* Null means absent where absence is no number of the row. */
static bool as_if_absent(const ebm_param *row, const json_t *value)
{
    return json_is_null(value) && row->preset < row->min;
}

static void decode_int(ebma__decoder *d, const ebm_param *row, const json_t *value)
{
    const bool seed = row->type == EBM_PARAM_SEED;
    json_int_t v = json_integer_value(value);

    if (as_if_absent(row, value))
        return;
    if (!json_is_integer(value))
        refuse(d, row, "wrong_type",
               seed ? "must be a whole number, written without a point, or null"
                    : "must be a whole number, written without a point");
    else if (seed && v == -1)
        return; /* drawn */
    else if ((double)v < row->min || (double)v > row->max)
        refuse_range(d, row);
    else
        store(d, row, (double)v);
}

static void decode_real(ebma__decoder *d, const ebm_param *row, const json_t *value)
{
    double v = json_number_value(value);

    if (as_if_absent(row, value))
        return;
    if (!json_is_number(value))
        refuse(d, row, "wrong_type", "must be a number");
    else if (!isfinite(v) || v < row->min || v > row->max)
        refuse_range(d, row);
    else
        store(d, row, v);
}

static void decode_bool(ebma__decoder *d, const ebm_param *row, const json_t *value)
{
    if (json_is_boolean(value))
        store(d, row, json_is_true(value) ? 1.0 : 0.0);
    else
        refuse(d, row, "wrong_type", "must be true or false");
}

/* Position of a word in "a|b|c", or -1. */
static int choice_index(const char *choices, const char *word)
{
    size_t len = strlen(word);

    for (int i = 0; *choices; i++) {
        size_t n = strcspn(choices, "|");

        if (n == len && memcmp(choices, word, n) == 0)
            return i;
        choices += n + (choices[n] == '|');
    }
    return -1;
}

static void decode_choice(ebma__decoder *d, const ebm_param *row, const json_t *value)
{
    const char *word = json_string_value(value);
    int i = word ? choice_index(row->choices, word) : -1;
    char text[96];

    if (!word) {
        refuse(d, row, "wrong_type", "must be a string");
    } else if (i < 0) {
        snprintf(text, sizeof(text), "must be one of %s", row->choices);
        refuse(d, row, "not_a_choice", text);
    } else {
        store(d, row, (double)i);
    }
}

/* --- models -------------------------------------------------------------------------------- */

#define ID_RULE                                                                                    \
    "must be 1..64 characters of a-z, 0-9, '.', '_', '-', starting with a letter or a digit"
#define LIST_RULE "must be an id or a list of at most 16 {\"id\", \"weight\"}, each id once"

static void decode_model_text(ebma__decoder *d, const ebm_param *row, const char *text)
{
    ebma_op_request *out = d->out;
    const bool list = strpbrk(text, ":,") != NULL;
    ebm_error err = {0};

    if (ebm_model_list_parse(text, out->model, &out->n_models, &err) == EBM_OK)
        return;
    out->n_models = 0;
    if (!list)
        refuse(d, row, "invalid_model_id", ID_RULE);
    else
        refuse(d, row, err.status == EBM_ERR_RANGE ? "out_of_range" : "invalid_model_list",
               err.status == EBM_ERR_RANGE ? "weights must be -100..100 and not 0" : LIST_RULE);
}

/* One {"id", "weight"}; false: it is none. */
static bool take_weighted(const json_t *item, ebm_weighted *out)
{
    const char *id = json_string_value(json_object_get(item, "id"));
    const json_t *weight = json_object_get(item, "weight");

    *out = (ebm_weighted){.weight = 1.0};
    if (!id || !ebm_model_id_valid(id) || (weight && !json_is_number(weight)) ||
        json_object_size(item) != (weight ? 2u : 1u))
        return false;
    snprintf(out->id, sizeof(out->id), "%s", id);
    if (weight)
        out->weight = json_number_value(weight);
    return true;
}

static bool is_new(const ebm_weighted *list, int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        if (strcmp(list[i].id, list[n].id) == 0)
            return false;
    }
    return true;
}

static void decode_model_list(ebma__decoder *d, const ebm_param *row, const json_t *value)
{
    ebm_weighted *list = d->out->model;
    size_t n = json_array_size(value);
    bool ok = n >= 1 && n <= EBM_COMPOSE_MAX_PARTS, in_range = true;

    for (size_t i = 0; i < n && ok; i++) {
        ok = take_weighted(json_array_get(value, i), &list[i]) && is_new(list, (int32_t)i);
        in_range = in_range && fabs(list[i].weight) <= 100.0 && list[i].weight != 0.0;
    }
    if (!ok)
        refuse(d, row, "invalid_model_list", LIST_RULE);
    else if (!in_range)
        refuse(d, row, "out_of_range", "weights must be -100..100 and not 0");
    else
        d->out->n_models = (int32_t)n;
}

static void decode_model(ebma__decoder *d, const ebm_param *row, const json_t *value)
{
    if (json_is_null(value))
        return; /* the server's default */
    if (json_is_string(value))
        decode_model_text(d, row, json_string_value(value));
    else if (json_is_array(value))
        decode_model_list(d, row, value);
    else
        refuse(d, row, "wrong_type", "must be a string or a list");
}

/* --- pictures ------------------------------------------------------------------------------ */

static ebma_picture *place_of(ebma_op_request *out, const ebm_param *row)
{
    if (strcmp(row->name, "mask") == 0) {
        out->params.mask = row->name;
        return &out->mask;
    }
    if (row->offset == offsetof(ebm_op_params, image_b)) {
        out->params.image_b = row->name;
        return &out->image_b;
    }
    out->params.image = row->name;
    return &out->image;
}

static void refuse_picture(ebma__decoder *d, const char *path, ebma__base64_fault fault)
{
    static const ebma_field_error errors[] = {
        [EBMA__BASE64_BAD] = {.code = "bad_base64", .detail = "must be a PNG file in base64"},
        [EBMA__BASE64_LONG] = {.code = "picture_too_large",
                               .detail = "PNG files have at most 2 MiB"},
        [EBMA__BASE64_NOT_PNG] = {.code = EBMA_NOT_A_PNG_FIELD,
                                  .detail = "does not begin like a PNG file"}};

    if (fault == EBMA__BASE64_NOMEM)
        d->problem->code = EBMA_OUT_OF_MEMORY;
    else
        ebma__problem_path(d->problem, d->arena, path, &errors[fault]);
}

static void decode_picture(ebma__decoder *d, const char *path, const json_t *value,
                           ebma_picture *out)
{
    static const ebma_field_error type = {.code = "wrong_type",
                                          .detail = "must be a PNG file in base64, as a string"};
    ebma__base64_fault fault;

    if (!json_is_string(value)) {
        ebma__problem_path(d->problem, d->arena, path, &type);
        return;
    }
    fault =
        ebma__picture_decode(json_string_value(value), json_string_length(value), d->arena, out);
    if (fault != EBMA__BASE64_OK)
        refuse_picture(d, path, fault);
}

static void decode_pictures(ebma__decoder *d, const ebm_param *row, const json_t *value)
{
    size_t n = json_array_size(value);
    char path[24];

    if (!json_is_array(value)) {
        refuse(d, row, "wrong_type", "must be a list of PNG files in base64");
        return;
    }
    if (n < 1 || n > EBMA_PICTURES_MAX) {
        refuse(d, row, "out_of_range", "must be 1..64 pictures");
        return;
    }
    for (size_t i = 0; i < n; i++) {
        snprintf(path, sizeof(path), "%s.%zu", row->name, i);
        decode_picture(d, path, json_array_get(value, i), &d->out->images[i]);
    }
    d->out->n_images = (int32_t)n;
}

static void decode_image(ebma__decoder *d, const ebm_param *row, const json_t *value)
{
    if (ebma_row_is_list(row))
        decode_pictures(d, row, value);
    else if (!json_is_null(value))
        decode_picture(d, row->name, value, place_of(d->out, row));
}

/* --- metadata ------------------------------------------------------------------------------ */

/* Kept as text: nothing in it means anything here. */
static void decode_object(ebma__decoder *d, const ebm_param *row, const json_t *value)
{
    ebm_status st;

    if (json_is_null(value))
        return;
    if (!json_is_object(value)) {
        refuse(d, row, "wrong_type", "must be an object of at most 4096 bytes");
        return;
    }
    st = ebma__metadata_take(value, d->arena, &d->out->metadata);
    if (st == EBM_ERR_LIMIT)
        refuse(d, row, "too_long", "has over 4096 bytes, written without blanks");
    else if (st != EBM_OK)
        d->problem->code = EBMA_OUT_OF_MEMORY;
}

void ebma__decode_member(ebma__decoder *d, const ebm_param *row, const json_t *value)
{
    switch (row->type) {
    case EBM_PARAM_INT:
    case EBM_PARAM_SEED:
        decode_int(d, row, value);
        break;
    case EBM_PARAM_REAL:
        decode_real(d, row, value);
        break;
    case EBM_PARAM_BOOL:
        decode_bool(d, row, value);
        break;
    case EBM_PARAM_CHOICE:
        decode_choice(d, row, value);
        break;
    case EBM_PARAM_MODEL:
        decode_model(d, row, value);
        break;
    case EBM_PARAM_IMAGE:
        decode_image(d, row, value);
        break;
    case EBM_PARAM_OBJECT:
        decode_object(d, row, value);
        break;
    }
}
