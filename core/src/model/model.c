/* Models: opened from a directory or made of a graph; reference-counted, immutable while shared. */
#include "model/model_internal.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ebm/io.h"
#include "ebm/memory.h"
#include "model/manifest.h"

#define MAX_WEIGHTS_BYTES ((size_t)4 << 30)

bool ebm_model_id_valid(const char *id)
{
    size_t n = strlen(id);
    if (n < 1 || n > EBM_MODEL_ID_MAX || strstr(id, ".."))
        return false;
    for (size_t i = 0; i < n; i++) {
        bool word = (id[i] >= 'a' && id[i] <= 'z') || (id[i] >= '0' && id[i] <= '9');
        if (!word && (i == 0 || !strchr("._-", id[i])))
            return false;
    }
    return true;
}

static void clear_expert(ebm__expert *e)
{
    ebm__weights_clear(&e->weights);
    ebm_free(e->params);
}

/* Room for one more set of parameters, which serves the levels from `from` on. */
static ebm_status make_expert(ebm_model *m, int32_t from, ebm_error *err)
{
    const ebm_graph_info *g = m->info.graph;
    const int32_t i = m->info.n_experts;
    ebm__expert e = {.params = ebm_alloc(g->n_params, sizeof *e.params)};
    if (!e.params)
        return ebm_error_set(err, EBM_ERR_NOMEM, "model", "no memory for the parameters");
    ebm_status st = ebm__weights_init(g, m->info.kernels, m->levels.count, &e.weights, err);
    if (st != EBM_OK) {
        ebm_free(e.params);
        return st;
    }
    m->expert[i] = e;
    m->info.expert_from[i] = from;
    m->info.n_experts = i + 1;
    m->info.n_params += g->n_params;
    return EBM_OK;
}

/* Everything but the parameters' values, with one expert. Takes the graph, also on error. */
static ebm_status make_model(ebm_graph *graph, const ebm_levels *levels, const ebm_kernels *kernels,
                             ebm_model **out, ebm_error *err)
{
    ebm_status st = EBM_ERR_NOMEM;
    ebm_model *m = calloc(1, sizeof *m);
    if (!m) {
        ebm_graph_free(graph);
        return ebm_error_set(err, EBM_ERR_NOMEM, "model", "no memory");
    }
    atomic_init(&m->references, 1);
    m->graph = graph;
    m->info.graph = ebm_graph_describe(graph);
    m->info.levels = &m->levels;
    m->info.kernels = kernels;
    st = ebm_levels_copy(levels, &m->levels, err);
    if (st != EBM_OK)
        goto out;
    st = ebm_levels_digest(levels, m->info.levels_sha256, err);
    if (st != EBM_OK)
        goto out;
    st = make_expert(m, 0, err);
    if (st != EBM_OK)
        goto out;
    *out = m;
    m = NULL;
out:
    ebm_model_unref(m);
    return st;
}

ebm_status ebm_model_create(const char *id, const ebm_network_config *network, ebm_graph *graph,
                            const ebm_levels *levels, const ebm_kernels *kernels, ebm_model **out,
                            ebm_error *err)
{
    *out = NULL;
    if (!ebm_model_id_valid(id)) {
        ebm_graph_free(graph);
        return ebm_error_set(err, EBM_ERR_ARG, "id", "not a valid model id");
    }
    ebm_status st = make_model(graph, levels, kernels, out, err);
    if (st == EBM_OK) {
        snprintf((*out)->info.id, sizeof(*out)->info.id, "%s", id);
        (*out)->info.network = *network;
    }
    return st;
}

static void prepare(ebm_model *m, int32_t expert)
{
    ebm__weights_prepare(&m->expert[expert].weights, m->info.graph, m->info.kernels, &m->levels,
                         m->expert[expert].params);
}

static void set_params(ebm_model *m, int32_t expert, const float *params)
{
    assert(m->expert[expert].params);
    memcpy(m->expert[expert].params, params, m->info.graph->n_params * sizeof *params);
    prepare(m, expert);
}

void ebm_model_set_params(ebm_model *m, const float *params)
{
    set_params(m, 0, params);
}

ebm_status ebm_model_add_expert(ebm_model *m, int32_t from, const float *params, ebm_error *err)
{
    const int32_t n = m->info.n_experts;
    assert(m->expert[0].params);
    if (n >= EBM_MAX_EXPERTS)
        return ebm_error_set(err, EBM_ERR_LIMIT, "experts", "at most %d", EBM_MAX_EXPERTS);
    if (from <= m->info.expert_from[n - 1] || from >= m->levels.count)
        return ebm_error_set(err, EBM_ERR_RANGE, "experts", "level %d must be %d..%d", (int)from,
                             (int)m->info.expert_from[n - 1] + 1, (int)m->levels.count - 1);
    ebm_status st = make_expert(m, from, err);
    if (st == EBM_OK)
        set_params(m, n, params);
    return st;
}

void ebm_model_seal(ebm_model *m)
{
    for (int32_t i = 0; i < m->info.n_experts; i++) {
        ebm_free(m->expert[i].params);
        m->expert[i].params = NULL;
    }
}

