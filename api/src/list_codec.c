/* Lists of jobs. Knows names of members; not where jobs are kept. */
#include "api_internal.h"

static json_t *brief_object(const ebma_job_brief *b)
{
    json_t *o = json_object();
    bool ok = o != NULL, ended = b->completed_ms != 0;

    ebma__set(o, "id", json_string(b->id), &ok);
    ebma__set(o, "object", json_string("job"), &ok);
    ebma__set(o, "kind", json_string(b->kind), &ok);
    ebma__set(o, "model", json_string(b->model), &ok);
    if (b->owner)
        ebma__set(o, "owner", json_string(b->owner), &ok);
    ebma__set(o, "status", json_string(ebma_job_status_name(b->status)), &ok);
    if (b->cancel_requested)
        ebma__set(o, "cancel_requested", json_true(), &ok);
    ebma__set(o, "priority", json_integer(b->priority), &ok);
    ebma__set(o, "created_at", ebma__time(b->created_ms), &ok);
    ebma__set(o, "started_at", ebma__time(b->started_ms), &ok);
    ebma__set(o, "completed_at", ebma__time(b->completed_ms), &ok);
    ebma__set(o, "error",
              ended && b->error != EBMA_OK ? json_string(ebma_problem_describe(b->error)->code)
                                           : json_null(),
              &ok);
    if (!ok) {
        json_decref(o);
        return NULL;
    }
    return o;
}

ebm_status ebma_job_list_encode(const ebma_job_page *page, char **json, size_t *size,
                                ebm_error *err)
{
    json_t *root = json_object(), *data = json_array();
    bool ok = root && data;

    for (size_t i = 0; i < page->n && ok; i++)
        ok = json_array_append_new(data, brief_object(&page->jobs[i])) == 0;
    ebma__set(root, "object", json_string("list"), &ok);
    ebma__set(root, "data", data, &ok);
    ebma__set(root, "has_more", json_boolean(page->next_cursor != NULL), &ok);
    ebma__set(root, "next_cursor", page->next_cursor ? json_string(page->next_cursor) : json_null(),
              &ok);
    if (!ok) {
        json_decref(root);
        root = NULL;
    }
    return ebma__json_write(root, json, size, err);
}
