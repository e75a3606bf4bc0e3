/* A small random model on disk, see tiny_model.h. */
#include "tiny_model.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "ebm/levels.h"
#include "ebm/memory.h"
#include "ebm/model.h"
#include "ebm/rng.h"
#include "ebmm/models.h"
#include "random_net.h"

static ebm_status randomise(ebm_model *m, const tiny_model *what, ebm_error *err)
{
    const ebm_graph_info *g = ebm_model_describe(m)->graph;
    ebm_stream stream = {.seed = what->seed, .purpose = EBM_PURPOSE_TEST};
    float *params = ebm_alloc(g->n_params, sizeof(float));

    if (!params)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory");
    ebm_rng_normal(&stream, 0, g->n_params, params);
    for (size_t i = 0; i < g->n_params; i++)
        params[i] *= 0.05f;
    ebm_model_set_params(m, params);
    ebm_free(params);
    return EBM_OK;
}

static ebm_status build(const tiny_model *what, ebm_model **out, ebm_error *err)
{
    ebm_schedule_t6 schedule = ebm_schedule_t6_default();
    ebm_network_config config = small_network();
    const ebm_kernels *kernels = NULL;
    ebm_levels levels = {0};
    ebm_graph *graph = NULL;
    ebm_status st;

    if (what->side > 0)
        config.width = config.height = what->side;
    if (what->channels > 0)
        config.channels = what->channels;
    if (what->blocks > 0)
        config.num_res_blocks = what->blocks;
    schedule.count = what->levels;
    schedule.steps = what->steps;
    st = ebm_kernels_select("ref", &kernels, err);
    if (st == EBM_OK)
        st = ebm_levels_t6(&schedule, &levels, err);
    for (int32_t t = 0; t < levels.count; t++)
        levels.step2[t] *= what->step_scale;
    levels.denoise = what->denoise;
    if (st == EBM_OK)
        st = ebmm_graph_build(&config, &graph, err);
    if (st == EBM_OK)
        st = ebm_model_create(what->id, &config, graph, &levels, kernels, out, err);
    if (st == EBM_OK)
        st = randomise(*out, what, err);
    ebm_levels_clear(&levels);
    return st;
}

ebm_model *tiny_model_create(const tiny_model *what)
{
    ebm_error err = {0};
    ebm_model *model = NULL;

    if (build(what, &model, &err) == EBM_OK)
        return model;
    fprintf(stderr, "tiny model: %s: %s\n", err.where, err.text);
    ebm_model_unref(model);
    return NULL;
}

bool tiny_model_write(const char *dir, const tiny_model *what)
{
    ebm_manifest_extra extra = {.version = "1", .title = "Tiny", .licence = "none"};
    ebm_model *model = tiny_model_create(what);
    ebm_error err = {0};
    char path[4096];
    ebm_status st;

    snprintf(path, sizeof(path), "%s/%s", dir, what->id);
    if (!model || (mkdir(path, 0755) != 0 && errno != EEXIST)) {
        ebm_model_unref(model);
        return false;
    }
    st = ebm_model_save(model, &extra, path, &err);
    ebm_model_unref(model);
    if (st != EBM_OK)
        fprintf(stderr, "tiny model: %s: %s\n", err.where, err.text);
    return st == EBM_OK;
}
