/* See ebm/team.h. Passes last a millisecond and have some forty steps, so members meet by spinning
 * on one counter; a helper without work goes to sleep, and a member whose core is taken away by
 * others makes the waiting ones yield. */
#include "ebm/team.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "ebm/memory.h"

#define SPINS_BEFORE_YIELD 2000  /* some 20-50 microseconds */
#define YIELDS_BEFORE_NAP  20000 /* of a helper without work */

typedef struct helper {
    ebm_team *team;
    int32_t index;
    pthread_t thread;
} helper;

struct ebm_team {
    int32_t count, started;
    _Alignas(64) atomic_uint runs; /* changes when a run begins */
    _Alignas(64) atomic_uint arrived;
    _Alignas(64) atomic_uint meetings; /* changes when all have arrived */
    atomic_int sleepers;
    bool ending;
    void (*work)(void *user, ebm_share share);
    void *user;
    float *scratch; /* of the helpers, each `scratch_step` floats */
    size_t scratch_step;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    helper helpers[];
};

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* Spins until *value is no longer `old`, at most `yields` times 2000 turns; false: it still is. */
static bool changed(const atomic_uint *value, unsigned old, int32_t yields)
{
    for (int32_t y = 0; y < yields; y++) {
        for (int32_t i = 0; i < SPINS_BEFORE_YIELD; i++) {
            if (atomic_load_explicit(value, memory_order_acquire) != old)
                return true;
            relax();
        }
        sched_yield();
    }
    return atomic_load_explicit(value, memory_order_acquire) != old;
}

void ebm_team_wait(ebm_team *team)
{
    unsigned meeting = atomic_load_explicit(&team->meetings, memory_order_relaxed);
    unsigned before = atomic_fetch_add_explicit(&team->arrived, 1, memory_order_acq_rel);
    if (before + 1 == (unsigned)team->count) {
        atomic_store_explicit(&team->arrived, 0, memory_order_relaxed);
        atomic_store_explicit(&team->meetings, meeting + 1, memory_order_release);
        return;
    }
    while (!changed(&team->meetings, meeting, YIELDS_BEFORE_NAP))
        ;
}

/* Waits for the run after `seen`; asleep if none comes soon. */
static unsigned await_run(ebm_team *team, unsigned seen)
{
    if (!changed(&team->runs, seen, 8)) {
        pthread_mutex_lock(&team->mutex);
        atomic_fetch_add(&team->sleepers, 1);
        while (atomic_load(&team->runs) == seen)
            pthread_cond_wait(&team->wake, &team->mutex);
        atomic_fetch_sub(&team->sleepers, 1);
        pthread_mutex_unlock(&team->mutex);
    }
    return seen + 1;
}

static void *help(void *arg)
{
    const helper *self = arg;
    ebm_team *team = self->team;
    unsigned seen = 0;
    for (;;) {
        seen = await_run(team, seen);
        if (team->ending)
            return NULL;
        team->work(team->user, (ebm_share){.index = self->index, .count = team->count});
        ebm_team_wait(team);
    }
}

/* Lets the helpers see what the caller has written, and wakes those asleep. */
static void begin(ebm_team *team)
{
    atomic_fetch_add(&team->runs, 1);
    if (atomic_load(&team->sleepers) > 0) {
        pthread_mutex_lock(&team->mutex);
        pthread_cond_broadcast(&team->wake);
        pthread_mutex_unlock(&team->mutex);
    }
}

void ebm_team_run(ebm_team *team, void (*work)(void *user, ebm_share share), void *user)
{
    team->work = work;
    team->user = user;
    begin(team);
    work(user, (ebm_share){.index = 0, .count = team->count});
    ebm_team_wait(team);
}

int32_t ebm_team_count(const ebm_team *team)
{
    return team->count;
}

ebm_status ebm_team_reserve(ebm_team *team, size_t floats, ebm_error *err)
{
    const size_t line = EBM_ALIGN / sizeof(float);
    size_t step = 0, all = 0;
    if (floats <= team->scratch_step || team->count == 1)
        return EBM_OK;
    float *scratch = NULL;
    if (ebm_size_add(floats, line - 1, &step) &&
        ebm_size_mul(step / line * line, (size_t)team->count - 1, &all))
        scratch = ebm_alloc(all, sizeof *scratch);
    if (!scratch)
        return ebm_error_set(err, EBM_ERR_NOMEM, "team", "no memory for the scratch of a team");
    ebm_free(team->scratch);
    team->scratch = scratch;
    team->scratch_step = step / line * line;
    return EBM_OK;
}

float *ebm_team_scratch(const ebm_team *team, int32_t member)
{
    return team->scratch + (size_t)(member - 1) * team->scratch_step;
}

ebm_status ebm_team_create(int32_t count, ebm_team **out, ebm_error *err)
{
    ebm_status st = EBM_OK;
    *out = NULL;
    if (count < 1 || count > EBM_TEAM_MAX)
        return ebm_error_set(err, EBM_ERR_RANGE, "team", "must be 1..%d", EBM_TEAM_MAX);
    size_t bytes = sizeof(ebm_team) + (size_t)count * sizeof(helper);
    ebm_team *team = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (!team)
        return ebm_error_set(err, EBM_ERR_NOMEM, "team", "no memory");
    *team = (ebm_team){.count = count, .started = 1};
    pthread_mutex_init(&team->mutex, NULL);
    pthread_cond_init(&team->wake, NULL);
    while (team->started < count && st == EBM_OK) {
        helper *h = &team->helpers[team->started];
        *h = (helper){.team = team, .index = team->started};
        if (pthread_create(&h->thread, NULL, help, h) != 0)
            st = ebm_error_set(err, EBM_ERR_IO, "team", "cannot start a thread");
        else
            team->started++;
    }
    if (st == EBM_OK)
        *out = team;
    else
        ebm_team_free(team);
    return st;
}

void ebm_team_free(ebm_team *team)
{
    if (!team)
        return;
    team->ending = true;
    begin(team);
    for (int32_t i = 1; i < team->started; i++)
        pthread_join(team->helpers[i].thread, NULL);
    pthread_cond_destroy(&team->wake);
    pthread_mutex_destroy(&team->mutex);
    ebm_free(team->scratch);
    free(team);
}
