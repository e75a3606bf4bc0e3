/* The two clocks. Durations come from the one that never jumps, time stamps from the other. */
#ifndef EBMD_CLOCK_H
#define EBMD_CLOCK_H

#include <stdint.h>

/* @unit milliseconds since some fixed moment */
double ebmd_clock_ms(void);
/* @unit Unix milliseconds */
int64_t ebmd_clock_wall_ms(void);

#endif
