/* See classifier_net.h. */
#include "eval/classifier_net.h"

#include <cblas.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "ebm/memory.h"
#include "ebm/rng.h"
#include "ebmt/classifier.h"
#include "eval/embedding.h"

#define IMAGES EBMT_NET_IMAGES

/* A block is worth having while its output is at least 4 pixels wide and high. */
#define SMALLEST_INPUT 8

static int32_t width_of_block(int32_t i)
{
    return i == 0 ? 16 : 64;
}

static void plan_blocks(int32_t channels, int32_t height, int32_t width, ebmt__net *net)
{
    size_t at = 0;
    int32_t c = channels, h = height, w = width, i = 0;
    for (; h >= SMALLEST_INPUT && w >= SMALLEST_INPUT; i++, h /= 2, w /= 2) {
        int32_t c_out = width_of_block(i);
        net->block[i] = (ebmt__conv_pool){.n = IMAGES, .h = h, .w = w, .c_in = c, .c_out = c_out};
        net->weight[i] = at;
        net->bias[i] = at + (size_t)(9 * c * c_out);
        at = net->bias[i] + (size_t)c_out;
        c = c_out;
    }
    net->n_blocks = i;
    net->flat = (size_t)c * (size_t)h * (size_t)w;
    net->hidden_weight = at;
}

void ebmt__net_plan(int32_t channels, int32_t height, int32_t width, int32_t classes,
                    ebmt__net *out)
{
    memset(out, 0, sizeof *out);
    out->features = EBMT_CLASSIFIER_FEATURES;
    out->classes = classes;
    plan_blocks(channels, height, width, out);
    /* without a block the input itself is what the penultimate layer sees */
    if (out->n_blocks == 0)
        out->block[0] = (ebmt__conv_pool){.n = IMAGES, .h = height, .w = width, .c_in = channels};
    size_t features = (size_t)out->features;
    out->hidden_bias = out->hidden_weight + out->flat * features;
    out->out_weight = out->hidden_bias + features;
    out->out_bias = out->out_weight + features * (size_t)classes;
    out->n_params = out->out_bias + (size_t)classes;
}

/* --- parameters ---------------------------------------------------------------------------- */

static ebm_st_item item(const char *name, int32_t rank, const float *values)
{
    ebm_st_item t = {.name = name, .rank = rank, .values = values};
    return t;
}

static size_t block_tensors(const ebmt__net *net, const float *params, ebm_st_item *items,
                            char (*names)[32])
{
    size_t n = 0;
    for (int32_t i = 0; i < net->n_blocks; i++, n += 2) {
        const ebmt__conv_pool *b = &net->block[i];
        (void)snprintf(names[n], sizeof names[n], "conv%d.weight", i);
        (void)snprintf(names[n + 1], sizeof names[n + 1], "conv%d.bias", i);
        items[n] = item(names[n], 4, params + net->weight[i]);
        memcpy(items[n].dim, (const int64_t[]){3, 3, b->c_in, b->c_out}, 4 * sizeof(int64_t));
        items[n + 1] = item(names[n + 1], 1, params + net->bias[i]);
        items[n + 1].dim[0] = b->c_out;
    }
    return n;
}

size_t ebmt__net_tensors(const ebmt__net *net, const float *params, ebm_st_item *items,
                         char (*names)[32])
{
    size_t n = block_tensors(net, params, items, names);
    items[n] = item("hidden.weight", 2, params + net->hidden_weight);
    items[n].dim[0] = (int64_t)net->flat;
    items[n++].dim[1] = net->features;
    items[n] = item("hidden.bias", 1, params + net->hidden_bias);
    items[n++].dim[0] = net->features;
    items[n] = item("out.weight", 2, params + net->out_weight);
    items[n].dim[0] = net->features;
    items[n++].dim[1] = net->classes;
    items[n] = item("out.bias", 1, params + net->out_bias);
    items[n++].dim[0] = net->classes;
    return n;
}

