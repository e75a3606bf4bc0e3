/* Times every distinct convolution of a network by itself, on one thread and with its data in the
 * cache: what the kernels can do, to be held against the ceiling of the machine.
 * Knows kernel sets and shapes; has never heard of levels, sessions or batches. */
#include <stdio.h>
#include <string.h>

#include "cli/bench.h"
#include "ebm/memory.h"
#include "ebm/rng.h"

#define MAX_LAYERS 128

typedef enum pass { FORWARD, BACKWARD_DATA, BACKWARD_WEIGHTS, N_PASSES } pass;
static const char *const pass_names[N_PASSES] = {"forward", "backward_data", "backward_weights"};

typedef struct layer {
    ebm_conv_shape shape;
    int32_t count; /* how often the network has it */
    double gflops[N_PASSES];
} layer;

/* One convolution ready to run. */
typedef struct stage {
    const ebm_kernels *k;
    const ebm_conv_shape *shape;
    pass pass;
    size_t weights;
    float *x, *dy, *dx; /* operand maps */
    float *y;           /* value map */
    float *w, *bias, *packed, *scratch;
} stage;

static void run_once(void *user)
{
    const stage *s = user;
    const ebm_conv_result forward = {.bias = s->bias, .y = s->y};
    const ebm_conv_gradient backward = {.dx = s->dx};
    switch (s->pass) {
    case FORWARD:
        s->k->conv_forward(s->shape, s->packed, s->x, &forward, s->scratch, EBM_ALONE);
        break;
    case BACKWARD_DATA:
        s->k->conv_backward_data(s->shape, s->packed, s->dy, &backward, s->scratch, EBM_ALONE);
        break;
    case BACKWARD_WEIGHTS:
    case N_PASSES:
        s->k->conv_backward_weights(s->shape, s->x, s->dy, s->w, s->scratch);
        break;
    }
}

static double operations(const ebm_conv_shape *s)
{
    return 2.0 * s->c_in * s->c_out * s->h * s->w * s->k * s->k;
}

static ebm_map_shape map_shape(const stage *s, int32_t c)
{
    return (ebm_map_shape){.c = c, .h = s->shape->h, .w = s->shape->w};
}

/* A map of normals, made by way of `value`, which is large enough for either side. */
static void random_operand(const stage *s, int32_t c, uint32_t which, float *image, float *value,
                           float *operand)
{
    const ebm_stream stream = {.purpose = EBM_PURPOSE_TEST, .chain = which, .level = 2};
    const ebm_map_shape m = map_shape(s, c);
    ebm_rng_normal(&stream, 0, (size_t)c * (size_t)s->shape->h * (size_t)s->shape->w, image);
    s->k->value_load(&m, image, value);
    s->k->act_forward((ebm_activation){.kind = EBM_ACT_NONE}, &m, value, operand, EBM_ALONE);
}

static void fill(stage *s, float *image, float *value)
{
    const ebm_stream stream = {.purpose = EBM_PURPOSE_TEST, .level = 3};
    random_operand(s, s->shape->c_in, 0, image, value, s->x);
    random_operand(s, s->shape->c_out, 1, image, value, s->dy);
    ebm_rng_normal(&stream, 0, s->weights, s->w);
    memset(s->bias, 0, (size_t)s->shape->c_out * sizeof *s->bias);
    s->k->conv_pack(s->shape, s->w, NULL, s->packed);
}

static ebm_status make_stage(const ebm_kernels *k, const ebm_conv_shape *shape, stage *s,
                             ebm_error *err)
{
    int32_t wider = shape->c_in > shape->c_out ? shape->c_in : shape->c_out;
    *s = (stage){.k = k, .shape = shape};
    const ebm_map_shape in = map_shape(s, shape->c_in), out = map_shape(s, shape->c_out);
    const ebm_map_shape widest = map_shape(s, wider);
    float *image = ebm_alloc((size_t)wider * (size_t)shape->h * (size_t)shape->w, sizeof *image);
    float *value = ebm_alloc(k->value_floats(&widest), sizeof *value);
    s->weights = (size_t)shape->c_out * (size_t)shape->c_in * (size_t)shape->k * (size_t)shape->k;
    s->x = ebm_alloc(k->operand_floats(&in), sizeof *s->x);
    s->dx = ebm_alloc(k->operand_floats(&in), sizeof *s->dx);
    s->dy = ebm_alloc(k->operand_floats(&out), sizeof *s->dy);
    s->y = ebm_alloc(k->value_floats(&out), sizeof *s->y);
    s->w = ebm_alloc(s->weights, sizeof *s->w);
    s->bias = ebm_alloc((size_t)shape->c_out, sizeof *s->bias);
    s->packed = ebm_alloc(k->conv_packed_floats(shape), sizeof *s->packed);
    s->scratch = ebm_alloc(k->conv_scratch_floats(shape), sizeof *s->scratch);
    bool whole = image && value && s->x && s->dx && s->dy && s->y && s->w && s->bias && s->packed &&
                 s->scratch;
    if (whole)
        fill(s, image, value);
    ebm_free(image);
    ebm_free(value);
    return whole ? EBM_OK : ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for a layer");
}

