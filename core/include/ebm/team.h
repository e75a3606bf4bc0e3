/* A team: a few threads that do one pass together, for the latency of a single chain on an idle
 * machine. Between passes the helpers spin for a moment and then sleep. */
#ifndef EBM_TEAM_H
#define EBM_TEAM_H

#include "ebm/kernels.h"
#include "ebm/status.h"

#define EBM_TEAM_MAX 64

typedef struct ebm_team ebm_team;

/* Starts count-1 helper threads; member 0 is whoever calls ebm_team_run().
 * @range count 1..EBM_TEAM_MAX
 * @own   free with ebm_team_free()
 * @thread one caller at a time
 * @err   RANGE, NOMEM, IO (a thread could not be started) */
EBM_API EBM_MUST_CHECK ebm_status ebm_team_create(int32_t count, ebm_team **out, ebm_error *err);
EBM_API void ebm_team_free(ebm_team *team); /* NULL allowed; not during a run */

EBM_API int32_t ebm_team_count(const ebm_team *team);

/* Sees to it that each helper has scratch of its own of so many floats; a team keeps the most that
 * it was asked for. @thread not during a run @err NOMEM: the team has what it had */
EBM_API EBM_MUST_CHECK ebm_status ebm_team_reserve(ebm_team *team, size_t floats, ebm_error *err);
EBM_API float *ebm_team_scratch(const ebm_team *team, int32_t member); /* member 1..count-1 */

/* Calls work(user, share) on every member at once and returns when all are done. */
EBM_API void ebm_team_run(ebm_team *team, void (*work)(void *user, ebm_share share), void *user);

/* Inside a run: waits until every member has come here. Every member must call it as often as the
 * others do. What was written before is seen by all afterwards. */
EBM_API void ebm_team_wait(ebm_team *team);

#endif
