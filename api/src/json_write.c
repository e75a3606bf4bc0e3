/* From a JSON tree to bytes, and the small values every encoder needs.
 * Knows JSON, not what the members mean. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include <nettle/base64.h>

#include "api_internal.h"

#define FIRST_ROOM 1024 /* of a document; it doubles */

void ebma_setup(void)
{
    size_t seed = 0;

    /* Colliding keys cost nothing to an attacker who knows the seed. Without randomness the
     * library falls back on its own (0 asks for that). */
    if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != (ssize_t)sizeof(seed))
        seed = 0;
    json_object_seed(seed);
}

/* --- bytes --------------------------------------------------------------------------------- */

/* A text that grows; ok false: there was no memory. */
typedef struct growth {
    char *at;
    size_t size, room;
    bool ok;
} growth;

static bool make_room(growth *t, size_t more)
{
    size_t room = t->room;
    char *at;

    while (t->ok && room - t->size < more)
        t->ok = ebm_size_mul(room, 2, &room);
    if (!t->ok || room == t->room)
        return t->ok;
    at = ebm_alloc(room, 1);
    t->ok = at != NULL;
    if (!t->ok)
        return false;
    memcpy(at, t->at, t->size);
    ebm_free(t->at);
    t->at = at;
    t->room = room;
    return true;
}

static void put_char(growth *t, char c)
{
    if (make_room(t, 1))
        t->at[t->size++] = c;
}

/* Writes a value by the library, in as many bytes as it needs. */
static void put_by_library(growth *t, const json_t *value, size_t flags)
{
    size_t need;

    flags |= JSON_COMPACT | JSON_ENCODE_ANY;
    need = t->ok ? json_dumpb(value, t->at + t->size, t->room - t->size, flags) : 0;
    if (need > t->room - t->size && make_room(t, need))
        need = json_dumpb(value, t->at + t->size, need, flags);
    t->ok = t->ok && need > 0;
    t->size += t->ok ? need : 0;
}

/* --- values -------------------------------------------------------------------------------- */

/* Digits that bring a number back bit for bit: 15 where that is enough, because nobody wants to
 * read 0.98999999999999999, and what a client has sent shall come back as it was spelt. */
static size_t shortest_precision(double value)
{
    char digits[40];

    for (int p = 15; p < 17; p++) {
        snprintf(digits, sizeof(digits), "%.*g", p, value);
        if (strtod(digits, NULL) == value)
            return (size_t)p;
    }
    return 17;
}

static void put_value(growth *t, const json_t *value);

static void put_key(growth *t, const char *key)
{
    json_t *name = json_string_nocheck(key);

    t->ok = t->ok && name;
    put_by_library(t, name, 0);
    put_char(t, ':');
    json_decref(name);
}

static void put_object(growth *t, json_t *object)
{
    const char *key;
    json_t *member;
    bool first = true;

    put_char(t, '{');
    json_object_foreach(object, key, member)
    {
        if (!first)
            put_char(t, ',');
        first = false;
        put_key(t, key);
        put_value(t, member);
    }
    put_char(t, '}');
}

static void put_array(growth *t, const json_t *array)
{
    json_t *item;
    size_t i;

    put_char(t, '[');
    json_array_foreach(array, i, item)
    {
        if (i > 0)
            put_char(t, ',');
        put_value(t, item);
    }
    put_char(t, ']');
}

/* Calls itself as deep as the tree is, which the library's reader bounds. The library knows one
 * precision for all numbers of a tree; so each is written alone. */
static void put_value(growth *t, const json_t *value)
{
    if (json_is_object(value))
        put_object(t, (json_t *)(uintptr_t)value);
    else if (json_is_array(value))
        put_array(t, value);
    else if (json_is_real(value))
        put_by_library(t, value, JSON_REAL_PRECISION(shortest_precision(json_real_value(value))));
    else
        put_by_library(t, value, 0);
}

/* --- documents ----------------------------------------------------------------------------- */

