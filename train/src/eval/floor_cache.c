/* See floor_cache.h. A floor is a flat list of numbers; every one is checked when it comes back. */
#include "eval/floor_cache.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ebm/io.h"
#include "ebm/memory.h"
#include "eval/image_sets.h"

#define FORMAT      1
#define MAX_ENTRIES 8
#define MAX_BYTES   ((size_t)2 << 20)
#define CANONICAL   (JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17))
#define HEAD        4 /* n, n_reference, entropy, classes */
#define MEASURES    6

static void note(const ebmt_floor_file *file, const char *what)
{
    char line[512];
    (void)snprintf(line, sizeof line, "%.300s: %.150s", file->path, what);
    if (file->note)
        file->note(file->user, line);
}

/* The measured numbers of a comparison, shares last. Returns how many there are. */
static int32_t numbers_of(ebmt_comparison *c, ebmt_number *list[MEASURES + EBMT_CLASSES_MAX])
{
    ebmt_number *const first[MEASURES] = {&c->frechet,   &c->frechet_unbiased, &c->kernel,
                                          &c->precision, &c->recall,           &c->classes.score};
    memcpy(list, first, sizeof first);
    for (int32_t i = 0; i < c->classes.classes; i++)
        list[MEASURES + i] = &c->classes.share[i];
    return MEASURES + c->classes.classes;
}

/* --- keys ---------------------------------------------------------------------------------- */

static void digest_images(const ebmt_dataset *set, char hex[65])
{
    ebm_sha256_hex(set->pixels, (size_t)set->count * ebmt__image_bytes(set), hex);
}

void ebmt__floors_key(const ebmt_eval_options *opt, const ebmt_floor_file *file, char *hex)
{
    const ebmt_dataset *t = opt->train;
    char text[1024], train[65], test[65];
    digest_images(opt->train, train);
    digest_images(opt->test, test);
    int n = snprintf(text, sizeof text, "%d %s %dx%dx%d %s %s %lld %llu", FORMAT, file->ruler,
                     t->width, t->height, t->channels, train, test, (long long)opt->samples->count,
                     (unsigned long long)opt->seed);
    ebm_sha256_hex(text, n < (int)sizeof text ? (size_t)n : sizeof text - 1, hex);
}

/* --- writing ------------------------------------------------------------------------------- */

/* JSON has no NaN: what was not measured is null. */
static bool add_real(json_t *list, double value)
{
    return json_array_append_new(list, isfinite(value) ? json_real(value) : json_null()) == 0;
}

static json_t *list_of(ebmt_comparison *c)
{
    ebmt_number *number[MEASURES + EBMT_CLASSES_MAX];
    const int32_t n = numbers_of(c, number);
    json_t *list = json_array();
    bool done = add_real(list, (double)c->n) && add_real(list, (double)c->n_reference) &&
                add_real(list, c->classes.entropy) && add_real(list, (double)c->classes.classes);
    for (int32_t i = 0; i < n && done; i++)
        done = add_real(list, number[i]->value) && add_real(list, number[i]->se) &&
               add_real(list, (double)number[i]->n);
    if (done)
        return list;
    json_decref(list);
    return NULL;
}

static json_t *entry_of(const char *key, ebmt_ruler_report *r)
{
    return json_pack("{s:s, s:o, s:o, s:o}", "key", key, "train", list_of(&r->train), "halves",
                     list_of(&r->halves), "gaussian", list_of(&r->gaussian));
}

/* False without memory. @shape hex [65] */
static bool digest_of(const json_t *entries, char *hex)
{
    char *text = json_dumps(entries, CANONICAL);
    if (text)
        ebm_sha256_hex(text, strlen(text), hex);
    free(text);
    return text != NULL;
}

/* Takes over the reference to entries. */
static ebm_status write_entries(const ebmt_floor_file *file, json_t *entries)
{
    char hex[65], *text = NULL;
    json_t *o = NULL;
    ebm_status st = EBM_ERR_NOMEM;
    if (digest_of(entries, hex))
        o = json_pack("{s:i, s:s, s:O}", "format", FORMAT, "sha256", hex, "floors", entries);
    if (o)
        text = json_dumps(o, CANONICAL);
    if (text)
        st = ebm_file_write(file->path, text, strlen(text), NULL);
    free(text);
    json_decref(o);
    json_decref(entries);
    return st;
}

/* --- reading ------------------------------------------------------------------------------- */

