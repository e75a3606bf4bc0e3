/* The inside of an Inception network, for the files that load and apply it. */
#ifndef EBMT_INCEPTION_INTERNAL_H
#define EBMT_INCEPTION_INTERNAL_H

#include "ebmt/inception.h"
#include "eval/inception_graph.h"

struct ebmt_inception {
    ebmt_inception_info info;
    ebmt__inception_plan plan;
    float *params;              /* [plan.n_params] */
    float *fc_weight, *fc_bias; /* [classes, features], [classes] */
};

/* Writes image `index` as the network wants it. @shape x [299,299,3] @err NOMEM */
EBM_MUST_CHECK ebm_status ebmt__inception_image(ebmt_inception_input input,
                                                const ebmt_dataset *images, int64_t index, float *x,
                                                ebm_error *err);

/* Logits from features. @shape features [features], logits [classes] */
void ebmt__inception_logits(const ebmt_inception *net, const float *features, float *logits);

#endif
