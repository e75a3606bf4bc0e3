/* The queue, see queue.h. Two lists of jobs under one lock: those with images nobody has begun,
 * in turn order, and all that are not completed. */
#include "queue.h"

#include <string.h>

#include "clock.h"
#include "ebm/memory.h"

struct ebmd_queue {
    pthread_mutex_t lock;
    pthread_cond_t more;
    ebmd_job *head, *tail; /* waiting, linked by next_waiting */
    size_t waiting, capacity;
    ebmd_job *live; /* linked both ways by *_live */
    size_t n_live;
    bool closed;
    double backlog_steps; /* accepted and not yet made */
    double ms_per_step;   /* moving average of one worker; 0 = nothing measured */
};

ebmd_queue *ebmd_queue_create(size_t capacity)
{
    ebmd_queue *q = ebm_alloc(1, sizeof(*q));

    if (!q)
        return NULL;
    if (pthread_mutex_init(&q->lock, NULL) != 0) {
        ebm_free(q);
        return NULL;
    }
    if (pthread_cond_init(&q->more, NULL) != 0) {
        pthread_mutex_destroy(&q->lock);
        ebm_free(q);
        return NULL;
    }
    q->capacity = capacity;
    return q;
}

void ebmd_queue_free(ebmd_queue *q)
{
    if (!q)
        return;
    pthread_cond_destroy(&q->more);
    pthread_mutex_destroy(&q->lock);
    ebm_free(q);
}

static void append(ebmd_queue *q, ebmd_job *job)
{
    job->next_waiting = NULL;
    if (q->tail)
        q->tail->next_waiting = job;
    else
        q->head = job;
    q->tail = job;
    q->waiting++;
}

static ebmd_job *take_head(ebmd_queue *q)
{
    ebmd_job *job = q->head;

    q->head = job->next_waiting;
    if (!q->head)
        q->tail = NULL;
    job->next_waiting = NULL;
    q->waiting--;
    return job;
}

static void link_live(ebmd_queue *q, ebmd_job *job)
{
    job->prev_live = NULL;
    job->next_live = q->live;
    if (q->live)
        q->live->prev_live = job;
    q->live = job;
    q->n_live++;
}

ebmd_push ebmd_queue_push(ebmd_queue *q, ebmd_job *job)
{
    ebmd_push result = EBMD_PUSH_OK;

    pthread_mutex_lock(&q->lock);
    if (q->closed) {
        result = EBMD_PUSH_CLOSED;
    } else if (q->waiting >= q->capacity) {
        result = EBMD_PUSH_FULL;
    } else {
        ebmd_job_ref(job);
        job->pushed_at = ebmd_clock_ms();
        append(q, job);
        link_live(q, job);
        q->backlog_steps += (double)job->total_steps * job->request.n;
        pthread_cond_broadcast(&q->more);
    }
    pthread_mutex_unlock(&q->lock);
    return result;
}

bool ebmd_queue_is_full(ebmd_queue *q)
{
    bool full;

    pthread_mutex_lock(&q->lock);
    full = q->waiting >= q->capacity;
    pthread_mutex_unlock(&q->lock);
    return full;
}

bool ebmd_queue_pop(ebmd_queue *q, ebmd_task *out)
{
    ebmd_job *job;

    pthread_mutex_lock(&q->lock);
    while (!q->head && !q->closed)
        pthread_cond_wait(&q->more, &q->lock);
    if (!q->head) {
        pthread_mutex_unlock(&q->lock);
        return false;
    }
    job = take_head(q);
    out->job = ebmd_job_ref(job);
    out->k = job->handed++;
    if (out->k == 0) {
        job->started_ms = ebmd_clock_wall_ms();
        job->started_at = ebmd_clock_ms();
    }
    if (job->handed < job->request.n)
        append(q, job); /* the next turn is another job's */
    pthread_mutex_unlock(&q->lock);
    return true;
}

void ebmd_queue_note(ebmd_queue *q, int64_t steps, double ms)
{
    pthread_mutex_lock(&q->lock);
    if (steps > 0 && ms > 0.0) {
        double now = ms / (double)steps;
        q->ms_per_step = q->ms_per_step > 0.0 ? 0.8 * q->ms_per_step + 0.2 * now : now;
    }
    pthread_mutex_unlock(&q->lock);
}

void ebmd_queue_done(ebmd_queue *q, ebmd_job *job)
{
    pthread_mutex_lock(&q->lock);
    if (job->prev_live)
        job->prev_live->next_live = job->next_live;
    else
        q->live = job->next_live;
    if (job->next_live)
        job->next_live->prev_live = job->prev_live;
    q->n_live--;
    q->backlog_steps -= (double)job->total_steps * job->request.n;
    pthread_mutex_unlock(&q->lock);
    ebmd_job_unref(job);
}

void ebmd_queue_close(ebmd_queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->closed = true;
    pthread_cond_broadcast(&q->more);
    pthread_mutex_unlock(&q->lock);
}

void ebmd_queue_cancel_all(ebmd_queue *q)
{
    pthread_mutex_lock(&q->lock);
    for (ebmd_job *j = q->live; j; j = j->next_live)
        atomic_store(&j->cancel, true);
    pthread_mutex_unlock(&q->lock);
}

size_t ebmd_queue_live(ebmd_queue *q)
{
    size_t n;

    pthread_mutex_lock(&q->lock);
    n = q->n_live;
    pthread_mutex_unlock(&q->lock);
    return n;
}

bool ebmd_queue_find(ebmd_queue *q, const char *id, int64_t *started_ms)
{
    bool found = false;

    pthread_mutex_lock(&q->lock);
    for (ebmd_job *j = q->live; j && !found; j = j->next_live) {
        if (strcmp(j->id, id) == 0) {
            *started_ms = j->started_ms;
            found = true;
        }
    }
    pthread_mutex_unlock(&q->lock);
    return found;
}

int ebmd_queue_retry_after(ebmd_queue *q, unsigned workers)
{
    double seconds;

    pthread_mutex_lock(&q->lock);
    seconds = q->backlog_steps * q->ms_per_step / 1e3 / (workers > 0 ? workers : 1);
    pthread_mutex_unlock(&q->lock);
    if (!(seconds > 1.0))
        return 1;
    return seconds < 60.0 ? (int)(seconds + 0.999) : 60;
}
