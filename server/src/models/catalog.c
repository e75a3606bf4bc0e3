/* Which models are served, see catalog.h. */
#include "models/catalog.h"

#include <pthread.h>
#include <string.h>

#include "ebm/memory.h"

struct ebmd_catalog {
    pthread_mutex_t lock;   /* `now`, `retired` */
    pthread_mutex_t change; /* held while models are read, so that no change is lost; taken first */
    ebmd_engine *now;
    ebm_model *retired[EBMD_MODELS_MAX]; /* one reference each */
    size_t n_retired;
    const ebm_kernels *kernels;
    char *dir;
};

static bool init_locks(ebmd_catalog *c)
{
    if (pthread_mutex_init(&c->lock, NULL) != 0)
        return false;
    if (pthread_mutex_init(&c->change, NULL) == 0)
        return true;
    pthread_mutex_destroy(&c->lock);
    return false;
}

ebm_status ebmd_catalog_open(const char *dir, const ebm_kernels *kernels, ebmd_catalog **out,
                             ebm_error *err)
{
    ebmd_catalog *c = ebm_alloc(1, sizeof(*c));
    size_t size = strlen(dir) + 1;
    ebm_status st;

    *out = NULL;
    if (!c || !init_locks(c)) {
        ebm_free(c);
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for the models");
    }
    c->kernels = kernels;
    c->dir = ebm_alloc(size, 1);
    if (c->dir) {
        memcpy(c->dir, dir, size);
        st = ebmd_engine_open(dir, kernels, &c->now, err);
    } else {
        st = ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for the models");
    }
    if (st == EBM_OK)
        *out = c;
    else
        ebmd_catalog_close(c);
    return st;
}

void ebmd_catalog_close(ebmd_catalog *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n_retired; i++)
        ebm_model_unref(c->retired[i]);
    ebmd_engine_unref(c->now);
    pthread_mutex_destroy(&c->change);
    pthread_mutex_destroy(&c->lock);
    ebm_free(c->dir);
    ebm_free(c);
}

ebmd_engine *ebmd_catalog_take(ebmd_catalog *c)
{
    ebmd_engine *e;

    pthread_mutex_lock(&c->lock);
    e = ebmd_engine_ref(c->now);
    pthread_mutex_unlock(&c->lock);
    return e;
}

static bool holds(const ebmd_engine *e, const ebm_model *model)
{
    for (size_t i = 0; i < ebmd_engine_count(e); i++) {
        if (ebmd_engine_at(e, i) == model)
            return true;
    }
    return false;
}

bool ebmd_catalog_serves(ebmd_catalog *c, const ebm_model *model)
{
    bool found;

    pthread_mutex_lock(&c->lock);
    found = !model || holds(c->now, model);
    pthread_mutex_unlock(&c->lock);
    return found;
}

size_t ebmd_catalog_prune(ebmd_catalog *c)
{
    size_t n = 0;

    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < c->n_retired; i++) {
        if (ebm_model_is_shared(c->retired[i]))
            c->retired[n++] = c->retired[i];
        else
            ebm_model_unref(c->retired[i]);
    }
    c->n_retired = n;
    pthread_mutex_unlock(&c->lock);
    return n;
}

/* --- changes: with `change` held, so `now` stays what it is ------------------------------- */

/* Beyond the room for them models are freed all the same, they are only not counted. */
static void retire(ebmd_catalog *c, const ebmd_engine *old)
{
    for (size_t i = 0; i < ebmd_engine_count(old); i++) {
        ebm_model *m = ebmd_engine_at(old, i);

        if (!holds(c->now, m) && c->n_retired < EBMD_MODELS_MAX)
            c->retired[c->n_retired++] = ebm_model_ref(m);
    }
}

static void replace(ebmd_catalog *c, ebmd_engine *made)
{
    ebmd_engine *old;

    pthread_mutex_lock(&c->lock);
    old = c->now;
    c->now = made;
    retire(c, old);
    pthread_mutex_unlock(&c->lock);
    ebmd_engine_unref(old);
}

static ebm_status load(ebmd_catalog *c, const char *id, ebm_error *err)
{
    ebmd_engine *made = NULL;
    ebmd_loaded one;
    size_t i;
    ebm_status st = ebmd_engine_read(c->dir, id, c->kernels, &one, err);

    if (st == EBM_ERR_NOT_FOUND && ebmd_engine_find(c->now, id, &i))
        st = EBM_ERR_FORMAT; /* it is served on: only its files have gone */
    if (st != EBM_OK && err)
        err->status = st;
    if (st != EBM_OK)
        return st;
    st = ebmd_engine_with(c->now, &one, &made, err);
    if (st == EBM_OK)
        replace(c, made);
    ebmd_loaded_clear(&one);
    return st;
}

static ebm_status unload(ebmd_catalog *c, const char *id, ebm_error *err)
{
    ebmd_engine *made = NULL;
    size_t i;
    ebm_status st;

    if (!ebmd_engine_find(c->now, id, &i))
        return ebm_error_set(err, EBM_ERR_NOT_FOUND, id, "it is not loaded");
    if (ebmd_engine_count(c->now) == 1)
        return ebm_error_set(err, EBM_ERR_BAD_STATE, id, "it is the last one");
    st = ebmd_engine_without(c->now, i, &made, err);
    if (st == EBM_OK)
        replace(c, made);
    return st;
}

static bool is_fresh(const ebmd_catalog *c, const char *id)
{
    ebmd_stamp stamp;
    size_t i;

    return ebmd_engine_find(c->now, id, &i) && ebmd_engine_stamp(c->dir, id, &stamp) &&
           ebmd_engine_is_from(c->now, i, &stamp);
}

static void refresh(ebmd_catalog *c, ebmd_names *found, ebmd_catalog_report report, void *arg)
{
    ebm_error err = {0};

    if (ebmd_engine_list(c->dir, found, &err) != EBM_OK) {
        report(arg, "", &err);
        return;
    }
    for (size_t i = 0; i < found->n; i++) {
        ebm_error cause = {0};

        if (is_fresh(c, found->name[i]))
            continue;
        cause.status = load(c, found->name[i], &cause);
        report(arg, found->name[i], &cause);
    }
}

ebm_status ebmd_catalog_load(ebmd_catalog *c, const char *id, ebm_error *err)
{
    ebm_status st;

    if (!ebm_model_id_valid(id))
        return ebm_error_set(err, EBM_ERR_NOT_FOUND, NULL, "that is no model id");
    pthread_mutex_lock(&c->change);
    st = load(c, id, err);
    pthread_mutex_unlock(&c->change);
    return st;
}

ebm_status ebmd_catalog_unload(ebmd_catalog *c, const char *id, ebm_error *err)
{
    ebm_status st;

    pthread_mutex_lock(&c->change);
    st = unload(c, id, err);
    pthread_mutex_unlock(&c->change);
    return st;
}

void ebmd_catalog_refresh(ebmd_catalog *c, ebmd_catalog_report report, void *arg)
{
    ebmd_names *found = ebm_alloc(1, sizeof(*found));
    ebm_error err = {.status = EBM_ERR_NOMEM, .text = "no memory for the names of models"};

    pthread_mutex_lock(&c->change);
    if (found)
        refresh(c, found, report, arg);
    else
        report(arg, "", &err);
    pthread_mutex_unlock(&c->change);
    ebm_free(found);
}
