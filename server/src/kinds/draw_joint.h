/* Images made of all images of a job: sprite sheet, animation, ensemble maps.
 * Knows PNG and pixels; not chains or jobs. */
#ifndef EBMD_DRAW_JOINT_H
#define EBMD_DRAW_JOINT_H

#include "kinds/op_plan.h"

#define EBMD_JOINT_MAX 7

typedef struct ebmd_joint {
    ebma_joint_image image[EBMD_JOINT_MAX];
    unsigned char *png[EBMD_JOINT_MAX]; /* the bytes of image[] */
    size_t n;
} ebmd_joint;

/* Makes those that the request asks for out of the finished parts.
 * @own ebmd_joint_clear(), also after an error @err NOMEM, LIMIT (a sheet too wide) */
EBM_MUST_CHECK ebm_status ebmd_joint_make(const ebmd_op *op, const ebmd_result *results, int32_t n,
                                          ebmd_joint *out, ebm_error *err);
void ebmd_joint_clear(ebmd_joint *j);

#endif
