/* Noise levels and sampling settings as one digest, to know them again in files. */
#ifndef EBMT_LEVELS_KEY_H
#define EBMT_LEVELS_KEY_H

#include "ebm/levels.h"

/* Equal for equal tables and settings only: everything in ebm_levels counts, bit for bit.
 * @shape hex [65] @err NOMEM */
EBM_MUST_CHECK ebm_status ebmt__levels_key(const ebm_levels *levels, char *hex, ebm_error *err);

#endif
