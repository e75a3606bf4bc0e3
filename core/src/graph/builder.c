/* Builds graphs: appends nodes, registers their tensors, checks that shapes fit. */
#include "ebm/graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ebm/io.h"
#include "ebm/memory.h"

#define MAX_NODES    4096
#define MAX_TENSORS  EBM_SAFETENSORS_MAX_TENSORS /* a model is a file of them */
#define MAX_SIDE     1024
#define MAX_CHANNELS 65536
#define MAX_PARAMS   ((size_t)1 << 31)

struct ebm_graph {
    ebm_graph_info info;
    ebm_node *nodes;
    ebm_tensor_info *tensors;
    bool closed; /* the head is there */
};

/* Grows *array so that one more element fits; capacity doubles from 16. */
static bool reserve_one(void **array, int32_t used, size_t element)
{
    if (used != 0 && (used < 16 || (used & (used - 1)) != 0))
        return true;
    size_t bytes, capacity = used < 16 ? 16 : 2 * (size_t)used;
    if (!ebm_size_mul(capacity, element, &bytes))
        return false;
    void *bigger = realloc(*array, bytes);
    if (!bigger)
        return false;
    *array = bigger;
    return true;
}

static void sync_info(ebm_graph *g)
{
    g->info.nodes = g->nodes;
    g->info.tensors = g->tensors;
}

/* Registers a tensor of up to four dimensions (0 ends the list) and stores its index. */
static ebm_status add_tensor(ebm_graph *g, const char *name, const int32_t dim[4], int32_t *index,
                             ebm_error *err)
{
    size_t count = 1;
    int32_t rank = 0;
    while (rank < 4 && dim[rank] > 0) {
        if (!ebm_size_mul(count, (size_t)dim[rank], &count))
            return ebm_error_set(err, EBM_ERR_LIMIT, name, "tensor is too large");
        rank++;
    }
    if (g->info.n_tensors >= MAX_TENSORS || count > MAX_PARAMS - g->info.n_params)
        return ebm_error_set(err, EBM_ERR_LIMIT, name, "the network has too many parameters");
    if (strlen(name) >= EBM_TENSOR_NAME_MAX || ebm_graph_find(g, name) != EBM_NONE)
        return ebm_error_set(err, EBM_ERR_ARG, name, "tensor name is too long or taken");
    if (!reserve_one((void **)&g->tensors, g->info.n_tensors, sizeof *g->tensors))
        return ebm_error_set(err, EBM_ERR_NOMEM, name, "no memory for the tensor table");
    ebm_tensor_info *t = &g->tensors[g->info.n_tensors];
    *t = (ebm_tensor_info){.rank = rank, .offset = g->info.n_params, .count = count};
    memcpy(t->dim, dim, sizeof t->dim);
    snprintf(t->name, sizeof t->name, "%s", name);
    *index = g->info.n_tensors++;
    g->info.n_params += count;
    sync_info(g);
    return EBM_OK;
}

/* Registers PREFIX.weight with the given dimensions and PREFIX.bias [dim[0]]. */
static ebm_status add_layer(ebm_graph *g, const char *prefix, const int32_t dim[4], int32_t *weight,
                            int32_t *bias, ebm_error *err)
{
    char name[EBM_TENSOR_NAME_MAX];
    const int32_t bias_dim[4] = {dim[0], 0, 0, 0};
    snprintf(name, sizeof name, "%.55s.weight", prefix);
    ebm_status st = add_tensor(g, name, dim, weight, err);
    if (st != EBM_OK)
        return st;
    snprintf(name, sizeof name, "%.55s.bias", prefix);
    return add_tensor(g, name, bias_dim, bias, err);
}

static ebm_status add_node(ebm_graph *g, const ebm_node *node, int32_t *index, ebm_error *err)
{
    if (g->info.n_nodes >= MAX_NODES)
        return ebm_error_set(err, EBM_ERR_LIMIT, "graph", "the network has too many nodes");
    if (!reserve_one((void **)&g->nodes, g->info.n_nodes, sizeof *g->nodes))
        return ebm_error_set(err, EBM_ERR_NOMEM, "graph", "no memory for the node list");
    g->nodes[g->info.n_nodes] = *node;
    *index = g->info.n_nodes++;
    sync_info(g);
    return EBM_OK;
}

static const ebm_node *node_at(const ebm_graph *g, int32_t i)
{
    return i >= 0 && i < g->info.n_nodes && !g->closed ? &g->nodes[i] : NULL;
}

