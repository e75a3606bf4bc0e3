/* A trained energy model: graph, parameters, level tables and facts, immutable and shared.
 * Any room may open and hold models; only train/ may change parameters. */
#ifndef EBM_MODEL_H
#define EBM_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "ebm/graph.h"
#include "ebm/kernels.h"
#include "ebm/levels.h"
#include "ebm/status.h"

#define EBM_MODEL_ID_MAX 64
#define EBM_MAX_EXPERTS  8

typedef struct ebm_model ebm_model;

/* The network part of a manifest; what an architecture builds its graph from. */
typedef struct ebm_network_config {
    char architecture[32]; /* "drl-resnet" */
    int32_t width, height, channels;
    int32_t ch;
    int32_t n_mult;
    int32_t ch_mult[8];
    int32_t num_res_blocks;
    ebm_act activation;
    float leaky_slope;
    int32_t attention; /* height of the maps whose blocks are followed by attention; 0: none */
} ebm_network_config;

/* An architecture by name; models/ hands a table of them to ebm_model_open(). */
typedef struct ebm_architecture {
    const char *name;
    ebm_status (*build)(const ebm_network_config *config, ebm_graph **out, ebm_error *err);
} ebm_architecture;

/* Facts about a model for people; strings are never NULL. */
typedef struct ebm_model_info {
    char id[EBM_MODEL_ID_MAX + 1];
    char version[32];
    char title[128];
    char licence[64];
    char sha256[65];        /* hex digest of the weights file */
    char levels_sha256[65]; /* ebm_levels_digest() of the manifest's levels */
    ebm_network_config network;
    const ebm_levels *levels;
    const ebm_graph_info *graph;
    const ebm_kernels *kernels;
    size_t n_params;                      /* of all experts */
    int32_t n_experts;                    /* sets of parameters, each with levels of its own */
    int32_t expert_from[EBM_MAX_EXPERTS]; /* the lowest of them; the first is 0, ascending */
} ebm_model_info;

/* True for ^[a-z0-9][a-z0-9._-]{0,63}$ without "..": the only model ids there are. */
EBM_API bool ebm_model_id_valid(const char *id);

typedef struct ebm_model_options {
    const char *dir; /* directory with model.json and model.safetensors */
    const ebm_kernels *kernels;
    const ebm_architecture *architectures;
    int32_t n_architectures;
} ebm_model_options;

/* Opens a model directory: checks manifest, digest, every tensor, and prepares the weights.
 * @own *out starts with one reference, NULL on error; release with ebm_model_unref()
 * @thread the model is immutable and may be shared by any number of sessions
 * @err NOT_FOUND, FORMAT, SHAPE, RANGE, LIMIT, DIGEST, IO, NOMEM; err->where names file, field or
 *      tensor. Nothing in the files is trusted. */
EBM_API EBM_MUST_CHECK ebm_status ebm_model_open(const ebm_model_options *opt, ebm_model **out,
                                                 ebm_error *err);

/* Makes a model of a graph with all parameters zero, for training and for tests.
 * @own takes the graph, also on error; copies the levels; id must be valid
 * @err ARG, NOMEM. */
EBM_API EBM_MUST_CHECK ebm_status ebm_model_create(const char *id,
                                                   const ebm_network_config *network,
                                                   ebm_graph *graph, const ebm_levels *levels,
                                                   const ebm_kernels *kernels, ebm_model **out,
                                                   ebm_error *err);

/* Replaces the parameters of the lowest expert (the only one, unless others were added) and
 * prepares them again. Only for the owner of a model made by ebm_model_create(), while no other
 * thread uses it, nor sealed. @shape params [graph->n_params] */
EBM_API void ebm_model_set_params(ebm_model *m, const float *params);

/* Hands the levels from `from` on to another expert: the same graph with parameters of its own. A
 * pass costs what it did, and the model holds more. Only for the owner, as above.
 * @shape params [graph->n_params] @range from: above the lowest level of the last expert, under T
 * @err RANGE, LIMIT (EBM_MAX_EXPERTS), NOMEM; the model is then as it was */
EBM_API EBM_MUST_CHECK ebm_status ebm_model_add_expert(ebm_model *m, int32_t from,
                                                       const float *params, ebm_error *err);

/* The parameters that serve a level; NULL of a sealed model. @range level 0..T-1
 * @shape result [graph->n_params] */
EBM_API const float *ebm_model_params(const ebm_model *m, int32_t level);

/* Gives back the parameters' memory: sessions read what was prepared of them. A sealed model can no
 * longer be saved, or change. Only for the owner, while no other thread uses it. */
EBM_API void ebm_model_seal(ebm_model *m);

EBM_API const ebm_model_info *ebm_model_describe(const ebm_model *m);
EBM_API ebm_model *ebm_model_ref(ebm_model *m); /* returns m; thread-safe */
EBM_API void ebm_model_unref(ebm_model *m);     /* NULL allowed; thread-safe */
/* True if there are more references than the caller's one. False is final: nobody else can make
 * one any more. */
EBM_API bool ebm_model_is_shared(const ebm_model *m);

/* What a manifest says beside id, network and levels; strings may be empty, facts may be NULL. */
typedef struct ebm_manifest_extra {
    const char *version, *title, *licence;
    const char *training_json; /* a JSON object with training facts, or NULL */
    const char *quality_json;  /* a JSON object with measured quality, or NULL */
} ebm_manifest_extra;

/* Writes model.json and model.safetensors into an existing directory, each atomically (temporary
 * file, fsync, rename, fsync of the directory). The weights wait as model.safetensors.new until the
 * manifest is there, and ebm_model_open() finds them by their digest: a crash or a power cut leaves
 * the older model, if there is one, or the new one. Who opens it while it is saved may hold the
 * older manifest when the weights change: DIGEST, and whole at the next try. @err IO, NOMEM, ARG
 * (sealed) */
EBM_API EBM_MUST_CHECK ebm_status ebm_model_save(const ebm_model *m,
                                                 const ebm_manifest_extra *extra, const char *dir,
                                                 ebm_error *err);

#endif
