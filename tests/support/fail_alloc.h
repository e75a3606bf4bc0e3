/* Counts the allocations of our own code and makes chosen ones fail. Works through the linker
 * (--wrap=malloc and friends, see tests/CMakeLists.txt): calls in our static libraries and in the
 * test itself are seen, those inside shared libraries are not. */
#ifndef FAIL_ALLOC_H
#define FAIL_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

/* Restarts the count at zero and lets every allocation pass. */
void fail_alloc_reset(void);
/* Allocations asked for since the last reset, failed ones included. */
size_t fail_alloc_count(void);
/* Sum of the sizes asked for since the last reset; what was freed is not taken off. */
size_t fail_alloc_bytes(void);

/* Restarts the count; the n-th allocation from now (1 = the next) fails, and with `onward` all
 * that follow it too. */
void fail_alloc_at(size_t n, bool onward);
/* True when an allocation has failed since fail_alloc_at(), or in this round of a loop below. */
bool fail_alloc_hit(void);

/* Runs the block again and again: first with the 1st allocation failing, then with the 2nd, and
 * so on, until a round needs fewer. The last round, where nothing fails, runs too:
 *
 *     FOR_EACH_ALLOC_FAILURE {
 *         ebm_status st = ebm_thing_open(..., &thing, &err);
 *         assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
 *         ebm_thing_free(thing);
 *     }
 *
 * Call fail_alloc_hit() in a statement after the call that is tested: C does not say which of two
 * arguments is evaluated first. Do not `break` out of it: call fail_alloc_reset() first. */
#define FOR_EACH_ALLOC_FAILURE for (fail_alloc_begin(false); fail_alloc_next();)
/* The same, with every later allocation of the round failing as well. */
#define FOR_EACH_ALLOC_FAILURE_ONWARD for (fail_alloc_begin(true); fail_alloc_next();)

void fail_alloc_begin(bool onward);
bool fail_alloc_next(void);

#endif
