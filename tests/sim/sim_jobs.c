/* Drives the job core through random histories: requests, workers, lost heartbeats, late and double
 * completions, clocks that jump, stores that fail or die at any write, restarts. After every step
 * the promises C1-C7 are checked against a plain record of what was promised to whom.
 *
 *     sim_jobs SCHEDULES [FIRST-SEED] [--plants]
 *
 * Each schedule is a function of its seed; a violation prints the seed and what was promised, and
 * `sim_jobs 1 SEED` plays it again. `sim_jobs SCHEDULES 1 --plants` plants one fault after the
 * other and fails unless each is noticed. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ebm/memory.h"
#include "sim_world.h"

static int64_t sim_mono(void *self)
{
    return ((sim *)self)->mono;
}

static int64_t sim_wall(void *self)
{
    return ((sim *)self)->wall;
}

static double sim_uniform(void *self)
{
    return (double)(sim_draw(self) >> 11) / 9007199254740992.0;
}

/* --- what is promised ----------------------------------------------------------------------- */

static bool may_follow(ebmd_job_state from, ebmd_job_state to)
{
    if (from == to)
        return true;
    if (from == EBMD_JOB_QUEUED)
        return true; /* several steps may lie between two looks */
    return from == EBMD_JOB_RUNNING;
}

static void check_part(sim *s, const ebmd_row *row, int32_t part, int64_t expected)
{
    char *data = NULL;
    size_t size;
    int64_t value;

    sim_require(
        s, ebmd_jobs_blob(s->jobs, row->id, EBMD_BLOB_PART, part, &data, &size, NULL) == EBM_OK,
        "C2 a finished job has its result", row->id);
    memcpy(&value, data, sizeof(value));
    ebm_free(data);
    sim_require(s, value == expected, "C3 the result is the undisturbed one", row->id);
}

static void check_result(sim *s, int i, const ebmd_row *row)
{
    const disk_job *d = sim_on_disk(s, row->id);

    if (row->purged)
        return;
    check_part(s, row, 0, RESULT(i));
    if (s->seen[i].early)
        check_part(s, row, 1, -RESULT(i));
    for (int b = 0; b < BLOBS; b++)
        sim_require(s,
                    !d->blob[b].used || d->blob[b].type == EBMD_BLOB_PART ||
                        d->blob[b].type == EBMD_BLOB_DOCUMENT,
                    "C5 nothing is kept for work that is done", row->id);
}

static void check_final(sim *s, int i, const ebmd_row *row)
{
    witness *w = &s->seen[i];

    if (row->state == EBMD_JOB_SUCCEEDED)
        check_result(s, i, row);
    if (strcmp(row->code, "max_attempts") == 0)
        sim_require(s, w->claims_since_save >= s->limits.attempts,
                    "C7 a job is not given up before its attempts are used", row->id);
    if (w->acknowledged_end)
        sim_require(s, row->state == w->final, "C4 a final state never changes", row->id);
    w->acknowledged_end = true;
    w->final = row->state;
}

static void check_job(sim *s, int i)
{
    witness *w = &s->seen[i];
    ebmd_view v;

    if (!w->accepted)
        return;
    if (ebmd_jobs_get(s->jobs, w->id, NULL, &v) != EBM_OK) {
        /* only what has ended, and is old or too much, may be forgotten */
        sim_require(s, w->ended, "C1 an accepted job is there", w->id);
        w->accepted = false;
        return;
    }
    sim_require(s, may_follow(w->last, v.row.state), "C4 states go forward", w->id);
    sim_require(s, v.row.fence >= w->last_fence, "C2 the epoch never goes back", w->id);
    sim_require(s, v.row.attempts <= s->limits.attempts, "C7 attempts are bounded", w->id);
    sim_require(s, w->claims_since_save <= s->limits.attempts, "C7 poison stops", w->id);
    w->last = v.row.state;
    w->last_fence = v.row.fence;
    if (ebmd_job_state_final(v.row.state))
        check_final(s, i, &v.row);
    else
        sim_require(s, !w->acknowledged_end, "C4 what has ended stays so", w->id);
}

