/* Inception weights from a safetensors file: names, shapes and values checked, batch normalisation
 * folded into the convolutions. Has never heard of images. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ebm/io.h"
#include "ebm/memory.h"
#include "ebmt/statistics.h"
#include "eval/inception_internal.h"

#define FILE_BYTES ((size_t)256 << 20)
#define EPSILON    0.001 /* of torchvision's and TensorFlow's batch normalisation here */

enum { GAMMA, BETA, MEAN, VARIANCE, NORMS };
static const char *const norm_names[NORMS] = {"weight", "bias", "running_mean", "running_var"};

typedef struct loading {
    const ebm_safetensors *file;
    ebmt_inception *net;
    float *raw;     /* one convolution as it is in the file */
    size_t n_convs; /* convolutions met */
} loading;

/* --- shapes -------------------------------------------------------------------------------- */

static ebm_status find(const ebm_safetensors *file, const char *name, int32_t rank,
                       const ebm_st_tensor **out, ebm_error *err)
{
    *out = ebm_safetensors_find(file, name);
    if (!*out)
        return ebm_error_set(err, EBM_ERR_FORMAT, name, "tensor is missing");
    if ((*out)->rank != rank)
        return ebm_error_set(err, EBM_ERR_SHAPE, name, "%d dimensions, expected %d", (*out)->rank,
                             rank);
    return EBM_OK;
}

/* ebmt__inception_width: what the file says of a convolution, held against the graph. */
static ebm_status width_in_file(void *user, const ebmt__inception_op *op, int32_t *channels,
                                ebm_error *err)
{
    loading *l = user;
    const ebm_st_tensor *t;
    char name[64];
    (void)snprintf(name, sizeof name, "%s.conv.weight", op->name);
    ebm_status st = find(l->file, name, 4, &t, err);
    if (st != EBM_OK)
        return st;
    if (t->dim[1] != op->c_in || t->dim[2] != op->kh || t->dim[3] != op->kw)
        return ebm_error_set(err, EBM_ERR_SHAPE, name,
                             "[%lld,%lld,%lld,%lld], expected [any,%d,%d,%d]", (long long)t->dim[0],
                             (long long)t->dim[1], (long long)t->dim[2], (long long)t->dim[3],
                             op->c_in, op->kh, op->kw);
    if (t->dim[0] > EBMT_INCEPTION_MAX_WIDTH)
        return ebm_error_set(err, EBM_ERR_RANGE, name, "over %d channels",
                             EBMT_INCEPTION_MAX_WIDTH);
    *channels = (int32_t)t->dim[0];
    l->n_convs++;
    return EBM_OK;
}

/* --- values -------------------------------------------------------------------------------- */

static ebm_status load_norm(const loading *l, const ebmt__inception_op *op, int which, float *out,
                            ebm_error *err)
{
    const ebm_st_tensor *t;
    char name[64];
    (void)snprintf(name, sizeof name, "%s.bn.%s", op->name, norm_names[which]);
    ebm_status st = find(l->file, name, 1, &t, err);
    if (st == EBM_OK)
        st = ebm_st_to_float(t, (size_t)op->c, out, err);
    for (int32_t k = 0; k < op->c && st == EBM_OK && which == VARIANCE; k++)
        if (out[k] < 0.0f)
            st = ebm_error_set(err, EBM_ERR_RANGE, name, "variance %d is negative", k);
    return st;
}

/* From [c,c_in,kh,kw] to [kh,kw,c_in,c], times gamma/sqrt(variance + epsilon).
 * @shape norm [NORMS][c] */
static void fold(const ebmt__inception_op *op, const float *raw, const float *norm, float *params)
{
    const size_t c = (size_t)op->c, c_in = (size_t)op->c_in, taps = (size_t)(op->kh * op->kw);
    for (size_t o = 0; o < c; o++) {
        const double scale =
            (double)norm[GAMMA * c + o] / sqrt((double)norm[VARIANCE * c + o] + EPSILON);
        for (size_t i = 0; i < c_in; i++)
            for (size_t t = 0; t < taps; t++)
                params[op->weight + (t * c_in + i) * c + o] =
                    (float)((double)raw[(o * c_in + i) * taps + t] * scale);
        params[op->bias + o] =
            (float)((double)norm[BETA * c + o] - (double)norm[MEAN * c + o] * scale);
    }
}

static ebm_status load_conv(loading *l, const ebmt__inception_op *op, float *norm, ebm_error *err)
{
    const ebm_st_tensor *t;
    char name[64];
    (void)snprintf(name, sizeof name, "%s.conv.weight", op->name);
    ebm_status st = find(l->file, name, 4, &t, err);
    if (st == EBM_OK)
        st = ebm_st_to_float(t, op->bias - op->weight, l->raw, err);
    for (int which = 0; which < NORMS && st == EBM_OK; which++)
        st = load_norm(l, op, which, norm + which * op->c, err);
    if (st == EBM_OK)
        fold(op, l->raw, norm, l->net->params);
    return st;
}

static size_t largest_conv(const ebmt__inception_plan *plan)
{
    size_t most = 0;
    for (int32_t i = 0; i < EBMT_INCEPTION_OPS; i++) {
        const size_t n = plan->op[i].bias - plan->op[i].weight;
        most = n > most ? n : most;
    }
    return most;
}

