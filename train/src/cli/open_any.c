/* Opens model and golden directories. The golden configuration is read field by field: unknown
 * fields, wrong types and numbers out of bounds are refused before anything is built. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/open_any.h"
#include "ebm/io.h"
#include "ebm/memory.h"
#include "ebmm/models.h"

#define CONFIG_MAX_BYTES  65536
#define WEIGHTS_MAX_BYTES ((size_t)1 << 30)

/* --- the configuration --------------------------------------------------------------------- */

typedef struct golden_config {
    ebm_network_config network;
    ebm_schedule_t6 schedule;
} golden_config;

static ebm_status bad_field(ebm_error *err, const char *field, const char *what)
{
    return ebm_error_set(err, EBM_ERR_FORMAT, field, "config.json: %s", what);
}

static ebm_status get_int(const json_t *root, const char *field, int32_t *out, ebm_error *err)
{
    const json_t *value = json_object_get(root, field);
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        json_integer_value(value) > INT32_MAX)
        return bad_field(err, field, "must be a whole number");
    *out = (int32_t)json_integer_value(value);
    return EBM_OK;
}

static ebm_status get_real(const json_t *root, const char *field, double *out, ebm_error *err)
{
    const json_t *value = json_object_get(root, field);
    if (!json_is_number(value))
        return bad_field(err, field, "must be a number");
    *out = json_number_value(value);
    return EBM_OK;
}

static ebm_status get_mult(const json_t *root, ebm_network_config *n, ebm_error *err)
{
    const json_t *list = json_object_get(root, "ch_mult");
    size_t count = json_array_size(list);
    if (count < 1 || count > sizeof n->ch_mult / sizeof n->ch_mult[0])
        return bad_field(err, "ch_mult", "must be a list of 1 to 8 whole numbers");
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_array_get(list, i);
        if (!json_is_integer(value) || json_integer_value(value) < 1 ||
            json_integer_value(value) > 1024)
            return bad_field(err, "ch_mult", "must hold whole numbers from 1 to 1024");
        n->ch_mult[i] = (int32_t)json_integer_value(value);
    }
    n->n_mult = (int32_t)count;
    return EBM_OK;
}

static ebm_status get_activation(const json_t *root, ebm_act *out, ebm_error *err)
{
    const json_t *value = json_object_get(root, "activation");
    const char *name = value ? json_string_value(value) : "leaky_relu";
    if (!name)
        return bad_field(err, "activation", "must be a string");
    if (strcmp(name, "leaky_relu") == 0)
        *out = EBM_ACT_LEAKY_RELU;
    else if (strcmp(name, "relu") == 0)
        *out = EBM_ACT_RELU;
    else if (strcmp(name, "silu") == 0)
        *out = EBM_ACT_SILU;
    else
        return bad_field(err, "activation", "must be leaky_relu, relu or silu");
    return EBM_OK;
}

/* Whether there is such an architecture is for models to say. */
static ebm_status get_architecture(const json_t *root, ebm_network_config *n, ebm_error *err)
{
    const json_t *value = json_object_get(root, "architecture");
    const char *name = value ? json_string_value(value) : "drl-resnet";
    if (!name || strlen(name) >= sizeof n->architecture)
        return bad_field(err, "architecture", "must be a short string");
    (void)snprintf(n->architecture, sizeof n->architecture, "%s", name);
    return EBM_OK;
}

static ebm_status get_network(const json_t *root, ebm_network_config *n, ebm_error *err)
{
    double slope = 0.0;
    ebm_status st = get_architecture(root, n, err);
    if (st == EBM_OK)
        st = get_int(root, "image_size", &n->width, err);
    n->height = n->width;
    if (st == EBM_OK)
        st = get_int(root, "channels", &n->channels, err);
    if (st == EBM_OK)
        st = get_int(root, "ch", &n->ch, err);
    if (st == EBM_OK)
        st = get_mult(root, n, err);
    if (st == EBM_OK)
        st = get_int(root, "num_res_blocks", &n->num_res_blocks, err);
    if (st == EBM_OK)
        st = get_activation(root, &n->activation, err);
    if (st == EBM_OK)
        st = get_real(root, "leaky_slope", &slope, err);
    n->leaky_slope = (float)slope;
    if (st == EBM_OK && json_object_get(root, "attention"))
        st = get_int(root, "attention", &n->attention, err);
    return st;
}

