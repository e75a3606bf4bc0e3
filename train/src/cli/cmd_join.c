/* `ebm join`: one model of several that know different noise levels. Evaluates nothing. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/open_any.h"
#include "ebm/io.h"
#include "ebm/memory.h"
#include "ebmm/models.h"
#include "save/checkpoint_dir.h"
#include "save/manifest_facts.h"

#define MANIFEST_MAX_BYTES ((size_t)256 << 10)

typedef struct join_args {
    const char *parts, *out;
    ebmt_int_list from;
    const char *version, *title, *licence;
} join_args;

#define AT(member) offsetof(join_args, member)

static const ebmt_option rows[] = {
    {"--parts", EBMT_OPT_STRING, AT(parts), 0, 0, NULL, "DIR,DIR,...",
     "models of the parts, from level 0 upwards", true},
    {"--from", EBMT_OPT_INTS, AT(from), 1, 1023, NULL, "level",
     "where the second part begins, the third ...", true},
    {"--out", EBMT_OPT_STRING, AT(out), 0, 0, NULL, "DIR",
     "directory of the model; its last part is the id", true},
    {"--model-version", EBMT_OPT_STRING, AT(version), 0, 0, NULL, "TEXT",
     "what the manifest says as its version", false},
    {"--title", EBMT_OPT_STRING, AT(title), 0, 0, NULL, "TEXT", "absent: that of the first part",
     false},
    {"--licence", EBMT_OPT_STRING, AT(licence), 0, 0, NULL, "TEXT", "absent: that of all parts",
     false},
};

static const ebmt_command command = {
    .name = "join",
    .summary = "Makes one model of several that know different noise levels.",
    .options = rows,
    .n_options = sizeof rows / sizeof rows[0],
};

/* A model, and the levels from..end-1 that it serves in the whole. */
typedef struct join_part {
    const char *dir;
    int32_t from, end;
    ebm_model *model;
} join_part;

typedef struct join {
    const join_args *args;
    char *dirs; /* of --parts, each ended by 0 */
    int32_t n_parts;
    join_part part[EBM_MAX_EXPERTS];
    ebm_model *whole;
} join;

static ebm_status check_args(const join_args *a, ebm_error *err)
{
    char id[EBM_MODEL_ID_MAX + 1];
    if (!ebmt__id_of_path(a->out, id))
        return ebm_error_set(err, EBM_ERR_ARG, "--out",
                             "its last part must be a model id: small letters, digits, . _ -");
    ebm_status st = ebmt__manifest_text_check("--model-version", a->version,
                                              sizeof((ebm_model_info *)0)->version, err);
    if (st == EBM_OK)
        st =
            ebmt__manifest_text_check("--title", a->title, sizeof((ebm_model_info *)0)->title, err);
    if (st == EBM_OK)
        st = ebmt__manifest_text_check("--licence", a->licence,
                                       sizeof((ebm_model_info *)0)->licence, err);
    return st;
}

static bool same_network(const ebm_network_config *a, const ebm_network_config *b)
{
    bool same = strcmp(a->architecture, b->architecture) == 0 && a->width == b->width &&
                a->height == b->height && a->channels == b->channels && a->ch == b->ch &&
                a->n_mult == b->n_mult && a->num_res_blocks == b->num_res_blocks &&
                a->activation == b->activation && a->attention == b->attention &&
                memcmp(&a->leaky_slope, &b->leaky_slope, sizeof a->leaky_slope) == 0;
    for (int32_t i = 0; same && i < a->n_mult; i++)
        same = a->ch_mult[i] == b->ch_mult[i];
    return same;
}

static ebm_status split_parts(join *j, ebm_error *err)
{
    const size_t size = strlen(j->args->parts) + 1;
    j->dirs = ebm_alloc(size, 1);
    if (!j->dirs)
        return ebm_error_set(err, EBM_ERR_NOMEM, "--parts", "no memory");
    memcpy(j->dirs, j->args->parts, size);
    bool fine = true;
    for (char *dir = j->dirs; dir && fine;) {
        char *comma = strchr(dir, ',');
        if (comma)
            *comma = 0;
        fine = *dir && j->n_parts < EBM_MAX_EXPERTS;
        if (fine)
            j->part[j->n_parts++].dir = dir;
        dir = comma ? comma + 1 : NULL;
    }
    if (!fine || j->n_parts < 2)
        return ebm_error_set(err, EBM_ERR_ARG, "--parts",
                             "must be 2 to %d directories, separated by commas", EBM_MAX_EXPERTS);
    return EBM_OK;
}

