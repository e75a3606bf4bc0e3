/* `ebm join`: one model of two that know different noise levels. Evaluates nothing. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/open_any.h"
#include "ebm/io.h"
#include "ebm/memory.h"
#include "ebmm/models.h"
#include "init.h"
#include "save/manifest_facts.h"

#define MANIFEST_MAX_BYTES ((size_t)256 << 10)

typedef struct join_args {
    const char *low, *high, *out;
    int32_t from;
    const char *title, *licence;
} join_args;

#define AT(member) offsetof(join_args, member)

static const ebmt_option rows[] = {
    {"--low", EBMT_OPT_STRING, AT(low), 0, 0, NULL, "DIR", "model of the levels below --from",
     true},
    {"--high", EBMT_OPT_STRING, AT(high), 0, 0, NULL, "DIR", "model of those from there on", true},
    {"--from", EBMT_OPT_INT, AT(from), 1, 1023, NULL, "level", "the lowest level of --high", true},
    {"--out", EBMT_OPT_STRING, AT(out), 0, 0, NULL, "DIR",
     "directory of the model; its last part is the id", true},
    {"--title", EBMT_OPT_STRING, AT(title), 0, 0, NULL, "TEXT", "absent: that of --low", false},
    {"--licence", EBMT_OPT_STRING, AT(licence), 0, 0, NULL, "TEXT", "absent: that of --low", false},
};

static const ebmt_command command = {
    .name = "join",
    .summary = "Makes one model of two that know different noise levels.",
    .options = rows,
    .n_options = sizeof rows / sizeof rows[0],
};

typedef struct join {
    const join_args *args;
    ebm_model *low, *high, *whole;
} join;

static ebm_status check_args(const join_args *a, ebm_error *err)
{
    char id[EBM_MODEL_ID_MAX + 1];
    if (!ebmt__id_of_path(a->out, id))
        return ebm_error_set(err, EBM_ERR_ARG, "--out",
                             "its last part must be a model id: small letters, digits, . _ -");
    ebm_status st =
        ebmt__manifest_text_check("--title", a->title, sizeof((ebm_model_info *)0)->title, err);
    if (st == EBM_OK)
        st = ebmt__manifest_text_check("--licence", a->licence,
                                       sizeof((ebm_model_info *)0)->licence, err);
    return st;
}

/* Experts hand each other states of the ladder, so they need the same one, and the same graph. */
static ebm_status check_parts(const join *j, ebm_error *err)
{
    const ebm_model_info *low = ebm_model_describe(j->low), *high = ebm_model_describe(j->high);
    if (strcmp(low->levels_sha256, high->levels_sha256) != 0)
        return ebm_error_set(err, EBM_ERR_SHAPE, "--high",
                             "its noise levels or its sampling differ from those of --low");
    if (j->args->from >= low->levels->count)
        return ebm_error_set(err, EBM_ERR_RANGE, "--from", "there are levels 0..%d",
                             (int)low->levels->count - 1);
    return ebmt__check_same_network(high->graph, low->graph, err);
}

/* There are two directories, so the error says in which of them the file is. */
static ebm_status open_part(const char *flag, const char *dir, const ebm_kernels *kernels,
                            ebm_model **out, ebm_error *err)
{
    ebm_error own = {0};
    ebm_status st = ebmm_model_open(dir, kernels, out, &own);
    return st == EBM_OK ? st : ebm_error_set(err, st, flag, "%s: %s", own.where, own.text);
}

static ebm_status open_parts(join *j, ebm_error *err)
{
    const ebm_kernels *kernels = NULL;
    ebm_status st = ebm_kernels_select("ref", &kernels, err); /* nothing is evaluated */
    if (st == EBM_OK)
        st = open_part("--low", j->args->low, kernels, &j->low, err);
    if (st == EBM_OK)
        st = open_part("--high", j->args->high, kernels, &j->high, err);
    return st == EBM_OK ? check_parts(j, err) : st;
}

/* Adds the experts of a part whose lowest level is in [begin, end), and the one that serves begin.
 */