static void check_bounds(sim *s)
{
    ebmd_stats stats;

    ebmd_jobs_stats(s->jobs, &stats);
    /* the queue's bound is checked where jobs come in; what lost its lease comes back beyond it */
    sim_require(s, s->behind || stats.rows - stats.queued - stats.running <= s->limits.rows,
                "C5 rows are bounded", "");
}

static void check_all(sim *s)
{
    if (ebmd_jobs_broken(s->jobs))
        return; /* it answers nothing any more; the next start will */
    for (int i = 0; i < s->n_jobs; i++)
        check_job(s, i);
    check_bounds(s);
}

/* --- what happens --------------------------------------------------------------------------- */

static void start_process(sim *s)
{
    const ebmd_env env = {s, sim_mono, sim_wall, sim_uniform};

    s->next_ending = ENDS_WELL;
    s->behind = false;
    sim_require(s, ebmd_jobs_open(&s->limits, &env, &s->backend, &s->jobs, NULL) == EBM_OK,
                "a start succeeds", "");
}

/* kill -9, in the middle of nothing or after a failed write: memory is gone, workers are gone. */
static void restart(sim *s)
{
    for (int i = 0; i < JOBS && s->wall_set; i++)
        s->seen[i].replayable = false; /* its key may have aged by years */
    ebmd_jobs_close(s->jobs);
    s->jobs = NULL;
    memset(s->worker, 0, sizeof(s->worker));
    start_process(s);
}

static void id_of(const sim *s, int i, char id[EBMD_ID_SIZE])
{
    snprintf(id, EBMD_ID_SIZE, "job_%010d%016" PRIu64, i, s->seed % UINT64_C(10000000000));
}

static void spec_of(sim *s, int i, char id[EBMD_ID_SIZE], char idem[EBMD_HEX_SIZE], ebmd_spec *spec)
{
    static const int64_t nothing = 0;

    id_of(s, i, id);
    snprintf(idem, EBMD_HEX_SIZE, "%064x", i);
    *spec = (ebmd_spec){.id = id,
                        .kind = "k",
                        .owner = i % 3 == 0   ? "a"
                                 : i % 3 == 1 ? "b"
                                              : "",
                        .idem = i % 2 ? idem : "",
                        .digest = i % 2 ? idem : "",
                        .created_ms = s->wall > 0 ? s->wall : 1,
                        .timeout_ms = sim_below(s, 5) == 0 ? 1 + sim_below(s, 60000) : 0,
                        .work = 1 + sim_below(s, 1000),
                        .parts = 1,
                        .priority = sim_below(s, EBMD_PRIORITIES),
                        .request = (const char *)&nothing,
                        .request_size = sizeof(nothing),
                        .document = (const char *)&nothing,
                        .document_size = sizeof(nothing)};
}

static bool queue_is_full(sim *s, const ebmd_spec *spec)
{
    int64_t size = (int64_t)(spec->request_size + spec->document_size);
    ebmd_stats stats;

    ebmd_jobs_stats(s->jobs, &stats);
    return stats.queued >= s->limits.queued ||
           (stats.queued > 0 && stats.queued_work + spec->work > s->limits.queued_work) ||
           (stats.queued + stats.running > 0 && stats.live_bytes + size > s->limits.live_bytes);
}

