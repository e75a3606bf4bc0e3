/* From rows of core's tables to flags. See op_args.h. */
#include "cli/op_args.h"

#include <stdio.h>
#include <string.h>

#define AT(member)    offsetof(ebmt__op_args, member)
#define N_COMMON      6
#define PARAMS_OFFSET offsetof(ebmt__op_args, params)

static const ebmt_option common_rows[N_COMMON] = {
    {"--models", EBMT_OPT_STRING, AT(models), 0, 0, NULL, "DIR",
     "directory that holds model directories; required unless a --server has them", false},
    {"--model", EBMT_OPT_STRING, AT(model), 0, 0, NULL, "ID",
     "which of them; several as ID:WEIGHT,ID:WEIGHT,...; a --server has a default", false},
    {"--threads", EBMT_OPT_INT, AT(threads), 1, 256, NULL, "threads",
     "threads; changes no image and no number", false},
    {"--kernels", EBMT_OPT_STRING, AT(kernels), 0, 0, NULL, "SET",
     "kernel set; the best of this CPU if absent", false},
    {"--server", EBMT_OPT_STRING, AT(server), 0, 0, NULL, "URL",
     "let this daemon do it, e.g. http://127.0.0.1:8080", false},
    {"--api-key-file", EBMT_OPT_STRING, AT(api_key_file), 0, 0, NULL, "FILE",
     "file with its API key; absent: the environment's EBM_API_KEY", false},
};

/* The table of one command while it runs. */
typedef struct table {
    ebmt_option rows[EBMT_OPTIONS_MAX];
    char flags[EBMT_OPTIONS_MAX][EBMT__OP_FLAG_MAX];
    size_t n;
} table;

void ebmt__op_flag(const char *name, char flag[EBMT__OP_FLAG_MAX])
{
    (void)snprintf(flag, EBMT__OP_FLAG_MAX, "--%s", name);
    for (char *c = flag; *c; c++)
        if (*c == '_' || *c == '.')
            *c = '-';
}

ebm_status ebmt__op_blame(const ebm_operation *op, const ebm_error *why, ebm_error *err)
{
    char flag[EBMT__OP_FLAG_MAX];
    const ebm_param *row = ebm_param_find(op->params, op->n_params, why->where);
    if (row)
        ebmt__op_flag(row->name, flag);
    return ebm_error_set(err, why->status, row ? flag : why->where, "%s", why->text);
}

ebm_op_params ebmt__op_params_of(const ebm_operation *op, const ebmt__op_args *args)
{
    const ebm_param *n = ebm_param_find(op->params, op->n_params, "n");
    ebm_op_params params = args->params;
    if (n && params.n > (int64_t)n->max)
        params.n = (int64_t)n->max;
    return params;
}

static ebmt_option_kind kind_of(ebm_param_type type)
{
    switch (type) {
    case EBM_PARAM_INT:
        return EBMT_OPT_INT64;
    case EBM_PARAM_SEED:
        return EBMT_OPT_SEED;
    case EBM_PARAM_REAL:
        return EBMT_OPT_REAL;
    case EBM_PARAM_CHOICE:
        return EBMT_OPT_CHOICE;
    case EBM_PARAM_BOOL:
        return EBMT_OPT_FLAG;
    case EBM_PARAM_MODEL:
    case EBM_PARAM_IMAGE:
    case EBM_PARAM_OBJECT:
        break;
    }
    return EBMT_OPT_STRING;
}

static void add_param(table *t, const ebm_param *row, int64_t max_n)
{
    char *flag = t->flags[t->n];
    ebmt__op_flag(row->name, flag);
    t->rows[t->n] = (ebmt_option){.flag = flag,
                                  .kind = kind_of(row->type),
                                  .offset = PARAMS_OFFSET + row->offset,
                                  .min = row->min,
                                  .max = row->max,
                                  .choices = row->choices,
                                  .unit = row->unit,
                                  .help = row->help};
    if (max_n > 0 && strcmp(row->name, "n") == 0)
        t->rows[t->n].max = (double)max_n;
    t->n++;
}

