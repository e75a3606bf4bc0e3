/* What `ebm bench` measures: an opened model, or a network of a given size with random weights, for
 * which no directory is needed. Knows graphs and parameters; has never heard of clocks. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench.h"
#include "cli/cli.h"
#include "cli/open_any.h"
#include "ebm/memory.h"
#include "ebm/rng.h"
#include "ebmm/models.h"

#define NUMBER_DIGITS 6

static ebm_status bad(ebm_error *err, const char *what, const char *at)
{
    return ebm_error_set(err, EBM_ERR_ARG, "--network", "%s at '%.40s'", what, at);
}

/* One to six digits; *text moves behind them. */
static bool take_number(const char **text, int32_t *out)
{
    size_t n = strspn(*text, "0123456789");
    if (n == 0 || n > NUMBER_DIGITS)
        return false;
    *out = (int32_t)strtol(*text, NULL, 10);
    *text += n;
    return true;
}

static bool take_mult(const char **text, ebm_network_config *c)
{
    const int32_t room = (int32_t)(sizeof c->ch_mult / sizeof c->ch_mult[0]);
    c->n_mult = 0;
    for (;;) {
        if (c->n_mult == room || !take_number(text, &c->ch_mult[c->n_mult]))
            return false;
        c->n_mult++;
        if (**text != ':')
            return true;
        ++*text;
    }
}

/* A field without a number. */
static bool take_word(const char **text, ebm_network_config *c)
{
    if (strncmp(*text, "unet", 4) == 0)
        memcpy(c->architecture, "drl-unet", sizeof "drl-unet");
    else if (strncmp(*text, "silu", 4) == 0)
        c->activation = EBM_ACT_SILU;
    else
        return false;
    *text += 4;
    return true;
}

static bool take_field(const char **text, ebm_network_config *c)
{
    const struct {
        const char *name;
        int32_t *number;
    } fields[] = {{"ch=", &c->ch},
                  {"blocks=", &c->num_res_blocks},
                  {"size=", &c->width},
                  {"attention=", &c->attention},
                  {"channels=", &c->channels}};
    if (strncmp(*text, "mult=", 5) == 0) {
        *text += 5;
        return take_mult(text, c);
    }
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        size_t n = strlen(fields[i].name);
        if (strncmp(*text, fields[i].name, n) == 0) {
            *text += n;
            return take_number(text, fields[i].number);
        }
    }
    return take_word(text, c);
}

ebm_status ebmt__bench_network(const char *text, ebm_network_config *out, ebm_error *err)
{
    ebm_network_config c = {.architecture = "drl-resnet",
                            .width = 28,
                            .channels = 1,
                            .ch = 32,
                            .n_mult = 3,
                            .ch_mult = {1, 2, 2},
                            .num_res_blocks = 2,
                            .activation = EBM_ACT_LEAKY_RELU,
                            .leaky_slope = 0.2f};
    const char *at = text;
    for (;;) {
        const char *field = at;
        if (!take_field(&at, &c))
            return bad(err,
                       "must be ch=N, mult=N:N:..., blocks=N, size=N, channels=N, attention=N, "
                       "unet or silu",
                       field);
        if (*at == '\0')
            break;
        if (*at != ',')
            return bad(err, "must have commas between fields", at);
        at++;
    }
    c.height = c.width;
    *out = c;
    return EBM_OK;
}

/* Normal with variance 1/fan_in, so that values neither fade nor grow from layer to layer; a layer
 * of zeros would be faster than a trained one wherever there are denormal numbers. */
static void fill_tensor(const ebm_tensor_info *t, uint32_t which, float *w)
{
    const ebm_stream stream = {.purpose = EBM_PURPOSE_TEST, .chain = which, .level = 1};
    double fan_in = (double)t->count / (double)t->dim[0];
    float scale = t->rank >= 2 ? (float)(1.0 / sqrt(fan_in)) : 0.1f;
    const char *suffix = strrchr(t->name, '.');
    float shift = suffix && strcmp(suffix, ".gain") == 0 ? 0.5f : 0.0f;
    ebm_rng_normal(&stream, 0, t->count, w);
    for (size_t i = 0; i < t->count; i++)
        w[i] = shift + scale * w[i];
}

static ebm_status fill_weights(ebm_model *model, ebm_error *err)
{
    const ebm_graph_info *g = ebm_model_describe(model)->graph;
    float *params = ebm_alloc(g->n_params, sizeof *params);
    if (!params)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for the parameters");
    for (int32_t i = 0; i < g->n_tensors; i++)
        fill_tensor(&g->tensors[i], (uint32_t)i, params + g->tensors[i].offset);
    ebm_model_set_params(model, params);
    ebm_free(params);
    return EBM_OK;
}

static ebm_status random_model(const ebmt__bench_args *args, const ebm_kernels *kernels,
                               ebm_model **out, ebm_error *err)
{
    ebm_network_config network;
    ebm_schedule_t6 schedule = ebm_schedule_t6_default();
    ebm_levels levels;
    ebm_graph *graph = NULL;
    ebm_model *model = NULL;
    memset(&levels, 0, sizeof levels);
    schedule.count = args->levels;
    schedule.steps = args->steps;
    ebm_status st = ebmt__bench_network(args->network, &network, err);
    if (st != EBM_OK)
        goto out;
    st = ebm_levels_t6(&schedule, &levels, err);
    if (st != EBM_OK)
        goto out;
    st = ebmm_graph_build(&network, &graph, err);
    if (st != EBM_OK)
        goto out;
    st = ebm_model_create("random", &network, graph, &levels, kernels, &model, err);
    if (st != EBM_OK)
        goto out;
    st = fill_weights(model, err);
    if (st == EBM_OK) {
        *out = model;
        model = NULL;
    }
out:
    ebm_model_unref(model);
    ebm_levels_clear(&levels);
    return st;
}

ebm_status ebmt__bench_model(const ebmt__bench_args *args, ebm_model **out, ebm_error *err)
{
    const ebm_kernels *kernels = NULL;
    ebm_error why = {0};
    *out = NULL;
    ebm_status st = ebmt__cli_kernels(args->kernels, &kernels, err);
    if (st != EBM_OK)
        return st;
    if (!args->model)
        return random_model(args, kernels, out, err);
    st = ebmt__open_any(args->model, kernels, out, &why);
    return st == EBM_OK ? st : ebmt__cli_blame("--model", args->model, &why, err);
}

/* Two products of all pairs of pixels forward, four backward. */
static double attention_flop(const ebm_node *n)
{
    double pixels = (double)n->h * (double)n->w;
    return 12.0 * (double)n->c * pixels * pixels;
}

double ebmt__bench_flop(const ebm_graph_info *g)
{
    double sum = 0.0;
    for (int32_t i = 0; i < g->n_nodes; i++) {
        const ebm_conv_shape *s = &g->nodes[i].conv;
        if (g->nodes[i].op == EBM_OP_CONV)
            sum += 4.0 * s->c_in * s->c_out * s->h * s->w * s->k * s->k;
        if (g->nodes[i].op == EBM_OP_ATTENTION)
            sum += attention_flop(&g->nodes[i]);
    }
    return sum;
}
