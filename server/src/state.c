/* The daemon's phase, see state.h. */
#include "state.h"

#include <stdint.h>
#include <unistd.h>

ebmd_phase ebmd_state_get(const ebmd_state *state)
{
    return (ebmd_phase)atomic_load(&state->phase);
}

void ebmd_state_set(ebmd_state *state, ebmd_phase phase)
{
    int old = atomic_load(&state->phase);
    uint64_t one = 1;

    while (old != EBMD_BROKEN && !atomic_compare_exchange_weak(&state->phase, &old, (int)phase))
        ;
    /* an eventfd takes eight bytes or is already readable; either way the reader wakes */
    if (phase == EBMD_BROKEN && write(state->wake_fd, &one, sizeof(one)) != (ssize_t)sizeof(one))
        return;
}