static void accept_new(sim *s, const ebmd_spec *spec)
{
    witness *w = &s->seen[s->n_jobs];
    ebmd_submit_outcome how = EBMD_SUBMIT_FULL;
    bool full = queue_is_full(s, spec);
    char id[EBMD_ID_SIZE];
    ebm_status st;

    memcpy(w->id, spec->id, strlen(spec->id) + 1);
    s->n_jobs++; /* an id is used once, whatever comes of it */
    st = ebmd_jobs_submit(s->jobs, spec, &how, id, NULL);
    if (s->planted == PLANT_NO_BOUND)
        full = s->n_jobs % 3 == 0;
    if (st != EBM_OK)
        return; /* no promise was made */
    sim_require(s, how == (full ? EBMD_SUBMIT_FULL : EBMD_SUBMIT_ACCEPTED), "C6 refused when full",
                spec->id);
    w->accepted = how == EBMD_SUBMIT_ACCEPTED;
    w->replayable = w->accepted && spec->idem[0];
    w->accepted_at = s->mono;
    w->priority = spec->priority;
}

static void do_submit(sim *s)
{
    char id[EBMD_ID_SIZE], idem[EBMD_HEX_SIZE];
    ebmd_spec spec;

    if (s->n_jobs == JOBS)
        return;
    spec_of(s, s->n_jobs, id, idem, &spec);
    accept_new(s, &spec);
}

/* The same key again: the same job, never a second one; with another body a conflict. */
static void do_replay(sim *s)
{
    int i = s->n_jobs > 0 ? sim_below(s, s->n_jobs) : 0;
    char id[EBMD_ID_SIZE], idem[EBMD_HEX_SIZE], got[EBMD_ID_SIZE] = "";
    bool other_body = sim_below(s, 2) == 0;
    ebmd_submit_outcome how = EBMD_SUBMIT_FULL;
    ebmd_spec spec;

    if (s->n_jobs == 0 || !s->seen[i].accepted || !s->seen[i].replayable ||
        s->mono - s->seen[i].accepted_at >= s->limits.idem_ttl_ms / 2)
        return;
    spec_of(s, i, id, idem, &spec);
    id[10] = '9'; /* the draft of a new id */
    if (other_body)
        spec.digest = "";
    if (ebmd_jobs_submit(s->jobs, &spec, &how, got, NULL) != EBM_OK)
        return;
    sim_require(s, how == (other_body ? EBMD_SUBMIT_CONFLICT : EBMD_SUBMIT_REPLAYED),
                "C2 one key, one job", s->seen[i].id);
    sim_require(s, strcmp(got, s->seen[i].id) == 0, "C2 the replay is the same job", got);
}

static void do_claim(sim *s)
{
    sim_worker *w = &s->worker[sim_below(s, WORKERS)];
    ebmd_wish wish = {.above_priority = sim_below(s, 2) ? -1 : sim_below(s, 10),
                      .below_work = sim_below(s, 2) ? INT64_MAX : sim_below(s, 1000)};
    ebmd_view v;
    int64_t value = 0;
    char *data = NULL;
    size_t size;

    if (w->busy)
        return; /* a worker that has vanished is replaced by do_vanish() */
    if (ebmd_jobs_claim(s->jobs, &wish, &w->lease, NULL) != EBM_OK)
        return;
    w->busy = true;
    w->job = sim_index_of(s, w->lease.id);
    sim_require(s, w->job >= 0, "C1 only accepted jobs run", w->lease.id);
    sim_require(s, ebmd_jobs_get(s->jobs, w->lease.id, NULL, &v) == EBM_OK && v.row.attempts > 0,
                "C4 a claim counts", w->lease.id);
    sim_require(s, !s->seen[w->job].cancel_acknowledged || w->lease.cancel_requested,
                "C4 a canceled job is claimed to be ended", w->lease.id);
    w->done = 0;
    if (w->lease.has_checkpoint) {
        sim_require(s,
                    ebmd_jobs_blob(s->jobs, w->lease.id, EBMD_BLOB_CHECKPOINT, 0, &data, &size,
                                   NULL) == EBM_OK,
                    "C2 a row and its blobs change together", w->lease.id);
        memcpy(&value, data, sizeof(value));
        ebm_free(data);
        w->done = value;
    }
}

