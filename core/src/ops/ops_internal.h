/* What the sources of this shelf share. */
#ifndef EBM__OPS_INTERNAL_H
#define EBM__OPS_INTERNAL_H

#include "ebm/params.h"

/* Checks the rows of all traces of a run whose chains take `steps` steps each.
 * @err RANGE: they would not fit into memory; err->where is "thin" */
EBM_MUST_CHECK ebm_status ebm__trace_rows_check(const ebm_op_params *params, int64_t steps,
                                                ebm_error *err);

#endif
