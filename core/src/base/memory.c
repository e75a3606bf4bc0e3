/* Aligned blocks and the arena. Knows sizes; never what is stored. */
#include "ebm/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_ALIGN 16
/* Small requests share a chunk of this size: most requests and jobs fit in a handful. */
#define ARENA_CHUNK 4096

/* Rounds up to a power of two; false when that does not fit. */
static bool round_up(size_t n, size_t align, size_t *out)
{
    if (!ebm_size_add(n, align - 1, out)) {
        return false;
    }
    *out &= ~(align - 1);
    return true;
}

/* Bytes of a request; an empty one still gets an address of its own. */
static bool request_bytes(size_t count, size_t size, size_t *out)
{
    if (!ebm_size_mul(count, size, out)) {
        return false;
    }
    *out += *out == 0;
    return true;
}

void *ebm_alloc(size_t count, size_t size)
{
    size_t bytes, padded;
    if (!request_bytes(count, size, &bytes) || !round_up(bytes, EBM_ALIGN, &padded)) {
        return NULL;
    }
    void *block = aligned_alloc(EBM_ALIGN, padded);
    if (block != NULL) {
        memset(block, 0, padded);
    }
    return block;
}

void ebm_free(void *block)
{
    free(block);
}

typedef struct chunk {
    struct chunk *next;
    size_t size, used;
    _Alignas(ARENA_ALIGN) unsigned char bytes[];
} chunk;

struct ebm_arena {
    size_t limit, used;
    chunk *chunks; /* the first one is where small requests go */
};

ebm_arena *ebm_arena_create(size_t limit)
{
    ebm_arena *arena = calloc(1, sizeof(*arena));
    if (arena != NULL) {
        arena->limit = limit;
    }
    return arena;
}

static chunk *chunk_create(size_t size)
{
    size_t total;
    if (!ebm_size_add(sizeof(chunk), size, &total)) {
        return NULL;
    }
    chunk *c = calloc(1, total);
    if (c != NULL) {
        c->size = size;
    }
    return c;
}

/* A chunk with room for `bytes`. A large request gets a chunk of its own behind the first one, so
 * that the rest of the shared chunk is not thrown away. */
static chunk *chunk_with_room(ebm_arena *arena, size_t bytes)
{
    chunk *first = arena->chunks;
    if (first != NULL && first->size - first->used >= bytes) {
        return first;
    }
    const bool large = bytes > ARENA_CHUNK / 4;
    chunk *c = chunk_create(large ? bytes : ARENA_CHUNK);
    if (c == NULL) {
        return NULL;
    }
    if (large && first != NULL) {
        c->next = first->next;
        first->next = c;
    } else {
        c->next = first;
        arena->chunks = c;
    }
    return c;
}

void *ebm_arena_alloc(ebm_arena *arena, size_t count, size_t size)
{
    size_t bytes, padded, start, end;
    if (!request_bytes(count, size, &bytes) || !round_up(bytes, ARENA_ALIGN, &padded) ||
        !round_up(arena->used, ARENA_ALIGN, &start) || !ebm_size_add(start, bytes, &end) ||
        end > arena->limit) {
        return NULL;
    }
    chunk *c = chunk_with_room(arena, padded);
    if (c == NULL) {
        return NULL;
    }
    void *block = c->bytes + c->used;
    c->used += padded;
    arena->used = end;
    return block;
}

char *ebm_arena_strndup(ebm_arena *arena, const char *text, size_t n)
{
    size_t bytes;
    if (!ebm_size_add(n, 1, &bytes)) {
        return NULL;
    }
    char *copy = ebm_arena_alloc(arena, bytes, 1);
    if (copy != NULL && n > 0) {
        memcpy(copy, text, n);
    }
    return copy;
}

size_t ebm_arena_used(const ebm_arena *arena)
{
    return arena->used;
}

void ebm_arena_free(ebm_arena *arena)
{
    if (arena == NULL) {
        return;
    }
    for (chunk *c = arena->chunks; c != NULL;) {
        chunk *next = c->next;
        free(c);
        c = next;
    }
    free(arena);
}
