/* The allocator wrappers behind fail_alloc.h; the linker sends every malloc of ours here. */
#include "fail_alloc.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

/* Names are the linker's: --wrap=f turns calls of f into __wrap_f and keeps f as __real_f. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
int __real_posix_memalign(void **out, size_t align, size_t size);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);
int __wrap_posix_memalign(void **out, size_t align, size_t size);

static atomic_size_t n_calls;
static atomic_size_t n_bytes;
static atomic_size_t fail_at; /* 0 = never */
static atomic_bool fail_onward;
static atomic_bool was_hit;
static size_t round_number; /* of the loop; 0 before the first */

static bool must_fail(size_t bytes)
{
    atomic_fetch_add(&n_bytes, bytes);
    const size_t call = atomic_fetch_add(&n_calls, 1) + 1;
    const size_t at = atomic_load(&fail_at);
    if (at == 0 || call < at || (call > at && !atomic_load(&fail_onward))) {
        return false;
    }
    atomic_store(&was_hit, true);
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return must_fail(size) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return must_fail(count * size) ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *block, size_t size)
{
    return must_fail(size) ? NULL : __real_realloc(block, size);
}

void *__wrap_aligned_alloc(size_t align, size_t size)
{
    return must_fail(size) ? NULL : __real_aligned_alloc(align, size);
}

int __wrap_posix_memalign(void **out, size_t align, size_t size)
{
    return must_fail(size) ? ENOMEM : __real_posix_memalign(out, align, size);
}

void fail_alloc_at(size_t n, bool onward)
{
    atomic_store(&fail_at, 0);
    atomic_store(&n_calls, 0);
    atomic_store(&n_bytes, 0);
    atomic_store(&was_hit, false);
    atomic_store(&fail_onward, onward);
    atomic_store(&fail_at, n);
}

void fail_alloc_reset(void)
{
    fail_alloc_at(0, false);
}

size_t fail_alloc_count(void)
{
    return atomic_load(&n_calls);
}

size_t fail_alloc_bytes(void)
{
    return atomic_load(&n_bytes);
}

bool fail_alloc_hit(void)
{
    return atomic_load(&was_hit);
}

void fail_alloc_begin(bool onward)
{
    fail_alloc_at(0, onward);
    round_number = 0;
}

bool fail_alloc_next(void)
{
    const bool onward = atomic_load(&fail_onward);
    if (round_number > 0 && !fail_alloc_hit()) {
        fail_alloc_reset();
        return false;
    }
    round_number++;
    fail_alloc_at(round_number, onward);
    return true;
}
