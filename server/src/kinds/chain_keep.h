/* A chain that has stopped, as one output of its job: numbers, checkpoint, trace. From these the
 * set is made that a client takes away, or another job goes on with. Knows chains and their bytes;
 * not jobs. */
#ifndef EBMD_CHAIN_KEEP_H
#define EBMD_CHAIN_KEEP_H

#include "kinds/chain_state.h"

/* What stands before trace, checkpoint and receipt of the run. */
typedef struct ebmd_kept {
    uint64_t checkpoint_bytes, rows, receipt_bytes;
    double logp; /* of its image; NaN: not computed */
    int64_t mark[EBMD_SNAPSHOTS_MAX];
    int32_t snapshots, stopped, forked, zero;
    ebmd_chain_slot slot;
} ebmd_kept;

/* Writes chain i of a part. @own out->data @err NOMEM */
EBM_MUST_CHECK ebm_status ebmd_kept_write(const ebmd_chain_layout *l, void *state, int32_t i,
                                          const char *digest, double logp, ebmd_output *out,
                                          ebm_error *err);
/* Reads it; the pointers lie in data. @err FORMAT */
EBM_MUST_CHECK ebm_status ebmd_kept_read(const void *data, size_t size, ebmd_kept *head,
                                         ebm_chain_part *part, ebm_error *err);
/* The trace of a kept chain that was read; it lies in kept->data, which ebm_alloc() has made. */
ebm_trace ebmd_kept_trace(const ebmd_output *kept, const ebm_op_params *run,
                          const ebm_chain_part *part);
/* Reads the receipt of the run that a kept chain belongs to. @err FORMAT, RANGE, ARG, NOMEM */
EBM_MUST_CHECK ebm_status ebmd_kept_receipt(const ebmd_output *kept, ebm_receipt *run, bool *forked,
                                            ebm_error *err);
/* Makes the file of a whole run out of its kept chains, which may have ended under different kernel
 * classes. @shape kept [n] @own *data: ebm_free()
 * @err FORMAT, NOMEM, LIMIT */
EBM_MUST_CHECK ebm_status ebmd_kept_file(const ebmd_output *kept, int32_t n, unsigned char **data,
                                         size_t *size, ebm_error *err);

#endif
