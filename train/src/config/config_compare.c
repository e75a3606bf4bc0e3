/* Compares configurations field by field. Knows JSON, which fields may differ, and two spellings of
 * one range of levels; has never heard of what else a field means. */
#include "config_compare.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LENGTH  "iterations"
#define KERNELS "kernel_class"
#define DATA    "data_sha256"
#define INIT    "init_sha256"
#define LEVELS  "num_levels"
#define LOWEST  "lowest_level"
#define HIGHEST "highest_level"

/* Appends one field with both values; what does not fit is left out. */
static void tell_difference(const char *key, const json_t *saved, const json_t *now, char *text,
                            size_t room)
{
    size_t at = strlen(text);
    char *before = saved ? json_dumps(saved, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9)) : NULL;
    char *after = now ? json_dumps(now, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9)) : NULL;
    (void)snprintf(text + at, room - at, "%s%s is %s, was %s", at ? "; " : "", key,
                   after ? after : "absent", before ? before : "absent");
    free(before);
    free(after);
}

/* May differ: how far to go, and how numbers are rounded. Runs from before data had a digest say
 * none. Nobody has to name again the weights that a run began with. */
static bool may_differ(const char *key, const json_t *saved, const json_t *now)
{
    return strcmp(key, LENGTH) == 0 || strcmp(key, KERNELS) == 0 ||
           (strcmp(key, DATA) == 0 && !saved) ||
           (strcmp(key, INIT) == 0 && json_is_string(saved) && json_string_length(now) == 0);
}

static void tell_differences(json_t *saved, json_t *now, char *text, size_t room)
{
    const char *key;
    json_t *value;
    json_object_foreach(now, key, value)
    {
        const json_t *before = json_object_get(saved, key);
        if (!may_differ(key, before, value) && !json_equal(before, value))
            tell_difference(key, before, value, text, room);
    }
    json_object_foreach(saved, key, value)
    {
        if (!json_object_get(now, key))
            tell_difference(key, value, NULL, text, room);
    }
}

/* The top has two names, its number and -1, and a range of all levels is the same as none. */
static void spell_range_once(json_t *config)
{
    const json_int_t top = json_integer_value(json_object_get(config, LEVELS)) - 1;
    json_t *highest = json_object_get(config, HIGHEST);
    if (json_is_integer(highest) && json_integer_value(highest) == top)
        (void)json_integer_set(highest, -1);
    if (json_integer_value(highest) == -1 &&
        json_integer_value(json_object_get(config, LOWEST)) == 0) {
        (void)json_object_del(config, LOWEST);
        (void)json_object_del(config, HIGHEST);
    }
}

ebm_status ebmt__config_compare(const char *saved, const char *now, ebmt__saved *out,
                                ebm_error *err)
{
    char text[200] = "";
    ebm_status st = EBM_OK;
    json_t *before = json_loads(saved, JSON_REJECT_DUPLICATES, NULL);
    json_t *after = json_loads(now, JSON_REJECT_DUPLICATES, NULL);
    spell_range_once(before);
    spell_range_once(after);
    if (!json_is_object(before) || !json_is_object(after))
        st = ebm_error_set(err, EBM_ERR_FORMAT, "resume",
                           "the checkpoint has no readable configuration");
    else
        tell_differences(before, after, text, sizeof text);
    out->same_kernels =
        json_equal(json_object_get(before, KERNELS), json_object_get(after, KERNELS));
    out->iterations = (int64_t)json_integer_value(json_object_get(before, LENGTH));
    const char *init = json_string_value(json_object_get(before, INIT));
    (void)snprintf(out->init_sha256, sizeof out->init_sha256, "%s", init ? init : "");
    if (text[0] != '\0')
        st = ebm_error_set(err, EBM_ERR_ARG, "resume", "other settings than the checkpoint's: %s",
                           text);
    json_decref(before);
    json_decref(after);
    return st;
}
