/* The convolutions of the network as bare oneDNN primitives, forward and backward-data: a lower
 * bound for any framework built on that library, which has to do everything else as well.
 *   run network=... batch=16 threads=2 dtype=bf16 format=any seconds=0.5 [layers]
 * Knows convolutions only: no activations, no pooling, no reordering between layers. */
#include <dnnl.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_worker.h"

typedef struct settings {
    int batch;
    dnnl_data_type_t type;
    bool any; /* the library chooses all layouts; otherwise plain NCHW for images */
} settings;

/* One direction of one layer. */
typedef struct pass {
    dnnl_primitive_desc_t desc;
    dnnl_primitive_t primitive;
    dnnl_memory_t memory[4];
    dnnl_exec_arg_t args[4];
    int n_args;
} pass;

typedef struct layer {
    pass forward, backward;
} layer;

typedef struct network {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    layer layers[BENCH_LAYERS];
    int n;
} network;

/* What the measured call runs: some layers, one or both directions. */
typedef struct round {
    const network *net;
    int first, last; /* last is not run */
    bool forward, backward;
} round_of;

/* --- building ------------------------------------------------------------------------------- */

static bool describe(dnnl_memory_desc_t *out, int rank, const int sizes[4], dnnl_data_type_t type,
                     dnnl_format_tag_t tag)
{
    dnnl_dims_t dims = {0};
    for (int i = 0; i < rank; i++)
        dims[i] = sizes[i];
    return dnnl_memory_desc_init_by_tag(out, rank, dims, type, tag) == dnnl_success;
}

/* Allocates what argument `arg` of the primitive wants and fills it with small numbers; zeros and
 * denormals would not cost the same everywhere. */
static bool add_argument(network *net, pass *p, dnnl_query_t query, int index, int arg)
{
    const dnnl_memory_desc_t *desc = dnnl_primitive_desc_query_md(p->desc, query, index);
    dnnl_memory_t *memory = &p->memory[p->n_args];
    void *data = NULL;
    if (!desc ||
        dnnl_memory_create(memory, desc, net->engine, DNNL_MEMORY_ALLOCATE) != dnnl_success)
        return false;
    p->args[p->n_args++] = (dnnl_exec_arg_t){.arg = arg, .memory = *memory};
    if (dnnl_memory_get_data_handle(*memory, &data) != dnnl_success)
        return false;
    memset(data, 0x3c, dnnl_memory_desc_get_size(desc)); /* 0.0115 in both formats */
    return true;
}

static bool make_forward(network *net, const dnnl_memory_desc_t md[4], pass *p)
{
    const dnnl_dims_t one = {1, 1};
    dnnl_convolution_desc_t conv;
    return dnnl_convolution_forward_desc_init(&conv, dnnl_forward_inference,
                                              dnnl_convolution_direct, &md[0], &md[1], &md[2],
                                              &md[3], one, one, one) == dnnl_success &&
           dnnl_primitive_desc_create(&p->desc, &conv, NULL, net->engine, NULL) == dnnl_success &&
           dnnl_primitive_create(&p->primitive, p->desc) == dnnl_success &&
           add_argument(net, p, dnnl_query_src_md, 0, DNNL_ARG_SRC) &&
           add_argument(net, p, dnnl_query_weights_md, 0, DNNL_ARG_WEIGHTS) &&
           add_argument(net, p, dnnl_query_weights_md, 1, DNNL_ARG_BIAS) &&
           add_argument(net, p, dnnl_query_dst_md, 0, DNNL_ARG_DST);
}

static bool make_backward(network *net, const dnnl_memory_desc_t md[4], const pass *forward,
                          pass *p)
{
    const dnnl_dims_t one = {1, 1};
    dnnl_convolution_desc_t conv;
    return dnnl_convolution_backward_data_desc_init(&conv, dnnl_convolution_direct, &md[0], &md[1],
                                                    &md[3], one, one, one) == dnnl_success &&
           dnnl_primitive_desc_create(&p->desc, &conv, NULL, net->engine, forward->desc) ==
               dnnl_success &&
           dnnl_primitive_create(&p->primitive, p->desc) == dnnl_success &&
           add_argument(net, p, dnnl_query_diff_dst_md, 0, DNNL_ARG_DIFF_DST) &&
           add_argument(net, p, dnnl_query_weights_md, 0, DNNL_ARG_WEIGHTS) &&
           add_argument(net, p, dnnl_query_diff_src_md, 0, DNNL_ARG_DIFF_SRC);
}