/* Each part ends where the next begins. The last one's end is known when it is open. */
static ebm_status set_ranges(join *j, ebm_error *err)
{
    const ebmt_int_list *from = &j->args->from;
    if (from->n != j->n_parts - 1)
        return ebm_error_set(err, EBM_ERR_ARG, "--from",
                             "%d parts need %d, one for each part but the first", (int)j->n_parts,
                             (int)j->n_parts - 1);
    for (int32_t i = 0; i < from->n; i++) {
        if (from->item[i] <= j->part[i].from)
            return ebm_error_set(err, EBM_ERR_ARG, "--from", "must ascend");
        j->part[i].end = j->part[i + 1].from = from->item[i];
    }
    return EBM_OK;
}

/* Experts hand each other states of the ladder, so they need the same one, and the same graph. */
static ebm_status check_parts(const join *j, ebm_error *err)
{
    const ebm_model_info *first = ebm_model_describe(j->part[0].model);
    for (int32_t i = 1; i < j->n_parts; i++) {
        const ebm_model_info *info = ebm_model_describe(j->part[i].model);
        const char *dir = j->part[i].dir;
        if (!same_network(&first->network, &info->network))
            return ebm_error_set(err, EBM_ERR_SHAPE, "--parts",
                                 "%s: another network than that of the first", dir);
        if (strcmp(first->levels_sha256, info->levels_sha256) != 0)
            return ebm_error_set(err, EBM_ERR_SHAPE, "--parts",
                                 "%s: its noise levels or its sampling differ from the first's",
                                 dir);
        if (j->part[i].from >= first->levels->count)
            return ebm_error_set(err, EBM_ERR_RANGE, "--from", "there are levels 0..%d",
                                 (int)first->levels->count - 1);
        if (!j->args->licence && strcmp(first->licence, info->licence) != 0)
            return ebm_error_set(err, EBM_ERR_ARG, "--licence",
                                 "is required: those of the parts differ");
    }
    return EBM_OK;
}

/* Parts are hours of work: a forgotten flag must not put the whole in the place of one. */
static ebm_status check_out(const join_args *a, ebm_error *err)
{
    int64_t newest = -1;
    ebm_status st = ebmt__checkpoint_newest(a->out, &newest, err);
    if (st == EBM_OK && (newest >= 0 || ebmt__holds_model(a->out)))
        return ebm_error_set(err, EBM_ERR_ARG, "--out", "holds a model or a run already");
    return st;
}

static ebm_status open_part(join_part *part, const ebm_kernels *kernels, ebm_error *err)
{
    ebm_status st = ebmt__open_model("--parts", part->dir, kernels, &part->model, err);
    if (st == EBM_OK && part->end == 0)
        part->end = ebm_model_describe(part->model)->levels->count;
    return st;
}

static ebm_status open_parts(join *j, ebm_error *err)
{
    const ebm_kernels *kernels = NULL;
    ebm_status st = ebm_kernels_select("ref", &kernels, err); /* nothing is evaluated */
    for (int32_t i = 0; i < j->n_parts && st == EBM_OK; i++)
        st = open_part(&j->part[i], kernels, err);
    return st == EBM_OK ? check_parts(j, err) : st;
}

/* Adds the expert of a part that serves the first of its levels, and those that start within. */
static ebm_status add_experts(join *j, const join_part *part, ebm_error *err)
{
    const ebm_model_info *info = ebm_model_describe(part->model);
    ebm_status st = EBM_OK;
    if (part->from == 0)
        ebm_model_set_params(j->whole, ebm_model_params(part->model, 0));
    else
        st = ebm_model_add_expert(j->whole, part->from, ebm_model_params(part->model, part->from),
                                  err);
    for (int32_t i = 0; i < info->n_experts && st == EBM_OK; i++) {
        const int32_t from = info->expert_from[i];
        if (from > part->from && from < part->end)
            st = ebm_model_add_expert(j->whole, from, ebm_model_params(part->model, from), err);
    }
    return st;
}

