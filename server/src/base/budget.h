/* A number of bytes that all requests together may hold. Knows numbers; not what they are held for.
 */
#ifndef EBMD_BUDGET_H
#define EBMD_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define EBMD_BODIES_MAX  (64u << 20)  /* bytes of all bodies that are being read or understood */
#define EBMD_REPLIES_MAX (256u << 20) /* bytes of all large replies that are being sent */
#define EBMD_REPLY_SMALL (256u << 10) /* replies up to this are bounded by the connections */

typedef struct ebmd_budget {
    atomic_size_t used;
    size_t max;
} ebmd_budget;

/* Takes n more bytes, or none. budget NULL: there is no limit. @thread any */
static inline bool ebmd_budget_take(ebmd_budget *budget, size_t n)
{
    if (!budget)
        return true;
    if (atomic_fetch_add(&budget->used, n) + n <= budget->max)
        return true;
    atomic_fetch_sub(&budget->used, n);
    return false;
}

static inline void ebmd_budget_give(ebmd_budget *budget, size_t n)
{
    if (budget)
        atomic_fetch_sub(&budget->used, n);
}

#endif