static void fill(uint64_t seed, uint32_t tensor, size_t fan_in, size_t count, float *w)
{
    const ebm_stream stream = {.seed = seed, .purpose = EBM_PURPOSE_WEIGHTS, .chain = tensor};
    const float scale = sqrtf(2.0f / (float)fan_in);
    ebm_rng_normal(&stream, 0, count, w);
    for (size_t i = 0; i < count; i++)
        w[i] *= scale;
}

void ebmt__net_init(const ebmt__net *net, uint64_t seed, float *params)
{
    memset(params, 0, net->n_params * sizeof *params);
    for (int32_t i = 0; i < net->n_blocks; i++)
        fill(seed, (uint32_t)i, 9 * (size_t)net->block[i].c_in, net->bias[i] - net->weight[i],
             params + net->weight[i]);
    fill(seed, EBMT_NET_MAX_BLOCKS, net->flat, net->hidden_bias - net->hidden_weight,
         params + net->hidden_weight);
    fill(seed, EBMT_NET_MAX_BLOCKS + 1, (size_t)net->features, net->out_bias - net->out_weight,
         params + net->out_weight);
}

/* --- scratch ------------------------------------------------------------------------------- */

static bool init_block(const ebmt__net *net, int32_t i, ebmt__net_scratch *s)
{
    const ebmt__conv_pool *b = &net->block[i];
    size_t pixels = ebmt__conv_pixels(b), outputs = ebmt__conv_outputs(b);
    s->trace[i].columns = ebm_alloc(pixels * 9, (size_t)b->c_in * sizeof(float));
    s->trace[i].full = ebm_alloc(pixels, (size_t)b->c_out * sizeof(float));
    s->trace[i].choice = ebm_alloc(outputs, 1);
    s->maps[i] = ebm_alloc(outputs, sizeof(float));
    s->d_maps[i] = ebm_alloc(outputs, sizeof(float));
    return s->trace[i].columns && s->trace[i].full && s->trace[i].choice && s->maps[i] &&
           s->d_maps[i];
}

ebm_status ebmt__net_scratch_init(const ebmt__net *net, ebmt__net_scratch *out, ebm_error *err)
{
    const ebmt__conv_pool *first = &net->block[0];
    memset(out, 0, sizeof *out);
    out->x = ebm_alloc(ebmt__conv_pixels(first), (size_t)first->c_in * sizeof(float));
    out->hidden = ebm_alloc(IMAGES * (size_t)net->features, sizeof(float));
    out->d_hidden = ebm_alloc(IMAGES * (size_t)net->features, sizeof(float));
    out->logits = ebm_alloc(IMAGES * (size_t)net->classes, sizeof(float));
    bool ok = out->x && out->hidden && out->d_hidden && out->logits;
    for (int32_t i = 0; i < net->n_blocks && ok; i++)
        ok = init_block(net, i, out);
    return ok ? EBM_OK : ebm_error_set(err, EBM_ERR_NOMEM, "classifier", "no memory for a pass");
}

void ebmt__net_scratch_clear(ebmt__net_scratch *s)
{
    for (int32_t i = 0; i < EBMT_NET_MAX_BLOCKS; i++) {
        ebm_free(s->trace[i].columns);
        ebm_free(s->trace[i].full);
        ebm_free(s->trace[i].choice);
        ebm_free(s->maps[i]);
        ebm_free(s->d_maps[i]);
    }
    ebm_free(s->x);
    ebm_free(s->hidden);
    ebm_free(s->d_hidden);
    ebm_free(s->logits);
    memset(s, 0, sizeof *s);
}

/* --- passes -------------------------------------------------------------------------------- */

/* y = x weight + bias. @shape x [16,in]; weight [in,out]; y [16,out] */
static void dense(const float *weight, const float *bias, size_t in, int32_t out, const float *x,
                  float *y)
{
    for (size_t i = 0; i < IMAGES; i++)
        memcpy(y + i * (size_t)out, bias, (size_t)out * sizeof *y);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, IMAGES, out, (int)in, 1.0f, x, (int)in,
                weight, out, 1.0f, y, out);
}

