/* Timed conditions, see timedcond.h. */
#include "base/timedcond.h"

#include <time.h>

bool ebmd_timedcond_init(ebmd_timedcond *c)
{
    pthread_condattr_t attr;
    bool ok;

    if (pthread_condattr_init(&attr) != 0)
        return false;
    ok = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 &&
         pthread_cond_init(&c->cond, &attr) == 0;
    pthread_condattr_destroy(&attr);
    if (ok && pthread_mutex_init(&c->lock, NULL) != 0) {
        pthread_cond_destroy(&c->cond);
        ok = false;
    }
    return ok;
}

void ebmd_timedcond_clear(ebmd_timedcond *c)
{
    pthread_cond_destroy(&c->cond);
    pthread_mutex_destroy(&c->lock);
}

struct timespec ebmd_timedcond_in(double ms)
{
    struct timespec t;
    long ns;

    clock_gettime(CLOCK_MONOTONIC, &t);
    ns = t.tv_nsec + (long)((ms - 1e3 * (double)(time_t)(ms / 1e3)) * 1e6);
    t.tv_sec += (time_t)(ms / 1e3) + ns / 1000000000L;
    t.tv_nsec = ns % 1000000000L;
    return t;
}

bool ebmd_timedcond_wait(ebmd_timedcond *c, const struct timespec *until)
{
    return pthread_cond_timedwait(&c->cond, &c->lock, until) == 0;
}