static ebm_status get_schedule(const json_t *root, ebm_schedule_t6 *s, ebm_error *err)
{
    ebm_status st = get_int(root, "num_levels", &s->count, err);
    if (st == EBM_OK)
        st = get_real(root, "beta_start", &s->beta_first, err);
    if (st == EBM_OK)
        st = get_real(root, "beta_end", &s->beta_last, err);
    if (st == EBM_OK)
        st = get_int(root, "schedule_base", &s->base, err);
    if (st == EBM_OK)
        st = get_int(root, "langevin_steps", &s->steps, err);
    if (st == EBM_OK)
        st = get_real(root, "b_squared", &s->b2, err);
    return st;
}

static ebm_status check_fields(json_t *root, ebm_error *err)
{
    static const char known[] = "|image_size|channels|ch|ch_mult|num_res_blocks|activation|"
                                "num_levels|beta_start|beta_end|schedule_base|langevin_steps|"
                                "b_squared|leaky_slope|attention|architecture|";
    const char *key;
    json_t *value;
    if (!json_is_object(root))
        return bad_field(err, "config.json", "must be an object");
    json_object_foreach(root, key, value)
    {
        char wrapped[64];
        (void)snprintf(wrapped, sizeof wrapped, "|%.40s|", key);
        if (strchr(key, '|') || !strstr(known, wrapped))
            return bad_field(err, key, "unknown field");
    }
    return EBM_OK;
}

static ebm_status read_config(const char *dir, golden_config *out, ebm_error *err)
{
    unsigned char *text = NULL;
    size_t size = 0;
    json_t *root = NULL;
    memset(out, 0, sizeof *out);
    ebm_status st = ebm_file_read(dir, "config.json", CONFIG_MAX_BYTES, &text, &size, err);
    if (st != EBM_OK)
        return st;
    root = json_loadb((const char *)text, size, JSON_REJECT_DUPLICATES, NULL);
    if (!root)
        st = bad_field(err, "config.json", "not JSON, or a field twice");
    if (st == EBM_OK)
        st = check_fields(root, err);
    if (st == EBM_OK)
        st = get_network(root, &out->network, err);
    if (st == EBM_OK)
        st = get_schedule(root, &out->schedule, err);
    json_decref(root);
    ebm_free(text);
    return st;
}

/* --- the weights --------------------------------------------------------------------------- */

static ebm_status check_shape(const ebm_tensor_info *want, const ebm_st_tensor *t, ebm_error *err)
{
    bool same = t->rank == want->rank;
    for (int32_t d = 0; same && d < want->rank; d++)
        same = t->dim[d] == want->dim[d];
    return same ? EBM_OK
                : ebm_error_set(err, EBM_ERR_SHAPE, want->name,
                                "model.safetensors: shape differs from the network's");
}

static ebm_status fill_params(const ebm_safetensors *file, const ebm_graph_info *g, float *params,
                              ebm_error *err)
{
    if (ebm_safetensors_count(file) != (size_t)g->n_tensors)
        return ebm_error_set(err, EBM_ERR_SHAPE, "model.safetensors",
                             "%zu tensors, the network has %d", ebm_safetensors_count(file),
                             g->n_tensors);
    for (int32_t i = 0; i < g->n_tensors; i++) {
        const ebm_tensor_info *want = &g->tensors[i];
        const ebm_st_tensor *t = ebm_safetensors_find(file, want->name);
        if (!t)
            return ebm_error_set(err, EBM_ERR_NOT_FOUND, want->name,
                                 "model.safetensors: no such tensor");
        ebm_status st = check_shape(want, t, err);
        if (st == EBM_OK)
            st = ebm_st_to_float(t, want->count, params + want->offset, err);
        if (st != EBM_OK)
            return st;
    }
    return EBM_OK;
}