const float *ebm_model_params(const ebm_model *m, int32_t level)
{
    assert(level >= 0 && level < m->levels.count);
    return ebm__expert_at(m, level)->params;
}

const char *ebm__tensor_file_name(const char *name, int32_t from, int32_t n_experts,
                                  ebm__tensor_name out)
{
    if (n_experts == 1)
        return name;
    snprintf(out, sizeof(ebm__tensor_name), "from%d.%s", (int)from, name);
    return out;
}

const ebm_model_info *ebm_model_describe(const ebm_model *m)
{
    return &m->info;
}

ebm_model *ebm_model_ref(ebm_model *m)
{
    atomic_fetch_add(&m->references, 1);
    return m;
}

bool ebm_model_is_shared(const ebm_model *m)
{
    return atomic_load(&m->references) > 1;
}

void ebm_model_unref(ebm_model *m)
{
    if (!m || atomic_fetch_sub(&m->references, 1) != 1)
        return;
    for (int32_t i = 0; i < m->info.n_experts; i++)
        clear_expert(&m->expert[i]);
    ebm_levels_clear(&m->levels);
    ebm_graph_free(m->graph);
    free(m);
}

/* --- opening a directory -------------------------------------------------------------------- */

static bool same_dims(const ebm_tensor_info *info, const ebm_st_tensor *t)
{
    if (info->rank != t->rank)
        return false;
    for (int32_t i = 0; i < info->rank; i++)
        if ((int64_t)info->dim[i] != t->dim[i])
            return false;
    return true;
}

static ebm_status check_tensor(const ebm_safetensors *st, const ebm_tensor_info *info,
                               const char *name, ebm_error *err)
{
    const ebm_st_tensor *t = ebm_safetensors_find(st, name);
    if (!t)
        return ebm_error_set(err, EBM_ERR_NOT_FOUND, name, "tensor is missing");
    if (!same_dims(info, t))
        return ebm_error_set(err, EBM_ERR_SHAPE, name, "tensor has another shape");
    if (t->dtype != EBM_F32 && t->dtype != EBM_BF16)
        return ebm_error_set(err, EBM_ERR_FORMAT, name, "weights must be F32 or BF16");
    return EBM_OK;
}

/* Tensor k of all that the file must hold: those of one expert after those of another. */
static const char *wanted_name(const ebm_graph_info *g, const ebm__manifest *manifest, int32_t k,
                               ebm__tensor_name out)
{
    return ebm__tensor_file_name(g->tensors[k % g->n_tensors].name,
                                 manifest->expert_from[k / g->n_tensors], manifest->n_experts, out);
}

/* Names are unique and those that are wanted are there: if there are more, this finds one. */
static ebm_status name_stowaway(const ebm_safetensors *st, const ebm_graph_info *g,
                                const ebm__manifest *manifest, ebm_error *err)
{
    ebm__tensor_name room;
    for (size_t i = 0; i < ebm_safetensors_count(st); i++) {
        const char *name = ebm_safetensors_at(st, i)->name;
        bool known = false;
        for (int32_t k = 0; k < g->n_tensors * manifest->n_experts && !known; k++)
            known = strcmp(wanted_name(g, manifest, k, room), name) == 0;
        if (!known)
            return ebm_error_set(err, EBM_ERR_FORMAT, name, "the network has no such tensor");
    }
    return EBM_OK;
}

/* Every tensor that the graph names must be there for every expert, and none may be left over. */
static ebm_status check_tensors(const ebm_safetensors *st, const ebm_graph_info *g,
                                const ebm__manifest *manifest, ebm_error *err)
{
    const int32_t n = g->n_tensors * manifest->n_experts;
    ebm__tensor_name room;
    for (int32_t k = 0; k < n; k++) {
        ebm_status status =
            check_tensor(st, &g->tensors[k % g->n_tensors], wanted_name(g, manifest, k, room), err);
        if (status != EBM_OK)
            return status;
    }
    return ebm_safetensors_count(st) == (size_t)n ? EBM_OK : name_stowaway(st, g, manifest, err);
}

/* The weights file, from its bytes to tensors that are those of the graph. */
typedef struct weights_file {
    unsigned char *data;
    ebm_safetensors *tensors;
} weights_file;

/* Bytes of the digest that is wanted. @own *data: ebm_free() */
static ebm_status read_digested(const char *dir, const char *name, size_t max, const char *want,
                                unsigned char **data, size_t *size, ebm_error *err)
{
    char digest[65];
    ebm_status st = ebm_file_read(dir, name, max, data, size, err);
    if (st != EBM_OK)
        return st;
    ebm_sha256_hex(*data, *size, digest);
    if (strcmp(digest, want) == 0)
        return EBM_OK;
    ebm_free(*data);
    *data = NULL;
    return ebm_error_set(err, EBM_ERR_DIGEST, name,
                         "SHA-256 differs from /weights/sha256 of the manifest");
}