static ebm_node blank_node(ebm_op op, int32_t input)
{
    return (ebm_node){.op = op,
                      .input = input,
                      .residual = EBM_NONE,
                      .key = EBM_NONE,
                      .value = EBM_NONE,
                      .weight = EBM_NONE,
                      .bias = EBM_NONE,
                      .gain = EBM_NONE,
                      .time_weight = EBM_NONE,
                      .time_bias = EBM_NONE};
}

static ebm_status check_spec(const ebm_graph_spec *s, ebm_error *err)
{
    if (s->channels < 1 || s->channels > MAX_CHANNELS || s->height < 1 || s->height > MAX_SIDE ||
        s->width < 1 || s->width > MAX_SIDE)
        return ebm_error_set(err, EBM_ERR_RANGE, "image", "image size must be 1..%d", MAX_SIDE);
    if (s->time_dim < 4 || s->time_dim > MAX_CHANNELS || s->time_dim % 2 != 0 ||
        s->time_hidden < 1 || s->time_hidden > MAX_CHANNELS)
        return ebm_error_set(err, EBM_ERR_RANGE, "ch",
                             "time embedding must be even, at least 4, at most %d", MAX_CHANNELS);
    return EBM_OK;
}

ebm_status ebm_graph_create(const ebm_graph_spec *spec, ebm_graph **out, ebm_error *err)
{
    *out = NULL;
    ebm_status st = check_spec(spec, err);
    if (st != EBM_OK)
        return st;
    ebm_graph *g = calloc(1, sizeof *g);
    if (!g)
        return ebm_error_set(err, EBM_ERR_NOMEM, "graph", "no memory");
    g->info = (ebm_graph_info){.channels = spec->channels,
                               .height = spec->height,
                               .width = spec->width,
                               .act = spec->act,
                               .act_out = spec->act_out,
                               .slope = spec->slope,
                               .time_dim = spec->time_dim,
                               .time_hidden = spec->time_hidden};
    ebm_node input = blank_node(EBM_OP_INPUT, EBM_NONE);
    input.c = spec->channels;
    input.h = spec->height;
    input.w = spec->width;
    int32_t index;
    const int32_t dim0[4] = {spec->time_hidden, spec->time_dim, 0, 0};
    const int32_t dim1[4] = {spec->time_hidden, spec->time_hidden, 0, 0};
    ebm_graph_info *info = &g->info;
    st = add_node(g, &input, &index, err);
    if (st == EBM_OK)
        st = add_layer(g, "temb0", dim0, &info->temb0_weight, &info->temb0_bias, err);
    if (st == EBM_OK)
        st = add_layer(g, "temb1", dim1, &info->temb1_weight, &info->temb1_bias, err);
    if (st == EBM_OK)
        *out = g;
    else
        ebm_graph_free(g);
    return st;
}

/* The dense layer from the time embedding to `channels` values. */
static ebm_status add_timed(ebm_graph *g, const char *prefix, int32_t channels, ebm_node *n,
                            ebm_error *err)
{
    const int32_t dim[4] = {channels, g->info.time_hidden, 0, 0};
    return add_layer(g, prefix, dim, &n->time_weight, &n->time_bias, err);
}

static bool same_shape(const ebm_node *a, const ebm_node *b)
{
    return a->c == b->c && a->h == b->h && a->w == b->w;
}

ebm_status ebm_graph_conv(ebm_graph *g, const ebm_conv_spec *spec, int32_t *node, ebm_error *err)
{
    const ebm_node *in = node_at(g, spec->input);
    if (!in || spec->c_out < 1 || spec->c_out > MAX_CHANNELS || (spec->k != 1 && spec->k != 3))
        return ebm_error_set(err, EBM_ERR_SHAPE, spec->name, "convolution does not fit its input");
    ebm_node n = blank_node(EBM_OP_CONV, spec->input);
    n.residual = spec->residual;
    n.activated = spec->activated;
    n.c = spec->c_out;
    n.h = in->h;
    n.w = in->w;
    n.conv =
        (ebm_conv_shape){.c_in = in->c, .c_out = spec->c_out, .h = in->h, .w = in->w, .k = spec->k};
    if (spec->residual != EBM_NONE) {
        const ebm_node *residual = node_at(g, spec->residual);
        if (!residual || !same_shape(residual, &n))
            return ebm_error_set(err, EBM_ERR_SHAPE, spec->name, "residual has another shape");
    }
    const int32_t dim[4] = {spec->c_out, n.conv.c_in, spec->k, spec->k};
    const int32_t gain_dim[4] = {spec->c_out, 0, 0, 0};
    ebm_status st = add_layer(g, spec->name, dim, &n.weight, &n.bias, err);
    if (st == EBM_OK && spec->timed)
        st = add_timed(g, spec->timed, spec->c_out, &n, err);
    if (st == EBM_OK && spec->gain)
        st = add_tensor(g, spec->gain, gain_dim, &n.gain, err);
    return st == EBM_OK ? add_node(g, &n, node, err) : st;
}

