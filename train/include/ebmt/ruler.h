/* What sets of images are measured with: something that turns an image into features and class
 * probabilities. Knows data sets; has never heard of the networks behind it. */
#ifndef EBMT_RULER_H
#define EBMT_RULER_H

#include <stdbool.h>
#include <stdint.h>

#include "ebm/status.h"
#include "ebmt/data.h"
#include "ebmt/pool.h"

/* A set of images as a ruler sees it.
 * @shape features [n, dim]; probs [n, classes], rows sum to 1 */
typedef struct ebmt_embedding {
    int64_t n;
    int32_t dim, classes;
    double *features, *probs;
} ebmt_embedding;
EBM_API void ebmt_embedding_clear(ebmt_embedding *e); /* safe on a zeroed struct */

/* Share of the images whose likeliest class is their label. @range labels must be there */
EBM_API double ebmt_embedding_accuracy(const ebmt_embedding *e, const uint8_t *labels);

/* A ruler. @own borrows `self` */
typedef struct ebmt_ruler {
    const char *name; /* static */
    /* its classes are the data set's own, so that shares of them say something, and it is quick
     * enough to look for the nearest of all training images in its features */
    bool of_the_data;
    const void *self;
    /* Embeds all images of a set. @own *out: ebmt_embedding_clear(), zeroed after an error
     * @err SHAPE (images it cannot take), NOMEM */
    ebm_status (*embed)(const void *self, const ebmt_dataset *images, ebmt_pool *pool,
                        ebmt_embedding *out, ebm_error *err);
} ebmt_ruler;

#endif