static void clear_stage(stage *s)
{
    ebm_free(s->x);
    ebm_free(s->dx);
    ebm_free(s->dy);
    ebm_free(s->y);
    ebm_free(s->w);
    ebm_free(s->bias);
    ebm_free(s->packed);
    ebm_free(s->scratch);
}

static ebm_status measure(const ebm_kernels *k, double seconds, layer *l, ebm_error *err)
{
    stage s;
    ebm_status st = make_stage(k, &l->shape, &s, err);
    for (int p = FORWARD; st == EBM_OK && p < N_PASSES; p++) {
        ebmt__bench_figures f = {0};
        s.pass = (pass)p;
        st = ebmt__bench_repeat(seconds, 1.0, run_once, &s, &f, err);
        if (st == EBM_OK)
            l->gflops[p] = operations(&l->shape) / (f.median * 1e6);
    }
    clear_stage(&s);
    return st;
}

static bool same_shape(const ebm_conv_shape *a, const ebm_conv_shape *b)
{
    return a->c_in == b->c_in && a->c_out == b->c_out && a->h == b->h && a->w == b->w &&
           a->k == b->k;
}

static ebm_status list_layers(const ebm_graph_info *g, layer *list, int32_t *n, ebm_error *err)
{
    *n = 0;
    for (int32_t i = 0; i < g->n_nodes; i++) {
        if (g->nodes[i].op != EBM_OP_CONV)
            continue;
        int32_t at = 0;
        while (at < *n && !same_shape(&list[at].shape, &g->nodes[i].conv))
            at++;
        if (at == MAX_LAYERS)
            return ebm_error_set(err, EBM_ERR_LIMIT, "--network",
                                 "more than %d different convolutions", MAX_LAYERS);
        if (at == *n)
            list[(*n)++] = (layer){.shape = g->nodes[i].conv};
        list[at].count++;
    }
    return EBM_OK;
}

static void print_json(const ebm_kernels *k, const layer *list, int32_t n)
{
    (void)printf("{\"kernels\":\"%s\",\"layers\":[", k->name);
    for (int32_t i = 0; i < n; i++) {
        const ebm_conv_shape *s = &list[i].shape;
        (void)printf("%s{\"c_in\":%d,\"c_out\":%d,\"h\":%d,\"w\":%d,\"k\":%d,\"count\":%d",
                     i ? "," : "", s->c_in, s->c_out, s->h, s->w, s->k, list[i].count);
        for (int p = FORWARD; p < N_PASSES; p++)
            (void)printf(",\"%s_gflops\":%.6g", pass_names[p], list[i].gflops[p]);
        (void)printf("}");
    }
    (void)printf("]}\n");
}

static void print_text(const ebm_kernels *k, const layer *list, int32_t n)
{
    (void)printf("kernels %s, GFLOP/s on one thread\n%5s %5s %5s %5s %2s %3s %9s %9s %9s\n",
                 k->name, "in", "out", "h", "w", "k", "n", "forward", "b.data", "b.weights");
    for (int32_t i = 0; i < n; i++) {
        const ebm_conv_shape *s = &list[i].shape;
        (void)printf("%5d %5d %5d %5d %2d %3d %9.1f %9.1f %9.1f\n", s->c_in, s->c_out, s->h, s->w,
                     s->k, list[i].count, list[i].gflops[FORWARD], list[i].gflops[BACKWARD_DATA],
                     list[i].gflops[BACKWARD_WEIGHTS]);
    }
}

ebm_status ebmt__bench_layers(const ebmt__bench_args *args, ebm_error *err)
{
    ebm_model *model = NULL;
    layer list[MAX_LAYERS];
    int32_t n = 0;
    ebm_status st = ebmt__bench_model(args, &model, err);
    if (st != EBM_OK)
        return st;
    const ebm_model_info *m = ebm_model_describe(model);
    st = list_layers(m->graph, list, &n, err);
    for (int32_t i = 0; st == EBM_OK && i < n; i++)
        st = measure(m->kernels, args->seconds / (double)(n * N_PASSES), &list[i], err);
    if (st == EBM_OK && args->json)
        print_json(m->kernels, list, n);
    else if (st == EBM_OK)
        print_text(m->kernels, list, n);
    ebm_model_unref(model);
    return st;
}
