/* Runs the six tile instructions that the kernels use on a CPU without AMX: they fault, and a
 * handler does what Intel's manual says they do. Slow, exact, for tests alone. */
#ifndef EBM_TEST_AMX_EMULATOR_H
#define EBM_TEST_AMX_EMULATOR_H

#include "ebm/kernels.h"

/* The set amx for a CPU that can run everything of it but the tiles, with the emulator installed.
 * NULL where the CPU has tiles itself, or lacks the rest. Tiles belong to the calling thread. */
const ebm_kernels *emulated_amx(void);

#endif
