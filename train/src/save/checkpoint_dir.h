/* The checkpoints of a directory, by their names: which there are, where one lies, which go. Knows
 * files; has never heard of what is in them. */
#ifndef EBMT_CHECKPOINT_DIR_H
#define EBMT_CHECKPOINT_DIR_H

#include <stddef.h>
#include <stdint.h>

#include "ebm/status.h"

typedef struct ebmt__checkpoint_list {
    int64_t *iteration; /* newest first */
    size_t n, room;
} ebmt__checkpoint_list;

/* Adds those of a directory to a list of none. @own list->iteration: ebm_free(), also after an
 * error
 * @err NOT_FOUND (no such directory), IO, NOMEM */
EBM_MUST_CHECK ebm_status ebmt__checkpoints_list(const char *dir, ebmt__checkpoint_list *list,
                                                 ebm_error *err);

/* Where that of an iteration lies. @own *path: ebm_free() @err NOMEM */
EBM_MUST_CHECK ebm_status ebmt__checkpoint_path(const char *dir, int64_t iteration, char **path,
                                                ebm_error *err);

/* Removes all but the two newest up to `iteration`. Files of later iterations are not ours to
 * judge. A file that cannot be removed costs room, nothing else, so errors are ignored. */
void ebmt__checkpoints_remove_old(const char *dir, int64_t iteration);

/* Stores the iteration of the newest checkpoint file of DIR, whole or not, or -1 if there is
 * none; a directory that does not exist has none. @err IO, NOMEM */
EBM_MUST_CHECK ebm_status ebmt__checkpoint_newest(const char *dir, int64_t *iteration,
                                                  ebm_error *err);

/* Removes what writers that were killed have left half written in DIR: a checkpoint each, for large
 * networks hundreds of megabytes. Only for a directory in which nobody else writes. What cannot be
 * removed costs room, nothing else. */
void ebmt__checkpoint_sweep(const char *dir);

#endif
