/* See random_net.h. */
#include "random_net.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ebm/rng.h"
#include "ebmm/models.h"

ebm_network_config small_network(void)
{
    return (ebm_network_config){.architecture = "drl-resnet",
                                .width = 8,
                                .height = 8,
                                .channels = 1,
                                .ch = 8,
                                .n_mult = 2,
                                .ch_mult = {1, 2},
                                .num_res_blocks = 1,
                                .activation = EBM_ACT_LEAKY_RELU,
                                .leaky_slope = 0.2f};
}

ebm_network_config small_network_of(int which, ebm_act act)
{
    ebm_network_config c = small_network();
    strcpy(c.architecture, which % 2 ? "drl-unet" : "drl-resnet");
    c.attention = which == 2 ? 4 : which == 3 ? 8 : 0;
    c.activation = act;
    return c;
}

const ebm_kernels *kernel_set(const char *name)
{
    const ebm_kernels *k = NULL;
    ebm_error err = {0};
    ebm_status st = ebm_kernels_select(name, &k, &err);
    assert_true(st == EBM_OK || st == EBM_ERR_UNSUPPORTED);
    return k;
}

void for_each_own_set(void (*check)(const ebm_kernels *set))
{
    bool supported;
    for (int32_t i = 0; ebm_kernels_name(i, &supported); i++)
        if (supported)
            check(kernel_set(ebm_kernels_name(i, NULL)));
}

void random_floats(uint64_t seed, uint32_t which, size_t n, float *out)
{
    const ebm_stream stream = {.seed = seed, .purpose = EBM_PURPOSE_TEST, .chain = which};
    ebm_rng_normal(&stream, 0, n, out);
}

static void fill_tensor(const ebm_tensor_info *t, uint64_t seed, uint32_t which, float *w)
{
    const ebm_stream stream = {.seed = seed, .purpose = EBM_PURPOSE_TEST, .chain = 1000};
    const char *suffix = strrchr(t->name, '.');
    double fan_in = (double)t->count / (double)t->dim[0];
    random_floats(seed, 2000 + which, t->count, w);
    for (size_t i = 0; i < t->count; i++) {
        if (strcmp(suffix, ".gain") == 0)
            w[i] = (float)(0.2 + 0.8 * ebm_rng_uniform(&stream, (uint32_t)i));
        else
            w[i] *= (float)(t->rank >= 2 ? 1.0 / sqrt(fan_in) : 0.1);
    }
}

ebm_model *random_net(const ebm_network_config *network, const ebm_kernels *kernels, uint64_t seed)
{
    ebm_graph *graph = NULL;
    ebm_model *model = NULL;
    ebm_levels levels = {0};
    ebm_error err = {0};
    ebm_schedule_t6 schedule = ebm_schedule_t6_default();
    assert_int_equal(ebm_levels_t6(&schedule, &levels, &err), EBM_OK);
    assert_int_equal(ebmm_graph_build(network, &graph, &err), EBM_OK);
    assert_int_equal(ebm_model_create("random", network, graph, &levels, kernels, &model, &err),
                     EBM_OK);
    const ebm_graph_info *g = ebm_model_describe(model)->graph;
    float *params = calloc(g->n_params, sizeof *params);
    assert_non_null(params);
    for (int32_t i = 0; i < g->n_tensors; i++)
        fill_tensor(&g->tensors[i], seed, (uint32_t)i, params + g->tensors[i].offset);
    ebm_model_set_params(model, params);
    free(params);
    ebm_levels_clear(&levels);
    return model;
}
