/* Training configurations as JSON, one row per field. */
#include <jansson.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ebm/memory.h"
#include "ebmt/train.h"

typedef enum kind { INT32, INT64, REAL, BOOL, NAMES, SEED, TEXT } kind;

typedef struct field {
    const char *name;
    kind kind;
    size_t at;
    const char *names; /* NAMES: choices in the order of the enum, separated by '|' */
} field;

#define AT(member) offsetof(ebmt_config, member)

/* The network's shape is written by hand: it holds the only array and the only float. */
static const field fields[] = {
    {"data_format", NAMES, AT(data.format), "auto|idx|cifar10|images|lmdb|npy|cbdt"},
    {"data_images", INT64, AT(data.images), NULL},
    {"data_sha256", TEXT, AT(data.sha256), NULL},
    {"image_size", INT32, AT(data.image_size), NULL},
    {"data_channels", INT32, AT(data.channels), NULL},
    {"crop", NAMES, AT(data.crop), "center|none|celeba"},
    {"width", INT32, AT(network.width), NULL},
    {"height", INT32, AT(network.height), NULL},
    {"channels", INT32, AT(network.channels), NULL},
    {"ch", INT32, AT(network.ch), NULL},
    {"num_res_blocks", INT32, AT(network.num_res_blocks), NULL},
    {"activation", NAMES, AT(network.activation), "none|leaky_relu|relu|silu"},
    {"schedule", NAMES, AT(schedule_kind), "paper|geometric|linear"},
    {"num_levels", INT32, AT(schedule.count), NULL},
    {"beta_start", REAL, AT(schedule.beta_first), NULL},
    {"beta_end", REAL, AT(schedule.beta_last), NULL},
    {"schedule_base", INT32, AT(schedule.base), NULL},
    {"ratio_min", REAL, AT(ratio_min), NULL},
    {"ratio_max", REAL, AT(ratio_max), NULL},
    {"b_squared", REAL, AT(schedule.b2), NULL},
    {"langevin_steps", INT32, AT(schedule.steps), NULL},
    {"step_rule", NAMES, AT(step_rule), "paper|variance|curvature|normal"},
    {"kappa", REAL, AT(kappa), NULL},
    {"steps_low", INT32, AT(steps_low), NULL},
    {"curvature_share", REAL, AT(curvature_share), NULL},
    {"noise_scale", REAL, AT(noise_scale), NULL},
    {"denoise", BOOL, AT(denoise), NULL},
    {"sampling_factor", INT32, AT(sampling_factor), NULL},
    {"stride", REAL, AT(stride), NULL},
    {"paired_noise", BOOL, AT(paired_noise), NULL},
    {"predict", BOOL, AT(predict), NULL},
    {"objective", NAMES, AT(objective), "recovery|matching|hybrid"},
    {"shared_noise", BOOL, AT(shared_noise), NULL},
    {"matching_reach", REAL, AT(matching_reach), NULL},
    {"warm_start", INT64, AT(warm_start), NULL},
    {"iterations", INT64, AT(iterations), NULL},
    {"batch", INT32, AT(batch), NULL},
    {"rl_share", REAL, AT(rl_share), NULL},
    {"rl_weight", REAL, AT(rl_weight), NULL},
    {"rl_weight_low", REAL, AT(rl_weight_low), NULL},
    {"rl_weight_top", REAL, AT(rl_weight_top), NULL},
    {"lr", REAL, AT(lr), NULL},
    {"lr_warm_start", REAL, AT(lr_warm_start), NULL},
    {"lr_warmup", INT64, AT(lr_warmup), NULL},
    {"lr_decay", NAMES, AT(lr_decay), "linear|cosine"},
    {"lr_decay_from", REAL, AT(lr_decay_from), NULL},
    {"lr_final", REAL, AT(lr_final), NULL},
    {"beta1", REAL, AT(beta1), NULL},
    {"beta2", REAL, AT(beta2), NULL},
    {"adam_eps", REAL, AT(adam_eps), NULL},
    {"ema", REAL, AT(ema), NULL},
    {"ema_ramp", BOOL, AT(ema_ramp), NULL},
    {"clip", REAL, AT(clip), NULL},
    {"power_iterations", INT32, AT(power_iterations), NULL},
    {"divergence_limit", REAL, AT(divergence_limit), NULL},
    {"flip", BOOL, AT(flip), NULL},
    {"seed", SEED, AT(seed), NULL},
    {"shards", INT32, AT(shards), NULL},
    {"init_sha256", TEXT, AT(init_sha256), NULL},
    {"kernel_class", TEXT, AT(kernel_class), NULL},
};
#define N_FIELDS (sizeof fields / sizeof fields[0])

