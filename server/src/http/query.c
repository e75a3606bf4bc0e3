/* Queries, see query.h. */
#include "http/query.h"

#include <string.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decodes %XX. @err false: not an escape, a zero byte, or too long */
static bool decode(const char *text, size_t n, char out[EBMD_QUERY_VALUE_MAX])
{
    size_t k = 0;

    for (size_t i = 0; i < n; i++) {
        int c = (unsigned char)text[i];

        if (c == '%') {
            int high = n - i > 2 ? hex_digit(text[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(text[i + 2]) : -1;

            if (low < 0)
                return false;
            c = high * 16 + low;
            i += 2;
        }
        if (c == 0 || k + 1 >= EBMD_QUERY_VALUE_MAX)
            return false;
        out[k++] = (char)c;
    }
    out[k] = '\0';
    return true;
}

static void complain(ebmd_request *r, ebma_problem *problem, const char *name, const char *code,
                     const char *detail)
{
    ebma_field_error e = {.code = code, .detail = detail};

    ebma_problem_field(problem, r->arena, name, &e);
}

static size_t find(const ebmd_query_row *rows, size_t n, const char *name)
{
    size_t i = 0;

    while (i < n && strcmp(rows[i].name, name) != 0)
        i++;
    return i;
}

/* Takes "name=value" of `len` bytes. */
static void take_pair(ebmd_request *r, const ebmd_query_row *rows, size_t n, const char *pair,
                      size_t len, unsigned *seen, ebma_problem *problem)
{
    const char *equals = memchr(pair, '=', len);
    size_t name_len = equals ? (size_t)(equals - pair) : len;
    char name[EBMD_QUERY_VALUE_MAX] = "", value[EBMD_QUERY_VALUE_MAX] = "";
    size_t i;

    if (!decode(pair, name_len, name))
        name[0] = '\0';
    i = find(rows, n, name);
    if (i == n)
        complain(r, problem, name, "unknown_parameter", "this route has no such parameter");
    else if (*seen & (1u << i))
        complain(r, problem, name, "repeated", "must be given once");
    else if (!equals || !decode(equals + 1, len - name_len - 1, value) ||
             !rows[i].take(value, rows[i].out))
        complain(r, problem, name, "bad_value", rows[i].allowed);
    if (i < n)
        *seen |= 1u << i;
}

bool ebmd_query_read(ebmd_request *r, const ebmd_query_row *rows, size_t n)
{
    const char *at = strchr(r->head.target, '?');
    ebma_problem problem = {.code = EBMA_OK};
    unsigned seen = 0;

    for (at = at ? at + 1 : ""; *at;) {
        size_t len = strcspn(at, "&");

        if (len > 0)
            take_pair(r, rows, n, at, len, &seen, &problem);
        at += len + (at[len] == '&' ? 1 : 0);
    }
    if (problem.code != EBMA_OK)
        ebmd_reply_problem(r, &problem);
    return problem.code == EBMA_OK;
}

bool ebmd_query_whole(const char *value, int64_t most, int64_t *out)
{
    int64_t v = 0;

    if (!*value)
        return false;
    for (; *value; value++) {
        if (*value < '0' || *value > '9')
            return false;
        v = v * 10 + (*value - '0');
        if (v > most)
            return false;
    }
    *out = v;
    return true;
}