static ebm_status load_weights(const char *dir, ebm_model *model, ebm_error *err)
{
    const ebm_graph_info *g = ebm_model_describe(model)->graph;
    unsigned char *data = NULL;
    size_t size = 0;
    ebm_safetensors *file = NULL;
    float *params = NULL;
    ebm_status st = ebm_file_read(dir, "model.safetensors", WEIGHTS_MAX_BYTES, &data, &size, err);
    if (st != EBM_OK)
        goto out;
    st = ebm_safetensors_parse(data, size, &file, err);
    if (st != EBM_OK)
        goto out;
    params = ebm_alloc(g->n_params, sizeof *params);
    if (!params) {
        st = ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for the parameters");
        goto out;
    }
    st = fill_params(file, g, params, err);
    if (st == EBM_OK)
        ebm_model_set_params(model, params);
out:
    ebm_free(params);
    ebm_safetensors_free(file);
    ebm_free(data);
    return st;
}

/* --- the directory ------------------------------------------------------------------------- */

const char *ebmt__id_of_path(const char *path, char *id)
{
    size_t end = strlen(path);
    while (end > 0 && path[end - 1] == '/')
        end--;
    size_t start = end;
    while (start > 0 && path[start - 1] != '/')
        start--;
    if (end - start > EBM_MODEL_ID_MAX)
        return NULL;
    memcpy(id, path + start, end - start);
    id[end - start] = '\0';
    return ebm_model_id_valid(id) ? id : NULL;
}

bool ebmt__holds_model(const char *dir)
{
    unsigned char *text = NULL;
    size_t size = 0;
    ebm_status st = ebm_file_read(dir, "model.json", CONFIG_MAX_BYTES, &text, &size, NULL);
    ebm_free(text);
    return st != EBM_ERR_NOT_FOUND;
}

ebm_status ebmt__open_golden(const char *dir, const ebm_kernels *kernels, ebm_model **out,
                             ebm_error *err)
{
    golden_config config;
    ebm_levels levels;
    ebm_graph *graph = NULL;
    ebm_model *model = NULL;
    char id[EBM_MODEL_ID_MAX + 1];
    memset(&levels, 0, sizeof levels);
    *out = NULL;

    ebm_status st = read_config(dir, &config, err);
    if (st != EBM_OK)
        goto out;
    st = ebm_levels_t6(&config.schedule, &levels, err);
    if (st != EBM_OK)
        goto out;
    st = ebmm_graph_build(&config.network, &graph, err);
    if (st != EBM_OK)
        goto out;
    const char *name = ebmt__id_of_path(dir, id);
    st = ebm_model_create(name ? name : "golden", &config.network, graph, &levels, kernels, &model,
                          err);
    if (st != EBM_OK)
        goto out;
    st = load_weights(dir, model, err);
    if (st == EBM_OK) {
        *out = model;
        model = NULL;
    }
out:
    ebm_model_unref(model);
    ebm_levels_clear(&levels);
    return st;
}

ebm_status ebmt__open_any(const char *dir, const ebm_kernels *kernels, ebm_model **out,
                          ebm_error *err)
{
    size_t room = strlen(dir) + sizeof "/config.json"; /* the longer of the two names */
    char *path = ebm_alloc(room, 1);
    *out = NULL;
    if (!path)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for a path");
    (void)snprintf(path, room, "%s/model.json", dir);
    bool manifest = access(path, F_OK) == 0;
    (void)snprintf(path, room, "%s/config.json", dir);
    bool golden = !manifest && access(path, F_OK) == 0;
    ebm_free(path);
    return golden ? ebmt__open_golden(dir, kernels, out, err)
                  : ebmm_model_open(dir, kernels, out, err);
}

ebm_status ebmt__open_model(const char *flag, const char *dir, const ebm_kernels *kernels,
                            ebm_model **out, ebm_error *err)
{
    ebm_error why = {0};
    ebm_status st = ebmm_model_open(dir, kernels, out, &why);
    return st == EBM_OK ? st : ebmt__cli_blame(flag, dir, &why, err);
}

ebm_status ebmt__open_calibration(const char *flag, const char *dir, const ebm_calibrated *of,
                                  ebm_calibration *out, ebm_error *err)
{
    char path[4096];
    ebm_error why = {0};
    ebm_status st = ebm_calibration_read(dir, of, out, &why);
    (void)snprintf(path, sizeof path, "%s/" EBM_CALIBRATION_FILE, dir);
    return st == EBM_OK || st == EBM_ERR_NOT_FOUND ? EBM_OK
                                                   : ebmt__cli_blame(flag, path, &why, err);
}
