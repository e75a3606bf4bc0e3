/* Whether a run may be continued with this configuration. */
#ifndef EBMT_CONFIG_COMPARE_H
#define EBMT_CONFIG_COMPARE_H

#include <stdbool.h>
#include <stdint.h>

#include "ebm/status.h"

/* What the checkpoint's configuration tells beside. */
typedef struct ebmt__saved {
    bool same_kernels;  /* of the same class; on another machine they may be others */
    int64_t iterations; /* how long the run was to be */
    char init_sha256[65];
} ebmt__saved;

/* Compares two texts of ebmt_config_to_json(): all but the number of iterations and the kernel
 * class has to be equal, or to mean the same; and init_sha256 may be empty now. *out is filled in
 * unless a text is not readable.
 * @err ARG: the text names the fields that differ, with both values; FORMAT, NOMEM */
EBM_MUST_CHECK ebm_status ebmt__config_compare(const char *saved, const char *now, ebmt__saved *out,
                                               ebm_error *err);

#endif