/* A save that was cut short leaves the manifest's weights beside the older ones. */
static ebm_status find_weights(const char *dir, size_t max, const char *want, unsigned char **data,
                               size_t *size, ebm_error *err)
{
    ebm_error of_new = {0}; /* what is wrong with the file that ought to be there says more */
    ebm_status st = read_digested(dir, EBM__WEIGHTS, max, want, data, size, err);
    if (st == EBM_OK)
        return EBM_OK;
    return read_digested(dir, EBM__WEIGHTS_NEW, max, want, data, size, &of_new) == EBM_OK ? EBM_OK
                                                                                          : st;
}

static ebm_status read_weights(const ebm_model_options *opt, const ebm__manifest *manifest,
                               const ebm_graph_info *g, weights_file *out, ebm_error *err)
{
    const size_t n = (size_t)manifest->n_experts; /* few: no overflow */
    const size_t weights = n * g->n_params * sizeof(float) + EBM_SAFETENSORS_MAX_HEADER + 8;
    const size_t max = weights < MAX_WEIGHTS_BYTES ? weights : MAX_WEIGHTS_BYTES;
    size_t size = 0;
    ebm_status st = find_weights(opt->dir, max, manifest->sha256, &out->data, &size, err);
    if (st != EBM_OK)
        return st;
    st = ebm_safetensors_parse(out->data, size, &out->tensors, err);
    return st == EBM_OK ? check_tensors(out->tensors, g, manifest, err) : st;
}

static void clear_weights(weights_file *file)
{
    ebm_safetensors_free(file->tensors);
    ebm_free(file->data);
}

/* Expert k, of which there is room for those before. */
static ebm_status load_expert(const weights_file *file, const ebm__manifest *manifest, int32_t k,
                              ebm_model *m, ebm_error *err)
{
    const ebm_graph_info *g = m->info.graph;
    ebm__tensor_name room;
    ebm_status st = k == 0 ? EBM_OK : make_expert(m, manifest->expert_from[k], err);
    for (int32_t i = 0; i < g->n_tensors && st == EBM_OK; i++) {
        const ebm_tensor_info *info = &g->tensors[i];
        const char *name =
            ebm__tensor_file_name(info->name, manifest->expert_from[k], manifest->n_experts, room);
        st = ebm_st_to_float(ebm_safetensors_find(file->tensors, name), info->count,
                             m->expert[k].params + info->offset, err);
    }
    if (st == EBM_OK)
        prepare(m, k);
    return st;
}

static ebm_status load_weights(const weights_file *file, const ebm__manifest *manifest,
                               ebm_model *m, ebm_error *err)
{
    ebm_status st = EBM_OK;
    for (int32_t k = 0; k < manifest->n_experts && st == EBM_OK; k++)
        st = load_expert(file, manifest, k, m, err);
    return st;
}

static ebm_status build_graph(const ebm_model_options *opt, const ebm_network_config *network,
                              ebm_graph **out, ebm_error *err)
{
    for (int32_t i = 0; i < opt->n_architectures; i++)
        if (strcmp(opt->architectures[i].name, network->architecture) == 0)
            return opt->architectures[i].build(network, out, err);
    return ebm_error_set(err, EBM_ERR_NOT_FOUND, "/architecture", "unknown architecture '%s'",
                         network->architecture);
}

static void copy_facts(const ebm__manifest *manifest, ebm_model_info *info)
{
    memcpy(info->id, manifest->id, sizeof info->id);
    memcpy(info->version, manifest->version, sizeof info->version);
    memcpy(info->title, manifest->title, sizeof info->title);
    memcpy(info->licence, manifest->licence, sizeof info->licence);
    memcpy(info->sha256, manifest->sha256, sizeof info->sha256);
    info->network = manifest->network;
}

ebm_status ebm_model_open(const ebm_model_options *opt, ebm_model **out, ebm_error *err)
{
    ebm__manifest manifest = {0};
    ebm_graph *graph = NULL;
    ebm_model *m = NULL;
    weights_file file = {0};
    unsigned char *json = NULL;
    size_t size = 0;
    *out = NULL;
    ebm_status st =
        ebm_file_read(opt->dir, "model.json", EBM__MANIFEST_MAX_BYTES, &json, &size, err);
    if (st != EBM_OK)
        goto out;
    st = ebm__manifest_parse((const char *)json, size, &manifest, err);
    if (st != EBM_OK)
        goto out;
    st = build_graph(opt, &manifest.network, &graph, err);
    if (st != EBM_OK)
        goto out;
    /* a manifest of a few bytes may ask for gigabytes: the file that fills them must be there */
    st = read_weights(opt, &manifest, ebm_graph_describe(graph), &file, err);
    if (st != EBM_OK)
        goto out;
    st = make_model(graph, &manifest.levels, opt->kernels, &m, err);
    graph = NULL;
    if (st != EBM_OK)
        goto out;
    copy_facts(&manifest, &m->info);
    st = load_weights(&file, &manifest, m, err);
    if (st != EBM_OK)
        goto out;
    *out = m;
    m = NULL;
out:
    ebm_model_unref(m);
    ebm_graph_free(graph);
    clear_weights(&file);
    ebm_levels_clear(&manifest.levels);
    ebm_free(json);
    return st;
}
