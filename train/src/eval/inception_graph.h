/* The Inception-v3 network as a list of operations with every size worked out. Knows shapes and
 * tensor names; has never heard of files, images or values. */
#ifndef EBMT_INCEPTION_GRAPH_H
#define EBMT_INCEPTION_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ebm/status.h"
#include "ebmt/inception.h"

#define EBMT_INCEPTION_SIDE 299 /* pixels of the input */
#define EBMT_INCEPTION_OPS  107
#define EBMT_INCEPTION_MAX_WIDTH                                                                   \
    4096 /* channels of one convolution; the network of the field: 448 */

typedef enum ebmt__inception_kind {
    EBMT_INCEPTION_CONV,   /* convolution, bias, ReLU */
    EBMT_INCEPTION_SHRINK, /* maximum of 3x3, stride 2, no padding */
    EBMT_INCEPTION_POOL    /* 3x3, stride 1, same size: what it does is the plan's `pool` */
} ebmt__inception_kind;

/* What a 3x3 pool of stride 1 makes of positions outside the map. */
typedef enum ebmt__inception_pool {
    EBMT_POOL_MEAN_INSIDE, /* mean of those inside: the graph of TensorFlow that FID was made with
                            */
    EBMT_POOL_MEAN_NINE,   /* they are zeros: torchvision */
    EBMT_POOL_MAX /* maximum of those inside: the last block of the same TensorFlow graph */
} ebmt__inception_pool;

/* Maps that live at the same time: input and output of a block, two on the way. */
typedef enum ebmt__inception_map {
    EBMT_MAP_IN,
    EBMT_MAP_OUT,
    EBMT_MAP_A,
    EBMT_MAP_B,
    EBMT_MAP_COUNT
} ebmt__inception_map;

/* One operation. All maps are squares, [side,side,C]; an output is the slice `offset` ..
 * offset+c-1 of the `pitch` channels that its block puts side by side. */
typedef struct ebmt__inception_op {
    char name[40]; /* of the module in torchvision */
    ebmt__inception_kind kind;
    ebmt__inception_pool pool; /* of EBMT_INCEPTION_POOL */
    ebmt__inception_map from, to;
    int32_t kh, kw, stride, pad_h, pad_w;
    int32_t side_in, c_in, side, c;
    int32_t offset, pitch;
    bool last;           /* of its block: OUT becomes the next block's IN */
    size_t weight, bias; /* [kh,kw,c_in,c] and [c], offsets into the parameters */
} ebmt__inception_op;

typedef struct ebmt__inception_plan {
    ebmt__inception_op op[EBMT_INCEPTION_OPS];
    int32_t features;                  /* channels of the last map */
    size_t map_floats[EBMT_MAP_COUNT]; /* room that each map needs */
    size_t columns;                    /* floats of the largest strip of columns */
    size_t n_params;                   /* of the convolutions */
} ebmt__inception_plan;

/* Says how many channels a convolution has, whose other sizes stand in `op`; refuses what does not
 * fit them. */
typedef ebm_status (*ebmt__inception_width)(void *user, const ebmt__inception_op *op,
                                            int32_t *channels, ebm_error *err);

/* Works out all sizes. The widths come from the weights, so that a thinned network is the same
 * graph. @err what `width` says; RANGE: a width outside 1..EBMT_INCEPTION_MAX_WIDTH */
EBM_MUST_CHECK ebm_status ebmt__inception_plan_make(ebmt_inception_graph graph,
                                                    ebmt__inception_width width, void *user,
                                                    ebmt__inception_plan *out, ebm_error *err);

/* Rows of the output that one product computes: a strip's columns stay in the second cache. */
int32_t ebmt__inception_strip(const ebmt__inception_op *op);

#endif
