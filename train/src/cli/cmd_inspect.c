/* `ebm inspect`: what a model directory says of itself. Evaluates nothing. */
#include <jansson.h>
#include <stdio.h>

#include "cli/cli.h"
#include "cli/open_any.h"
#include "ebm/session.h"

typedef struct inspect_args {
    const char *dir;
    bool json;
    const char *kernels;
} inspect_args;

static const ebmt_option rows[] = {
    {"--json", EBMT_OPT_FLAG, offsetof(inspect_args, json), 0, 0, NULL, "", "print one JSON object",
     false},
    {"--kernels", EBMT_OPT_STRING, offsetof(inspect_args, kernels), 0, 0, NULL, "SET",
     "kernel set, as for sampling; changes the size of a session", false},
};

static const ebmt_command command = {
    .name = "inspect",
    .summary = "Describes a model directory.",
    .options = rows,
    .n_options = sizeof rows / sizeof rows[0],
    .argument = "DIR",
    .argument_offset = offsetof(inspect_args, dir),
};

static const char *act_name(ebm_act act)
{
    switch (act) {
    case EBM_ACT_LEAKY_RELU:
        return "leaky_relu";
    case EBM_ACT_RELU:
        return "relu";
    case EBM_ACT_SILU:
        return "silu";
    case EBM_ACT_SQUARE:
        return "square";
    case EBM_ACT_NONE:
        break;
    }
    return "none";
}

static json_t *reals(const double *values, int32_t n)
{
    json_t *list = json_array();
    for (int32_t i = 0; i < n; i++)
        (void)json_array_append_new(list, json_real(values[i]));
    return list;
}

static json_t *ints(const int32_t *values, int32_t n)
{
    json_t *list = json_array();
    for (int32_t i = 0; i < n; i++)
        (void)json_array_append_new(list, json_integer(values[i]));
    return list;
}

static json_t *describe_levels(const ebm_levels *l)
{
    json_t *out = json_object();
    (void)json_object_set_new(out, "count", json_integer(l->count));
    (void)json_object_set_new(out, "a", reals(l->a, l->count + 1));
    (void)json_object_set_new(out, "sigma", reals(l->sigma, l->count + 1));
    (void)json_object_set_new(out, "step2", reals(l->step2, l->count));
    (void)json_object_set_new(out, "steps", ints(l->steps, l->count));
    (void)json_object_set_new(out, "tether", reals(l->tether, l->count));
    (void)json_object_set_new(out, "scale", reals(l->scale, l->count));
    (void)json_object_set_new(out, "noise_scale", json_real(l->noise_scale));
    return out;
}

static json_t *describe_network(const ebm_network_config *n)
{
    json_t *out = json_object();
    (void)json_object_set_new(out, "ch", json_integer(n->ch));
    (void)json_object_set_new(out, "ch_mult", ints(n->ch_mult, n->n_mult));
    (void)json_object_set_new(out, "num_res_blocks", json_integer(n->num_res_blocks));
    (void)json_object_set_new(out, "activation", json_string(act_name(n->activation)));
    (void)json_object_set_new(out, "leaky_slope", json_real((double)n->leaky_slope));
    (void)json_object_set_new(out, "attention", json_integer(n->attention));
    return out;
}

static json_t *describe(const ebm_model *model)
{
    const ebm_model_info *m = ebm_model_describe(model);
    json_t *out = json_object();
    (void)json_object_set_new(out, "id", json_string(m->id));
    (void)json_object_set_new(out, "version", json_string(m->version));
    (void)json_object_set_new(out, "title", json_string(m->title));
    (void)json_object_set_new(out, "licence", json_string(m->licence));
    (void)json_object_set_new(out, "architecture", json_string(m->network.architecture));
    (void)json_object_set_new(out, "width", json_integer(m->network.width));
    (void)json_object_set_new(out, "height", json_integer(m->network.height));
    (void)json_object_set_new(out, "channels", json_integer(m->network.channels));
    (void)json_object_set_new(out, "network", describe_network(&m->network));
    (void)json_object_set_new(out, "parameters", json_integer((json_int_t)m->n_params));
    (void)json_object_set_new(out, "experts", ints(m->expert_from, m->n_experts));
    (void)json_object_set_new(out, "tensors",
                              json_integer((json_int_t)m->graph->n_tensors * m->n_experts));
    (void)json_object_set_new(out, "sha256", json_string(m->sha256));
    (void)json_object_set_new(out, "kernels", json_string(m->kernels->name));
    (void)json_object_set_new(out, "kernel_class", json_string(m->kernels->kernel_class));
    (void)json_object_set_new(out, "session_bytes",
                              json_integer((json_int_t)ebm_session_bytes(model, NULL)));
    (void)json_object_set_new(out, "levels", describe_levels(m->levels));
    return out;
}

