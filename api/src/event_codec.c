/* Events of a job: their names and what they say. Knows members; not how events travel. */
#include "api_internal.h"

const char *ebma_event_name(ebma_event_type type)
{
    static const char *const names[] = {
        [EBMA_EVENT_RESET] = "reset",
        [EBMA_EVENT_QUEUED] = "queued",
        [EBMA_EVENT_STARTED] = "started",
        [EBMA_EVENT_PROGRESS] = "progress",
        [EBMA_EVENT_PREVIEW] = "preview",
        [EBMA_EVENT_IMAGE] = "image",
        [EBMA_EVENT_DRAINING] = "draining",
        [EBMA_EVENT_BYE] = "bye",
        [EBMA_EVENT_SUCCEEDED] = "completed",
        [EBMA_EVENT_FAILED] = "failed",
        [EBMA_EVENT_CANCELED] = "canceled",
        [EBMA_EVENT_EXPIRED] = "expired",
        [EBMA_EVENT_DIAGNOSTICS] = "diagnostics",
    };

    return (unsigned)type <= EBMA_EVENT_EXPIRED ? names[type] : "unknown";
}

json_t *ebma__progress_object(const ebma_progress *p, double eta_s)
{
    json_t *o = json_object();
    bool ok = o != NULL;

    ebma__set(o, "fraction", json_real(ebma__digits(p->fraction, 1000.0)), &ok);
    if (p->levels > 0) {
        ebma__set(o, "level", json_integer(p->level), &ok);
        ebma__set(o, "levels", json_integer(p->levels), &ok);
        ebma__set(o, "step", json_integer(p->step), &ok);
        ebma__set(o, "steps", json_integer(p->steps), &ok);
    }
    if (p->has_logp)
        ebma__set(o, "energy_mean", json_real(ebma_energy(p->logp)), &ok);
    if (p->has_accept)
        ebma__set(o, "accept_rate", json_real(ebma__digits(p->accept_rate, 1000.0)), &ok);
    ebma__set(o, "images_done", json_integer(p->parts_done), &ok);
    ebma__set(o, "eta_s", json_real(ebma__digits(eta_s, 10.0)), &ok);
    if (!ok) {
        json_decref(o);
        return NULL;
    }
    return o;
}

static json_t *picture_object(const ebma_event *e)
{
    json_t *o = json_object();
    bool ok = o != NULL;

    ebma__set(o, "index", json_integer(e->index), &ok);
    if (e->type == EBMA_EVENT_PREVIEW) {
        ebma__set(o, "level", json_integer(e->progress.level), &ok);
        ebma__set(o, "step", json_integer(e->progress.step), &ok);
    }
    if (e->type == EBMA_EVENT_IMAGE)
        ebma__set(o, "seed", json_integer((json_int_t)e->seed), &ok);
    if (e->weighed)
        ebma__set(o, "energy", json_real(ebma_energy(e->logp)), &ok);
    if (e->sha256)
        ebma__set(o, "sha256", json_string(e->sha256), &ok);
    if (e->png)
        ebma__set(o, "b64_json", ebma__base64(e->png, e->png_size), &ok);
    if (!ok) {
        json_decref(o);
        return NULL;
    }
    return o;
}

static json_t *data_of(const ebma_event *e)
{
    switch (e->type) {
    case EBMA_EVENT_QUEUED:
        return json_pack("{s:s, s:I, s:f}", "id", e->id, "position", (json_int_t)e->position,
                         "eta_s", ebma__digits(e->eta_s, 10.0));
    case EBMA_EVENT_STARTED:
        return json_pack("{s:s, s:s, s:s}", "id", e->id, "kind", e->kind, "model", e->model);
    case EBMA_EVENT_PROGRESS:
        return ebma__progress_object(&e->progress, e->eta_s);
    case EBMA_EVENT_PREVIEW:
    case EBMA_EVENT_IMAGE:
        return picture_object(e);
    case EBMA_EVENT_DIAGNOSTICS:
        return ebma__report_object(e->chains);
    default:
        return json_pack("{s:i}", "retry_ms", e->retry_ms);
    }
}

ebm_status ebma_event_encode(const ebma_event *event, char **json, size_t *size, ebm_error *err)
{
    return ebma__json_write(data_of(event), json, size, err);
}
