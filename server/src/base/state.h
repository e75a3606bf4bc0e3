/* Where the daemon is in its life, readable from every thread. */
#ifndef EBMD_STATE_H
#define EBMD_STATE_H

#include <stdatomic.h>
#include <stdbool.h>

typedef enum ebmd_phase {
    EBMD_STARTING,
    EBMD_READY,
    EBMD_LEAVING,  /* serving as before, but probes are told to send nobody any more */
    EBMD_DRAINING, /* finishing what was accepted, taking nothing new */
    EBMD_BROKEN    /* the store failed: nothing may be accepted, the process will end */
} ebmd_phase;

typedef struct ebmd_state {
    atomic_int phase;
    atomic_bool stop; /* somebody asked for the end otherwise than by a signal */
    atomic_bool hung; /* a worker does not come back */
    int wake_fd;      /* eventfd that makes the main thread look again */
} ebmd_state;

ebmd_phase ebmd_state_get(const ebmd_state *state);
/* Moves on; BROKEN is final. Wakes the main thread when it becomes BROKEN. */
void ebmd_state_set(ebmd_state *state, ebmd_phase phase);
/* Asks for what SIGTERM asks for; once is enough. Wakes the main thread. */
void ebmd_state_ask_stop(ebmd_state *state);
bool ebmd_state_stop_asked(const ebmd_state *state);
/* Whether a worker hangs: then the process is not alive to those who ask, and can be replaced. */
void ebmd_state_set_hung(ebmd_state *state, bool hung);
bool ebmd_state_hung(const ebmd_state *state);

#endif
