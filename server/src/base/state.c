/* The daemon's phase, see state.h. */
#include "base/state.h"

#include <stdint.h>
#include <unistd.h>

ebmd_phase ebmd_state_get(const ebmd_state *state)
{
    return (ebmd_phase)atomic_load(&state->phase);
}

/* An eventfd takes eight bytes or is already readable; either way the reader wakes. */
static void wake(const ebmd_state *state)
{
    uint64_t one = 1;

    if (write(state->wake_fd, &one, sizeof(one)) != (ssize_t)sizeof(one))
        return;
}

void ebmd_state_set(ebmd_state *state, ebmd_phase phase)
{
    int old = atomic_load(&state->phase);

    while (old != EBMD_BROKEN && !atomic_compare_exchange_weak(&state->phase, &old, (int)phase))
        ;
    if (phase == EBMD_BROKEN)
        wake(state);
}

void ebmd_state_ask_stop(ebmd_state *state)
{
    atomic_store(&state->stop, true);
    wake(state);
}

bool ebmd_state_stop_asked(const ebmd_state *state)
{
    return atomic_load(&state->stop);
}

void ebmd_state_set_hung(ebmd_state *state, bool hung)
{
    atomic_store(&state->hung, hung);
}

bool ebmd_state_hung(const ebmd_state *state)
{
    return atomic_load(&state->hung);
}
