/* One image through the Inception network. Knows floats; has never heard of files or pixels. */
#ifndef EBMT_INCEPTION_PASS_H
#define EBMT_INCEPTION_PASS_H

#include "eval/inception_graph.h"

/* Scratch of one thread. @shape maps[i] [plan->map_floats[i]]; columns [plan->columns] */
typedef struct ebmt__inception_scratch {
    float *maps[EBMT_MAP_COUNT];
    float *columns;
} ebmt__inception_scratch;

/* @own clear with ebmt__inception_scratch_clear(), also after an error @err NOMEM */
EBM_MUST_CHECK ebm_status ebmt__inception_scratch_init(const ebmt__inception_plan *plan,
                                                       ebmt__inception_scratch *out,
                                                       ebm_error *err);
void ebmt__inception_scratch_clear(ebmt__inception_scratch *s); /* safe on a zeroed struct */

/* A map that has just been computed, for a test that looks layer by layer.
 * @shape values [side,side,pitch], of which the first c count */
typedef struct ebmt__inception_view {
    const char *name; /* of torchvision's module, or of the block that is whole now */
    const float *values;
    int32_t side, c, pitch;
} ebmt__inception_view;
typedef void (*ebmt__inception_tap)(void *user, const ebmt__inception_view *view);

/* From the image in s->maps[EBMT_MAP_IN] to the mean of the last map. One image, one shape: its
 * bits depend on nothing else. tap may be NULL.
 * @shape params [plan->n_params]; features [plan->features]; the image [299,299,3] in about [-1,1]
 */
void ebmt__inception_pass(const ebmt__inception_plan *plan, const float *params,
                          ebmt__inception_scratch *s, ebmt__inception_tap tap, void *user,
                          float *features);

#endif
