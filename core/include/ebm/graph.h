/* The network as a list of nodes in the order in which they are computed, and the table of its
 * parameters. models/ builds graphs, core runs them, train/ walks them for weight gradients.
 * A graph holds no numbers: parameters are one flat float vector laid out by its tensor table. */
#ifndef EBM_GRAPH_H
#define EBM_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ebm/kernels.h"
#include "ebm/status.h"

#define EBM_TENSOR_NAME_MAX 64
#define EBM_NONE            (-1)

/* Pixels of the largest map with attention: its time grows with their square. */
#define EBM_ATTENTION_MAX_PIXELS 4096

typedef enum ebm_op {
    EBM_OP_INPUT, /* the image, [C,H,W] */
    EBM_OP_CONV,  /* gain*(W*in + bias) + time(t) + residual; in may pass the activation first */
    EBM_OP_POOL,  /* 2x2 average */
    EBM_OP_UP,    /* every pixel of in four times, + residual: the way back from a pool */
    EBM_OP_ATTENTION, /* every pixel's mean of the values, weighted by how its query meets the keys;
                         see ebm_graph_attention() */
    EBM_OP_HEAD /* net = sum_c v_c(t) * sum_hw act_out(in): one number, always the last node; v
                   from the time embedding, or the same for all c: see ebm_graph_head() */
} ebm_op;

/* One parameter tensor: where it lies in the flat vector. */
typedef struct ebm_tensor_info {
    char name[EBM_TENSOR_NAME_MAX];
    int32_t rank;
    int32_t dim[4];
    size_t offset; /* in floats */
    size_t count;
} ebm_tensor_info;

/* One node. Indices of other nodes are smaller than its own; tensor indices point into the
 * tensor table; EBM_NONE marks what a node does not have. */
typedef struct ebm_node {
    ebm_op op;
    int32_t input;      /* node it reads */
    int32_t residual;   /* CONV, UP: node added to the output */
    int32_t key, value; /* ATTENTION: further nodes it reads; the queries are its input */
    bool activated;     /* CONV: reads act(input) instead of input */
    int32_t c, h, w;    /* of its value */
    ebm_conv_shape conv;
    int32_t weight, bias, gain;     /* CONV */
    int32_t time_weight, time_bias; /* CONV: dense layer from the time embedding to its channels;
                                       HEAD: dense layer that makes v(t), or EBM_NONE */
} ebm_node;

typedef struct ebm_graph ebm_graph;

/* What a graph is made of; valid as long as the graph. */
typedef struct ebm_graph_info {
    int32_t n_nodes, n_tensors;
    const ebm_node *nodes;
    const ebm_tensor_info *tensors;
    size_t n_params; /* floats of the flat parameter vector */
    int32_t channels, height, width;
    ebm_act act, act_out; /* inside the network; before the sum of the head */
    float slope;          /* of LEAKY_RELU */
    /* time embedding: temb(t) = W1*act(W0*sincos(t) + b0) + b1, hidden wide */
    int32_t time_dim, time_hidden;
    int32_t temb0_weight, temb0_bias, temb1_weight, temb1_bias;
} ebm_graph_info;

/* What a builder has to say before the first node. */
typedef struct ebm_graph_spec {
    int32_t channels, height, width;
    int32_t time_dim; /* even, at least 4 */
    int32_t time_hidden;
    ebm_act act, act_out;
    float slope;
} ebm_graph_spec;

/* A convolution to add. `name` is the prefix of its tensors: NAME.weight, NAME.bias. */
typedef struct ebm_conv_spec {
    const char *name;
    const char *gain;  /* full tensor name, or NULL */
    const char *timed; /* prefix of the dense layer of the time embedding, or NULL */
    int32_t input;
    int32_t residual; /* EBM_NONE, or a node of the same shape as the result */
    bool activated;
    int32_t c_out, k;
} ebm_conv_spec;

/* Starts a graph; node 0 is the input, the tensors temb0.* and temb1.* exist.
 * @own *out: free with ebm_graph_free()
 * @err RANGE, NOMEM. */
EBM_API EBM_MUST_CHECK ebm_status ebm_graph_create(const ebm_graph_spec *spec, ebm_graph **out,
                                                   ebm_error *err);
/* Each appends a node and stores its index. After an error the graph can only be freed.
 * @err SHAPE (odd sizes, unknown node, residual of another shape), LIMIT, NOMEM. */
EBM_API EBM_MUST_CHECK ebm_status ebm_graph_conv(ebm_graph *g, const ebm_conv_spec *spec,
                                                 int32_t *node, ebm_error *err);
EBM_API EBM_MUST_CHECK ebm_status ebm_graph_pool(ebm_graph *g, int32_t input, int32_t *node,
                                                 ebm_error *err);
/* `residual` has the shape from which a pool makes that of `input`. */
EBM_API EBM_MUST_CHECK ebm_status ebm_graph_up(ebm_graph *g, int32_t input, int32_t residual,
                                               int32_t *node, ebm_error *err);
/* Attention among the pixels of one image. Its layers, and what becomes of the result, are
 * convolutions of their own.
 * @shape query, key, value and the result are [C,H,W]
 * @eq    y_i = sum_j p_ij value_j over pixels j, p_i = softmax_j(query_i.key_j/sqrt(C));
 *        docs/math/energy_network.md
 * @err   LIMIT: more than EBM_ATTENTION_MAX_PIXELS pixels */
EBM_API EBM_MUST_CHECK ebm_status ebm_graph_attention(ebm_graph *g, int32_t query, int32_t key,
                                                      int32_t value, int32_t *node, ebm_error *err);
/* Closes the graph with the head; `timed` is the prefix of the dense layer that makes v(t). NULL: a
 * head without parameters, v_c = -sqrt(step2_t)/C for C channels, which goes with EBM_ACT_SQUARE.
 */
EBM_API EBM_MUST_CHECK ebm_status ebm_graph_head(ebm_graph *g, int32_t input, const char *timed,
                                                 ebm_error *err);
EBM_API const ebm_graph_info *ebm_graph_describe(const ebm_graph *g);
/* Index of a tensor by name, or EBM_NONE. */
EBM_API int32_t ebm_graph_find(const ebm_graph *g, const char *name);
EBM_API void ebm_graph_free(ebm_graph *g); /* NULL allowed */

/* Fills out[dim] with the sinusoidal embedding of level t.
 * @eq half = dim/2, w_j = exp(-ln(10000) j/(half-1)): sin(t w_0..), then cos(t w_0..);
 *     Gao et al. 2021, reference code nn.get_timestep_embedding */
EBM_API void ebm_time_embedding(int32_t t, int32_t dim, float *out);

#endif
