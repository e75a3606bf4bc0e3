/* Models: opened from a directory or made of a graph; reference-counted, immutable while shared. */
#include "model/model_internal.h"

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

/* Everything but the parameters' values. Takes the graph, also on error. */
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
    const ebm_graph_info *g = ebm_graph_describe(graph);
    m->params = ebm_alloc(g->n_params, sizeof *m->params);
    if (!m->params) {
        st = ebm_error_set(err, EBM_ERR_NOMEM, "model", "no memory for the parameters");
        goto out;
    }
    st = ebm_levels_copy(levels, &m->levels, err);
    if (st != EBM_OK)
        goto out;
    st = ebm_levels_digest(levels, m->info.levels_sha256, err);
    if (st != EBM_OK)
        goto out;
    st = ebm__weights_init(g, kernels, levels->count, &m->weights, err);
    if (st != EBM_OK)
        goto out;
    m->info.graph = g;
    m->info.levels = &m->levels;
    m->info.kernels = kernels;
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

void ebm_model_set_params(ebm_model *m, const float *params)
{
    memcpy(m->params, params, m->info.graph->n_params * sizeof *params);
    ebm__weights_prepare(&m->weights, m->info.graph, m->info.kernels, &m->levels, m->params);
}

const float *ebm_model_params(const ebm_model *m)
{
    return m->params;
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
    ebm__weights_clear(&m->weights);
    ebm_levels_clear(&m->levels);
    ebm_free(m->params);
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
                               ebm_error *err)
{
    const ebm_st_tensor *t = ebm_safetensors_find(st, info->name);
    if (!t)
        return ebm_error_set(err, EBM_ERR_NOT_FOUND, info->name, "tensor is missing");
    if (!same_dims(info, t))
        return ebm_error_set(err, EBM_ERR_SHAPE, info->name, "tensor has another shape");
    if (t->dtype != EBM_F32 && t->dtype != EBM_BF16)
        return ebm_error_set(err, EBM_ERR_FORMAT, info->name, "weights must be F32 or BF16");
    return EBM_OK;
}

/* Every tensor that the graph names must be there, and none may be left over. */
static ebm_status check_tensors(const ebm_safetensors *st, const ebm_graph_info *g, ebm_error *err)
{
    for (int32_t i = 0; i < g->n_tensors; i++) {
        ebm_status status = check_tensor(st, &g->tensors[i], err);
        if (status != EBM_OK)
            return status;
    }
    for (size_t i = 0; i < ebm_safetensors_count(st); i++) {
        const char *name = ebm_safetensors_at(st, i)->name;
        bool known = false;
        for (int32_t k = 0; k < g->n_tensors && !known; k++)
            known = strcmp(g->tensors[k].name, name) == 0;
        if (!known)
            return ebm_error_set(err, EBM_ERR_FORMAT, name, "the network has no such tensor");
    }
    return EBM_OK;
}

/* The weights file, from its bytes to tensors that are those of the graph. */
typedef struct weights_file {
    unsigned char *data;
    ebm_safetensors *tensors;
} weights_file;

static ebm_status read_weights(const ebm_model_options *opt, const char *sha256,
                               const ebm_graph_info *g, weights_file *out, ebm_error *err)
{
    const size_t weights = g->n_params * sizeof(float) + EBM_SAFETENSORS_MAX_HEADER + 8;
    const size_t max = weights < MAX_WEIGHTS_BYTES ? weights : MAX_WEIGHTS_BYTES;
    size_t size = 0;
    char digest[65];
    ebm_status st = ebm_file_read(opt->dir, "model.safetensors", max, &out->data, &size, err);
    if (st != EBM_OK)
        return st;
    ebm_sha256_hex(out->data, size, digest);
    if (strcmp(digest, sha256) != 0)
        return ebm_error_set(err, EBM_ERR_DIGEST, "model.safetensors",
                             "SHA-256 differs from /weights/sha256 of the manifest");
    st = ebm_safetensors_parse(out->data, size, &out->tensors, err);
    return st == EBM_OK ? check_tensors(out->tensors, g, err) : st;
}

static void clear_weights(weights_file *file)
{
    ebm_safetensors_free(file->tensors);
    ebm_free(file->data);
}

static ebm_status load_weights(const weights_file *file, ebm_model *m, ebm_error *err)
{
    const ebm_graph_info *g = m->info.graph;
    for (int32_t i = 0; i < g->n_tensors; i++) {
        const ebm_tensor_info *info = &g->tensors[i];
        ebm_status st = ebm_st_to_float(ebm_safetensors_find(file->tensors, info->name),
                                        info->count, m->params + info->offset, err);
        if (st != EBM_OK)
            return st;
    }
    ebm__weights_prepare(&m->weights, g, m->info.kernels, &m->levels, m->params);
    return EBM_OK;
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
    st = read_weights(opt, manifest.sha256, ebm_graph_describe(graph), &file, err);
    if (st != EBM_OK)
        goto out;
    st = make_model(graph, &manifest.levels, opt->kernels, &m, err);
    graph = NULL;
    if (st != EBM_OK)
        goto out;
    copy_facts(&manifest, &m->info);
    st = load_weights(&file, m, err);
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