static sim_worker *busy_worker(sim *s)
{
    sim_worker *w = &s->worker[sim_below(s, WORKERS)];

    return w->busy ? w : NULL;
}

/* Is this lease the current one, by what the core itself shows? */
static bool holds(sim *s, const sim_worker *w)
{
    ebmd_view v;

    return ebmd_jobs_get(s->jobs, w->lease.id, NULL, &v) == EBM_OK &&
           v.row.state == EBMD_JOB_RUNNING && v.row.fence == w->lease.fence;
}

static void refresh_if_planted(sim *s, sim_worker *w)
{
    ebmd_view v;

    if (s->planted == PLANT_NO_FENCE && ebmd_jobs_get(s->jobs, w->lease.id, NULL, &v) == EBM_OK)
        w->lease.fence = v.row.fence;
}

static void do_heartbeat(sim *s)
{
    sim_worker *w = busy_worker(s);
    ebmd_progress p = {.fraction = 0.5};
    ebmd_beat_verdict verdict;
    bool held;

    if (!w)
        return;
    held = holds(s, w);
    refresh_if_planted(s, w);
    verdict = ebmd_jobs_heartbeat(s->jobs, &w->lease, &p);
    sim_require(s, held || verdict == EBMD_LOST, "C2 a lost lease is told", w->lease.id);
    if (verdict == EBMD_LOST)
        w->busy = sim_below(s, 2) == 0; /* some do not listen and go on */
}

static void do_save(sim *s)
{
    sim_worker *w = busy_worker(s);
    int64_t value, early = w ? -RESULT(w->job) : 0;
    const ebmd_blob blobs[] = {{EBMD_BLOB_CHECKPOINT, 0, &value, sizeof(value)},
                               {EBMD_BLOB_PART, 1, &early, sizeof(early)}};
    ebmd_save save = {.blobs = blobs, .n_blobs = 1, .release = sim_below(s, 2) == 0};
    ebm_status st;
    bool held;

    if (!w)
        return;
    value = ++w->done;
    save.n_blobs += !s->seen[w->job].early && sim_below(s, 2) ? 1 : 0;
    held = holds(s, w);
    refresh_if_planted(s, w);
    st = ebmd_jobs_save(s->jobs, &w->lease, &save, NULL);
    sim_require(s, held || st != EBM_OK, "C2 a late checkpoint changes nothing", w->lease.id);
    if (st == EBM_OK && save.release)
        w->busy = false;
}

static void do_finish(sim *s)
{
    sim_worker *w = busy_worker(s);
    int64_t value = w ? RESULT(w->job) : 0;
    const ebmd_blob blob = {EBMD_BLOB_PART, 0, &value, sizeof(value)};
    ebmd_outcome o = {.state = EBMD_JOB_SUCCEEDED, .code = "", .blobs = &blob, .n_blobs = 1};
    ebm_status st;
    bool held;

    if (!w)
        return;
    if (sim_below(s, 6) == 0)
        o = (ebmd_outcome){.state = EBMD_JOB_FAILED, .code = "diverged"};
    held = holds(s, w);
    refresh_if_planted(s, w);
    st = ebmd_jobs_finish(s->jobs, &w->lease, &o, NULL);
    sim_require(s, held || st != EBM_OK, "C2 a late result changes nothing", w->lease.id);
    if (st == EBM_OK && sim_below(s, 3) == 0) /* and once more, as after a lost answer */
        sim_require(s, ebmd_jobs_finish(s->jobs, &w->lease, &o, NULL) == EBM_ERR_BAD_STATE,
                    "C2 a result is given once", w->lease.id);
    if (st == EBM_OK || sim_below(s, 2) == 0)
        w->busy = false; /* otherwise it tries again later, lease or not */
}

