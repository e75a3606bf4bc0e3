/* What the files of this shelf share. */
#ifndef EBM_SCHEDULE_INTERNAL_H
#define EBM_SCHEDULE_INTERNAL_H

#include "ebm/levels.h"

#define EBM__MAX_STEPS 10000

/* Fills scale and tether from a: y = a_{t+1} x_t, tied to x_{t+1}, but at the top scale 1 and no
 * tether, since x_T holds next to nothing of the image.
 * @eq Gao et al. 2021, reference code model.py a_s_prev, is_recovery */
void ebm__levels_recovery(ebm_levels *levels);

#endif
