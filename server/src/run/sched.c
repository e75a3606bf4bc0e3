/* The chain scheduler, see sched.h. */
#include "run/sched_internal.h"

#include <string.h>

#include "base/clock.h"
#include "ebm/memory.h"

#define RETRY_MS 1000.0 /* before an end that could not be written is tried again */
#define TURNS    4u     /* one in so many is a long turn */

ebmd_sched *ebmd_sched_create(const ebmd_run_env *env, unsigned workers, unsigned slots,
                              size_t bytes)
{
    ebmd_sched *s = ebm_alloc(1, sizeof(*s));

    if (!s)
        return NULL;
    if (pthread_mutex_init(&s->lock, NULL) != 0) {
        ebm_free(s);
        return NULL;
    }
    if (pthread_cond_init(&s->more, NULL) != 0) {
        pthread_mutex_destroy(&s->lock);
        ebm_free(s);
        return NULL;
    }
    s->env = env;
    s->workers = workers > 0 ? workers : 1;
    s->slots = slots > 0 ? slots : 1;
    s->bytes_max = bytes;
    s->doomed = true; /* an earlier process may have left some */
    return s;
}

/* --- the open runs ------------------------------------------------------------------------ */

static bool insert(ebmd_sched *s, ebmd_run *run)
{
    run->share = ebmd_share_take(&s->shares, run->lease.owner);
    if (!run->share)
        return false;
    run->next = s->runs;
    if (s->runs)
        s->runs->prev = run;
    s->runs = run;
    s->n_runs++;
    s->bytes += ebmd_run_bytes(run);
    return true;
}

static void take_out(ebmd_sched *s, ebmd_run *run)
{
    if (run->prev)
        run->prev->next = run->next;
    else
        s->runs = run->next;
    if (run->next)
        run->next->prev = run->prev;
    ebmd_share_drop(&s->shares, run->share);
    s->n_runs--;
    s->bytes -= ebmd_run_bytes(run);
}

void ebmd_sched_free(ebmd_sched *s)
{
    if (!s)
        return;
    while (s->runs) {
        ebmd_run *run = s->runs;

        take_out(s, run);
        ebmd_run_free(run);
    }
    pthread_cond_destroy(&s->more);
    pthread_mutex_destroy(&s->lock);
    ebm_free(s);
}

/* --- whose turn --------------------------------------------------------------------------- */

/* A turn that is not for the least work left. */
static bool is_long_turn(const ebmd_sched *s)
{
    return s->turn % TURNS == TURNS - 1;
}

/* Every other long turn opens the next queued job, whatever its size. */
static bool is_opening_turn(const ebmd_sched *s)
{
    return s->turn % (2 * TURNS) == 2 * TURNS - 1;
}

static bool better(const ebmd_sched *s, const ebmd_run *a, const ebmd_run *b)
{
    int64_t left_a, left_b;

    if (a->lease.priority != b->lease.priority)
        return a->lease.priority > b->lease.priority;
    if (a->share != b->share)
        return a->share->used_ms < b->share->used_ms;
    if (is_long_turn(s))
        return a->last_turn < b->last_turn;
    left_a = ebmd_run_work_left(a);
    left_b = ebmd_run_work_left(b);
    return left_a != left_b ? left_a < left_b : a->lease.created_ms < b->lease.created_ms;
}

static bool can_step(const ebmd_run *run)
{
    return !run->held && !run->release && ebmd_run_next_part(run) >= 0;
}

static ebmd_run *pick(ebmd_sched *s)
{
    ebmd_run *best = NULL;

    for (ebmd_run *run = s->runs; run; run = run->next) {
        if (can_step(run) && (!best || better(s, run, best)))
            best = run;
    }
    return best;
}

static ebmd_duty duty_of(ebmd_run *run, double now)
{
    if (run->lost)
        return EBMD_DROP;
    if (ebmd_run_is_over(run, now))
        return EBMD_FINISH;
    return run->release ? EBMD_RELEASE : EBMD_SAVE;
}

/* A run that has to be saved, given back or ended, and that nobody is at work on. */
static bool find_duty(ebmd_sched *s, ebmd_task *out)
{
    double now = ebmd_clock_ms();

    for (ebmd_run *run = s->runs; run; run = run->next) {
        if (run->in_service)
            continue; /* it is somebody else's to look at */
        if (run->lost || run->release || ebmd_run_is_over(run, now))
            run->held = true;
        if (!run->held || run->busy > 0 || now < run->retry_at)
            continue;
        run->in_service = true;
        *out = (ebmd_task){.duty = duty_of(run, now), .run = run, .part = -1};
        return true;
    }
    return false;
}

static void take_part(ebmd_sched *s, ebmd_run *run, ebmd_task *out)
{
    *out = (ebmd_task){.duty = EBMD_STEP, .run = run, .part = ebmd_run_next_part(run)};
    run->part[out->part].busy = true;
    run->part[out->part].taken_at = ebmd_clock_ms();
    run->busy++;
    run->last_turn = ++s->turn;
    s->n_busy++;
    run->quanta++;
    run->side_sum += (double)s->n_busy;
}

