/* `ebm eval2d`: a model of points against the density of its data. No mathematics here. */
#include <jansson.h>
#include <stdio.h>

#include "cli/cli.h"
#include "cli/open_any.h"
#include "eval/grid2d.h"

typedef struct eval2d_args {
    const char *dir, *toy, *png, *kernels;
    int32_t side, threads;
    double half;
    bool json;
} eval2d_args;

#define AT(field) offsetof(eval2d_args, field)

static const ebmt_option rows[] = {
    {"--toy", EBMT_OPT_STRING, AT(toy), 0, 0, NULL, "NAME",
     "the true density: checkerboard, rings, pinwheel, gaussians", true},
    {"--grid", EBMT_OPT_INT, AT(side), 16, 4096, NULL, "cells", "cells in a row of the grid",
     false},
    {"--half", EBMT_OPT_REAL, AT(half), 1.1, 8, NULL, "", "the grid covers -half to half both ways",
     false},
    {"--png", EBMT_OPT_STRING, AT(png), 0, 0, NULL, "FILE", "picture of truth and model", false},
    {"--json", EBMT_OPT_FLAG, AT(json), 0, 0, NULL, "", "print one JSON object", false},
    {"--threads", EBMT_OPT_INT, AT(threads), 1, 256, NULL, "threads", "threads; changes no result",
     false},
    {"--kernels", EBMT_OPT_STRING, AT(kernels), 0, 0, NULL, "SET",
     "kernel set; the best of this CPU if absent", false},
};

static const ebmt_command command = {
    .name = "eval2d",
    .summary = "Compares a model of points with the density of its data, on a grid.",
    .options = rows,
    .n_options = sizeof rows / sizeof rows[0],
    .argument = "DIR",
    .argument_offset = AT(dir),
};

static int print_json(const ebmt__grid2d *g)
{
    json_t *out =
        json_pack("{s:f, s:f, s:f, s:f, s:f, s:i}", "kl", g->kl, "kl_reverse", g->kl_reverse,
                  "entropy", g->entropy, "log_z", g->log_z, "rim", g->rim, "grid", (int)g->side);
    int rc = out ? json_dumpf(out, stdout, JSON_INDENT(2)) : -1;
    (void)putchar('\n');
    json_decref(out);
    return rc == 0 ? EBMT_EXIT_OK : EBMT_EXIT_OS;
}

static int print_text(const ebmt__grid2d *g)
{
    (void)printf("KL(truth || model)  %.5f nats, at level 0\n", g->kl);
    (void)printf("KL(model || truth)  %.5f nats\n", g->kl_reverse);
    (void)printf("entropy of truth    %.5f nats\n", g->entropy);
    (void)printf("log Z               %.5f\n", g->log_z);
    (void)printf("model at the rim    %.2g of it\n", g->rim);
    return EBMT_EXIT_OK;
}

static ebm_status evaluate(const eval2d_args *a, ebmt__grid2d *out, ebm_error *err)
{
    ebmt__grid2d_options opt = {.side = a->side, .half = a->half};
    const ebm_kernels *kernels = NULL;
    ebm_model *model = NULL;
    ebmt_pool *pool = NULL;
    ebm_error why = {0};
    ebm_status st = ebmt_toy_find(a->toy, &opt.toy, err);
    if (st == EBM_OK)
        st = ebmt__cli_kernels(a->kernels, &kernels, err);
    if (st == EBM_OK)
        st = ebmt__open_model(NULL, a->dir, kernels, &model, err);
    if (st == EBM_OK)
        st = ebmt_pool_create(a->threads, &pool, err);
    if (st == EBM_OK && ebmt__grid2d_evaluate(model, &opt, pool, out, &why) != EBM_OK)
        st = ebmt__cli_blame(NULL, a->dir, &why, err);
    if (st == EBM_OK && a->png)
        st = ebmt__grid2d_draw(out, a->png, err);
    ebmt_pool_free(pool);
    ebm_model_unref(model);
    return st;
}

int ebmt__cmd_eval2d(int argc, char **argv)
{
    eval2d_args args = {.side = 400, .half = 1.5, .threads = ebmt__cli_processors()};
    ebmt_parsed parsed;
    ebm_error err = {0};
    ebmt__grid2d result = {0};
    int code;
    if (!ebmt__cli_parse(&command, argc, argv, &args, &parsed, &code))
        return code;
    if (evaluate(&args, &result, &err) != EBM_OK)
        code = ebmt__cli_fail(command.name, &err);
    else
        code = args.json ? print_json(&result) : print_text(&result);
    ebmt__grid2d_clear(&result);
    return code;
}