static bool make_layer(network *net, const settings *s, const bench_conv *c, layer *out)
{
    const int x[] = {s->batch, c->c_in, c->size, c->size}, w[] = {c->c_out, c->c_in, 3, 3},
              b[] = {c->c_out, 0, 0, 0}, y[] = {s->batch, c->c_out, c->size, c->size};
    dnnl_format_tag_t tag = s->any ? dnnl_format_tag_any : dnnl_nchw;
    dnnl_memory_desc_t md[4];
    return describe(&md[0], 4, x, s->type, tag) &&
           describe(&md[1], 4, w, s->type, dnnl_format_tag_any) &&
           describe(&md[2], 1, b, dnnl_f32, dnnl_a) && describe(&md[3], 4, y, s->type, tag) &&
           make_forward(net, md, &out->forward) &&
           make_backward(net, md, &out->forward, &out->backward);
}

static void clear_pass(pass *p)
{
    for (int i = 0; i < p->n_args; i++)
        (void)dnnl_memory_destroy(p->memory[i]);
    (void)dnnl_primitive_destroy(p->primitive);
    (void)dnnl_primitive_desc_destroy(p->desc);
}

static void clear(network *net)
{
    for (int i = 0; i < net->n; i++) {
        clear_pass(&net->layers[i].forward);
        clear_pass(&net->layers[i].backward);
    }
    (void)dnnl_stream_destroy(net->stream);
    (void)dnnl_engine_destroy(net->engine);
    memset(net, 0, sizeof *net);
}

static bool build(network *net, const settings *s, const bench_conv *list, int n)
{
    memset(net, 0, sizeof *net);
    if (dnnl_engine_create(&net->engine, dnnl_cpu, 0) != dnnl_success ||
        dnnl_stream_create(&net->stream, net->engine, dnnl_stream_default_flags) != dnnl_success)
        return false;
    for (int i = 0; i < n; i++) {
        net->n = i + 1; /* clear() takes care of a half-made layer, too */
        if (!make_layer(net, s, &list[i], &net->layers[i]))
            return false;
    }
    return true;
}

/* --- running -------------------------------------------------------------------------------- */

static void execute(const network *net, const pass *p)
{
    (void)dnnl_primitive_execute(p->primitive, net->stream, p->n_args, p->args);
}

static void run_round(void *user)
{
    const round_of *r = user;
    for (int i = r->first; r->forward && i < r->last; i++)
        execute(r->net, &r->net->layers[i].forward);
    for (int i = r->last - 1; r->backward && i >= r->first; i--)
        execute(r->net, &r->net->layers[i].backward);
    (void)dnnl_stream_wait(r->net->stream);
}

static void answer_sum(const network *net, const settings *s, double seconds)
{
    round_of r = {.net = net, .last = net->n, .forward = true, .backward = true};
    double time = bench_repeat(seconds, run_round, &r);
    (void)printf("{\"gradient_ms_per_image\":%.6g,\"batch\":%d,\"layers_run\":%d}\n",
                 time * 1e3 / s->batch, s->batch, net->n);
}

static void answer_layers(const network *net, const settings *s, const bench_conv *list,
                          double seconds)
{
    seconds /= 2.0 * net->n;
    (void)printf("{\"layers\":[");
    for (int i = 0; i < net->n; i++) {
        round_of forward = {.net = net, .first = i, .last = i + 1, .forward = true};
        round_of backward = {.net = net, .first = i, .last = i + 1, .backward = true};
        double flop = bench_conv_flop(&list[i]) * s->batch * 1e-9;
        (void)printf("%s{\"c_in\":%d,\"c_out\":%d,\"h\":%d,\"w\":%d,\"k\":3,\"count\":%d,"
                     "\"forward_gflops\":%.6g,\"backward_data_gflops\":%.6g}",
                     i ? "," : "", list[i].c_in, list[i].c_out, list[i].size, list[i].size,
                     list[i].count, flop / bench_repeat(seconds, run_round, &forward),
                     flop / bench_repeat(seconds, run_round, &backward));
    }
    (void)printf("]}\n");
}

static void answer(const bench_request *r)
{
    static network net;
    bench_conv list[BENCH_LAYERS];
    bool layers = bench_has(r, "layers"), bf16 = strcmp(bench_word(r, "dtype", ""), "bf16") == 0;
    settings s = {.batch = (int)bench_number(r, "batch", 1, 1024, 1),
                  .type = bf16 ? dnnl_bf16 : dnnl_f32,
                  .any = strcmp(bench_word(r, "format", "any"), "any") == 0};
    double seconds = bench_number(r, "seconds", 0.001, 600, 0.5);
    int n = bench_network(bench_word(r, "network", ""), list);
    if (n > 0 && layers)
        n = bench_distinct(list, n);
    omp_set_num_threads((int)bench_number(r, "threads", 1, 64, 1));
    if (n == 0)
        bench_refuse("no such network");
    else if (!build(&net, &s, list, n))
        bench_refuse("oneDNN has no such convolution here");
    else if (layers)
        answer_layers(&net, &s, list, seconds);
    else
        answer_sum(&net, &s, seconds);
    clear(&net);
}

int main(void)
{
    return bench_serve(answer);
}
