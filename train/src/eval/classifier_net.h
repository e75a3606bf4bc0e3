/* The classifier's network: where its parameters lie, one pass forward, one backward, for a fixed
 * number of images at a time. Knows floats and classes; has never heard of files or data sets. */
#ifndef EBMT_CLASSIFIER_NET_H
#define EBMT_CLASSIFIER_NET_H

#include <stddef.h>
#include <stdint.h>

#include "ebm/io.h"
#include "ebm/status.h"
#include "eval/conv_pool.h"

/* Images that one pass takes. Fixed, because OpenBLAS may sum another shape in another order. */
#define EBMT_NET_IMAGES     16
#define EBMT_NET_MAX_BLOCKS 8
#define EBMT_NET_TENSORS    (2 * EBMT_NET_MAX_BLOCKS + 4)

/* Plan of the network. Offsets are into one vector of parameters, tensors in the order of `tensor`.
 */
typedef struct ebmt__net {
    int32_t n_blocks, features, classes;
    ebmt__conv_pool block[EBMT_NET_MAX_BLOCKS]; /* n = EBMT_NET_IMAGES */
    size_t weight[EBMT_NET_MAX_BLOCKS], bias[EBMT_NET_MAX_BLOCKS];
    size_t flat;                       /* numbers per image that enter the penultimate layer */
    size_t hidden_weight, hidden_bias; /* [flat, features], [features] */
    size_t out_weight, out_bias;       /* [features, classes], [classes] */
    size_t n_params;
} ebmt__net;

/* @range sides 1..EBMT_CLASSIFIER_MAX_SIDE, channels 1..4, classes 2..256, checked by the caller */
void ebmt__net_plan(int32_t channels, int32_t height, int32_t width, int32_t classes,
                    ebmt__net *out);

/* Lists the tensors as safetensors items whose values point into params; names go to `names`.
 * Returns their number. @shape items, names [EBMT_NET_TENSORS] */
size_t ebmt__net_tensors(const ebmt__net *net, const float *params, ebm_st_item *items,
                         char (*names)[32]);

/* Fills parameters: normal weights of variance 2/fan in (He et al. 2015), biases zero. */
void ebmt__net_init(const ebmt__net *net, uint64_t seed, float *params);

/* Scratch of one thread.
 * @shape x [16,H,W,C]; maps[i] output of block i; hidden [16,features]; logits [16,classes] */
typedef struct ebmt__net_scratch {
    float *x, *maps[EBMT_NET_MAX_BLOCKS], *d_maps[EBMT_NET_MAX_BLOCKS];
    ebmt__conv_trace trace[EBMT_NET_MAX_BLOCKS];
    float *hidden, *d_hidden, *logits;
} ebmt__net_scratch;

/* @own clear with ebmt__net_scratch_clear(), also after an error @err NOMEM */
EBM_MUST_CHECK ebm_status ebmt__net_scratch_init(const ebmt__net *net, ebmt__net_scratch *out,
                                                 ebm_error *err);
void ebmt__net_scratch_clear(ebmt__net_scratch *s); /* safe on a zeroed struct */

/* From s->x to s->hidden and s->logits. */
void ebmt__net_forward(const ebmt__net *net, const float *params, ebmt__net_scratch *s);

/* Turns the logits of the last pass into probabilities. @shape probs [16,classes] */
void ebmt__net_softmax(const ebmt__net *net, const ebmt__net_scratch *s, double *probs);

/* Sum over the images of the cross-entropy with the labels; adds its gradient to grad. Uses up the
 * last forward pass. @shape labels [16]; grad [n_params] @unit nats */
double ebmt__net_backward(const ebmt__net *net, const float *params, ebmt__net_scratch *s,
                          const uint8_t *labels, float *grad);

#endif
