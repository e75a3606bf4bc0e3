/* One member of a sample request against its row: type, bounds, where to store it.
 * Knows the rows and the request struct; not how the body was read. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "api_internal.h"

static void refuse(ebma__decoder *d, const ebm_param *row, const char *code, const char *detail)
{
    ebma_field_error e = {.detail = detail, .code = code};

    if (row->type == EBM_PARAM_INT || row->type == EBM_PARAM_REAL || row->type == EBM_PARAM_SEED) {
        e.bounded = true;
        e.min = row->type == EBM_PARAM_SEED ? 0.0 : row->min;
        e.max = row->type == EBM_PARAM_SEED ? EBM_SEED_MAX : row->max;
    }
    ebma_problem_field(d->problem, d->arena, row->name, &e);
}

static void refuse_range(ebma__decoder *d, const ebm_param *row, double min, double max)
{
    char text[96];

    snprintf(text, sizeof(text), "must be %.16g..%.16g", min, max);
    refuse(d, row, "out_of_range", text);
}

static void store_int(ebma_sample_request *out, const char *name, json_int_t value)
{
    if (strcmp(name, "n") == 0)
        out->n = (int32_t)value;
    else if (strcmp(name, "first_index") == 0)
        out->first_index = (uint32_t)value;
    else if (strcmp(name, "steps_per_level") == 0)
        out->steps_per_level = (int32_t)value;
    else if (strcmp(name, "priority") == 0)
        out->priority = (int32_t)value;
}

static void decode_int(ebma__decoder *d, const ebm_param *row, const json_t *value)
{
    json_int_t v = json_integer_value(value);

    if (json_is_null(value) && row->preset < row->min)
        return; /* as if absent */
    if (!json_is_integer(value))
        refuse(d, row, "wrong_type", "must be a whole number, written without a point");
    else if ((double)v < row->min || (double)v > row->max)
        refuse_range(d, row, row->min, row->max);
    else
        store_int(d->out, row->name, v);
}

static void decode_seed(ebma__decoder *d, const ebm_param *row, const json_t *value)
{
    json_int_t v = json_integer_value(value);

    if (json_is_null(value))
        return;
    if (!json_is_integer(value))
        refuse(d, row, "wrong_type", "must be a whole number, written without a point, or null");
    else if (v < -1 || v > (json_int_t)EBM_SEED_MAX)
        refuse_range(d, row, 0.0, EBM_SEED_MAX);
    else if (v >= 0) {
        d->out->seed = (uint64_t)v;
        d->seed_given = true;
    }
}

static void decode_real(ebma__decoder *d, const ebm_param *row, const json_t *value)
{
    double v = json_number_value(value);

    if (json_is_null(value) && row->preset < row->min)
        return; /* as if absent */
    if (!json_is_number(value)) {
        refuse(d, row, "wrong_type", "must be a number");
    } else if (!isfinite(v) || v < row->min || v > row->max) {
        refuse_range(d, row, row->min, row->max);
    } else if (strcmp(row->name, "noise_scale") == 0) {
        d->out->noise_scale = v + 0.0; /* -0 becomes 0 */
        d->out->has_noise_scale = true;
    } else if (strcmp(row->name, "timeout_s") == 0) {
        d->out->timeout_s = v;
    }
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
    } else if (strcmp(row->name, "response_format") == 0) {
        d->out->format = (ebma_format)i;
    }
}

static void decode_model(ebma__decoder *d, const ebm_param *row, const json_t *value)
{
    const char *id = json_string_value(value);

    if (!id) {
        refuse(d, row, "wrong_type", "must be a string");
    } else if (!ebm_model_id_valid(id)) {
        refuse(d, row, "invalid_model_id",
               "must be 1..64 characters of a-z, 0-9, '.', '_', '-', starting with a letter or a "
               "digit");
    } else {
        d->out->model = ebm_arena_strndup(d->arena, id, strlen(id));
        if (!d->out->model)
            d->problem->code = EBMA_OUT_OF_MEMORY;
    }
}

void ebma__decode_member(ebma__decoder *d, const ebm_param *row, const json_t *value)
{
    switch (row->type) {
    case EBM_PARAM_INT:
        decode_int(d, row, value);
        break;
    case EBM_PARAM_SEED:
        decode_seed(d, row, value);
        break;
    case EBM_PARAM_REAL:
        decode_real(d, row, value);
        break;
    case EBM_PARAM_CHOICE:
        decode_choice(d, row, value);
        break;
    case EBM_PARAM_MODEL:
        decode_model(d, row, value);
        break;
    case EBM_PARAM_BOOL: /* not among the rows of a sample request */
    case EBM_PARAM_IMAGE:
        break;
    }
}
