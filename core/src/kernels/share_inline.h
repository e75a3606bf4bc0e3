/* How n equal pieces of work are dealt to the members of a team: contiguous, sizes differ by at
 * most one. */
#ifndef EBM_SHARE_INLINE_H
#define EBM_SHARE_INLINE_H

#include "ebm/kernels.h"

static inline size_t ebm__share_first(size_t n, ebm_share share)
{
    size_t count = (size_t)share.count, index = (size_t)share.index;
    size_t extra = n % count;
    return n / count * index + (index < extra ? index : extra);
}

static inline size_t ebm__share_end(size_t n, ebm_share share)
{
    return ebm__share_first(n, (ebm_share){.index = share.index + 1, .count = share.count});
}

#endif
