/* The keeper, see keeper.h. */
#include "keeper.h"

#include "base/clock.h"
#include "ebm/memory.h"
#include "base/timedcond.h"

#define BUSY_MS 50.0  /* between two rounds while there are jobs: bounds how late a deadline is */
#define IDLE_MS 500.0 /* while there are none */

struct ebmd_keeper {
    ebmd_keeper_options opt;
    pthread_t thread;
    ebmd_timedcond sync;
    bool stopping;
    int64_t late; /* rounds in a row in which a worker had not come back */
};

static void judge(const ebmd_keeper *k, ebm_status st, const ebm_error *err)
{
    ebmd_field fields[] = {{.key = "status", .text = ebm_status_name(st)},
                           {.key = "text", .text = err->text}};

    if (st == EBM_OK || st == EBM_ERR_NOMEM || st == EBM_ERR_LIMIT)
        return; /* the next round tries again */
    if (ebmd_state_get(k->opt.state) != EBMD_BROKEN)
        ebmd_log_event(k->opt.log, EBMD_ERROR, "store_failed", fields, 2);
    ebmd_state_set(k->opt.state, EBMD_BROKEN);
}

static void cancel_unwanted(const ebmd_keeper *k)
{
    char id[EBMD_ID_SIZE];

    while (ebmd_waiters_unwanted(k->opt.waiters, id)) {
        ebmd_store *store = k->opt.store;
        ebm_error err = {0};
        ebmd_view view;
        ebm_status st = store->ops->cancel(store, id, NULL, &view, &err);

        if (st != EBM_ERR_NOT_FOUND)
            judge(k, st, &err);
    }
}

/* A process that was stopped for a while sees all workers late, until they have had a moment. */
#define HUNG_ROUNDS 20

static void look_for_hangs(ebmd_keeper *k)
{
    char id[EBMD_ID_SIZE] = "";
    const ebmd_field field = {.key = "job", .text = id};
    bool hung = ebmd_sched_hung(k->opt.sched, ebmd_clock_ms(), id);

    k->late = hung ? k->late + 1 : 0;
    if (k->late == HUNG_ROUNDS)
        ebmd_log_event(k->opt.log, EBMD_ERROR, "worker_hung", &field, 1);
    ebmd_state_set_hung(k->opt.state, k->late >= HUNG_ROUNDS);
}

/* One round. Returns how long to wait for the next. */
static double tend(ebmd_keeper *k)
{
    ebmd_store *store = k->opt.store;
    ebm_error err = {0};
    ebmd_stats stats;

    ebmd_sched_heartbeat(k->opt.sched); /* first, so that a pause of the process costs no lease */
    look_for_hangs(k);
    cancel_unwanted(k);
    ebmd_waiters_lapse(k->opt.waiters, ebmd_clock_ms());
    ebmd_catalog_prune(k->opt.catalog);
    judge(k, store->ops->sweep(store, &err), &err);
    ebmd_live_tick(k->opt.live);
    store->ops->stats(store, &stats);
    if (stats.queued > 0 || stats.running > 0)
        ebmd_sched_poke(k->opt.sched);
    return stats.queued > 0 || stats.running > 0 ? BUSY_MS : IDLE_MS;
}

static void *keeper_main(void *arg)
{
    ebmd_keeper *k = arg;

    pthread_mutex_lock(&k->sync.lock);
    while (!k->stopping) {
        struct timespec until;
        double pause;
        bool early = true;

        pthread_mutex_unlock(&k->sync.lock);
        pause = tend(k);
        pthread_mutex_lock(&k->sync.lock);
        until = ebmd_timedcond_in(pause);
        while (!k->stopping && early)
            early = ebmd_timedcond_wait(&k->sync, &until);
    }
    pthread_mutex_unlock(&k->sync.lock);
    return NULL;
}

static void keeper_free(ebmd_keeper *k)
{
    ebmd_timedcond_clear(&k->sync);
    ebm_free(k);
}

ebm_status ebmd_keeper_start(const ebmd_keeper_options *opt, ebmd_keeper **out, ebm_error *err)
{
    ebmd_keeper *k = ebm_alloc(1, sizeof(*k));

    *out = NULL;
    if (!k || !ebmd_timedcond_init(&k->sync)) {
        ebm_free(k);
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for the keeper");
    }
    k->opt = *opt;
    if (pthread_create(&k->thread, NULL, keeper_main, k) != 0) {
        keeper_free(k);
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "cannot start a thread");
    }
    *out = k;
    return EBM_OK;
}

void ebmd_keeper_stop(ebmd_keeper *k)
{
    if (!k)
        return;
    pthread_mutex_lock(&k->sync.lock);
    k->stopping = true;
    pthread_cond_signal(&k->sync.cond);
    pthread_mutex_unlock(&k->sync.lock);
    pthread_join(k->thread, NULL);
    keeper_free(k);
}
