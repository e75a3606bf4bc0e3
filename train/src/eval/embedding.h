/* What every ruler needs to fill an embedding. Knows arrays only. */
#ifndef EBMT_EVAL_EMBEDDING_H
#define EBMT_EVAL_EMBEDDING_H

#include "ebmt/ruler.h"

/* Makes room for n points. @own *out: ebmt_embedding_clear(), also after an error @err NOMEM */
EBM_MUST_CHECK ebm_status ebmt__embedding_init(int64_t n, int32_t dim, int32_t classes,
                                               ebmt_embedding *out, ebm_error *err);

/* Probabilities of one row of logits, in double. @shape logits, probs [classes] */
void ebmt__softmax(const float *logits, int32_t classes, double *probs);

#endif
