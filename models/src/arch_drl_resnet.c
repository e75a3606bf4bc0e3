/* The residual energy network of diffusion recovery likelihood, and what it has in common with the
 * other residual networks.
 * @eq Gao et al. 2021, appendix; reference code network.py. Tensor names are those that a PyTorch
 *     state dict of the same network has. */
#include "arch.h"

#include <stdio.h>

#define MAX_CH          1024
#define MAX_BLOCKS      64
#define MAX_MULT        ((int32_t)(sizeof((ebm_network_config *)0)->ch_mult / sizeof(int32_t)))
#define NAME_MAX_LENGTH 56

/* Where we are while stacking blocks. */
typedef struct stack {
    ebm_graph *g;
    const char *part; /* first part of the tensors' names: "levels", "up" */
    int32_t k;        /* side of every kernel */
    int32_t node;     /* the last node */
    int32_t channels;
    int32_t end[MAX_MULT]; /* the last node of each resolution on the way down */
} stack;

/* Maps halve from one resolution to the next; the one with attention has to be among them. */
static ebm_status check_attention(const ebmm__resnet *kind, const ebm_network_config *c,
                                  ebm_error *err)
{
    int32_t level = 0;
    if (c->attention == 0)
        return EBM_OK;
    if (!kind->pooled)
        return ebm_error_set(err, EBM_ERR_RANGE, "/network/attention",
                             "%s takes no attention: must be 0", c->architecture);
    while (level < c->n_mult && c->height >> level != c->attention)
        level++;
    if (level == c->n_mult)
        return ebm_error_set(err, EBM_ERR_RANGE, "/network/attention",
                             "no maps of the network are %d pixels high", (int)c->attention);
    if ((int64_t)(c->width >> level) * c->attention > EBM_ATTENTION_MAX_PIXELS)
        return ebm_error_set(err, EBM_ERR_RANGE, "/network/attention",
                             "maps of this height have more than %d pixels",
                             EBM_ATTENTION_MAX_PIXELS);
    return EBM_OK;
}

static ebm_status check(const ebmm__resnet *kind, const ebm_network_config *c, ebm_error *err)
{
    if (c->ch < 4 || c->ch > MAX_CH || c->ch % 2 != 0)
        return ebm_error_set(err, EBM_ERR_RANGE, "/network/ch", "must be even, 4..%d", MAX_CH);
    if (c->n_mult < 1 || c->n_mult > MAX_MULT)
        return ebm_error_set(err, EBM_ERR_RANGE, "/network/ch_mult", "needs 1..8 entries");
    for (int32_t i = 0; i < c->n_mult; i++)
        if (c->ch_mult[i] < 1 || c->ch_mult[i] > 64)
            return ebm_error_set(err, EBM_ERR_RANGE, "/network/ch_mult", "entries must be 1..64");
    if (c->num_res_blocks < 1 || c->num_res_blocks > MAX_BLOCKS)
        return ebm_error_set(err, EBM_ERR_RANGE, "/network/num_res_blocks", "must be 1..%d",
                             MAX_BLOCKS);
    if (c->activation != EBM_ACT_LEAKY_RELU && c->activation != EBM_ACT_SILU)
        return ebm_error_set(err, EBM_ERR_RANGE, "/network/activation",
                             "must be leaky_relu or silu");
    if (!(c->leaky_slope >= 0.0f && c->leaky_slope <= 1.0f))
        return ebm_error_set(err, EBM_ERR_RANGE, "/network/leaky_slope", "must be 0..1");
    return check_attention(kind, c, err);
}

/* h + gain*conv2(act(conv1(act(h)) + time)), with a convolution on the way past when the number
 * of channels changes. */
static ebm_status res_block(stack *s, int32_t level, int32_t block, int32_t c_out, ebm_error *err)
{
    char conv1[NAME_MAX_LENGTH], conv2[NAME_MAX_LENGTH], temb[NAME_MAX_LENGTH];
    char gain[NAME_MAX_LENGTH], shortcut[NAME_MAX_LENGTH];
    snprintf(conv1, sizeof conv1, "%s.%d.%d.conv1", s->part, (int)level, (int)block);
    snprintf(conv2, sizeof conv2, "%s.%d.%d.conv2", s->part, (int)level, (int)block);
    snprintf(temb, sizeof temb, "%s.%d.%d.temb", s->part, (int)level, (int)block);
    snprintf(gain, sizeof gain, "%s.%d.%d.gain", s->part, (int)level, (int)block);
    snprintf(shortcut, sizeof shortcut, "%s.%d.%d.shortcut", s->part, (int)level, (int)block);

    int32_t past = s->node, inner = EBM_NONE;
    const ebm_conv_spec first = {.name = conv1,
                                 .timed = temb,
                                 .input = s->node,
                                 .residual = EBM_NONE,
                                 .activated = true,
                                 .c_out = c_out,
                                 .k = s->k};
    const ebm_conv_spec around = {
        .name = shortcut, .input = s->node, .residual = EBM_NONE, .c_out = c_out, .k = s->k};
    ebm_status st = ebm_graph_conv(s->g, &first, &inner, err);
    if (st == EBM_OK && c_out != s->channels)
        st = ebm_graph_conv(s->g, &around, &past, err);
    if (st != EBM_OK)
        return st;
    const ebm_conv_spec second = {.name = conv2,
                                  .gain = gain,
                                  .input = inner,
                                  .residual = past,
                                  .activated = true,
                                  .c_out = c_out,
                                  .k = s->k};
    s->channels = c_out;
    return ebm_graph_conv(s->g, &second, &s->node, err);
}

