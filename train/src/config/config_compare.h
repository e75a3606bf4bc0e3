/* Whether a run may be continued with this configuration. */
#ifndef EBMT_CONFIG_COMPARE_H
#define EBMT_CONFIG_COMPARE_H

#include <stdbool.h>

#include "ebm/status.h"

/* Compares two texts of ebmt_config_to_json(): all but the number of iterations and the kernel
 * class has to be equal. *same_kernels: whether the latter is; on another machine it may not be.
 * @err ARG: the text names the fields that differ, with both values; FORMAT, NOMEM */
EBM_MUST_CHECK ebm_status ebmt__config_compare(const char *saved, const char *now,
                                               bool *same_kernels, ebm_error *err);

#endif