/* --- claiming ----------------------------------------------------------------------------- */

/* No job but one that is to be ended, which any wish admits. */
static const ebmd_wish nothing_else = {.above_priority = INT32_MAX, .below_work = 0};

static bool is_full(const ebmd_sched *s)
{
    return s->n_runs >= s->slots || s->bytes >= s->bytes_max;
}

/* Would a worker that could have `best` rather have something queued, and what? */
static bool wants_claim(const ebmd_sched *s, const ebmd_run *best, ebmd_wish *wish)
{
    bool pushes = false;

    if (s->closed)
        return false;
    if (s->doomed && s->n_runs < s->slots + s->workers) {
        *wish = nothing_else;
        return true;
    }
    if (s->paused)
        return false;
    *wish = (ebmd_wish){.above_priority = -1, .below_work = INT64_MAX};
    if (best) {
        wish->above_priority = best->lease.priority;
        if (!is_opening_turn(s)) {
            wish->below_work = is_long_turn(s) ? 0 : ebmd_run_work_left(best);
            pushes = true; /* a smaller one may push a larger one out */
        }
    }
    if (is_full(s) && (!pushes || s->n_runs >= s->slots + s->workers))
        return false;
    return !s->refused || wish->above_priority < s->wish.above_priority ||
           wish->below_work > s->wish.below_work;
}

/* Too many are open: the one with the most work left waits in the store. */
static void push_out(ebmd_sched *s, const ebmd_run *keep)
{
    ebmd_run *most = NULL;

    for (ebmd_run *run = s->runs; run; run = run->next) {
        if (run != keep && !run->release && ebmd_run_is_current(s->env, run) &&
            (!most || ebmd_run_work_left(run) > ebmd_run_work_left(most)))
            most = run;
    }
    if (most)
        most->release = true;
}

static void note_not_opened(const ebmd_sched *s, const ebmd_lease *lease, ebm_status st,
                            const ebm_error *err)
{
    ebmd_field fields[] = {{.key = "job", .text = lease->id},
                           {.key = "status", .text = ebm_status_name(st)},
                           {.key = "text", .text = err->text}};

    ebmd_log_event(s->env->log, EBMD_WARN, "job_not_opened", fields, 3);
}

/* Claims with the lock open; on return it is held again. Returns the run if it is open now. */
static ebmd_run *claim(ebmd_sched *s, const ebmd_wish *wish)
{
    ebmd_lease lease;
    ebmd_run *run = NULL;
    ebm_error err = {0};
    bool full = is_full(s);
    ebm_status st;

    s->wish = *wish;
    s->refused = true; /* unless something is queued while we ask */
    s->doomed = false;
    pthread_mutex_unlock(&s->lock);
    st = s->env->store->ops->claim(s->env->store, wish, &lease, &err);
    if (st == EBM_OK) {
        st = ebmd_run_create(s->env, &lease, &run, &err);
        if (!run) {
            note_not_opened(s, &lease, st, &err);
            ebmd_run_give_back(s->env, &lease);
        }
    }
    pthread_mutex_lock(&s->lock);
    if (run) {
        s->refused = false; /* there may be more */
        s->doomed = true;
    }
    if (run && !insert(s, run)) {
        pthread_mutex_unlock(&s->lock);
        ebmd_run_give_back(s->env, &lease);
        ebmd_run_free(run);
        pthread_mutex_lock(&s->lock);
        return NULL;
    }
    if (run && s->closed)
        run->release = true;
    if (run && (full || s->n_runs > s->slots) && !ebmd_run_is_over(run, ebmd_clock_ms()))
        push_out(s, run);
    return run;
}

static bool has_to_tidy(const ebmd_sched *s, uint64_t *seen, ebmd_task *out)
{
    bool due = *seen != s->epoch;

    *seen = s->epoch;
    *out = (ebmd_task){.duty = EBMD_TIDY, .part = -1};
    return due;
}

bool ebmd_sched_next(ebmd_sched *s, uint64_t *seen, ebmd_task *out)
{
    ebmd_wish wish;
    bool found = true;

    pthread_mutex_lock(&s->lock);
    while (!has_to_tidy(s, seen, out) && !find_duty(s, out)) {
        ebmd_run *best = pick(s);

        if (wants_claim(s, best, &wish)) {
            /* what is claimed counts as attempted, so it is begun at once: a job that only waits
             * here when the process dies would be blamed for it */
            ebmd_run *run = claim(s, &wish);

            if (run && !ebmd_run_is_over(run, ebmd_clock_ms()) && can_step(run)) {
                take_part(s, run, out);
                break;
            }
        } else if (best) {
            take_part(s, best, out);
            out->alone = s->n_busy == 1 && !pick(s);
            break;
        } else if (s->closed && s->n_runs == 0) {
            found = false;
            break;
        } else {
            pthread_cond_wait(&s->more, &s->lock);
        }
    }
    pthread_mutex_unlock(&s->lock);
    return found;
}

