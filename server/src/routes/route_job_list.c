/* GET /v1/jobs: the jobs that the caller may see, newest first, page by page. */
#include <stdio.h>
#include <string.h>

#include "ebm/memory.h"
#include "kinds/kind.h"
#include "routes/jobview.h"
#include "http/query.h"
#include "routes/router.h"

#define PAGE_MAX     100
#define PAGE_DEFAULT 20
#define SEQ_MAX      (INT64_C(1) << 53)

/* Filter texts that outlive the reading of the query. */
typedef struct ask {
    ebmd_filter filter;
    char kind[EBMD_QUERY_VALUE_MAX], model[EBMD_QUERY_VALUE_MAX], owner[EBMD_QUERY_VALUE_MAX];
} ask;

typedef struct page {
    size_t n, room;
    ebmd_row *rows;
} page;

/* --- the query ---------------------------------------------------------------------------- */

static bool state_bit(const char *name, size_t n, unsigned *bits)
{
    if (n == 9 && memcmp(name, "cancelled", n) == 0) { /* the other spelling */
        *bits |= 1u << EBMD_JOB_CANCELED;
        return true;
    }
    for (int s = 0; s < EBMD_JOB_STATES; s++) {
        const char *known = ebmd_job_state_name((ebmd_job_state)s);

        if (strlen(known) == n && memcmp(known, name, n) == 0) {
            *bits |= 1u << s;
            return true;
        }
    }
    return false;
}

static bool take_states(const char *value, void *out)
{
    do {
        size_t n = strcspn(value, ",");

        if (!state_bit(value, n, out))
            return false;
        value += n;
    } while (*value++ == ',');
    return true;
}

static bool take_text(const char *value, void *out)
{
    memcpy(out, value, strlen(value) + 1); /* as long as the parameter itself may be */
    return *value != '\0';
}

static bool take_kind(const char *value, void *out)
{
    return ebmd_kind_find(value) && take_text(value, out);
}

/* @shape out [EBMD_QUERY_VALUE_MAX] */
static const char *name_kinds(char *out)
{
    int n = snprintf(out, EBMD_QUERY_VALUE_MAX, "must be one of");
    const ebmd_kind *kind;

    for (size_t i = 0; (kind = ebmd_kind_at(i)) != NULL && n < EBMD_QUERY_VALUE_MAX; i++)
        n += snprintf(out + n, (size_t)(EBMD_QUERY_VALUE_MAX - n), "%s %s", i ? "," : "",
                      kind->name);
    return out;
}

static bool take_since(const char *value, void *out)
{
    return ebma_time_parse(value, out);
}

static bool take_limit(const char *value, void *out)
{
    int64_t v;

    if (!ebmd_query_whole(value, PAGE_MAX, &v) || v < 1)
        return false;
    *(size_t *)out = (size_t)v;
    return true;
}

static bool take_cursor(const char *value, void *out)
{
    return ebmd_query_whole(value, SEQ_MAX, out) && *(const int64_t *)out > 0;
}

static bool read_ask(ebmd_request *r, ask *a)
{
    char kinds[EBMD_QUERY_VALUE_MAX];
    const ebmd_query_row rows[] = {
        {"status",
         "must be states separated by commas: queued, running, succeeded, failed, canceled, "
         "expired",
         take_states, &a->filter.states},
        {"kind", name_kinds(kinds), take_kind, a->kind},
        {"model", "must not be empty", take_text, a->model},
        {"owner", "must not be empty", take_text, a->owner},
        {"since", "must be a time like 2026-01-02T03:04:05Z", take_since, &a->filter.since},
        {"limit", "must be 1..100", take_limit, &a->filter.limit},
        {"cursor", "must be next_cursor of an earlier page", take_cursor, &a->filter.before},
    };

    *a = (ask){.filter = {.limit = PAGE_DEFAULT}};
    if (!ebmd_query_read(r, rows, sizeof(rows) / sizeof(rows[0])))
        return false;
    a->filter.kind = a->kind[0] ? a->kind : NULL;
    a->filter.model = a->model[0] ? a->model : NULL;
    a->filter.owner = a->owner[0] ? a->owner : NULL;
    return true;
}

/* --- the page ----------------------------------------------------------------------------- */

static void take_row(void *arg, const ebmd_row *row)
{
    page *p = arg;

    if (p->n < p->room)
        p->rows[p->n++] = *row;
}

static ebma_job_brief brief_of(const ebmd_row *r, bool show_owner)
{
    return (ebma_job_brief){.id = r->id,
                            .kind = r->kind,
                            .model = r->model,
                            .owner = show_owner ? r->owner : NULL,
                            .status = ebmd_jobview_status(r->state),
                            .cancel_requested = r->cancel_requested && r->state == EBMD_JOB_RUNNING,
                            .created_ms = r->created_ms,
                            .started_ms = r->started_ms,
                            .completed_ms = r->completed_ms,
                            .priority = r->priority,
                            .error = ebma_problem_find(r->code)};
}

static ebm_status write_page(const page *p, size_t limit, bool show_owner, char **json,
                             size_t *size)
{
    ebma_job_brief *briefs = ebm_alloc(limit, sizeof(*briefs));
    ebma_job_page out = {.jobs = briefs, .n = p->n < limit ? p->n : limit};
    char cursor[32] = "";
    ebm_status st;

    if (!briefs)
        return EBM_ERR_NOMEM;
    for (size_t i = 0; i < out.n; i++)
        briefs[i] = brief_of(&p->rows[i], show_owner);
    if (p->n > limit) {
        snprintf(cursor, sizeof(cursor), "%lld", (long long)p->rows[limit - 1].seq);
        out.next_cursor = cursor;
    }
    st = ebma_job_list_encode(&out, json, size, NULL);
    ebm_free(briefs);
    return st;
}

void ebmd_route_job_list(const ebmd_app *app, ebmd_request *r)
{
    const char *owner = ebmd_request_owner(r);
    page p = {.n = 0};
    char *json = NULL;
    size_t size = 0, limit;
    ebm_status st = EBM_ERR_NOMEM;
    ask a;

    if (!read_ask(r, &a))
        return;
    limit = a.filter.limit;
    p.room = a.filter.limit = limit + 1; /* one more tells whether there is a next page */
    p.rows = ebm_alloc(p.room, sizeof(*p.rows));
    if (p.rows) {
        /* whoever asks for somebody else's jobs without being allowed to sees none */
        bool hidden = owner && a.filter.owner && strcmp(owner, a.filter.owner) != 0;

        if (owner)
            a.filter.owner = owner;
        if (!hidden)
            app->store->ops->list(app->store, &a.filter, take_row, &p);
        st = write_page(&p, limit, owner == NULL && app->keys != NULL, &json, &size);
    }
    ebmd_reply_json(r, st, json, size);
    ebm_free(p.rows);
}
