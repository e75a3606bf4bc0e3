/* The parts of `ebm bench`: what may be asked for, the repeated timing, and one function per kind
 * of measurement, which measures and prints. Knows models and clocks; never opens a file to write.
 */
#ifndef EBMT_CLI_BENCH_H
#define EBMT_CLI_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include "ebm/model.h"
#include "ebm/status.h"

/* One request. @range threads 1..batch */
typedef struct ebmt__bench_args {
    const char *model;   /* directory, or NULL: */
    const char *network; /* a network with random weights */
    const char *kernels; /* name of a set, or NULL */
    int32_t batch, threads;
    int32_t levels, steps;                /* of random networks and of training */
    double seconds;                       /* to measure for */
    bool gradient, layers, train, sample; /* none: gradients and forward passes */
    bool json, worker;
} ebmt__bench_args;

/* Times of equal rounds, in milliseconds. */
typedef struct ebmt__bench_figures {
    double median, min, max;
    int32_t rounds;
} ebmt__bench_figures;

/* Calls once(user) to warm up, then again until `seconds` have passed, at least once; the times of
 * all calls but the first are divided by `share` (images of a round, say).
 * @err NOMEM */
EBM_MUST_CHECK ebm_status ebmt__bench_repeat(double seconds, double share, void (*once)(void *user),
                                             void *user, ebmt__bench_figures *out, ebm_error *err);

/* Reads "ch=64,mult=1:2:2,blocks=2,size=28,channels=1": fields in any order; those left out have
 * these values but ch=32. The words `unet` and `silu` choose the architecture and the activation
 * instead of drl-resnet with leaky ReLU. Their sizes are checked when the graph is built.
 * @err ARG names --network */
EBM_MUST_CHECK ebm_status ebmt__bench_network(const char *text, ebm_network_config *out,
                                              ebm_error *err);

/* Opens args->model, or makes a network with random weights of the size that trained ones have.
 * @own *out: ebm_model_unref() @err as ebmt__open_any(), ebmm_graph_build() */
EBM_MUST_CHECK ebm_status ebmt__bench_model(const ebmt__bench_args *args, ebm_model **out,
                                            ebm_error *err);

/* Each measures and prints, as one line of JSON if args->json.
 * passes: gradient (and forward) or, with args->sample, whole images through all levels.
 * layers: every distinct convolution of the network, on one thread.
 * train: iterations of recovery likelihood on random images. */
EBM_MUST_CHECK ebm_status ebmt__bench_passes(const ebmt__bench_args *args, ebm_error *err);
EBM_MUST_CHECK ebm_status ebmt__bench_layers(const ebmt__bench_args *args, ebm_error *err);
EBM_MUST_CHECK ebm_status ebmt__bench_train(const ebmt__bench_args *args, ebm_error *err);

/* Multiply-adds of all convolutions in one gradient (forward and backward-data), counted as two
 * operations each. */
double ebmt__bench_flop(const ebm_graph_info *g);

#endif