static ebm_status make_whole(join *j, ebm_error *err)
{
    const ebm_model_info *info = ebm_model_describe(j->part[0].model);
    char id[EBM_MODEL_ID_MAX + 1];
    ebm_graph *graph = NULL;
    ebm_status st = ebmm_graph_build(&info->network, &graph, err);
    if (st == EBM_OK)
        st = ebm_model_create(ebmt__id_of_path(j->args->out, id), &info->network, graph,
                              info->levels, info->kernels, &j->whole, err);
    for (int32_t i = 0; i < j->n_parts && st == EBM_OK; i++)
        st = add_experts(j, &j->part[i], err);
    return st;
}

/* --- what the manifest tells of the parts --------------------------------------------------- */

/* The number of a run's configuration, or `absent`. */
static int32_t config_number(const json_t *training, const char *name, int32_t absent)
{
    const json_t *value = json_object_get(json_object_get(training, "config"), name);
    return json_is_integer(value) ? (int32_t)json_integer_value(value) : absent;
}

/* An expert that its run did not train would sample noise, and nothing else would tell. */
static ebm_status check_trained(const char *dir, const json_t *training, int32_t from, int32_t to,
                                ebm_error *err)
{
    const int32_t lowest = config_number(training, "lowest_level", 0);
    const int32_t highest = config_number(training, "highest_level", -1);
    if (from >= lowest && (highest < 0 || to <= highest))
        return EBM_OK;
    return ebm_error_set(err, EBM_ERR_RANGE, "--parts",
                         "%s: its run has not trained all of levels %d..%d", dir, (int)from,
                         (int)to);
}

/* The "training" of a model's manifest; null if there is none. @own *out: json_decref() */
static ebm_status training_of(const char *dir, json_t **out, ebm_error *err)
{
    unsigned char *text = NULL;
    size_t size = 0;
    ebm_status st = ebm_file_read(dir, "model.json", MANIFEST_MAX_BYTES, &text, &size, err);
    if (st != EBM_OK)
        return st;
    json_t *manifest = json_loadb((const char *)text, size, JSON_REJECT_DUPLICATES, NULL);
    ebm_free(text);
    if (!manifest)
        return ebm_error_set(err, EBM_ERR_FORMAT, "--parts", "%s: model.json has changed", dir);
    json_t *training = json_object_get(manifest, "training");
    *out = training ? json_incref(training) : json_null();
    json_decref(manifest);
    return EBM_OK;
}

/* What is told of the experts, and the first part that tells its data. */
typedef struct fact_list {
    json_t *rows;
    const char *dir, *data;
} fact_list;

/* Densities of other images do not continue each other. Runs of earlier builds do not tell. */
static ebm_status check_data(fact_list *f, const char *dir, const json_t *training, ebm_error *err)
{
    const char *data =
        json_string_value(json_object_get(json_object_get(training, "config"), "data_sha256"));
    if (!data || data[0] == '\0')
        return EBM_OK;
    if (!f->data) {
        f->dir = dir;
        f->data = data;
    }
    if (strcmp(f->data, data) == 0)
        return EBM_OK;
    return ebm_error_set(err, EBM_ERR_DIGEST, "--parts",
                         "%.90s and %.90s were trained on different data", f->dir, dir);
}

/* It may be meant, so it is told and no more. */
static void tell_stopped(const char *dir, const json_t *training)
{
    const json_t *config = json_object_get(training, "config");
    const json_t *done = json_object_get(training, "iterations");
    const json_t *planned = json_object_get(config, "iterations");
    ebm_error note = {0};
    if (!json_is_integer(done) || json_integer_value(done) >= json_integer_value(planned))
        return;
    (void)snprintf(note.where, sizeof note.where, "%s", dir);
    (void)snprintf(note.text, sizeof note.text, "stopped at %lld of %lld iterations",
                   (long long)json_integer_value(done), (long long)json_integer_value(planned));
    ebmt__cli_say(command.name, &note);
}

