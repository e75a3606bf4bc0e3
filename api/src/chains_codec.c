/* Kept chains in JSON: the stored request to go on with them, and what their job object says.
 * Knows members; not chains. */
#include <string.h>

#include "api_internal.h"
#include "ebma/op_results.h"

ebm_status ebma_chains_encode(const ebma_chains_request *request, char **json, size_t *size,
                              ebm_error *err)
{
    char *text = NULL;
    json_t *root = NULL;
    bool ok = true;
    ebm_status st = ebm_receipt_text(&request->run, &text, err);

    *json = NULL;
    *size = 0;
    if (st != EBM_OK)
        return st;
    root = json_pack("{s:s, s:b}", "receipt", text, "forked", request->forked);
    if (root && request->metadata)
        ebma__set(root, "metadata", ebma__metadata(request->metadata), &ok);
    ebm_free(text);
    if (!ok) {
        json_decref(root);
        root = NULL;
    }
    return ebma__json_write(root, json, size, err);
}

ebm_status ebma_chains_decode(const char *json, size_t size, ebm_arena *arena,
                              ebma_chains_request *out, ebm_error *err)
{
    json_t *root = json_loadb(json, size, JSON_REJECT_DUPLICATES, NULL);
    const json_t *text = json_object_get(root, "receipt");
    const json_t *forked = json_object_get(root, "forked");
    const json_t *metadata = json_object_get(root, "metadata");
    ebm_status st;

    if (json_is_string(text) && json_is_boolean(forked))
        st = ebm_receipt_parse(json_string_value(text), json_string_length(text), &out->run, err);
    else
        st = ebm_error_set(err, EBM_ERR_FORMAT, "receipt", "not a request to go on with chains");
    out->forked = json_is_true(forked);
    out->metadata = NULL;
    if (st == EBM_OK && metadata)
        st = ebma__metadata_take(metadata, arena, &out->metadata);
    json_decref(root);
    return st;
}

static bool take_count(const json_t *params, const char *name, json_int_t min, int32_t *out)
{
    const json_t *value = json_object_get(params, name);
    json_int_t v = json_integer_value(value);

    *out = (int32_t)v;
    return json_is_integer(value) && v >= min && v <= EBM_CHAIN_SET_MAX;
}

ebm_status ebma_chains_count(const char *json, size_t size, int32_t *chains, int32_t *keep,
                             ebm_error *err)
{
    json_t *root = json_loadb(json, size, JSON_REJECT_DUPLICATES, NULL);
    const json_t *params = json_object_get(root, "params");
    bool ok = take_count(params, "chains", 1, chains) && take_count(params, "keep", 0, keep);

    json_decref(root);
    return ok ? EBM_OK : ebm_error_set(err, EBM_ERR_FORMAT, NULL, "not a job object of chains");
}

ebm_status ebma_chains_diagnostics(const char *json, size_t size, char **out, size_t *out_size,
                                   ebm_error *err)
{
    static const char *const members[] = {"id", "status", "diagnostics"};
    json_t *root = json_loadb(json, size, JSON_REJECT_DUPLICATES, NULL);
    json_t *told = json_object();
    bool ok = told != NULL;

    *out = NULL;
    *out_size = 0;
    if (!json_is_object(root)) {
        json_decref(root);
        json_decref(told);
        return ebm_error_set(err, EBM_ERR_FORMAT, NULL, "not a job object");
    }
    for (size_t i = 0; i < 3; i++) {
        json_t *value = json_object_get(root, members[i]);

        ebma__set(told, members[i], value ? json_incref(value) : json_null(), &ok);
    }
    json_decref(root);
    if (!ok) {
        json_decref(told);
        told = NULL;
    }
    return ebma__json_write(told, out, out_size, err);
}

/* --- traces -------------------------------------------------------------------------------- */

/* Rows of one column of the page. */
static json_t *column(const ebma_trace_page *p, size_t rows, int32_t k, double sign)
{
    const ebm_trace *t = p->trace;
    json_t *a = json_array();

    for (size_t i = 0; a && i < rows; i++) {
        const double v = t->scalars[(p->from + i) * (size_t)(2 + t->n_directions) + (size_t)k];

        if (json_array_append_new(a, ebma__number(sign * v)) != 0) {
            json_decref(a);
            return NULL;
        }
    }
    return a;
}

static json_t *projections(const ebma_trace_page *p, size_t rows)
{
    json_t *a = json_array();

    for (int32_t k = 0; a && k < p->trace->n_directions; k++) {
        if (json_array_append_new(a, column(p, rows, 2 + k, 1.0)) != 0) {
            json_decref(a);
            return NULL;
        }
    }
    return a;
}

ebm_status ebma_traces_encode(const ebma_trace_page *p, char **json, size_t *size, ebm_error *err)
{
    const size_t all = p->trace->count, left = p->from < all ? all - p->from : 0;
    const size_t rows = left < p->limit ? left : p->limit;
    const bool more = left > rows;
    json_t *o = json_pack("{s:s, s:s, s:i, s:I, s:I, s:I, s:I, s:I, s:o}", "id", p->id, "status",
                          ebma_job_status_name(p->status), "chain", (int)p->chain, "index",
                          (json_int_t)(p->params->first_index + p->chain), "thin",
                          (json_int_t)p->params->thin, "warmup", (json_int_t)p->params->warmup,
                          "rows", (json_int_t)all, "from", (json_int_t)p->from, "next",
                          more ? json_integer((json_int_t)(p->from + rows)) : json_null());
    bool ok = o != NULL;

    ebma__set(o, "energy", column(p, rows, 0, -1.0), &ok);
    ebma__set(o, "accept", column(p, rows, 1, 1.0), &ok);
    ebma__set(o, "projections", projections(p, rows), &ok);
    if (!ok) {
        json_decref(o);
        o = NULL;
    }
    return ebma__json_write(o, json, size, err);
}
