/* A small image classifier: trained on a labelled data set, then used as a ruler. Its penultimate
 * layer is the space in which sets of images are compared (eval.h). Knows pixels and labels; has
 * never heard of energy models. */
#ifndef EBMT_CLASSIFIER_H
#define EBMT_CLASSIFIER_H

#include <stddef.h>
#include <stdint.h>

#include "ebm/status.h"
#include "ebmt/data.h"
#include "ebmt/pool.h"
#include "ebmt/ruler.h"

#define EBMT_CLASSIFIER_FEATURES    64  /* width of the penultimate layer */
#define EBMT_CLASSIFIER_MAX_SIDE    256 /* pixels */
#define EBMT_CLASSIFIER_MAX_CLASSES 256

typedef struct ebmt_classifier ebmt_classifier;

/* What is known of a classifier; written beside its weights. */
typedef struct ebmt_classifier_info {
    int32_t channels, height, width, classes, features;
    float mean[4], std[4]; /* per channel, of the training pixels in [0,1] */
    int32_t epochs;
    uint64_t seed;
    int64_t train_count, test_count;
    double train_accuracy, test_accuracy; /* 0..1; test_accuracy is NaN without test labels */
    char sha256[65];                      /* of the weights file; empty before it is saved */
} ebmt_classifier_info;

typedef struct ebmt_classifier_options {
    int32_t epochs; /* 1..1000 */
    int32_t batch;  /* 16..4096, a multiple of 16 */
    double lr;      /* Adam's step at its highest; falls to 0 along a half cosine */
    uint64_t seed;
    void (*note)(void *user, const char *line); /* progress for humans, may be NULL */
    void *user;
} ebmt_classifier_options;

EBM_API ebmt_classifier_options ebmt_classifier_options_default(void); /* 8, 32, 1e-3, 1 */

/* Trains on `train`, measures on `test` (NULL: not measured). Blocks of 3x3 convolution, 2x2
 * maximum and ReLU until a side is under 8, a ReLU layer of EBMT_CLASSIFIER_FEATURES, a linear
 * layer; cross-entropy, Adam, images moved by up to a pixel. The weights kept are a moving average.
 * Equal data and options give equal bits on one machine, whatever the number of threads.
 * @own *out: ebmt_classifier_free()
 * @err ARG (no labels), RANGE (options), SHAPE (test images of another size), LIMIT, NOMEM,
 *      DIVERGED */
EBM_API EBM_MUST_CHECK ebm_status ebmt_classifier_train(const ebmt_classifier_options *opt,
                                                        const ebmt_dataset *train,
                                                        const ebmt_dataset *test, ebmt_pool *pool,
                                                        ebmt_classifier **out, ebm_error *err);

/* Writes classifier.safetensors, then classifier.json, into an existing directory; sets the
 * digest in the description. @err IO, NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebmt_classifier_save(ebmt_classifier *c, const char *dir,
                                                       ebm_error *err);
/* Reads what was written; nothing in the files is trusted.
 * @own *out: ebmt_classifier_free()
 * @err NOT_FOUND, FORMAT, LIMIT, SHAPE, DIGEST, IO, NOMEM; err->where names file, field or tensor
 */
EBM_API EBM_MUST_CHECK ebm_status ebmt_classifier_open(const char *dir, ebmt_classifier **out,
                                                       ebm_error *err);
EBM_API const ebmt_classifier_info *ebmt_classifier_describe(const ebmt_classifier *c);
/* Refuses images of another shape than it was made for, naming both. @err SHAPE */
EBM_API EBM_MUST_CHECK ebm_status ebmt_classifier_fits(const ebmt_classifier *c,
                                                       const ebmt_dataset *images, ebm_error *err);
EBM_API void ebmt_classifier_free(ebmt_classifier *c); /* NULL allowed */

/* Embeds all images of a set. @own clear with ebmt_embedding_clear()
 * @err SHAPE (images of another size), NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebmt_classifier_embed(const ebmt_classifier *c,
                                                        const ebmt_dataset *images, ebmt_pool *pool,
                                                        ebmt_embedding *out, ebm_error *err);

/* The classifier as a ruler: features are its penultimate layer. Borrows it. */
EBM_API ebmt_ruler ebmt_classifier_ruler(const ebmt_classifier *c);

#endif