static int print_json(const ebm_model *model)
{
    json_t *out = describe(model);
    int rc = json_dumpf(out, stdout, JSON_INDENT(2));
    (void)putchar('\n');
    json_decref(out);
    return rc == 0 ? EBMT_EXIT_OK : EBMT_EXIT_OS;
}

static void print_levels(const ebm_levels *l)
{
    (void)printf("\n%3s  %-10s  %-10s  %-12s  %5s  %6s  %-10s\n", "t", "a", "sigma", "step2",
                 "steps", "tether", "scale");
    for (int32_t t = 0; t < l->count; t++)
        (void)printf("%3d  %-10.6f  %-10.6f  %-12.6g  %5d  %6.0f  %-10.6f\n", t, l->a[t + 1],
                     l->sigma[t + 1], l->step2[t], l->steps[t], l->tether[t], l->scale[t]);
    (void)printf("a and sigma are those of the noise from level t to t+1; level 0 itself: a %.6f, "
                 "sigma %.6f\n",
                 l->a[0], l->sigma[0]);
}

static void print_experts(const ebm_model_info *m)
{
    (void)printf("experts       %d, for levels", m->n_experts);
    for (int32_t i = 0; i < m->n_experts; i++)
        (void)printf("%s %d..%d", i ? "," : "", m->expert_from[i],
                     (i + 1 < m->n_experts ? m->expert_from[i + 1] : m->levels->count) - 1);
    (void)putchar('\n');
}

static int print_text(const ebm_model *model)
{
    const ebm_model_info *m = ebm_model_describe(model);
    const ebm_network_config *n = &m->network;
    (void)printf("id            %s\n", m->id);
    (void)printf("version       %s\n", m->version);
    (void)printf("title         %s\n", m->title);
    (void)printf("licence       %s\n", m->licence);
    (void)printf("architecture  %s, ch %d x", n->architecture, n->ch);
    for (int32_t i = 0; i < n->n_mult; i++)
        (void)printf("%s%d", i ? "," : " ", n->ch_mult[i]);
    (void)printf(", %d blocks, %s", n->num_res_blocks, act_name(n->activation));
    if (n->attention != 0)
        (void)printf(", attention at %d pixels", n->attention);
    (void)putchar('\n');
    (void)printf("image         %d x %d, %d channel%s\n", n->width, n->height, n->channels,
                 n->channels == 1 ? "" : "s");
    (void)printf("parameters    %zu in %d tensors\n", m->n_params,
                 m->graph->n_tensors * m->n_experts);
    if (m->n_experts > 1)
        print_experts(m);
    (void)printf("sha256        %s\n", m->sha256);
    (void)printf("session       %zu bytes with kernels %s (%s)\n", ebm_session_bytes(model, NULL),
                 m->kernels->name, m->kernels->kernel_class);
    print_levels(m->levels);
    return EBMT_EXIT_OK;
}

int ebmt__cmd_inspect(int argc, char **argv)
{
    inspect_args args = {0};
    ebmt_parsed parsed;
    ebm_error err = {0}, why = {0};
    const ebm_kernels *kernels = NULL;
    ebm_model *model = NULL;
    int code;
    if (!ebmt__cli_parse(&command, argc, argv, &args, &parsed, &code))
        return code;
    ebm_status st = ebmt__cli_kernels(args.kernels, &kernels, &err);
    if (st == EBM_OK && ebmt__open_any(args.dir, kernels, &model, &why) != EBM_OK)
        st = ebmt__cli_blame(NULL, args.dir, &why, &err);
    if (st != EBM_OK)
        return ebmt__cli_fail(command.name, &err);
    code = args.json ? print_json(model) : print_text(model);
    ebm_model_unref(model);
    return code;
}
