/* The processes that train one model together. Knows bytes; has never heard of networks. */
#ifndef EBMT_GROUP_H
#define EBMT_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ebm/status.h"

#define EBMT_GROUP_MAX 256 /* processes */

/* NULL is allowed everywhere and means one process alone.
 * @thread all calls from the thread that joined; each is made by all processes, in the same order
 */
typedef struct ebmt_group ebmt_group;

/* Joins the processes that mpirun has started; alone without it, and then nothing is set up.
 * @own *out: ebmt_group_leave()
 * @err UNSUPPORTED (started by mpirun, but this build has no Open MPI), LIMIT (more processes than
 *      EBMT_GROUP_MAX), IO, NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebmt_group_join(ebmt_group **out, ebm_error *err);
/* Ends it. A process that gives up on its own says so with `failed`: it does not wait for the
 * others, and mpirun stops them when it exits. */
EBM_API void ebmt_group_leave(ebmt_group *group, bool failed);

EBM_API int32_t ebmt_group_size(const ebmt_group *group);
EBM_API int32_t ebmt_group_rank(const ebmt_group *group);   /* 0: the leader, who writes files */
EBM_API int32_t ebmt_group_beside(const ebmt_group *group); /* processes on this machine, 1.. */

/* Gives everyone the owner's bytes. @err IO */
EBM_API EBM_MUST_CHECK ebm_status ebmt_group_share(ebmt_group *group, int32_t owner, void *data,
                                                   size_t bytes, ebm_error *err);
/* Combines arrays in which at most one process has other than 0 at each place: bitwise or, so that
 * not a bit of a number changes. @err IO */
EBM_API EBM_MUST_CHECK ebm_status ebmt_group_merge(ebmt_group *group, uint64_t *words, size_t n,
                                                   ebm_error *err);

/* Tells everyone how everyone is: returns `st`, or that of the first process with an error if ours
 * is EBM_OK; *stop (may be NULL) becomes true for all if it was for one. */
EBM_API EBM_MUST_CHECK ebm_status ebmt_group_agree(ebmt_group *group, ebm_status st, bool *stop,
                                                   ebm_error *err);
/* Checks that all have the leader's text. @err ARG naming `what`, IO */
EBM_API EBM_MUST_CHECK ebm_status ebmt_group_check_same(ebmt_group *group, const char *what,
                                                        const char *text, ebm_error *err);

#endif
