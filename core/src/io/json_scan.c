/* Bounded JSON parsing: a scan for depth and size, then jansson. Knows no field of any format. */
#include "io/json_scan.h"

#include <stdbool.h>

#include <jansson.h>

/* Index behind the string that starts at text[i] == '"', or size when it does not end. */
static size_t skip_string(const char *text, size_t size, size_t i)
{
    for (i++; i < size && text[i] != '"'; i++) {
        if (text[i] == '\\') {
            i++;
        }
    }
    return i < size ? i + 1 : size;
}

/* Only the limits are checked here; whether brackets match is the parser's business. */
static ebm_status check_limits(const char *text, size_t size, size_t max_depth, size_t max_tokens,
                               const char *where, ebm_error *err)
{
    size_t depth = 0, tokens = 0, i = 0;
    while (i < size) {
        const char c = text[i];
        if (c == '"') {
            i = skip_string(text, size, i);
            continue;
        }
        i++;
        const bool opens = c == '{' || c == '[', closes = c == '}' || c == ']';
        depth += opens;
        depth -= closes && depth > 0;
        tokens += opens || c == ',' || c == ':';
        if (depth > max_depth) {
            return ebm_error_set(err, EBM_ERR_LIMIT, where, "JSON nested deeper than %zu",
                                 max_depth);
        }
        if (tokens > max_tokens) {
            return ebm_error_set(err, EBM_ERR_LIMIT, where, "JSON with more than %zu parts",
                                 max_tokens);
        }
    }
    return EBM_OK;
}

/* jansson leaves the text of its error empty when an allocation failed. */
static ebm_status parse_error(const json_error_t *e, const char *where, ebm_error *err)
{
    if (e->text[0] == '\0' || json_error_code(e) == json_error_out_of_memory) {
        return ebm_error_set(err, EBM_ERR_NOMEM, where, "no memory for the JSON text");
    }
    const bool duplicate = json_error_code(e) == json_error_duplicate_key;
    const bool first = err != NULL && err->status == EBM_OK;
    const ebm_status st =
        ebm_error_set(err, EBM_ERR_FORMAT, where, "%s at line %d, column %d",
                      duplicate ? "duplicate key" : "not valid JSON", e->line, e->column);
    if (first) {
        err->index = e->position;
    }
    return st;
}

ebm_status ebm__json_parse(const char *text, size_t size, size_t max_depth, size_t max_tokens,
                           const char *where, json_t **out, ebm_error *err)
{
    json_error_t e;
    *out = NULL;
    if (size == 0 || text[0] != '{') {
        return ebm_error_set(err, EBM_ERR_FORMAT, where, "does not begin with '{'");
    }
    const ebm_status st = check_limits(text, size, max_depth, max_tokens, where, err);
    if (st != EBM_OK) {
        return st;
    }
    *out = json_loadb(text, size, JSON_REJECT_DUPLICATES, &e);
    return *out != NULL ? EBM_OK : parse_error(&e, where, err);
}