/* @return the list of entries, a new reference, or NULL and why */
static json_t *parse(const unsigned char *data, size_t size, const char **why)
{
    char hex[65];
    json_t *o = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
    json_t *entries = json_object_get(o, "floors");
    const char *digest = json_string_value(json_object_get(o, "sha256"));
    *why = NULL;
    if (json_number_value(json_object_get(o, "format")) != FORMAT || !json_is_array(entries) ||
        json_array_size(entries) > MAX_ENTRIES)
        *why = "holds no floors, ignored";
    else if (!digest || !digest_of(entries, hex) || strcmp(digest, hex) != 0)
        *why = "is damaged, ignored";
    if (!*why)
        json_incref(entries);
    json_decref(o);
    return *why ? NULL : entries;
}

/* A file that is not there is an empty list. */
static json_t *read_entries(const ebmt_floor_file *file)
{
    unsigned char *data = NULL;
    size_t size = 0;
    const char *why = "cannot be read, ignored";
    json_t *entries = NULL;
    ebm_status st = ebm_file_read(NULL, file->path, MAX_BYTES, &data, &size, NULL);
    if (st == EBM_OK)
        entries = parse(data, size, &why);
    ebm_free(data);
    if (!entries && st != EBM_ERR_NOT_FOUND)
        note(file, why);
    return entries ? entries : json_array();
}

/* NaN where null stands, or where the list has ended. */
static double real_at(const json_t *list, size_t i)
{
    const json_t *v = json_array_get(list, i);
    return json_is_number(v) ? json_number_value(v) : NAN;
}

static bool count_at(const json_t *list, size_t i, double most, int64_t *out)
{
    const double v = real_at(list, i);
    if (!(v >= 1.0 && v <= most) || v != floor(v))
        return false;
    *out = (int64_t)v;
    return true;
}

static bool number_at(const json_t *list, size_t i, ebmt_number *out)
{
    out->value = real_at(list, i);
    out->se = real_at(list, i + 1);
    return count_at(list, i + 2, 9007199254740992.0, &out->n) && !(out->se < 0.0);
}

static bool comparison_from(const json_t *list, ebmt_comparison *c)
{
    ebmt_number *number[MEASURES + EBMT_CLASSES_MAX];
    int64_t classes;
    if (!count_at(list, 0, 9007199254740992.0, &c->n) ||
        !count_at(list, 1, 9007199254740992.0, &c->n_reference) ||
        !count_at(list, 3, EBMT_CLASSES_MAX, &classes))
        return false;
    c->classes.entropy = real_at(list, 2);
    c->classes.classes = (int32_t)classes;
    const int32_t n = numbers_of(c, number);
    bool good = json_array_size(list) == HEAD + 3 * (size_t)n && isfinite(c->classes.entropy);
    for (int32_t i = 0; i < n && good; i++)
        good = number_at(list, HEAD + 3 * (size_t)i, number[i]);
    return good && isfinite(c->frechet.value);
}

static size_t find(const json_t *entries, const char *key)
{
    size_t i = 0;
    for (; i < json_array_size(entries); i++) {
        const char *k = json_string_value(json_object_get(json_array_get(entries, i), "key"));
        if (k && strcmp(k, key) == 0)
            break;
    }
    return i;
}

/* All three or none: first into a copy. */
static bool take_entry(const json_t *entry, ebmt_ruler_report *out)
{
    static const char *const name[3] = {"train", "halves", "gaussian"};
    ebmt_ruler_report *copy = ebm_alloc(1, sizeof *copy);
    if (!copy)
        return false;
    *copy = *out;
    ebmt_comparison *const to[3] = {&copy->train, &copy->halves, &copy->gaussian};
    bool good = true;
    for (int i = 0; i < 3 && good; i++)
        good = comparison_from(json_object_get(entry, name[i]), to[i]);
    if (good)
        *out = *copy;
    ebm_free(copy);
    return good;
}

bool ebmt__floors_take(const ebmt_floor_file *file, const char *key, ebmt_ruler_report *out)
{
    json_t *entries = read_entries(file);
    const json_t *entry = json_array_get(entries, find(entries, key));
    const bool good = entry && take_entry(entry, out);
    if (entry && !good)
        note(file, "holds floors that are none, ignored");
    json_decref(entries);
    return good;
}

void ebmt__floors_keep(const ebmt_floor_file *file, const char *key, ebmt_ruler_report *report)
{
    json_t *entries = read_entries(file);
    if (find(entries, key) < json_array_size(entries))
        (void)json_array_remove(entries, find(entries, key));
    while (json_array_size(entries) >= MAX_ENTRIES)
        (void)json_array_remove(entries, 0);
    const bool added = json_array_append_new(entries, entry_of(key, report)) == 0;
    if (!added)
        json_decref(entries);
    if (!added || write_entries(file, entries) != EBM_OK)
        note(file, "cannot be written");
}
