/* Checked size arithmetic, 64-byte aligned blocks, and the arena: many allocations, one free.
 * Anyone may include this. It knows nothing of what is stored. */
#ifndef EBM_MEMORY_H
#define EBM_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#include "ebm/status.h"

/* Alignment of every tensor buffer: one cache line, one AVX-512 register. */
#define EBM_ALIGN 64

/* Stores a+b (a*b) and returns true, or returns false when the result does not fit.
 * All arithmetic on sizes that come from outside goes through these two. */
static inline bool ebm_size_add(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}
static inline bool ebm_size_mul(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

/* Allocates count*size zeroed bytes aligned to EBM_ALIGN.
 * @own free with ebm_free()
 * @err NULL: no memory, or count*size overflows. A count or size of zero gives one byte. */
EBM_API EBM_MUST_CHECK void *ebm_alloc(size_t count, size_t size);
EBM_API void ebm_free(void *block); /* NULL allowed */

typedef struct ebm_arena ebm_arena;

/* Creates an arena that will hand out at most `limit` bytes.
 * @own free with ebm_arena_free(); every block handed out dies with it
 * @thread one thread at a time
 * @err NULL: no memory. */
EBM_API EBM_MUST_CHECK ebm_arena *ebm_arena_create(size_t limit);

/* Takes count*size bytes, zeroed, aligned to 16 bytes.
 * @own lives until ebm_arena_free()
 * @err NULL: limit reached, no memory, or count*size overflows; the arena stays usable. */
EBM_API EBM_MUST_CHECK void *ebm_arena_alloc(ebm_arena *arena, size_t count, size_t size);

/* Copies a string of n bytes (no terminator needed) and terminates it. @err NULL as above. */
EBM_API EBM_MUST_CHECK char *ebm_arena_strndup(ebm_arena *arena, const char *text, size_t n);

/* Bytes handed out so far. */
EBM_API size_t ebm_arena_used(const ebm_arena *arena);

EBM_API void ebm_arena_free(ebm_arena *arena); /* NULL allowed */

#endif
