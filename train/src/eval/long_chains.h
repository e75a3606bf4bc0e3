/* Long chains on any density, for the file that runs them on a model and for tests that know the
 * truth. Has never heard of networks or files. */
#ifndef EBMT_LONG_CHAINS_H
#define EBMT_LONG_CHAINS_H

#include "ebm/levels.h"
#include "ebm/sampler.h"
#include "ebmt/eval.h"

/* What the chains live on.
 * @shape density [threads of the pool], all of one law, each used by one thread at a time
 * @own   borrows all; like: the size of an image, nothing else of it is read */
typedef struct ebmt__long_ground {
    const ebm_density *density;
    const ebm_levels *levels;
    const ebmt_dataset *like;
    const char *sha256, *kernel_class; /* of the model, 64 hex digits; for checkpoints */
} ebmt__long_ground;

/* ebmt_long_chains() on that ground; same bounds and errors. */
EBM_MUST_CHECK ebm_status ebmt__long_chains_run(const ebmt__long_ground *ground,
                                                const ebmt_long_options *opt, ebmt_long_report *out,
                                                ebm_error *err);

#endif
