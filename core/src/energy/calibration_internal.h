/* What the files of calibration share. */
#ifndef EBM__CALIBRATION_INTERNAL_H
#define EBM__CALIBRATION_INTERNAL_H

#include "ebm/calibration.h"

/* Allocates zeroed tables. @own ebm_calibration_clear() @err NOMEM */
EBM_MUST_CHECK ebm_status ebm__calibration_init(int32_t levels, ebm_calibration *out,
                                                ebm_error *err);

#endif
