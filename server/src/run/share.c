/* Shares of owners, see share.h. */
#include "run/share.h"

#include <string.h>

#include "ebm/memory.h"

static ebmd_share *add(ebmd_share **list, const char *owner, double used_ms)
{
    ebmd_share *share = ebm_alloc(1, sizeof(*share));
    size_t n = strlen(owner);

    if (!share || n >= sizeof(share->owner)) {
        ebm_free(share);
        return NULL;
    }
    memcpy(share->owner, owner, n + 1);
    share->used_ms = used_ms;
    share->next = *list;
    *list = share;
    return share;
}

ebmd_share *ebmd_share_take(ebmd_share **list, const char *owner)
{
    double least = -1.0;
    ebmd_share *share = *list;

    while (share && strcmp(share->owner, owner) != 0) {
        if (least < 0.0 || share->used_ms < least)
            least = share->used_ms;
        share = share->next;
    }
    if (!share)
        share = add(list, owner, least > 0.0 ? least : 0.0);
    if (share)
        share->jobs++;
    return share;
}

void ebmd_share_drop(ebmd_share **list, ebmd_share *share)
{
    if (--share->jobs > 0)
        return;
    while (*list != share)
        list = &(*list)->next;
    *list = share->next;
    ebm_free(share);
}
