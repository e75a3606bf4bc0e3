/* Writes a model directory: weights, and the manifest that names their digest. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ebm/io.h"
#include "ebm/memory.h"
#include "io/file.h"
#include "model/manifest.h"
#include "model/model_internal.h"

static ebm_status write_beside(const char *dir, const char *name, const void *data, size_t size,
                               ebm_error *err)
{
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/%s", dir, name);
    if (n < 0 || (size_t)n >= sizeof path)
        return ebm_error_set(err, EBM_ERR_ARG, name, "the path is too long");
    return ebm_file_write(path, data, size, err);
}

/* @own *data: ebm_free() */
static ebm_status build_weights(const ebm_model *m, unsigned char **data, size_t *size,
                                ebm_error *err)
{
    const ebm_graph_info *g = m->info.graph;
    const ebm_st_pair metadata = {"format", "pt"}; /* what PyTorch users expect to find */
    const int32_t experts = m->info.n_experts;
    const size_t tensors = (size_t)g->n_tensors, n = tensors * (size_t)experts;
    ebm_st_item *items = calloc(n, sizeof *items);
    ebm__tensor_name *names = calloc(n, sizeof *names);
    ebm_status st = EBM_OK;
    if (!items || !names) {
        st = ebm_error_set(err, EBM_ERR_NOMEM, EBM__WEIGHTS, "no memory");
        goto out;
    }
    for (size_t k = 0; k < n; k++) {
        const int32_t expert = (int32_t)(k / tensors);
        const ebm_tensor_info *t = &g->tensors[k % tensors];
        items[k] = (ebm_st_item){
            .name = ebm__tensor_file_name(t->name, m->info.expert_from[expert], experts, names[k]),
            .rank = t->rank,
            .values = m->expert[expert].params + t->offset};
        for (int32_t d = 0; d < t->rank; d++)
            items[k].dim[d] = t->dim[d];
    }
    st = ebm_safetensors_build(items, n, &metadata, 1, data, size, err);
out:
    free(names);
    free(items);
    return st;
}

/* The old weights keep their name until the new manifest, which tells the new ones by their digest,
 * is in its place: cut short anywhere, this leaves the old model or the new one. */
static ebm_status replace_files(const char *dir, const void *weights, size_t weights_size,
                                const char *json, size_t size, ebm_error *err)
{
    ebm_status st = write_beside(dir, EBM__WEIGHTS_NEW, weights, weights_size, err);
    if (st == EBM_OK)
        st = write_beside(dir, "model.json", json, size, err);
    return st == EBM_OK ? ebm__file_rename(dir, EBM__WEIGHTS_NEW, EBM__WEIGHTS, err) : st;
}

static const char *text_or_empty(const char *text)
{
    return text ? text : "";
}

/* Both files are made before either is written: a manifest that is refused leaves what was there.
 */
ebm_status ebm_model_save(const ebm_model *m, const ebm_manifest_extra *extra, const char *dir,
                          ebm_error *err)
{
    ebm__manifest manifest = {
        .network = m->info.network, .levels = m->levels, .n_experts = m->info.n_experts};
    unsigned char *weights = NULL;
    char *json = NULL;
    size_t weights_size = 0, size = 0;
    memcpy(manifest.expert_from, m->info.expert_from, sizeof manifest.expert_from);
    snprintf(manifest.id, sizeof manifest.id, "%s", m->info.id);
    snprintf(manifest.version, sizeof manifest.version, "%s", text_or_empty(extra->version));
    snprintf(manifest.title, sizeof manifest.title, "%s", text_or_empty(extra->title));
    snprintf(manifest.licence, sizeof manifest.licence, "%s", text_or_empty(extra->licence));
    ebm_status st = m->expert[0].params ? build_weights(m, &weights, &weights_size, err)
                                        : ebm_error_set(err, EBM_ERR_ARG, "model", "is sealed");
    if (st == EBM_OK) {
        ebm_sha256_hex(weights, weights_size, manifest.sha256);
        st = ebm__manifest_build(&manifest, extra->training_json, extra->quality_json, &json, &size,
                                 err);
    }
    if (st == EBM_OK)
        st = replace_files(dir, weights, weights_size, json, size, err);
    ebm_free(weights);
    ebm_free(json);
    return st;
}
