/* Orders of the operator, see loader.h. */
#include "models/loader.h"

#include <pthread.h>
#include <string.h>

#include "ebm/memory.h"

#define ORDERS_MAX 16

typedef enum stage { STAGE_FREE, STAGE_WAITING, STAGE_AT_WORK, STAGE_DONE } stage;

typedef struct item {
    stage stage;
    ebmd_order order;
    uint64_t number; /* of its arrival */
    char model[EBM_MODEL_ID_MAX + 1];
    char id[EBMD_ID_SIZE];
    ebm_error result;
} item;

struct ebmd_loader {
    ebmd_loader_options opt;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t more;
    bool stopping;
    uint64_t count;
    item item[ORDERS_MAX];
};

/* --- carrying out ------------------------------------------------------------------------- */

static const char *digest_of(ebmd_catalog *c, const char *model, char out[65])
{
    ebmd_engine *engine = ebmd_catalog_take(c);
    size_t i;

    out[0] = '\0';
    if (ebmd_engine_find(engine, model, &i))
        memcpy(out, ebm_model_describe(ebmd_engine_at(engine, i))->sha256, 65);
    ebmd_engine_unref(engine);
    return out;
}

static void report_refusal(const ebmd_loader *l, const char *model, const ebm_error *err)
{
    ebmd_field fields[] = {{.key = "model", .text = model},
                           {.key = "status", .text = ebm_status_name(err->status)},
                           {.key = "where", .text = err->where},
                           {.key = "text", .text = err->text}};

    ebmd_metrics_model(l->opt.metrics, EBMD_MODEL_REFUSED);
    ebmd_log_event(l->opt.log, EBMD_ERROR, "models_kept", fields, 4);
}

static void report_load(void *arg, const char *model, const ebm_error *err)
{
    const ebmd_loader *l = arg;
    char digest[65];
    ebmd_field fields[] = {{.key = "model", .text = model}, {.key = "sha256", .text = digest}};

    if (err->status != EBM_OK) {
        report_refusal(l, model, err);
        return;
    }
    digest_of(l->opt.catalog, model, digest);
    ebmd_metrics_model(l->opt.metrics, EBMD_MODEL_LOADED);
    ebmd_log_event(l->opt.log, EBMD_INFO, "model_loaded", fields, 2);
}

static void report_unload(const ebmd_loader *l, const char *model, const ebm_error *err)
{
    ebmd_field field = {.key = "model", .text = model};

    if (err->status != EBM_OK) {
        report_refusal(l, model, err);
        return;
    }
    ebmd_metrics_model(l->opt.metrics, EBMD_MODEL_UNLOADED);
    ebmd_log_event(l->opt.log, EBMD_INFO, "model_unloaded", &field, 1);
}

static void carry_out(ebmd_loader *l, const item *what, ebm_error *err)
{
    switch (what->order) {
    case EBMD_ORDER_LOAD:
        err->status = ebmd_catalog_load(l->opt.catalog, what->model, err);
        report_load(l, what->model, err);
        break;
    case EBMD_ORDER_UNLOAD:
        err->status = ebmd_catalog_unload(l->opt.catalog, what->model, err);
        report_unload(l, what->model, err);
        break;
    case EBMD_ORDER_REFRESH:
        ebmd_catalog_refresh(l->opt.catalog, report_load, l);
        break;
    }
    l->opt.changed(l->opt.arg);
}

/* --- the list of orders: with the lock held ----------------------------------------------- */

static item *first_waiting(ebmd_loader *l)
{
    item *first = NULL;

    for (item *i = l->item; i < l->item + ORDERS_MAX; i++) {
        if (i->stage == STAGE_WAITING && (!first || i->number < first->number))
            first = i;
    }
    return first;
}

/* A free place, or that of the oldest result: whoever asked for it has left. */
static item *find_room(ebmd_loader *l)
{
    item *room = NULL;

    for (item *i = l->item; i < l->item + ORDERS_MAX; i++) {
        if (i->stage == STAGE_FREE)
            return i;
        if (i->stage == STAGE_DONE && (!room || i->number < room->number))
            room = i;
    }
    return room;
}

bool ebmd_loader_ask(ebmd_loader *l, ebmd_order order, const char *model, const char *id)
{
    item *room;

    pthread_mutex_lock(&l->lock);
    room = find_room(l);
    if (room) {
        *room = (item){.stage = STAGE_WAITING, .order = order, .number = ++l->count};
        memcpy(room->model, model, strlen(model) + 1); /* a valid id fits */
        memcpy(room->id, id, strlen(id) + 1);
        pthread_cond_signal(&l->more);
    }
    pthread_mutex_unlock(&l->lock);
    return room != NULL;
}

bool ebmd_loader_result(ebmd_loader *l, const char *id, ebm_error *out)
{
    bool found = false;

    pthread_mutex_lock(&l->lock);
    for (item *i = l->item; i < l->item + ORDERS_MAX && !found; i++) {
        if (i->stage != STAGE_DONE || strcmp(i->id, id) != 0)
            continue;
        *out = i->result;
        i->stage = STAGE_FREE;
        found = true;
    }
    pthread_mutex_unlock(&l->lock);
    return found;
}

/* --- the thread --------------------------------------------------------------------------- */

static void work_on(ebmd_loader *l, item *what)
{
    ebm_error err = {0};

    what->stage = STAGE_AT_WORK; /* from now on only we touch it */
    pthread_mutex_unlock(&l->lock);
    carry_out(l, what, &err);
    pthread_mutex_lock(&l->lock);
    what->result = err;
    what->stage = STAGE_DONE;
}

static void *loader_main(void *arg)
{
    ebmd_loader *l = arg;
    char id[EBMD_ID_SIZE];

    pthread_mutex_lock(&l->lock);
    while (!l->stopping) {
        item *next = first_waiting(l);

        if (!next) {
            pthread_cond_wait(&l->more, &l->lock);
            continue;
        }
        work_on(l, next);
        memcpy(id, next->id, sizeof(id));
        pthread_mutex_unlock(&l->lock);
        l->opt.done(l->opt.arg, id);
        pthread_mutex_lock(&l->lock);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

static bool init_sync(ebmd_loader *l)
{
    if (pthread_mutex_init(&l->lock, NULL) != 0)
        return false;
    if (pthread_cond_init(&l->more, NULL) == 0)
        return true;
    pthread_mutex_destroy(&l->lock);
    return false;
}

static void loader_free(ebmd_loader *l)
{
    pthread_cond_destroy(&l->more);
    pthread_mutex_destroy(&l->lock);
    ebm_free(l);
}

ebm_status ebmd_loader_start(const ebmd_loader_options *opt, ebmd_loader **out, ebm_error *err)
{
    ebmd_loader *l = ebm_alloc(1, sizeof(*l));

    *out = NULL;
    if (!l || !init_sync(l)) {
        ebm_free(l);
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for the loader");
    }
    l->opt = *opt;
    if (pthread_create(&l->thread, NULL, loader_main, l) != 0) {
        loader_free(l);
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "cannot start a thread");
    }
    *out = l;
    return EBM_OK;
}

void ebmd_loader_stop(ebmd_loader *l)
{
    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    l->stopping = true;
    pthread_cond_signal(&l->more);
    pthread_mutex_unlock(&l->lock);
    pthread_join(l->thread, NULL);
    loader_free(l);
}