static void do_cancel(sim *s)
{
    int i = s->n_jobs > 0 ? sim_below(s, s->n_jobs) : 0;
    ebmd_view v;

    if (s->n_jobs == 0 || sim_below(s, 3) != 0 ||
        ebmd_jobs_cancel(s->jobs, s->seen[i].id, NULL, &v, NULL) != EBM_OK)
        return;
    sim_require(s, v.row.state != EBMD_JOB_QUEUED || v.row.bytes[EBMD_BLOB_CHECKPOINT] > 0,
                "C4 cancel ends what waits and has nothing to keep", s->seen[i].id);
    if (!ebmd_job_state_final(v.row.state))
        sim_require(s, v.row.cancel_requested, "C4 cancel is noted", s->seen[i].id);
    s->seen[i].cancel_acknowledged = true;
}

static void do_forget(sim *s)
{
    int i = s->n_jobs > 0 ? sim_below(s, s->n_jobs) : 0;
    ebmd_view v;

    if (s->n_jobs == 0 || sim_below(s, 6) != 0 ||
        ebmd_jobs_forget(s->jobs, s->seen[i].id, NULL, NULL) != EBM_OK)
        return;
    sim_require(s,
                ebmd_jobs_get(s->jobs, s->seen[i].id, NULL, &v) == EBM_OK && v.row.purged &&
                    ebmd_job_state_final(v.row.state),
                "C4 what is forgotten has ended", s->seen[i].id);
    s->seen[i].cancel_acknowledged = true;
}

static void do_time(sim *s)
{
    static const int64_t leaps[] = {1, 50, 1000, 20000, 40000, 400000, 3000000};
    int64_t leap = leaps[sim_below(s, 7)];

    s->mono += leap;
    s->wall += leap;
    if (sim_below(s, 4) == 0) { /* somebody sets the wall clock */
        s->wall += (int64_t)(sim_draw(s) % UINT64_C(20000000000)) - INT64_C(10000000000);
        s->wall_set = true;
    }
    if (s->wall < 1)
        s->wall = 1;
}

static void do_sweep(sim *s)
{
    bool sound = s->next_ending == ENDS_WELL;

    if (ebmd_jobs_sweep(s->jobs, NULL) == EBM_OK && sound)
        s->behind = false;
}

static void do_vanish(sim *s)
{
    s->worker[sim_below(s, WORKERS)].busy = false; /* without a word */
}

static void do_store_trouble(sim *s)
{
    s->next_ending = (ending)(1 + sim_below(s, 3)); /* for the next write */
}

static void do_restart(sim *s)
{
    if (sim_below(s, 4) == 0)
        restart(s);
}

static void (*const actions[])(sim *) = {
    do_submit, do_submit, do_submit, do_claim,  do_claim,   do_claim,         do_heartbeat,
    do_save,   do_finish, do_finish, do_cancel, do_replay,  do_time,          do_time,
    do_sweep,  do_sweep,  do_vanish, do_save,   do_restart, do_store_trouble, do_forget,
};

/* After the storm: with honest workers and a sound disk everything accepted comes to an end. */
static void settle(sim *s)
{
    ebmd_stats stats;

    restart(s);
    ebmd_jobs_stats(s->jobs, &stats);
    for (int round = 0; round < 40 * JOBS && stats.queued + stats.running > 0; round++) {
        sim_worker *w = &s->worker[0];
        ebmd_wish any = {.above_priority = -1, .below_work = INT64_MAX};

        s->mono += 1000;
        if (ebmd_jobs_sweep(s->jobs, NULL) != EBM_OK)
            sim_violated(s, "a sound store works", "");
        if (ebmd_jobs_claim(s->jobs, &any, &w->lease, NULL) == EBM_OK) {
            int64_t value = RESULT(sim_index_of(s, w->lease.id));
            const ebmd_blob blob = {EBMD_BLOB_PART, 0, &value, sizeof(value)};
            ebmd_outcome o = {
                .state = EBMD_JOB_SUCCEEDED, .code = "", .blobs = &blob, .n_blobs = 1};

            sim_require(s, ebmd_jobs_finish(s->jobs, &w->lease, &o, NULL) == EBM_OK,
                        "an honest worker's result counts", w->lease.id);
        }
        check_all(s);
        ebmd_jobs_stats(s->jobs, &stats);
    }
    sim_require(s, stats.queued == 0 && stats.running == 0, "C1 every accepted job comes to an end",
                "");
}