/* One 1x1 layer of an attention. */
static ebm_status attention_layer(stack *s, const char *prefix, const char *layer,
                                  const ebm_conv_spec *spec, int32_t *node, ebm_error *err)
{
    char name[NAME_MAX_LENGTH];
    ebm_conv_spec named = *spec;
    snprintf(name, sizeof name, "%.40s.%.8s", prefix, layer);
    named.name = name;
    named.c_out = s->channels;
    named.k = 1;
    return ebm_graph_conv(s->g, &named, node, err);
}

/* h + proj(attention(q(h), k(h), v(h))) */
static ebm_status attention_block(stack *s, int32_t level, int32_t block, ebm_error *err)
{
    const ebm_conv_spec of_h = {.input = s->node, .residual = EBM_NONE};
    char prefix[NAME_MAX_LENGTH];
    int32_t q, k, v, mean = EBM_NONE;
    snprintf(prefix, sizeof prefix, "%s.%d.%d.attention", s->part, (int)level, (int)block);
    ebm_status st = attention_layer(s, prefix, "q", &of_h, &q, err);
    if (st == EBM_OK)
        st = attention_layer(s, prefix, "k", &of_h, &k, err);
    if (st == EBM_OK)
        st = attention_layer(s, prefix, "v", &of_h, &v, err);
    if (st == EBM_OK)
        st = ebm_graph_attention(s->g, q, k, v, &mean, err);
    if (st != EBM_OK)
        return st;
    const ebm_conv_spec back = {.input = mean, .residual = s->node};
    return attention_layer(s, prefix, "proj", &back, &s->node, err);
}

/* The blocks of one resolution. */
static ebm_status stack_blocks(const ebm_network_config *c, stack *s, int32_t level, ebm_error *err)
{
    ebm_status st = EBM_OK;
    for (int32_t block = 0; block < c->num_res_blocks && st == EBM_OK; block++) {
        st = res_block(s, level, block, c->ch * c->ch_mult[level], err);
        if (st == EBM_OK && c->attention != 0 && c->height >> level == c->attention)
            st = attention_block(s, level, block, err);
    }
    return st;
}

static ebm_status stack_levels(const ebmm__resnet *kind, const ebm_network_config *c, stack *s,
                               ebm_error *err)
{
    ebm_status st = EBM_OK;
    for (int32_t level = 0; level < c->n_mult && st == EBM_OK; level++) {
        st = stack_blocks(c, s, level, err);
        s->end[level] = s->node;
        if (st == EBM_OK && kind->pooled && level + 1 < c->n_mult)
            st = ebm_graph_pool(s->g, s->node, &s->node, err);
    }
    return st;
}

/* A convolution to other channels, while the map is still small. */
static ebm_status change_channels(stack *s, int32_t level, int32_t c_out, ebm_error *err)
{
    char name[NAME_MAX_LENGTH];
    snprintf(name, sizeof name, "up.%d.conv", (int)level);
    const ebm_conv_spec spec = {
        .name = name, .input = s->node, .residual = EBM_NONE, .c_out = c_out, .k = s->k};
    if (c_out == s->channels)
        return EBM_OK;
    s->channels = c_out;
    return ebm_graph_conv(s->g, &spec, &s->node, err);
}

/* From the smallest map back to the largest, each time adding what was there on the way down. */
static ebm_status stack_back(const ebm_network_config *c, stack *s, ebm_error *err)
{
    ebm_status st = EBM_OK;
    s->part = "up";
    for (int32_t level = c->n_mult - 2; level >= 0 && st == EBM_OK; level--) {
        int32_t channels = c->ch * c->ch_mult[level];
        st = change_channels(s, level, channels, err);
        if (st == EBM_OK)
            st = ebm_graph_up(s->g, s->node, s->end[level], &s->node, err);
        if (st == EBM_OK)
            st = stack_blocks(c, s, level, err);
    }
    return st;
}

ebm_status ebmm__resnet_build(const ebmm__resnet *kind, const ebm_network_config *config,
                              ebm_graph **out, ebm_error *err)
{
    *out = NULL;
    ebm_status st = check(kind, config, err);
    if (st != EBM_OK)
        return st;
    ebm_act sum_of = config->activation == EBM_ACT_SILU ? EBM_ACT_SILU : EBM_ACT_RELU;
    const ebm_graph_spec spec = {.channels = config->channels,
                                 .height = config->height,
                                 .width = config->width,
                                 .time_dim = config->ch,
                                 .time_hidden = 4 * config->ch,
                                 .act = config->activation,
                                 .act_out = kind->returns ? EBM_ACT_SQUARE : sum_of,
                                 .slope = config->leaky_slope};
    const ebm_conv_spec conv_in = {.name = "conv_in",
                                   .input = 0,
                                   .residual = EBM_NONE,
                                   .c_out = config->ch,
                                   .k = kind->kernel};
    stack s = {.part = "levels", .channels = config->ch, .k = kind->kernel};
    st = ebm_graph_create(&spec, &s.g, err);
    if (st == EBM_OK)
        st = ebm_graph_conv(s.g, &conv_in, &s.node, err);
    if (st == EBM_OK)
        st = stack_levels(kind, config, &s, err);
    if (st == EBM_OK && kind->returns)
        st = stack_back(config, &s, err);
    if (st == EBM_OK)
        st = ebm_graph_head(s.g, s.node, kind->returns ? NULL : "temb_out", err);
    if (st == EBM_OK)
        *out = s.g;
    else
        ebm_graph_free(s.g);
    return st;
}

ebm_status ebmm__drl_resnet_build(const ebm_network_config *config, ebm_graph **out, ebm_error *err)
{
    static const ebmm__resnet paper = {.kernel = 3, .pooled = true};
    return ebmm__resnet_build(&paper, config, out, err);
}