/* Consumes the tree; sorted: members in order of their names, numbers with all digits. */
static ebm_status write_tree(json_t *root, bool sorted, char **json, size_t *size, ebm_error *err)
{
    growth t = {.at = ebm_alloc(FIRST_ROOM, 1), .room = FIRST_ROOM};

    *json = NULL;
    *size = 0;
    t.ok = root && t.at;
    if (sorted)
        put_by_library(&t, root, JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
    else
        put_value(&t, root);
    put_char(&t, '\0');
    json_decref(root);
    if (!t.ok) {
        ebm_free(t.at);
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for a JSON document");
    }
    *json = t.at;
    *size = t.size - 1;
    return EBM_OK;
}

ebm_status ebma__json_write(json_t *root, char **json, size_t *size, ebm_error *err)
{
    return write_tree(root, false, json, size, err);
}

ebm_status ebma__json_write_sorted(json_t *root, char **json, size_t *size, ebm_error *err)
{
    return write_tree(root, true, json, size, err);
}

double ebma__digits(double value, double scale)
{
    return value > 0.0 && value < 1e12 ? (double)(int64_t)(value * scale + 0.5) / scale : 0.0;
}

void ebma__set(json_t *object, const char *key, json_t *value, bool *ok)
{
    if (json_object_set_new(object, key, value) != 0)
        *ok = false;
}

void ebma__set_path(json_t *root, const char *path, json_t *value, bool *ok)
{
    const char *point = strchr(path, '.');
    char group[32];
    json_t *object;

    if (!point) {
        ebma__set(root, path, value, ok);
        return;
    }
    memcpy(group, path, (size_t)(point - path)); /* our own names: short */
    group[point - path] = '\0';
    object = json_object_get(root, group);
    if (!object) {
        object = json_object();
        ebma__set(root, group, object, ok);
    }
    ebma__set(*ok ? object : NULL, point + 1, value, ok);
}

json_t *ebma__base64(const unsigned char *data, size_t size)
{
    json_t *result = NULL;
    char *text;
    size_t len;

    if (size > SIZE_MAX / 4)
        return NULL;
    len = BASE64_ENCODE_RAW_LENGTH(size);
    text = ebm_alloc(len + 1, 1);
    if (!text)
        return NULL;
    base64_encode_raw(text, size, data);
    result = json_stringn_nocheck(text, len);
    ebm_free(text);
    return result;
}

void ebma_time_format(int64_t unix_ms, char out[EBMA_TIME_SIZE])
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm tm;
    size_t n;

    if (unix_ms < 0 || unix_ms > INT64_C(253402300799999) || !gmtime_r(&seconds, &tm)) {
        seconds = 0;
        unix_ms = 0;
        memset(&tm, 0, sizeof(tm));
        tm.tm_year = 70;
        tm.tm_mday = 1;
    }
    n = strftime(out, EBMA_TIME_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out + n, EBMA_TIME_SIZE - n, ".%03dZ", (int)(unix_ms % 1000));
}

/* Days from 1970-01-01, in the Gregorian calendar. */
static int64_t days_of(int64_t y, int m, int d)
{
    y -= m <= 2 ? 1 : 0; /* years begin in March: the day that leaps is the last one */
    return 365 * y + y / 4 - y / 100 + y / 400 + (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1 -
           719468;
}

static bool day_exists(int y, int m, int d)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;

    return y >= 1970 && m >= 1 && m <= 12 && d >= 1 && d <= days[m - 1] + (m == 2 && leap ? 1 : 0);
}

/* Digits where the pattern has 0, the pattern's characters elsewhere. */
static bool looks_like(const char *text, const char *pattern)
{
    for (; *pattern; text++, pattern++) {
        if (*pattern == '0' ? *text < '0' || *text > '9' : *text != *pattern)
            return false;
    }
    return *text == '\0';
}

static int number(const char *text, int digits)
{
    int v = 0;

    while (digits-- > 0)
        v = v * 10 + (*text++ - '0');
    return v;
}

bool ebma_time_parse(const char *text, int64_t *unix_ms)
{
    bool fine = looks_like(text, "0000-00-00T00:00:00.000Z");
    int y, mo, d, h, mi, s;

    if (!fine && !looks_like(text, "0000-00-00T00:00:00Z"))
        return false;
    y = number(text, 4), mo = number(text + 5, 2), d = number(text + 8, 2);
    h = number(text + 11, 2), mi = number(text + 14, 2), s = number(text + 17, 2);
    if (!day_exists(y, mo, d) || h > 23 || mi > 59 || s > 59)
        return false;
    *unix_ms = (((days_of(y, mo, d) * 24 + h) * 60 + mi) * 60 + s) * 1000 +
               (fine ? number(text + 20, 3) : 0);
    return true;
}

json_t *ebma__time(int64_t unix_ms)
{
    char text[EBMA_TIME_SIZE];

    if (unix_ms == 0)
        return json_null();
    ebma_time_format(unix_ms, text);
    return json_string(text);
}

ebm_status ebma_pairs_encode(const ebma_pair *pairs, size_t n, char **json, size_t *size,
                             ebm_error *err)
{
    json_t *root = json_object();
    bool ok = root != NULL;

    for (size_t i = 0; i < n && ok; i++)
        ebma__set(root, pairs[i].key, json_string(pairs[i].value), &ok);
    if (!ok) {
        json_decref(root);
        root = NULL;
    }
    return ebma__json_write(root, json, size, err);
}
