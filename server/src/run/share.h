/* What each owner of open jobs has been given, so that the scheduler can be fair between owners.
 * Knows names and times; not jobs. The scheduler's lock guards it. */
#ifndef EBMD_SHARE_H
#define EBMD_SHARE_H

#include <stddef.h>

#include "store/jobrow.h"

typedef struct ebmd_share {
    struct ebmd_share *next;
    char owner[EBMD_OWNER_SIZE];
    double used_ms;
    size_t jobs; /* open ones */
} ebmd_share;

/* Counts one more open job of an owner. One who had none starts level with the one who has had the
 * least: time that was not asked for is not saved up.
 * @own ebmd_share_drop(), once for each call @err NULL: no memory */
ebmd_share *ebmd_share_take(ebmd_share **list, const char *owner);
void ebmd_share_drop(ebmd_share **list, ebmd_share *share);

#endif