ebm_status ebm_graph_pool(ebm_graph *g, int32_t input, int32_t *node, ebm_error *err)
{
    const ebm_node *in = node_at(g, input);
    if (!in || in->h < 2 || in->w < 2)
        return ebm_error_set(err, EBM_ERR_SHAPE, "pool", "the map is too small to be halved");
    ebm_node n = blank_node(EBM_OP_POOL, input);
    n.c = in->c;
    n.h = in->h / 2;
    n.w = in->w / 2;
    return add_node(g, &n, node, err);
}

ebm_status ebm_graph_up(ebm_graph *g, int32_t input, int32_t residual, int32_t *node,
                        ebm_error *err)
{
    const ebm_node *in = node_at(g, input), *large = node_at(g, residual);
    if (!in || !large || in->c != large->c || in->h != large->h / 2 || in->w != large->w / 2)
        return ebm_error_set(err, EBM_ERR_SHAPE, "up", "the map is not half the size of the other");
    ebm_node n = blank_node(EBM_OP_UP, input);
    n.residual = residual;
    n.c = large->c;
    n.h = large->h;
    n.w = large->w;
    return add_node(g, &n, node, err);
}

ebm_status ebm_graph_attention(ebm_graph *g, int32_t query, int32_t key, int32_t value,
                               int32_t *node, ebm_error *err)
{
    const ebm_node *q = node_at(g, query), *k = node_at(g, key), *v = node_at(g, value);
    if (!q || !k || !v || !same_shape(q, k) || !same_shape(q, v))
        return ebm_error_set(err, EBM_ERR_SHAPE, "attention",
                             "queries, keys and values are not of one shape");
    if (q->h * q->w > EBM_ATTENTION_MAX_PIXELS)
        return ebm_error_set(err, EBM_ERR_LIMIT, "attention", "the map has more than %d pixels",
                             EBM_ATTENTION_MAX_PIXELS);
    ebm_node n = blank_node(EBM_OP_ATTENTION, query);
    n.key = key;
    n.value = value;
    n.c = q->c;
    n.h = q->h;
    n.w = q->w;
    return add_node(g, &n, node, err);
}

static bool reads(const ebm_node *n, int32_t i)
{
    return n->input == i || n->residual == i || n->key == i || n->value == i;
}

/* The backward pass gives every node the gradient that its readers left. */
static ebm_status check_all_read(const ebm_graph *g, ebm_error *err)
{
    const int32_t last = g->info.n_nodes - 1;
    for (int32_t i = 0; i < last; i++) {
        int32_t reader = i + 1;
        while (reader <= last && !reads(&g->nodes[reader], i))
            reader++;
        if (reader > last)
            return ebm_error_set(err, EBM_ERR_SHAPE, "graph", "node %d is read by nobody", (int)i);
    }
    return EBM_OK;
}

ebm_status ebm_graph_head(ebm_graph *g, int32_t input, const char *timed, ebm_error *err)
{
    const ebm_node *in = node_at(g, input);
    if (!in)
        return ebm_error_set(err, EBM_ERR_SHAPE, timed, "the head has no input");
    ebm_node n = blank_node(EBM_OP_HEAD, input);
    n.c = n.h = n.w = 1;
    ebm_status st = timed ? add_timed(g, timed, in->c, &n, err) : EBM_OK;
    int32_t index;
    if (st == EBM_OK)
        st = add_node(g, &n, &index, err);
    if (st == EBM_OK)
        st = check_all_read(g, err);
    if (st == EBM_OK)
        g->closed = true;
    return st;
}

const ebm_graph_info *ebm_graph_describe(const ebm_graph *g)
{
    return &g->info;
}

int32_t ebm_graph_find(const ebm_graph *g, const char *name)
{
    for (int32_t i = 0; i < g->info.n_tensors; i++)
        if (strcmp(g->tensors[i].name, name) == 0)
            return i;
    return EBM_NONE;
}

void ebm_graph_free(ebm_graph *g)
{
    if (!g)
        return;
    free(g->nodes);
    free(g->tensors);
    free(g);
}