/* --- reports ------------------------------------------------------------------------------ */

static void measure(ebmd_sched *s, int64_t evals, double ms)
{
    double now = ms / (double)evals;

    s->ms_per_work = s->ms_per_work > 0.0 ? 0.9 * s->ms_per_work + 0.1 * now : now;
}

void ebmd_sched_stepped(ebmd_sched *s, const ebmd_task *task, const ebmd_quantum *q, double ms,
                        ebma_problem_code problem)
{
    ebmd_run *run = task->run;
    ebmd_part *p = &run->part[task->part];

    pthread_mutex_lock(&s->lock);
    p->busy = false;
    run->busy--;
    s->n_busy--;
    run->share->used_ms += ms;
    run->unsaved_ms += ms;
    run->grad_evals += q->evals;
    if (q->evals > 0)
        measure(s, q->evals, ms);
    if (q->reading.has_accept)
        ebmd_metrics_set(s->env->metrics, EBMD_GAUGE_ACCEPT_RATIO, q->reading.accept_rate);
    if (problem != EBMA_OK && run->error == EBMA_OK)
        run->error = problem;
    if (problem == EBMA_OK && q->finished)
        ebmd_run_complete(run, p);
    else if (problem == EBMA_OK)
        ebmd_run_note(run, task->part, &q->reading);
    if (ebmd_run_wants_save(s->env, run))
        run->held = true;
    pthread_cond_broadcast(&s->more);
    pthread_mutex_unlock(&s->lock);
}

/* After an end that could not be written for want of memory or disk, it is tried again, unless we
 * are closed: a stop does not wait for a disk. Whatever else goes wrong, the store has the job and
 * will give it to somebody. */
static bool stays(const ebmd_sched *s, const ebmd_task *task, ebm_status st)
{
    if (task->duty == EBMD_SAVE)
        return st == EBM_OK || st == EBM_ERR_NOMEM || st == EBM_ERR_LIMIT;
    return task->duty == EBMD_FINISH && !s->closed && (st == EBM_ERR_NOMEM || st == EBM_ERR_LIMIT);
}

void ebmd_sched_settled(ebmd_sched *s, const ebmd_task *task, ebm_status st)
{
    ebmd_run *run = task->run;
    bool keep;

    pthread_mutex_lock(&s->lock);
    keep = stays(s, task, st);
    run->in_service = false;
    if (keep) {
        ebmd_run_space_saves(run);
        ebmd_run_tell(run);
        run->held = task->duty == EBMD_FINISH;
        run->retry_at = run->held ? ebmd_clock_ms() + RETRY_MS : 0.0;
    } else {
        take_out(s, run);
        if (!ebmd_run_is_current(s->env, run))
            s->epoch++; /* it may have been the last one with this model */
    }
    pthread_cond_broadcast(&s->more);
    pthread_mutex_unlock(&s->lock);
    if (!keep)
        ebmd_run_free(run);
}

/* --- from outside ------------------------------------------------------------------------- */

void ebmd_sched_poke(ebmd_sched *s)
{
    pthread_mutex_lock(&s->lock);
    s->refused = false;
    pthread_cond_broadcast(&s->more);
    pthread_mutex_unlock(&s->lock);
}

void ebmd_sched_pause(ebmd_sched *s, bool paused)
{
    pthread_mutex_lock(&s->lock);
    s->paused = paused;
    s->refused = false;
    pthread_cond_broadcast(&s->more);
    pthread_mutex_unlock(&s->lock);
}

void ebmd_sched_cancel(ebmd_sched *s, const char *id)
{
    bool here = false;

    pthread_mutex_lock(&s->lock);
    for (ebmd_run *run = s->runs; run; run = run->next) {
        if (strcmp(run->lease.id, id) != 0)
            continue;
        ebmd_run_stop(run);
        here = true;
    }
    s->doomed = s->doomed || !here;
    pthread_cond_broadcast(&s->more);
    pthread_mutex_unlock(&s->lock);
}

void ebmd_sched_forget(ebmd_sched *s, const char *id)
{
    pthread_mutex_lock(&s->lock);
    for (ebmd_run *run = s->runs; run; run = run->next) {
        /* who is in service is ending it right now, or will hear that the lease is lost */
        if (strcmp(run->lease.id, id) == 0 && !run->in_service)
            run->lost = true;
    }
    pthread_cond_broadcast(&s->more);
    pthread_mutex_unlock(&s->lock);
}

void ebmd_sched_models_changed(ebmd_sched *s)
{
    pthread_mutex_lock(&s->lock);
    s->epoch++;
    pthread_cond_broadcast(&s->more);
    pthread_mutex_unlock(&s->lock);
}

void ebmd_sched_close(ebmd_sched *s)
{
    pthread_mutex_lock(&s->lock);
    s->closed = true;
    for (ebmd_run *run = s->runs; run; run = run->next) {
        run->release = true;
        run->retry_at = 0.0; /* the last try is now */
    }
    pthread_cond_broadcast(&s->more);
    pthread_mutex_unlock(&s->lock);
}
