/* The Inception-v3 network that FID, KID and Inception Score are defined with, as a ruler. The
 * weights are the user's (tools/convert_inception.py). Knows images; has never heard of energy
 * models or of distances. */
#ifndef EBMT_INCEPTION_H
#define EBMT_INCEPTION_H

#include "ebm/status.h"
#include "ebmt/ruler.h"

typedef struct ebmt_inception ebmt_inception;

/* Which graph the weights are for. Szegedy et al. 2016 (arXiv 1512.00567) is common to both. */
typedef enum ebmt_inception_graph {
    EBMT_INCEPTION_FID,        /* TensorFlow's of 2015-12-05, of Heusel et al. 2017: means over
                                  windows leave out what lies outside, the last block pools by the
                                  maximum, class logits without bias (Salimans et al. 2016) */
    EBMT_INCEPTION_TORCHVISION /* windows count zeros outside; logits with bias */
} ebmt_inception_graph;

/* What becomes of an image of bytes u before the network sees it: 299x299, three channels (gray
 * three times, alpha left out), values in about [-1,1]. */
typedef enum ebmt_inception_input {
    EBMT_INCEPTION_BILINEAR,  /* u/127.5 - 1, bilinear between pixel centres, no antialiasing: as
                                 torch's interpolate(align_corners=False) */
    EBMT_INCEPTION_ANTIALIAS, /* the same with antialias=True: differs for images over 299 pixels */
    EBMT_INCEPTION_TF1        /* (u-128)/128, bilinear with the first pixels' centres lined up: what
                                 TensorFlow's graph does by itself */
} ebmt_inception_input;
#define EBMT_INCEPTION_INPUTS 3

/* Name as flags and reports spell it. @own static */
EBM_API const char *ebmt_inception_graph_name(ebmt_inception_graph graph);
EBM_API const char *ebmt_inception_input_name(ebmt_inception_input input);

typedef struct ebmt_inception_info {
    ebmt_inception_graph graph;
    ebmt_inception_input input;
    int32_t features, classes;
    char sha256[65]; /* of the weights file */
} ebmt_inception_info;

/* Reads weights: a safetensors file of at most 256 MiB with torchvision's tensor names
 * (X.conv.weight, X.bn.weight, .bias, .running_mean, .running_var for each convolution X;
 * fc.weight, fc.bias), no others, and "graph": "fid" or "torchvision" in its metadata. Any numbers
 * of channels that fit together will do. Batch normalisation (epsilon 0.001) becomes part of the
 * weights, in double.
 * @own *out: ebmt_inception_free()
 * @err NOT_FOUND, FORMAT, LIMIT, SHAPE, RANGE, IO, NOMEM; err->where names file or tensor */
EBM_API EBM_MUST_CHECK ebm_status ebmt_inception_open(const char *path, ebmt_inception_input input,
                                                      ebmt_inception **out, ebm_error *err);
EBM_API const ebmt_inception_info *ebmt_inception_describe(const ebmt_inception *net);
EBM_API void ebmt_inception_free(ebmt_inception *net); /* NULL allowed */

/* The ruler: features are the mean of the last map (pool3), probabilities those of fc. An image's
 * numbers are the same bits in any set and on any number of threads. Borrows the network. */
EBM_API ebmt_ruler ebmt_inception_ruler(const ebmt_inception *net);

#endif