static void build(const ebmt__op_command *command, const ebm_operation *op, table *t)
{
    memcpy(t->rows, common_rows, sizeof common_rows);
    memcpy(t->rows + N_COMMON, command->files, command->n_files * sizeof *command->files);
    t->n = N_COMMON + command->n_files;
    for (size_t i = 0; i < op->n_params; i++)
        add_param(t, &op->params[i], command->max_n);
}

/* A seed is asked for where the table has one: in `seed`, and in `seed_b` between two seeds. */
static ebm_status draw_seeds(const ebm_operation *op, ebm_op_params *p, ebm_error *err)
{
    ebm_status st = p->seed < 0 ? ebmt__cli_draw_seed(&p->seed, err) : EBM_OK;
    if (st == EBM_OK && op->kind == EBM_OP_INTERPOLATE && p->seed_b < 0)
        st = ebmt__cli_draw_seed(&p->seed_b, err);
    return st;
}

/* What only this machine can do, or takes from files of its own. */
static const char *const flags_of_here[] = {
    "--models",    "--threads",  "--kernels",     "--grid",     "--sheet",
    "--animation", "--delay-ms", "--progressive", "--ensemble", "--limit",
    "--part",      "--traces",   "--checkpoint",  "--resume",   "--calibrate"};

/* A daemon would ignore them. A command has some of these flags. */
static ebm_status check_server(const ebmt_command *words, ebm_op_kind kind,
                               const ebmt_parsed *parsed, ebm_error *err)
{
    for (size_t i = 0; i < sizeof flags_of_here / sizeof flags_of_here[0]; i++)
        if (ebmt__option_given(words, parsed, flags_of_here[i]))
            return ebm_error_set(err, EBM_ERR_ARG, flags_of_here[i], "is not for --server");
    /* its job object is printed; the chains stay where they are, to be gone on with */
    if (kind == EBM_OP_MCMC && ebmt__option_given(words, parsed, "--out"))
        return ebm_error_set(err, EBM_ERR_ARG, "--out", "is not for --server");
    return EBM_OK;
}

/* Those of chains that go on are in their file. */
static ebm_status check_params(const ebm_operation *op, const ebmt__op_args *args, ebm_error *err)
{
    const ebm_op_params params = ebmt__op_params_of(op, args);
    ebm_error why = {0};
    if (args->resume || ebm_op_params_check(op, &params, &why) == EBM_OK)
        return EBM_OK;
    return ebmt__op_blame(op, &why, err);
}

/* Without a server the models are here, and so is what becomes of chains. */
static ebm_status check_here(const ebm_operation *op, const ebmt__op_args *args, ebm_error *err)
{
    if (!args->models)
        return ebm_error_set(err, EBM_ERR_ARG, "--models", "is required");
    if (!args->model)
        return ebm_error_set(err, EBM_ERR_ARG, "--model", "is required");
    if (op->kind == EBM_OP_MCMC && !args->out)
        return ebm_error_set(err, EBM_ERR_ARG, "--out", "is required");
    return check_params(op, args, err);
}

bool ebmt__op_args_parse(const ebmt__op_command *command, int argc, char **argv,
                         ebmt__op_args *args, int *code)
{
    const ebm_operation *op = ebm_operation_of(command->kind);
    table t = {.n = 0};
    ebmt_parsed parsed;
    ebm_error err = {0};
    build(command, op, &t);
    ebm_op_params_default(op, &args->params);
    if (args->threads == 0)
        args->threads = ebmt__cli_processors();
    const ebmt_command words = {
        .name = op->name, .summary = op->summary, .options = t.rows, .n_options = t.n};
    if (!ebmt__cli_parse(&words, argc, argv, args, &parsed, code))
        return false;
    ebm_status st = args->server ? check_server(&words, command->kind, &parsed, &err)
                                 : check_here(op, args, &err);
    if (st != EBM_OK) {
        *code = ebmt__cli_usage(op->name, &err);
        return false;
    }
    args->part_given = ebmt__option_given(&words, &parsed, "--part");
    memcpy(args->given, parsed.seen + t.n - op->n_params, op->n_params * sizeof *args->given);
    if (draw_seeds(op, &args->params, &err) == EBM_OK)
        return true;
    *code = ebmt__cli_fail(op->name, &err);
    return false;
}