static const field persistent_fields[] = {
    {"persistent_chains", INT32, AT(persistent_chains), NULL},
    {"persistent_moves", INT32, AT(persistent_moves), NULL},
    {"persistent_leapfrog", INT32, AT(persistent_leapfrog), NULL},
    {"persistent_weight", REAL, AT(persistent_weight), NULL},
};
#define N_PERSISTENT (sizeof persistent_fields / sizeof persistent_fields[0])

static const field visits_field = {"persistent_visits", INT32, AT(persistent_visits), NULL};

static bool some_visits(const ebmt_config *c)
{
    return c->persistent_chains > 0 && c->persistent_visits > 0;
}

static const field range_fields[] = {
    {"lowest_level", INT32, AT(lowest_level), NULL},
    {"highest_level", INT32, AT(highest_level), NULL},
};
#define N_RANGE (sizeof range_fields / sizeof range_fields[0])

static bool some_levels(const ebmt_config *c)
{
    return c->lowest_level > 0 || c->highest_level >= 0;
}

/* With those written by hand. Attention, persistent chains, their visits and a range of levels are
 * there only if there are any: configurations from before there was a choice stay equal to those of
 * today. */
static size_t n_fields(const ebmt_config *c)
{
    return N_FIELDS + 3 + (c->network.attention != 0) +
           (c->persistent_chains > 0 ? N_PERSISTENT : 0) + some_visits(c) +
           (some_levels(c) ? N_RANGE : 0);
}

/* Choice number i of a list "a|b|c", or an empty length. */
static size_t nth_name(const char *names, int i, const char **start)
{
    for (; i > 0 && names; i--) {
        names = strchr(names, '|');
        names = names ? names + 1 : NULL;
    }
    *start = names ? names : "";
    return strcspn(*start, "|");
}

static json_t *value_to_json(const field *f, const ebmt_config *c)
{
    const char *at = (const char *)c + f->at, *name;
    int choice;
    size_t length;
    switch (f->kind) {
    case INT32:
        return json_integer(*(const int32_t *)(const void *)at);
    case INT64:
        return json_integer(*(const int64_t *)(const void *)at);
    case SEED:
        return json_integer((json_int_t) * (const uint64_t *)(const void *)at);
    case REAL:
        return json_real(*(const double *)(const void *)at);
    case BOOL:
        return json_boolean(*(const bool *)(const void *)at);
    case NAMES:
        memcpy(&choice, at, sizeof choice);
        length = nth_name(f->names, choice, &name);
        return json_stringn(name, length);
    case TEXT:
        return json_string(at);
    }
    return NULL;
}

static json_t *network_to_json(const ebm_network_config *n, json_t *object)
{
    json_t *mult = json_array();
    for (int32_t i = 0; i < n->n_mult; i++)
        json_array_append_new(mult, json_integer(n->ch_mult[i]));
    json_object_set_new(object, "architecture", json_string(n->architecture));
    json_object_set_new(object, "ch_mult", mult);
    json_object_set_new(object, "leaky_slope", json_real((double)n->leaky_slope));
    if (n->attention != 0)
        json_object_set_new(object, "attention", json_integer(n->attention));
    return object;
}

static void put_fields(const field *rows, size_t n, const ebmt_config *c, json_t *object)
{
    for (size_t i = 0; i < n; i++)
        json_object_set_new(object, rows[i].name, value_to_json(&rows[i], c));
}

ebm_status ebmt_config_to_json(const ebmt_config *config, char **json, ebm_error *err)
{
    *json = NULL;
    json_t *object = json_object();
    network_to_json(&config->network, object);
    put_fields(fields, N_FIELDS, config, object);
    if (config->persistent_chains > 0)
        put_fields(persistent_fields, N_PERSISTENT, config, object);
    if (some_visits(config))
        put_fields(&visits_field, 1, config, object);
    if (some_levels(config))
        put_fields(range_fields, N_RANGE, config, object);
    bool complete = json_object_size(object) == n_fields(config);
    char *text = complete ? json_dumps(object, JSON_SORT_KEYS | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(object);
    if (text) {
        /* callers free with ebm_free(), jansson's blocks need not come from the same place */
        *json = ebm_alloc(strlen(text) + 1, 1);
        if (*json)
            memcpy(*json, text, strlen(text) + 1);
        free(text);
    }
    return *json ? EBM_OK : ebm_error_set(err, EBM_ERR_NOMEM, "config", "no memory");
}
