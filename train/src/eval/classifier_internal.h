/* The inside of a classifier, for the files that train, store and apply it. */
#ifndef EBMT_CLASSIFIER_INTERNAL_H
#define EBMT_CLASSIFIER_INTERNAL_H

#include "ebmt/classifier.h"
#include "eval/classifier_net.h"

struct ebmt_classifier {
    ebmt_classifier_info info;
    ebmt__net net;
    float *params; /* [net.n_params] */
};

/* Makes a classifier of the sizes in info with all parameters zero.
 * @err RANGE (a size outside its bounds; err->where names it), NOMEM */
EBM_MUST_CHECK ebm_status ebmt__classifier_create(const ebmt_classifier_info *info,
                                                  ebmt_classifier **out, ebm_error *err);

/* By how much an image is moved on its way in, in pixels; its border pixels fill the gap. */
typedef struct ebmt__shift {
    int32_t down, right;
} ebmt__shift;

/* Writes image `index`, moved, standardised by the classifier's mean and std. @shape x [H,W,C] */
void ebmt__classifier_input(const ebmt_classifier *c, const ebmt_dataset *images, int64_t index,
                            ebmt__shift shift, float *x);

/* OpenBLAS on one thread per caller: our pool owns the parallelism, and bits must not depend on
 * it. Call before the pool starts; calling twice is harmless. */
void ebmt__blas_single_thread(void);

#endif
