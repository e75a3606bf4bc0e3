/* Configuration files line by line, see conf_file.h. */
#include "options/conf_file.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "ebm/io.h"
#include "ebm/memory.h"

/* Long paths are shown by their end: that is where they differ. */
static void name_place(const char *name, size_t number, char out[96])
{
    size_t n = strlen(name);
    const char *end = n > 70 ? name + n - 70 : name;

    snprintf(out, 96, "%s%.70s:%zu", n > 70 ? "..." : "", end, number);
}

static bool blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Text between blanks; ends it in place. */
static char *trimmed(char *from, char *to)
{
    while (from < to && blank(*from))
        from++;
    while (to > from && blank(to[-1]))
        to--;
    *to = '\0';
    return from;
}

/* Control bytes, and bytes that are not ASCII, mean that this is no configuration file; outside
 * of comments they are refused. */
static bool printable(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];

        if ((c < 0x20 && c != '\t') || c >= 0x7f)
            return false;
    }
    return true;
}

/* @own line is terminated at line[n] */
static ebm_status parse_line(char *line, size_t n, ebmd_conf_line *out, ebm_error *err)
{
    char *equals;

    if (n > EBMD_CONF_LINE_MAX)
        return ebm_error_set(err, EBM_ERR_LIMIT, out->place, "the line is too long");
    if (!printable(line, n))
        return ebm_error_set(err, EBM_ERR_FORMAT, out->place, "only visible ASCII is allowed");
    equals = memchr(line, '=', n);
    if (!equals)
        return ebm_error_set(err, EBM_ERR_FORMAT, out->place, "expected: key = value");
    out->key = trimmed(line, equals);
    out->value = trimmed(equals + 1, line + n);
    if (out->key[0] == '\0')
        return ebm_error_set(err, EBM_ERR_FORMAT, out->place, "there is no key before '='");
    return EBM_OK;
}

ebm_status ebmd_conf_parse(const char *name, char *text, size_t size, ebmd_conf_fn fn, void *arg,
                           ebm_error *err)
{
    char *end = text + size;
    size_t number = 0;

    while (text < end) {
        char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t n = (size_t)((stop ? stop : end) - text);
        char *line = text;
        ebmd_conf_line setting;
        char place[96];
        ebm_status st;

        text += n + 1;
        name_place(name, ++number, place);
        setting.place = place;
        if (n > 0 && line[n - 1] == '\r')
            n--;
        while (n > 0 && blank(*line)) {
            line++;
            n--;
        }
        if (n == 0 || *line == '#')
            continue;
        st = parse_line(line, n, &setting, err);
        if (st == EBM_OK)
            st = fn(arg, &setting, err);
        if (st != EBM_OK)
            return st;
    }
    return EBM_OK;
}

ebm_status ebmd_conf_read(const char *path, ebmd_conf_fn fn, void *arg, ebm_error *err)
{
    unsigned char *data = NULL;
    size_t size = 0;
    ebm_status st = ebm_file_read(NULL, path, EBMD_CONF_BYTES_MAX, &data, &size, err);

    if (st == EBM_OK)
        st = ebmd_conf_parse(path, (char *)data, size, fn, arg, err);
    ebm_free(data);
    return st;
}
