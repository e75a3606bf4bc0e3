/* The bytes of a checkpoint: where every part of a job stands.
 * Knows plans and parts; not when checkpoints are written, nor where they are kept. */
#ifndef EBMD_JOB_CHECKPOINT_H
#define EBMD_JOB_CHECKPOINT_H

#include "run/job_run.h"

/* Writes where the run stands. The same run gives the same bytes.
 * @own *bytes: ebm_free() @err NOMEM */
EBM_MUST_CHECK ebm_status ebmd_job_checkpoint_pack(ebmd_run *run, unsigned char **bytes,
                                                   size_t *size, ebm_error *err);
/* Puts a run whose parts are all NEW to where a checkpoint stands. The bytes are hostile; the
 * results of DONE parts have no payload yet. After an error the run may be partly filled:
 * ebmd_job_checkpoint_forget().
 * @err FORMAT: not a checkpoint of this job on this model and this kind of machine, or of kernels
 *      of another class, of which the kind cannot tell (add_class()); NOMEM */
EBM_MUST_CHECK ebm_status ebmd_job_checkpoint_unpack(const void *bytes, size_t size, ebmd_run *run,
                                                     ebm_error *err);
/* Puts all parts back to NEW. */
void ebmd_job_checkpoint_forget(ebmd_run *run);

#endif