static void act(sim *s)
{
    actions[sim_below(s, (int)(sizeof(actions) / sizeof(actions[0])))](s);
}

/* C9: after the first failure of the disk nothing is written any more. */
static void act_broken(sim *s)
{
    static disk_job before[JOBS];

    memcpy(before, s->disk, sizeof(before));
    for (int i = sim_below(s, 4); i > 0 && ebmd_jobs_broken(s->jobs); i--) {
        act(s);
        sim_require(s, !ebmd_jobs_broken(s->jobs) || memcmp(before, s->disk, sizeof(before)) == 0,
                    "C9 a failed store is left alone", "");
    }
}

static void play(sim *s)
{
    start_process(s);
    for (s->step = 0; s->step < STEPS; s->step++) {
        act(s);
        if (ebmd_jobs_broken(s->jobs))
            act_broken(s);
        if (ebmd_jobs_broken(s->jobs))
            restart(s); /* C9: the process ends and another one starts */
        check_all(s);
    }
    settle(s);
}

static bool schedule(uint64_t seed, plant planted, bool loud)
{
    static sim s; /* static, so that longjmp() cannot lose it */
    static bool ok;

    ok = true;
    memset(&s, 0, sizeof(s));
    s.backend.ops = &sim_ops;
    s.backend.durable = true;
    s.state = s.seed = seed;
    s.planted = planted;
    s.mono = 1000 + (int64_t)(sim_draw(&s) % 1000);
    s.wall = INT64_C(1700000000000);
    s.limits = (ebmd_limits){.queued = 2 + sim_draw(&s) % 8,
                             .queued_work = 500 + (int64_t)(sim_draw(&s) % 5000),
                             .live_bytes = 10 + (int64_t)(sim_draw(&s) % 200),
                             .rows = 3 + sim_draw(&s) % 12,
                             .bytes = 1000,
                             .lease_ms = 30000,
                             .result_ttl_ms = 600000,
                             .tombstone_ttl_ms = 6000000,
                             .idem_ttl_ms = 86400000,
                             .attempts = 3};
    if (setjmp(s.violation) == 0) {
        play(&s);
    } else {
        ok = false;
        if (loud)
            fprintf(stderr, "seed %" PRIu64 ", step %d: %s\n", seed, s.step, s.why);
    }
    ebmd_jobs_close(s.jobs);
    s.jobs = NULL;
    return ok;
}

static int run_plants(uint64_t schedules)
{
    int missed = 0;

    for (int p = PLANT_NONE + 1; p < PLANT_COUNT; p++) {
        uint64_t found = 0, seed = 0;

        for (; seed < schedules && found == 0; seed++)
            found = schedule(seed + 1, (plant)p, false) ? 0 : seed + 1;
        printf("planted %d: %s after %" PRIu64 " schedules\n", p, found ? "found" : "NOT FOUND",
               seed);
        missed += found ? 0 : 1;
    }
    return missed;
}

int main(int argc, char **argv)
{
    uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000;
    uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    uint64_t bad = 0;

    if (argc > 3 && strcmp(argv[3], "--plants") == 0)
        return run_plants(count) > 0;
    for (uint64_t i = 0; i < count && bad < 10; i++)
        bad += schedule(first + i, PLANT_NONE, true) ? 0 : 1;
    printf("%" PRIu64 " schedules from seed %" PRIu64 ", %" PRIu64 " with a broken promise\n",
           count, first, bad);
    return bad > 0;
}