static ebm_status load_convs(loading *l, ebm_error *err)
{
    const ebmt__inception_plan *plan = &l->net->plan;
    float *norm = ebm_alloc(NORMS * (size_t)EBMT_INCEPTION_MAX_WIDTH, sizeof *norm);
    l->raw = ebm_alloc(largest_conv(plan), sizeof *l->raw);
    l->net->params = ebm_alloc(plan->n_params, sizeof *l->net->params);
    ebm_status st = EBM_OK;
    if (!norm || !l->raw || !l->net->params)
        st = ebm_error_set(err, EBM_ERR_NOMEM, "inception", "no memory for %zu parameters",
                           plan->n_params);
    for (int32_t i = 0; i < EBMT_INCEPTION_OPS && st == EBM_OK; i++)
        if (plan->op[i].kind == EBMT_INCEPTION_CONV)
            st = load_conv(l, &plan->op[i], norm, err);
    ebm_free(norm);
    ebm_free(l->raw);
    return st;
}

static ebm_status load_fc(const loading *l, ebm_error *err)
{
    ebmt_inception *net = l->net;
    const ebm_st_tensor *weight, *bias;
    ebm_status st = find(l->file, "fc.weight", 2, &weight, err);
    if (st == EBM_OK)
        st = find(l->file, "fc.bias", 1, &bias, err);
    if (st != EBM_OK)
        return st;
    if (weight->dim[1] != net->plan.features || weight->dim[0] < 2 ||
        weight->dim[0] > EBMT_CLASSES_MAX)
        return ebm_error_set(err, EBM_ERR_SHAPE, "fc.weight", "[%lld,%lld], expected [2..%d,%d]",
                             (long long)weight->dim[0], (long long)weight->dim[1], EBMT_CLASSES_MAX,
                             net->plan.features);
    net->info.features = net->plan.features;
    net->info.classes = (int32_t)weight->dim[0];
    net->fc_weight = ebm_alloc(weight->count, sizeof(float));
    net->fc_bias = ebm_alloc((size_t)net->info.classes, sizeof(float));
    if (!net->fc_weight || !net->fc_bias)
        return ebm_error_set(err, EBM_ERR_NOMEM, "fc.weight", "no memory");
    st = ebm_st_to_float(weight, weight->count, net->fc_weight, err);
    if (st == EBM_OK)
        st = ebm_st_to_float(bias, (size_t)net->info.classes, net->fc_bias, err);
    return st;
}

/* --- the file ------------------------------------------------------------------------------ */

static ebm_status read_graph(const char *path, const ebm_safetensors *file,
                             ebmt_inception_graph *out, ebm_error *err)
{
    const char *name = ebm_safetensors_metadata(file, "graph");
    for (*out = EBMT_INCEPTION_FID; *out <= EBMT_INCEPTION_TORCHVISION; (*out)++)
        if (name && strcmp(name, ebmt_inception_graph_name(*out)) == 0)
            return EBM_OK;
    *out = EBMT_INCEPTION_FID;
    return ebm_error_set(err, EBM_ERR_FORMAT, path,
                         "the metadata's \"graph\" must be \"fid\" or \"torchvision\"");
}

/* Five tensors for each convolution, two for fc: all were found, so another count is too many. */
static ebm_status check_count(const loading *l, const char *path, ebm_error *err)
{
    const size_t want = l->n_convs * (1 + NORMS) + 2, n = ebm_safetensors_count(l->file);
    if (n != want)
        return ebm_error_set(err, EBM_ERR_FORMAT, path, "%zu tensors, expected %zu", n, want);
    return EBM_OK;
}

static ebm_status load(const char *path, const ebm_safetensors *file, ebmt_inception *net,
                       ebm_error *err)
{
    loading l = {.file = file, .net = net};
    ebm_status st = read_graph(path, file, &net->info.graph, err);
    if (st == EBM_OK)
        st = ebmt__inception_plan_make(net->info.graph, width_in_file, &l, &net->plan, err);
    if (st == EBM_OK)
        st = load_convs(&l, err);
    if (st == EBM_OK)
        st = load_fc(&l, err);
    if (st == EBM_OK)
        st = check_count(&l, path, err);
    return st;
}

ebm_status ebmt_inception_open(const char *path, ebmt_inception_input input, ebmt_inception **out,
                               ebm_error *err)
{
    unsigned char *data = NULL;
    size_t size = 0;
    ebm_safetensors *file = NULL;
    ebmt_inception *net = NULL;
    *out = NULL;
    ebm_status st = ebm_file_read(NULL, path, FILE_BYTES, &data, &size, err);
    if (st == EBM_OK)
        st = ebm_safetensors_parse(data, size, &file, err);
    if (st != EBM_OK)
        goto out;
    net = ebm_alloc(1, sizeof *net);
    if (!net) {
        st = ebm_error_set(err, EBM_ERR_NOMEM, path, "no memory");
        goto out;
    }
    net->info.input = input;
    ebm_sha256_hex(data, size, net->info.sha256);
    st = load(path, file, net, err);
    if (st != EBM_OK)
        goto out;
    *out = net;
    net = NULL;
out:
    ebmt_inception_free(net);
    ebm_safetensors_free(file);
    ebm_free(data);
    return st;
}

void ebmt_inception_free(ebmt_inception *net)
{
    if (!net)
        return;
    ebm_free(net->params);
    ebm_free(net->fc_weight);
    ebm_free(net->fc_bias);
    ebm_free(net);
}