/* One expert of a part: which levels it serves in the whole, and how it was trained. That of a part
 * which was joined itself stands in a row of its own. */
static ebm_status add_fact(fact_list *f, const char *dir, json_t *training, int32_t from,
                           int32_t to, ebm_error *err)
{
    ebm_status st = check_trained(dir, training, from, to, err);
    if (st == EBM_OK)
        st = check_data(f, dir, training, err);
    if (st != EBM_OK)
        return st;
    tell_stopped(dir, training);
    json_t *row =
        json_pack("{s:i, s:i, s:O}", "from", (int)from, "to", (int)to, "training", training);
    if (json_array_append_new(f->rows, row) != 0)
        return ebm_error_set(err, EBM_ERR_NOMEM, "training", "no memory");
    return EBM_OK;
}

/* As add_experts() goes through them. */
static ebm_status add_facts(fact_list *f, const join_part *part, ebm_error *err)
{
    const ebm_model_info *info = ebm_model_describe(part->model);
    json_t *training = NULL;
    ebm_status st = training_of(part->dir, &training, err);
    for (int32_t i = 0; i < info->n_experts && st == EBM_OK; i++) {
        int32_t from = info->expert_from[i];
        int32_t end = i + 1 < info->n_experts ? info->expert_from[i + 1] : info->levels->count;
        from = from > part->from ? from : part->from;
        end = end < part->end ? end : part->end;
        json_t *own =
            info->n_experts == 1
                ? training
                : json_object_get(json_array_get(json_object_get(training, "experts"), (size_t)i),
                                  "training");
        if (from < end)
            st = add_fact(f, part->dir, own ? own : json_null(), from, end - 1, err);
    }
    json_decref(training);
    return st;
}

/* {"experts": [{"from": 0, "to": 0, "training": {...}}, ...]}. @own *text: free() */
static ebm_status facts_of(const join *j, char **text, ebm_error *err)
{
    fact_list f = {.rows = json_array()};
    ebm_status st = f.rows ? EBM_OK : ebm_error_set(err, EBM_ERR_NOMEM, "training", "no memory");
    for (int32_t i = 0; i < j->n_parts && st == EBM_OK; i++)
        st = add_facts(&f, &j->part[i], err);
    json_t *whole = st == EBM_OK ? json_pack("{s:O}", "experts", f.rows) : NULL;
    *text = whole ? json_dumps(whole, JSON_REAL_PRECISION(17)) : NULL;
    if (st == EBM_OK && !*text)
        st = ebm_error_set(err, EBM_ERR_NOMEM, "training", "no memory");
    json_decref(whole);
    json_decref(f.rows);
    return st;
}

static ebm_status save_whole(const join *j, ebm_error *err)
{
    const join_args *a = j->args;
    const ebm_model_info *first = ebm_model_describe(j->part[0].model);
    char *facts = NULL;
    ebm_status st = facts_of(j, &facts, err);
    const ebm_manifest_extra extra = {.version = a->version,
                                      .title = a->title ? a->title : first->title,
                                      .licence = a->licence ? a->licence : first->licence,
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
    join_args args = {.version = "1"};
    join j = {.args = &args};
    ebmt_parsed parsed;
    ebm_error err = {0};
    int code;
    if (!ebmt__cli_parse(&command, argc, argv, &args, &parsed, &code))
        return code;
    ebm_status st = check_args(&args, &err);
    if (st == EBM_OK)
        st = split_parts(&j, &err);
    if (st == EBM_OK)
        st = set_ranges(&j, &err);
    if (st != EBM_OK) {
        ebm_free(j.dirs);
        return ebmt__cli_usage(command.name, &err);
    }
    st = check_out(&args, &err);
    if (st == EBM_OK)
        st = open_parts(&j, &err);
    if (st == EBM_OK)
        st = make_whole(&j, &err);
    if (st == EBM_OK)
        st = save_whole(&j, &err);
    for (int32_t i = 0; i < j.n_parts; i++)
        ebm_model_unref(j.part[i].model);
    ebm_model_unref(j.whole);
    ebm_free(j.dirs);
    return st == EBM_OK ? EBMT_EXIT_OK : ebmt__cli_fail(command.name, &err);
}
