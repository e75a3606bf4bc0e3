/* Condition variables whose time-outs are measured on the clock that never jumps. Knows nothing of
 * what is waited for. */
#ifndef EBMD_TIMEDCOND_H
#define EBMD_TIMEDCOND_H

#include <pthread.h>
#include <stdbool.h>

/* A lock and its condition. @own ebmd_timedcond_clear() @err false: no memory */
typedef struct ebmd_timedcond {
    pthread_mutex_t lock;
    pthread_cond_t cond;
} ebmd_timedcond;
bool ebmd_timedcond_init(ebmd_timedcond *c);
void ebmd_timedcond_clear(ebmd_timedcond *c);

/* The moment in so many milliseconds, for the next call. */
struct timespec ebmd_timedcond_in(double ms);
/* Waits with the lock held. @err false: it is that late */
bool ebmd_timedcond_wait(ebmd_timedcond *c, const struct timespec *until);

#endif
