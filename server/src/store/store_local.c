/* The store of one process: the job core under a lock, with this machine's clocks.
 * Knows locking; no rule about jobs. */
#include <pthread.h>
#include <stdint.h>
#include <sys/random.h>

#include "base/clock.h"
#include "ebm/memory.h"
#include "store/store.h"

typedef struct local_store {
    ebmd_store base;
    pthread_mutex_t lock;
    ebmd_jobs *jobs;
} local_store;

static ebmd_jobs *enter(ebmd_store *s)
{
    local_store *l = (local_store *)(void *)s;

    pthread_mutex_lock(&l->lock);
    return l->jobs;
}

static ebm_status leave(ebmd_store *s, ebm_status st)
{
    pthread_mutex_unlock(&((local_store *)(void *)s)->lock);
    return st;
}

static ebm_status local_submit(ebmd_store *s, const ebmd_spec *spec, ebmd_submit_outcome *how,
                               char id[EBMD_ID_SIZE], ebm_error *err)
{
    return leave(s, ebmd_jobs_submit(enter(s), spec, how, id, err));
}

static ebm_status local_claim(ebmd_store *s, const ebmd_wish *wish, ebmd_lease *out, ebm_error *err)
{
    return leave(s, ebmd_jobs_claim(enter(s), wish, out, err));
}

static ebmd_beat_verdict local_heartbeat(ebmd_store *s, const ebmd_lease *lease,
                                         const ebmd_progress *progress)
{
    ebmd_beat_verdict verdict = ebmd_jobs_heartbeat(enter(s), lease, progress);

    leave(s, EBM_OK);
    return verdict;
}

static ebm_status local_save(ebmd_store *s, const ebmd_lease *lease, const ebmd_save *save,
                             ebm_error *err)
{
    return leave(s, ebmd_jobs_save(enter(s), lease, save, err));
}

static ebm_status local_finish(ebmd_store *s, const ebmd_lease *lease, const ebmd_outcome *outcome,
                               ebm_error *err)
{
    return leave(s, ebmd_jobs_finish(enter(s), lease, outcome, err));
}

static ebm_status local_cancel(ebmd_store *s, const char *id, const char *owner, ebmd_view *now,
                               ebm_error *err)
{
    return leave(s, ebmd_jobs_cancel(enter(s), id, owner, now, err));
}

static ebm_status local_forget(ebmd_store *s, const char *id, const char *owner, ebm_error *err)
{
    return leave(s, ebmd_jobs_forget(enter(s), id, owner, err));
}

static ebm_status local_get(ebmd_store *s, const char *id, const char *owner, ebmd_view *out)
{
    return leave(s, ebmd_jobs_get(enter(s), id, owner, out));
}

static void local_list(ebmd_store *s, const ebmd_filter *filter, ebmd_list_fn fn, void *arg)
{
    ebmd_jobs_list(enter(s), filter, fn, arg);
    leave(s, EBM_OK);
}

static ebm_status local_blob(ebmd_store *s, const char *id, ebmd_blob_type type, int32_t index,
                             char **data, size_t *size, ebm_error *err)
{
    return leave(s, ebmd_jobs_blob(enter(s), id, type, index, data, size, err));
}

static void local_listen(ebmd_store *s, ebmd_listener fn, void *arg)
{
    ebmd_jobs_listen(enter(s), fn, arg);
    leave(s, EBM_OK);
}

static void local_stats(ebmd_store *s, ebmd_stats *out)
{
    ebmd_jobs_stats(enter(s), out);
    leave(s, EBM_OK);
}

static ebm_status local_sweep(ebmd_store *s, ebm_error *err)
{
    return leave(s, ebmd_jobs_sweep(enter(s), err));
}

static void local_close(ebmd_store *s)
{
    local_store *l = (local_store *)(void *)s;

    ebmd_jobs_close(l->jobs);
    pthread_mutex_destroy(&l->lock);
    ebm_free(l);
}

static const ebmd_store_ops local_ops = {
    .submit = local_submit,
    .claim = local_claim,
    .heartbeat = local_heartbeat,
    .save = local_save,
    .finish = local_finish,
    .cancel = local_cancel,
    .forget = local_forget,
    .get = local_get,
    .list = local_list,
    .blob = local_blob,
    .listen = local_listen,
    .stats = local_stats,
    .sweep = local_sweep,
    .close = local_close,
};

static int64_t mono_ms(void *self)
{
    (void)self;
    return (int64_t)ebmd_clock_ms();
}

static int64_t wall_ms(void *self)
{
    (void)self;
    return ebmd_clock_wall_ms();
}

static double uniform(void *self)
{
    uint32_t word = 0;

    (void)self;
    /* without randomness retries are merely less spread */
    if (getrandom(&word, sizeof(word), GRND_NONBLOCK) != (ssize_t)sizeof(word))
        return 0.5;
    return word / 4294967296.0;
}

ebm_status ebmd_store_local_open(const ebmd_limits *limits, const ebmd_env *env,
                                 ebmd_backend *backend, ebmd_store **out, ebm_error *err)
{
    static const ebmd_env machine = {NULL, mono_ms, wall_ms, uniform};
    local_store *l = ebm_alloc(1, sizeof(*l));
    ebm_status st;

    *out = NULL;
    if (!l || pthread_mutex_init(&l->lock, NULL) != 0) {
        ebm_free(l);
        backend->ops->close(backend);
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for the store");
    }
    l->base.ops = &local_ops;
    l->base.durability = backend->durability;
    l->base.durable = backend->durable;
    st = ebmd_jobs_open(limits, env ? env : &machine, backend, &l->jobs, err);
    if (st != EBM_OK) {
        pthread_mutex_destroy(&l->lock);
        ebm_free(l);
        return st;
    }
    *out = &l->base;
    return EBM_OK;
}
