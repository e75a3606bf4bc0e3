/* A fixed set of threads that share a loop: the caller and threads-1 helpers take indices from
 * one counter. Knows nothing of what a task does. */
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "ebm/memory.h"
#include "ebmt/pool.h"

#define MAX_THREADS 256

typedef struct helper {
    ebmt_pool *pool;
    pthread_t thread;
    int32_t worker;
} helper;

struct ebmt_pool {
    int32_t threads, started; /* started: helpers that exist */
    helper *helpers;          /* [threads-1] */

    pthread_mutex_t lock;
    pthread_cond_t work, idle;
    uint64_t round; /* number of the current loop; helpers wait for it to change */
    int32_t busy;   /* helpers that have not finished the current loop */
    bool stop;

    /* the current loop; written under the lock before the round changes */
    void (*task)(void *user, int32_t i, int32_t worker);
    void *user;
    int32_t n;
    atomic_int_fast64_t next; /* wider than n, so that losers of the race cannot wrap it */
};

static void take_all(ebmt_pool *pool, int32_t worker)
{
    for (;;) {
        int64_t i = (int64_t)atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
        if (i >= pool->n)
            return;
        pool->task(pool->user, (int32_t)i, worker);
    }
}

static void *helper_main(void *arg)
{
    helper *self = arg;
    ebmt_pool *pool = self->pool;
    uint64_t seen = 0;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (!pool->stop && pool->round == seen)
            pthread_cond_wait(&pool->work, &pool->lock);
        if (pool->stop)
            break;
        seen = pool->round;
        pthread_mutex_unlock(&pool->lock);
        take_all(pool, self->worker);
        pthread_mutex_lock(&pool->lock);
        if (--pool->busy == 0)
            pthread_cond_signal(&pool->idle);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static bool start_helpers(ebmt_pool *pool)
{
    for (int32_t i = 0; i < pool->threads - 1; i++) {
        helper *h = &pool->helpers[i];
        h->pool = pool;
        h->worker = i + 1; /* the caller is worker 0 */
        if (pthread_create(&h->thread, NULL, helper_main, h) != 0)
            return false;
        pool->started++;
    }
    return true;
}

ebm_status ebmt_pool_create(int32_t threads, ebmt_pool **out, ebm_error *err)
{
    *out = NULL;
    if (threads < 1 || threads > MAX_THREADS)
        return ebm_error_set(err, EBM_ERR_RANGE, "threads", "%d threads, allowed 1..%d", threads,
                             MAX_THREADS);
    ebmt_pool *pool = ebm_alloc(1, sizeof *pool);
    helper *helpers = ebm_alloc((size_t)threads, sizeof *helpers);
    if (!pool || !helpers) {
        ebm_free(pool);
        ebm_free(helpers);
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for %d threads", threads);
    }
    pool->threads = threads;
    pool->helpers = helpers;
    atomic_init(&pool->next, 0);
    /* With default attributes these three cannot fail on Linux: they only fill the objects. */
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    pthread_cond_init(&pool->idle, NULL);
    if (!start_helpers(pool)) {
        int32_t started = pool->started;
        ebmt_pool_free(pool);
        return ebm_error_set(err, EBM_ERR_UNSUPPORTED, "threads", "cannot start thread %d of %d",
                             started + 2, threads);
    }
    *out = pool;
    return EBM_OK;
}

void ebmt_pool_run(ebmt_pool *pool, int32_t n, void (*task)(void *user, int32_t i, int32_t worker),
                   void *user)
{
    assert(n >= 0);
    pthread_mutex_lock(&pool->lock);
    pool->task = task;
    pool->user = user;
    pool->n = n;
    atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
    pool->busy = pool->started;
    pool->round++;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);

    take_all(pool, 0);

    pthread_mutex_lock(&pool->lock);
    while (pool->busy > 0)
        pthread_cond_wait(&pool->idle, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}

int32_t ebmt_pool_threads(const ebmt_pool *pool)
{
    return pool->threads;
}

void ebmt_pool_free(ebmt_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->stop = true;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    for (int32_t i = 0; i < pool->started; i++)
        pthread_join(pool->helpers[i].thread, NULL);
    pthread_cond_destroy(&pool->idle);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
    ebm_free(pool->helpers);
    ebm_free(pool);
}