/* What enters the penultimate layer: the last map, or the input itself. */
static const float *flat_input(const ebmt__net *net, const ebmt__net_scratch *s)
{
    return net->n_blocks ? s->maps[net->n_blocks - 1] : s->x;
}

void ebmt__net_forward(const ebmt__net *net, const float *params, ebmt__net_scratch *s)
{
    const float *x = s->x;
    for (int32_t i = 0; i < net->n_blocks; i++) {
        ebmt__conv_pool_forward(&net->block[i], params + net->weight[i], params + net->bias[i], x,
                                &s->trace[i], s->maps[i]);
        x = s->maps[i];
    }
    dense(params + net->hidden_weight, params + net->hidden_bias, net->flat, net->features, x,
          s->hidden);
    for (size_t i = 0; i < IMAGES * (size_t)net->features; i++)
        s->hidden[i] = s->hidden[i] > 0.0f ? s->hidden[i] : 0.0f;
    dense(params + net->out_weight, params + net->out_bias, (size_t)net->features, net->classes,
          s->hidden, s->logits);
}

void ebmt__net_softmax(const ebmt__net *net, const ebmt__net_scratch *s, double *probs)
{
    for (ptrdiff_t i = 0; i < IMAGES; i++)
        ebmt__softmax(s->logits + i * net->classes, net->classes, probs + i * net->classes);
}

/* The logits become their own gradient, p - [class = label]. Returns the loss. */
static double loss_in_place(const ebmt__net *net, ebmt__net_scratch *s, const uint8_t *labels)
{
    double probs[IMAGES * EBMT_CLASSIFIER_MAX_CLASSES], loss = 0.0;
    size_t k = (size_t)net->classes;
    ebmt__net_softmax(net, s, probs);
    for (size_t i = 0; i < IMAGES * k; i++)
        s->logits[i] = (float)probs[i];
    for (size_t i = 0; i < IMAGES; i++) {
        double p = probs[i * k + labels[i]];
        loss -= log(p > 1e-30 ? p : 1e-30); /* a rounded zero is no infinite loss */
        s->logits[i * k + labels[i]] -= 1.0f;
    }
    return loss;
}

/* Adds to d_weight and d_bias, stores d_x unless it is NULL. @shape as of dense() */
static void dense_backward(const float *weight, size_t in, int32_t out, const float *x,
                           const float *d_y, float *d_weight, float *d_bias, float *d_x)
{
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)in, out, IMAGES, 1.0f, x, (int)in,
                d_y, out, 1.0f, d_weight, out);
    for (size_t i = 0; i < IMAGES * (size_t)out; i++)
        d_bias[i % (size_t)out] += d_y[i];
    if (d_x)
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, IMAGES, (int)in, out, 1.0f, d_y, out,
                    weight, out, 0.0f, d_x, (int)in);
}

static void head_backward(const ebmt__net *net, const float *params, ebmt__net_scratch *s,
                          float *grad)
{
    dense_backward(params + net->out_weight, (size_t)net->features, net->classes, s->hidden,
                   s->logits, grad + net->out_weight, grad + net->out_bias, s->d_hidden);
    for (size_t i = 0; i < IMAGES * (size_t)net->features; i++)
        s->d_hidden[i] = s->hidden[i] > 0.0f ? s->d_hidden[i] : 0.0f;
    dense_backward(params + net->hidden_weight, net->flat, net->features, flat_input(net, s),
                   s->d_hidden, grad + net->hidden_weight, grad + net->hidden_bias,
                   net->n_blocks ? s->d_maps[net->n_blocks - 1] : NULL);
}

double ebmt__net_backward(const ebmt__net *net, const float *params, ebmt__net_scratch *s,
                          const uint8_t *labels, float *grad)
{
    double loss = loss_in_place(net, s, labels);
    head_backward(net, params, s, grad);
    for (int32_t i = net->n_blocks - 1; i >= 0; i--)
        ebmt__conv_pool_backward(&net->block[i], params + net->weight[i], &s->trace[i],
                                 s->d_maps[i], grad + net->weight[i], grad + net->bias[i],
                                 i > 0 ? s->d_maps[i - 1] : NULL);
    return loss;
}
