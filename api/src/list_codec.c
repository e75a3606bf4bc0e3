/* Lists of jobs, the queue, slots, what the daemon can do. Knows names of members; not where jobs
 * are kept. */
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

ebm_status ebma_queue_encode(const ebma_queue *q, char **json, size_t *size, ebm_error *err)
{
    return ebma__json_write(
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:I, s:I, s:b, s:b}", "queued",
                  (json_int_t)q->queued, "running", (json_int_t)q->running, "slots",
                  (json_int_t)q->slots, "workers", (json_int_t)q->workers, "work",
                  (json_int_t)q->work, "backlog_s", ebma__digits(q->backlog_s, 10.0),
                  "oldest_wait_s", ebma__digits(q->oldest_wait_s, 1000.0), "max_jobs",
                  (json_int_t)q->max_jobs, "max_work", (json_int_t)q->max_work, "accepting",
                  q->accepting, "paused", q->paused),
        json, size, err);
}

static json_t *slot_object(const ebma_slot *s)
{
    const ebma_progress *p = &s->progress;

    return json_pack("{s:s, s:s, s:s, s:i, s:i, s:i, s:i, s:f, s:i, s:i, s:i, s:i}", "job", s->job,
                     "kind", s->kind, "owner", s->owner, "priority", s->priority, "parts", s->parts,
                     "parts_done", p->parts_done, "busy", s->busy, "fraction",
                     ebma__digits(p->fraction, 10000.0), "level", p->level, "levels", p->levels,
                     "step", p->step, "steps", p->steps);
}

ebm_status ebma_slots_encode(const ebma_slots *s, char **json, size_t *size, ebm_error *err)
{
    json_t *root = json_object(), *data = json_array();
    bool ok = root && data;

    for (size_t i = 0; i < s->n && ok; i++)
        ok = json_array_append_new(data, slot_object(&s->slot[i])) == 0;
    ebma__set(root, "object", json_string("list"), &ok);
    ebma__set(root, "slots", json_integer((json_int_t)s->slots), &ok);
    ebma__set(root, "workers", json_integer((json_int_t)s->workers), &ok);
    ebma__set(root, "data", data, &ok);
    if (!ok) {
        json_decref(root);
        root = NULL;
    }
    return ebma__json_write(root, json, size, err);
}

static json_t *texts(const char *const *text, size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; list && i < n; i++) {
        if (json_array_append_new(list, json_string(text[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *limits_object(const ebma_capabilities *c)
{
    return json_pack("{s:i, s:i, s:i, s:I, s:I, s:i, s:i, s:I, s:i, s:i}", "body_bytes",
                     EBMA_BODY_MAX, "upload_bytes", (int)EBMA_UPLOAD_MAX, "chains_bytes",
                     (int)EBMA_CHAINS_MAX, "request_work", (json_int_t)c->request_work, "queue",
                     (json_int_t)c->queue, "sync_limit_s", c->sync_limit_s, "wait_max_s",
                     c->wait_max_s, "streams", (json_int_t)c->streams, "heartbeat_s",
                     c->heartbeat_s, "page", 100);
}

ebm_status ebma_capabilities_encode(const ebma_capabilities *c, char **json, size_t *size,
                                    ebm_error *err)
{
    static const char *const delivery[] = {"sync", "wait", "respond-async", "event-stream",
                                           "image/png"};
    json_t *root = json_object();
    bool ok = root != NULL;

    ebma__set(root, "version", json_string(c->version), &ok);
    ebma__set(root, "kernel_class", json_string(c->kernel_class), &ok);
    ebma__set(root, "durability", json_string(c->durability), &ok);
    ebma__set(root, "kinds", texts(c->kinds, c->n_kinds), &ok);
    ebma__set(root, "delivery", texts(delivery, sizeof(delivery) / sizeof(delivery[0])), &ok);
    ebma__set(root, "keys", json_boolean(c->keys), &ok);
    ebma__set(root, "limits", limits_object(c), &ok);
    if (!ok) {
        json_decref(root);
        root = NULL;
    }
    return ebma__json_write(root, json, size, err);
}
