/* GET /v1/slots on the admin listener: what is being worked on at this moment. */
#include "ebm/memory.h"
#include "routes/router.h"

static ebma_slot describe(const ebmd_slot *s)
{
    const ebmd_progress *p = &s->progress;

    return (ebma_slot){
        .job = s->id,
        .kind = s->kind,
        .owner = s->owner,
        .priority = s->priority,
        .parts = s->parts,
        .busy = s->busy,
        .progress = {.fraction = p->fraction,
                     .parts_done = p->parts_done,
                     .level = p->level,
                     .levels = p->levels,
                     .step = p->step,
                     .steps = p->steps},
    };
}

static ebm_status write_slots(const ebmd_app *app, ebmd_slot *open, size_t room, char **json,
                              size_t *size)
{
    size_t n = ebmd_sched_list(app->sched, open, room);
    ebma_slot *slot = ebm_alloc(n > 0 ? n : 1, sizeof(*slot));
    const ebma_slots all = {slot, n, ebmd_sched_slots(app->sched), app->workers};
    ebm_status st;

    if (!slot)
        return EBM_ERR_NOMEM;
    for (size_t i = 0; i < n; i++)
        slot[i] = describe(&open[i]);
    st = ebma_slots_encode(&all, json, size, NULL);
    ebm_free(slot);
    return st;
}

void ebmd_route_slots(const ebmd_app *app, ebmd_request *r)
{
    ebmd_slot *open;
    char *json = NULL;
    size_t size = 0, room;
    ebm_status st = EBM_ERR_NOMEM;

    if (ebmd_state_get(app->state) == EBMD_STARTING) {
        ebmd_reply_code(r, EBMA_STARTING);
        return;
    }
    room = ebmd_sched_slots(app->sched) + app->workers; /* a small job may push in beside them */
    open = ebm_alloc(room, sizeof(*open));
    if (open)
        st = write_slots(app, open, room, &json, &size);
    ebmd_reply_json(r, st, json, size);
    ebm_free(open);
}
