/* Reads options from JSON: every value becomes the word that it would be on the command line, so
 * that one table checks both. */
#include "cli/option_file.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "ebm/io.h"
#include "ebm/memory.h"

#define WORD_MAX 256 /* of a number, or a list of them */

/* --- values as words ----------------------------------------------------------------------- */

static bool put_whole(const json_t *value, char word[WORD_MAX])
{
    if (json_is_integer(value))
        (void)snprintf(word, WORD_MAX, "%lld", (long long)json_integer_value(value));
    return json_is_integer(value);
}

static bool put_number(const json_t *value, char word[WORD_MAX])
{
    if (json_is_real(value))
        (void)snprintf(word, WORD_MAX, "%.17g", json_real_value(value));
    return json_is_real(value) || put_whole(value, word);
}

static bool put_list(const json_t *value, char word[WORD_MAX])
{
    size_t at = 0, n = json_array_size(value);
    word[0] = '\0';
    if (n < 1 || n > EBMT_INT_LIST_MAX) /* 8 numbers of at most 20 digits fit */
        return false;
    for (size_t i = 0; i < n; i++) {
        char item[WORD_MAX];
        if (!put_whole(json_array_get(value, i), item))
            return false;
        at += (size_t)snprintf(word + at, WORD_MAX - at, "%s%s", i ? "," : "", item);
    }
    return true;
}

/* Returns the word for a value, in `room` or in the value itself; NULL if it has the wrong type. */
static const char *word_of(const ebmt_option *row, const json_t *value, char room[WORD_MAX])
{
    switch (row->kind) {
    case EBMT_OPT_INT:
    case EBMT_OPT_INT64:
    case EBMT_OPT_SEED:
        return put_whole(value, room) ? room : NULL;
    case EBMT_OPT_REAL:
        return put_number(value, room) ? room : NULL;
    case EBMT_OPT_STRING:
    case EBMT_OPT_CHOICE:
        return json_string_value(value);
    case EBMT_OPT_INTS:
        return put_list(value, room) ? room : NULL;
    case EBMT_OPT_FLAG:
        return !json_is_boolean(value) ? NULL : json_is_true(value) ? "true" : "false";
    case EBMT_OPT_GROUP:
        break;
    }
    return NULL;
}

static const char *type_of(const ebmt_option *row)
{
    switch (row->kind) {
    case EBMT_OPT_INT:
    case EBMT_OPT_INT64:
    case EBMT_OPT_SEED:
        return "must be a whole number";
    case EBMT_OPT_REAL:
        return "must be a number";
    case EBMT_OPT_INTS:
        return "must be a list of 1 to 8 whole numbers";
    case EBMT_OPT_FLAG:
        return "must be true or false";
    case EBMT_OPT_STRING:
    case EBMT_OPT_CHOICE:
    case EBMT_OPT_GROUP:
        break;
    }
    return "must be a string";
}

/* --- the file ------------------------------------------------------------------------------ */

static const ebmt_option *row_of_key(const ebmt_command *command, const char *key)
{
    for (size_t i = 0; i < command->n_options; i++) {
        const char *flag = command->options[i].flag;
        if (strncmp(flag, "--", 2) == 0 && strcmp(flag + 2, key) == 0)
            return &command->options[i];
    }
    return NULL;
}

/* Checks a value that a flag overrides: it has to be right all the same. */
static ebm_status check_only(const ebmt_option *row, const char *word, ebm_error *err)
{
    union {
        ebmt_int_list list;
        double real;
        int64_t whole;
        const char *text;
    } nowhere;
    ebmt_option moved = *row;
    moved.offset = 0;
    return ebmt__option_set(&moved, word, &nowhere, err);
}

static ebm_status take_key(const ebmt_command *command, const char *key, const json_t *value,
                           void *values, ebmt_parsed *parsed, ebm_error *err)
{
    char room[WORD_MAX];
    ebm_error inner = {0};
    const ebmt_option *row = row_of_key(command, key);
    if (!row || strcmp(row->flag, command->config) == 0)
        return ebm_error_set(err, EBM_ERR_ARG, NULL, "%.60s: no such option", key);
    const char *word = word_of(row, value, room);
    if (!word)
        return ebm_error_set(err, EBM_ERR_ARG, NULL, "%s: %s", key, type_of(row));
    bool *seen = &parsed->seen[row - command->options];
    ebm_status st =
        *seen ? check_only(row, word, &inner) : ebmt__option_set(row, word, values, &inner);
    *seen = true;
    return st == EBM_OK ? st : ebm_error_set(err, st, NULL, "%s: %s", key, inner.text);
}

static ebm_status parse_text(const unsigned char *text, size_t size, json_t **out, ebm_error *err)
{
    json_error_t why;
    *out = json_loadb((const char *)text, size, JSON_REJECT_DUPLICATES, &why);
    if (!*out)
        return ebm_error_set(err, EBM_ERR_FORMAT, NULL, "line %d: %s", why.line, why.text);
    if (!json_is_object(*out))
        return ebm_error_set(err, EBM_ERR_FORMAT, NULL, "not a JSON object");
    return EBM_OK;
}

ebm_status ebmt__options_read_text(const ebmt_command *command, const ebmt_option_text *from,
                                   void *values, ebmt_parsed *parsed, ebm_error *err)
{
    json_t *object = NULL, *value;
    const char *key;
    ebm_status st = parse_text(from->bytes, from->size, &object, err);
    parsed->file = object; /* lives on: strings point into it */
    if (st != EBM_OK)
        return st;
    json_object_foreach(object, key, value)
    {
        st = take_key(command, key, value, values, parsed, err);
        if (st != EBM_OK)
            return st;
    }
    return EBM_OK;
}

ebm_status ebmt__options_read(const ebmt_command *command, const char *path, void *values,
                              ebmt_parsed *parsed, ebm_error *err)
{
    unsigned char *text = NULL;
    size_t size = 0;
    ebm_error inner = {0};
    ebm_status st = ebm_file_read(NULL, path, EBMT_OPTION_FILE_MAX, &text, &size, err);
    if (st != EBM_OK)
        return st;
    const ebmt_option_text from = {text, size};
    st = ebmt__options_read_text(command, &from, values, parsed, &inner);
    ebm_free(text);
    return st == EBM_OK ? st : ebm_error_set(err, st, path, "%s", inner.text);
}

void ebmt__option_file_free(void *file)
{
    json_decref(file);
}
