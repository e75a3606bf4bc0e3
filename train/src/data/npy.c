/* Parses .npy headers strictly: what NumPy writes, with any blanks, and nothing else.
 * Source: numpy.lib.format. See npy.h. */
#include "data/npy.h"

#include <stdbool.h>
#include <string.h>

#define PREFIX_1 10 /* magic, version, 16-bit length */
#define PREFIX_2 12 /* the same with 32 bits, versions 2 and 3 */

enum { KEY_DESCR = 1, KEY_FORTRAN = 2, KEY_SHAPE = 4, ALL_KEYS = 7 };

typedef struct text {
    const char *at, *end;
} text;

static size_t prefix_of(const unsigned char *head)
{
    return head[6] == 1 ? PREFIX_1 : PREFIX_2;
}

ebm_status ebmt__npy_length(const unsigned char *head, size_t *header, ebm_error *err)
{
    size_t n = (size_t)head[8] | (size_t)head[9] << 8;
    *header = 0;
    if (memcmp(head, "\x93NUMPY", 6) != 0)
        return ebm_error_set(err, EBM_ERR_FORMAT, NULL, "not a NumPy array");
    if (head[6] < 1 || head[6] > 3 || head[7] != 0)
        return ebm_error_set(err, EBM_ERR_FORMAT, NULL, "NumPy format %d.%d is unknown", head[6],
                             head[7]);
    if (head[6] > 1)
        n |= (size_t)head[10] << 16 | (size_t)head[11] << 24;
    if (n > EBMT_NPY_MAX_HEADER)
        return ebm_error_set(err, EBM_ERR_LIMIT, NULL, "NumPy header has %zu bytes, limit %d", n,
                             EBMT_NPY_MAX_HEADER);
    *header = prefix_of(head) + n;
    return EBM_OK;
}

static void skip_blanks(text *t)
{
    while (t->at < t->end && (*t->at == ' ' || *t->at == '\n'))
        t->at++;
}

/* Takes a word if it comes next, after any blanks. */
static bool take(text *t, const char *word)
{
    const size_t n = strlen(word);
    skip_blanks(t);
    if ((size_t)(t->end - t->at) < n || memcmp(t->at, word, n) != 0)
        return false;
    t->at += n;
    return true;
}

static ebm_status broken(ebm_error *err)
{
    return ebm_error_set(err, EBM_ERR_FORMAT, NULL, "NumPy header is damaged");
}

static ebm_status take_number(text *t, int64_t *out, ebm_error *err)
{
    int64_t value = 0;
    skip_blanks(t);
    const char *from = t->at;
    for (; t->at < t->end && *t->at >= '0' && *t->at <= '9'; t->at++) {
        value = 10 * value + (*t->at - '0');
        if (value > INT32_MAX)
            return ebm_error_set(err, EBM_ERR_LIMIT, NULL, "NumPy array is over 2^31-1 long");
    }
    if (t->at == from || (*from == '0' && t->at - from > 1))
        return broken(err);
    *out = value;
    return EBM_OK;
}

/* "(a, b, c)", a comma before the bracket allowed: Python needs it for one. */
static ebm_status take_shape(text *t, ebmt__npy *out, ebm_error *err)
{
    if (!take(t, "("))
        return broken(err);
    while (!take(t, ")")) {
        if (out->rank == EBMT_NPY_MAX_RANK)
            return ebm_error_set(err, EBM_ERR_LIMIT, NULL, "NumPy array has over %d dimensions",
                                 EBMT_NPY_MAX_RANK);
        ebm_status st = take_number(t, &out->dim[out->rank++], err);
        if (st != EBM_OK)
            return st;
        if (take(t, ","))
            continue;
        return take(t, ")") && out->rank > 1 ? EBM_OK : broken(err);
    }
    return EBM_OK;
}

static ebm_status take_descr(text *t, ebm_error *err)
{
    if (take(t, "'|u1'"))
        return EBM_OK;
    return ebm_error_set(err, EBM_ERR_FORMAT, NULL, "NumPy array is not of unsigned bytes (|u1)");
}

static ebm_status take_order(text *t, ebm_error *err)
{
    if (take(t, "False"))
        return EBM_OK;
    return ebm_error_set(err, EBM_ERR_FORMAT, NULL, "NumPy array is not in C order");
}

static unsigned take_key(text *t)
{
    if (take(t, "'descr'"))
        return KEY_DESCR;
    if (take(t, "'fortran_order'"))
        return KEY_FORTRAN;
    return take(t, "'shape'") ? KEY_SHAPE : 0;
}

static ebm_status take_entry(text *t, unsigned *seen, ebmt__npy *out, ebm_error *err)
{
    const unsigned key = take_key(t);
    if (key == 0 || (*seen & key) || !take(t, ":"))
        return broken(err);
    *seen |= key;
    if (key == KEY_DESCR)
        return take_descr(t, err);
    return key == KEY_FORTRAN ? take_order(t, err) : take_shape(t, out, err);
}

static ebm_status take_dictionary(text *t, ebmt__npy *out, ebm_error *err)
{
    unsigned seen = 0;
    if (!take(t, "{"))
        return broken(err);
    while (!take(t, "}")) {
        ebm_status st = take_entry(t, &seen, out, err);
        if (st != EBM_OK)
            return st;
        if (take(t, ","))
            continue;
        if (!take(t, "}"))
            return broken(err);
        break;
    }
    skip_blanks(t);
    return seen == ALL_KEYS && t->at == t->end && t->end[-1] == '\n' ? EBM_OK : broken(err);
}

ebm_status ebmt__npy_parse(const unsigned char *head, size_t size, ebmt__npy *out, ebm_error *err)
{
    *out = (ebmt__npy){.header = size};
    text t = {(const char *)head + prefix_of(head), (const char *)head + size};
    return take_dictionary(&t, out, err);
}