static ebm_status add_experts(join *j, const ebm_model *part, int32_t begin, int32_t end,
                              ebm_error *err)
{
    const ebm_model_info *info = ebm_model_describe(part);
    ebm_status st = EBM_OK;
    if (begin == 0)
        ebm_model_set_params(j->whole, ebm_model_params(part, 0));
    else
        st = ebm_model_add_expert(j->whole, begin, ebm_model_params(part, begin), err);
    for (int32_t i = 0; i < info->n_experts && st == EBM_OK; i++) {
        const int32_t from = info->expert_from[i];
        if (from > begin && from < end)
            st = ebm_model_add_expert(j->whole, from, ebm_model_params(part, from), err);
    }
    return st;
}

static ebm_status make_whole(join *j, ebm_error *err)
{
    const ebm_model_info *info = ebm_model_describe(j->low);
    char id[EBM_MODEL_ID_MAX + 1];
    ebm_graph *graph = NULL;
    ebm_status st = ebmm_graph_build(&info->network, &graph, err);
    if (st == EBM_OK)
        st = ebm_model_create(ebmt__id_of_path(j->args->out, id), &info->network, graph,
                              info->levels, info->kernels, &j->whole, err);
    if (st == EBM_OK)
        st = add_experts(j, j->low, 0, j->args->from, err);
    if (st == EBM_OK)
        st = add_experts(j, j->high, j->args->from, info->levels->count, err);
    return st;
}

/* What a model's manifest tells of its training; null if it tells nothing. @own json_decref() */
static ebm_status training_of(const char *dir, json_t **out, ebm_error *err)
{
    unsigned char *text = NULL;
    size_t size = 0;
    ebm_status st = ebm_file_read(dir, "model.json", MANIFEST_MAX_BYTES, &text, &size, err);
    if (st != EBM_OK)
        return st;
    json_t *manifest = json_loadb((const char *)text, size, JSON_REJECT_DUPLICATES, NULL);
    json_t *training = json_object_get(manifest, "training");
    *out = training ? json_incref(training) : json_null();
    json_decref(manifest);
    ebm_free(text);
    return EBM_OK;
}

/* How each part was trained: {"joined_from": L, "low": {...}, "high": {...}}. @own *text: free() */
static ebm_status facts_of(const join_args *a, char **text, ebm_error *err)
{
    json_t *low = NULL, *high = NULL;
    ebm_status st = training_of(a->low, &low, err);
    if (st == EBM_OK)
        st = training_of(a->high, &high, err);
    if (st == EBM_OK) {
        json_t *facts =
            json_pack("{s:i, s:O, s:O}", "joined_from", (int)a->from, "low", low, "high", high);
        *text = facts ? json_dumps(facts, JSON_REAL_PRECISION(17)) : NULL;
        json_decref(facts);
        if (!*text)
            st = ebm_error_set(err, EBM_ERR_NOMEM, "training", "no memory");
    }
    json_decref(low);
    json_decref(high);
    return st;
}

static ebm_status save_whole(const join *j, ebm_error *err)
{
    const join_args *a = j->args;
    const ebm_model_info *low = ebm_model_describe(j->low);
    char version[2 * sizeof low->version], *facts = NULL;
    (void)snprintf(version, sizeof version, "%s+%s", low->version,
                   ebm_model_describe(j->high)->version);
    version[sizeof low->version - 1] = '\0';
    ebm_status st = facts_of(a, &facts, err);
    const ebm_manifest_extra extra = {.version = version,
                                      .title = a->title ? a->title : low->title,
                                      .licence = a->licence ? a->licence : low->licence,
                                      .training_json = facts};
    if (st == EBM_OK)
        st = ebm_dir_make(a->out, err);
    if (st == EBM_OK)
        st = ebm_model_save(j->whole, &extra, a->out, err);
    free(facts);
    return st;
}

int ebmt__cmd_join(int argc, char **argv)
{
    join_args args = {0};
    join j = {.args = &args};
    ebmt_parsed parsed;
    ebm_error err = {0};
    int code;
    if (!ebmt__cli_parse(&command, argc, argv, &args, &parsed, &code))
        return code;
    if (check_args(&args, &err) != EBM_OK)
        return ebmt__cli_usage(command.name, &err);
    ebm_status st = open_parts(&j, &err);
    if (st == EBM_OK)
        st = make_whole(&j, &err);
    if (st == EBM_OK)
        st = save_whole(&j, &err);
    ebm_model_unref(j.low);
    ebm_model_unref(j.high);
    ebm_model_unref(j.whole);
    return st == EBM_OK ? EBMT_EXIT_OK : ebmt__cli_fail(command.name, &err);
}
