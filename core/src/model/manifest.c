/* Reads model.json: types, bounds and unknown fields are checked here and nowhere else.
 * Knows fields; never what an architecture does with them. */
#include "model/manifest.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/utf8.h"
#include "io/json_scan.h"

#define MAX_DEPTH   8
#define MAX_TOKENS  16384
#define MAX_POINTER 96 /* as long as ebm_error.where */

/* Hands an error on; nothing here owns anything but the document, which the top call frees. */
#define TRY(call)                                                                                  \
    do {                                                                                           \
        const ebm_status try_status = (call);                                                      \
        if (try_status != EBM_OK) {                                                                \
            return try_status;                                                                     \
        }                                                                                          \
    } while (0)

/* An object of the document and the JSON pointer that leads to it: "", or "/" and a known key. */
typedef struct node {
    json_t *object;
    char at[24];
} node;

/* --- fields ------------------------------------------------------------------------------- */

EBM_PRINTF(5, 6)
static ebm_status fail(ebm_error *err, ebm_status status, const node *n, const char *key,
                       const char *fmt, ...)
{
    char where[MAX_POINTER], text[128];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    (void)snprintf(where, sizeof(where), "%s/%.64s", n->at, key);
    return ebm_error_set(err, status, where, "%s", text);
}

/* Refuses keys that are not in the NULL-terminated list. */
static ebm_status check_keys(const node *n, const char *const *known, ebm_error *err)
{
    const char *name;
    json_t *value;
    json_object_foreach(n->object, name, value)
    {
        size_t i = 0;
        while (known[i] != NULL && strcmp(known[i], name) != 0) {
            i++;
        }
        if (known[i] == NULL) {
            return fail(err, EBM_ERR_FORMAT, n, name, "unknown field");
        }
    }
    return EBM_OK;
}

/* Finds an object that must exist and holds its keys against the list. */
static ebm_status enter(const node *parent, const char *key, const char *const *known, node *out,
                        ebm_error *err)
{
    out->object = json_object_get(parent->object, key);
    if (!json_is_object(out->object)) {
        return fail(err, EBM_ERR_FORMAT, parent, key, "missing, or not an object");
    }
    (void)snprintf(out->at, sizeof(out->at), "/%.20s", key);
    return check_keys(out, known, err);
}

static ebm_status to_integer(const json_t *value, const node *n, const char *key, int32_t low,
                             int32_t high, int32_t *out, ebm_error *err)
{
    if (!json_is_integer(value)) {
        return fail(err, EBM_ERR_FORMAT, n, key, "missing, or not an integer");
    }
    const json_int_t v = json_integer_value(value);
    if (v < low || v > high) {
        return fail(err, EBM_ERR_RANGE, n, key, "must be %d..%d", (int)low, (int)high);
    }
    *out = (int32_t)v;
    return EBM_OK;
}

static ebm_status to_real(const json_t *value, const node *n, const char *key, double *out,
                          ebm_error *err)
{
    if (!json_is_number(value)) {
        return fail(err, EBM_ERR_FORMAT, n, key, "missing, or not a number");
    }
    *out = json_number_value(value);
    return EBM_OK;
}

static ebm_status read_integer(const node *n, const char *key, int32_t low, int32_t high,
                               int32_t *out, ebm_error *err)
{
    return to_integer(json_object_get(n->object, key), n, key, low, high, out, err);
}

/* Copies a string of fewer than `room` bytes without control characters. */
static ebm_status read_text(const node *n, const char *key, char *out, size_t room, ebm_error *err)
{
    const char *text = json_string_value(json_object_get(n->object, key));
    if (text == NULL) {
        return fail(err, EBM_ERR_FORMAT, n, key, "missing, or not a string");
    }
    const size_t length = strlen(text);
    if (length >= room) {
        return fail(err, EBM_ERR_RANGE, n, key, "longer than %zu bytes", room - 1);
    }
    for (size_t i = 0; i < length; i++) {
        if (ebm__is_control(text[i])) {
            return fail(err, EBM_ERR_FORMAT, n, key, "holds a control character");
        }
    }
    memcpy(out, text, length + 1);
    return EBM_OK;
}

static ebm_status read_optional_text(const node *n, const char *key, char *out, size_t room,
                                     ebm_error *err)
{
    out[0] = '\0';
    return json_object_get(n->object, key) == NULL ? EBM_OK : read_text(n, key, out, room, err);
}

/* Stores the pointer of element i, for fail(). */
static const char *element(const char *key, size_t i, char out[32])
{
    (void)snprintf(out, 32, "%s/%zu", key, i);
    return out;
}

static ebm_status find_array(const node *n, const char *key, size_t low, size_t high,
                             const json_t **out, ebm_error *err)
{
    *out = json_object_get(n->object, key);
    if (!json_is_array(*out)) {
        return fail(err, EBM_ERR_FORMAT, n, key, "missing, or not an array");
    }
    const size_t size = json_array_size(*out);
    if (size < low || size > high) {
        return fail(err, EBM_ERR_RANGE, n, key, "has %zu entries, must have %zu..%zu", size, low,
                    high);
    }
    return EBM_OK;
}

static ebm_status read_reals(const node *n, const char *key, size_t count, double *out,
                             ebm_error *err)
{
    const json_t *array;
    char at[32];
    ebm_status st = find_array(n, key, count, count, &array, err);
    for (size_t i = 0; st == EBM_OK && i < count; i++) {
        st = to_real(json_array_get(array, i), n, element(key, i, at), &out[i], err);
    }
    return st;
}

static ebm_status read_integers(const node *n, const char *key, size_t count, int32_t low,
                                int32_t high, int32_t *out, ebm_error *err)
{
    const json_t *array;
    char at[32];
    ebm_status st = find_array(n, key, count, count, &array, err);
    for (size_t i = 0; st == EBM_OK && i < count; i++) {
        st = to_integer(json_array_get(array, i), n, element(key, i, at), low, high, &out[i], err);
    }
    return st;
}

/* --- parts -------------------------------------------------------------------------------- */

static ebm_status read_identity(const node *root, ebm__manifest *out, ebm_error *err)
{
    int32_t format;
    TRY(read_integer(root, "format", EBM__MANIFEST_FORMAT, EBM__MANIFEST_FORMAT, &format, err));
    TRY(read_text(root, "id", out->id, sizeof(out->id), err));
    if (!ebm_model_id_valid(out->id)) {
        return fail(err, EBM_ERR_FORMAT, root, "id", "not a model id");
    }
    TRY(read_optional_text(root, "version", out->version, sizeof(out->version), err));
    TRY(read_optional_text(root, "title", out->title, sizeof(out->title), err));
    return read_optional_text(root, "licence", out->licence, sizeof(out->licence), err);
}

static ebm_status read_image(const node *root, ebm_network_config *out, ebm_error *err)
{
    static const char *const known[] = {"width", "height", "channels", "value_range", NULL};
    node n;
    double range[2];
    TRY(enter(root, "image", known, &n, err));
    TRY(read_integer(&n, "width", 1, 1024, &out->width, err));
    TRY(read_integer(&n, "height", 1, 1024, &out->height, err));
    TRY(read_integer(&n, "channels", 1, 4, &out->channels, err));
    TRY(read_reals(&n, "value_range", 2, range, err));
    if (!(range[0] >= -1.0 && range[0] <= -1.0 && range[1] >= 1.0 && range[1] <= 1.0)) {
        return fail(err, EBM_ERR_RANGE, &n, "value_range", "must be [-1, 1]");
    }
    return EBM_OK;
}

/* Architectures are looked up by name later; here the name only has to look like one. */
static ebm_status read_architecture(const node *root, ebm_network_config *out, ebm_error *err)
{
    TRY(read_text(root, "architecture", out->architecture, sizeof(out->architecture), err));
    const size_t plain = strspn(out->architecture, "abcdefghijklmnopqrstuvwxyz0123456789-_");
    if (plain == 0 || out->architecture[plain] != '\0') {
        return fail(err, EBM_ERR_FORMAT, root, "architecture", "not the name of an architecture");
    }
    return EBM_OK;
}

static ebm_status read_activation(const node *n, ebm_network_config *out, ebm_error *err)
{
    char name[16];
    double slope = 0;
    TRY(read_text(n, "activation", name, sizeof(name), err));
    if (strcmp(name, "leaky_relu") == 0) {
        out->activation = EBM_ACT_LEAKY_RELU;
    } else if (strcmp(name, "silu") == 0) {
        out->activation = EBM_ACT_SILU;
    } else {
        return fail(err, EBM_ERR_FORMAT, n, "activation", "must be leaky_relu or silu");
    }
    TRY(to_real(json_object_get(n->object, "leaky_slope"), n, "leaky_slope", &slope, err));
    if (!(slope >= 0.0 && slope <= 1.0)) {
        return fail(err, EBM_ERR_RANGE, n, "leaky_slope", "must be 0..1");
    }
    out->leaky_slope = (float)slope;
    return EBM_OK;
}

static ebm_status read_network(const node *root, ebm_network_config *out, ebm_error *err)
{
    static const char *const known[] = {
        "ch", "ch_mult", "num_res_blocks", "activation", "leaky_slope", "attention", NULL};
    const json_t *mult;
    node n;
    TRY(enter(root, "network", known, &n, err));
    TRY(read_integer(&n, "ch", 1, 1024, &out->ch, err));
    TRY(find_array(&n, "ch_mult", 1, 8, &mult, err));
    const size_t n_mult = json_array_size(mult);
    out->n_mult = (int32_t)n_mult;
    TRY(read_integers(&n, "ch_mult", n_mult, 1, 64, out->ch_mult, err));
    TRY(read_integer(&n, "num_res_blocks", 1, 64, &out->num_res_blocks, err));
    if (json_object_get(n.object, "attention") != NULL) {
        TRY(read_integer(&n, "attention", 0, 1024, &out->attention, err));
    }
    return read_activation(&n, out, err);
}

/* The products that the tables leave out, so that they cannot contradict a. */
static void compute_products(ebm_levels *levels)
{
    double abar = 1.0;
    for (int32_t i = 0; i <= levels->count; i++) {
        abar *= levels->a[i];
        levels->abar[i] = abar;
        levels->sbar[i] = sqrt(1.0 - abar * abar);
    }
}

/* What is off needs no field. */
static ebm_status read_switch(const node *n, const char *field, bool *out, ebm_error *err)
{
    const json_t *value = json_object_get(n->object, field);
    if (value != NULL && !json_is_boolean(value)) {
        return fail(err, EBM_ERR_FORMAT, n, field, "must be true or false");
    }
    *out = json_is_true(value);
    return EBM_OK;
}

static ebm_status read_sampling(const node *root, ebm_levels *out, ebm_error *err)
{
    static const char *const known[] = {"noise_scale",  "denoise", "stride",
                                        "paired_noise", "predict", NULL};
    node n;
    TRY(enter(root, "sampling", known, &n, err));
    const json_t *stride = json_object_get(n.object, "stride");
    TRY(read_switch(&n, "denoise", &out->denoise, err));
    TRY(read_switch(&n, "paired_noise", &out->paired_noise, err));
    TRY(read_switch(&n, "predict", &out->predict, err));
    if (stride != NULL) {
        TRY(to_real(stride, &n, "stride", &out->stride, err));
    }
    return to_real(json_object_get(n.object, "noise_scale"), &n, "noise_scale", &out->noise_scale,
                   err);
}

static ebm_status read_levels(const node *root, ebm_levels *out, ebm_error *err)
{
    static const char *const known[] = {"count", "a",      "sigma", "step2",
                                        "steps", "tether", "scale", NULL};
    node n;
    int32_t count = 0;
    TRY(enter(root, "levels", known, &n, err));
    TRY(read_integer(&n, "count", 1, EBM_MAX_LEVELS, &count, err));
    TRY(ebm_levels_init(count, out, err));
    const size_t t = (size_t)count;
    TRY(read_reals(&n, "a", t + 1, out->a, err));
    TRY(read_reals(&n, "sigma", t + 1, out->sigma, err));
    TRY(read_reals(&n, "step2", t, out->step2, err));
    TRY(read_integers(&n, "steps", t, EBM_STEPS_NORMAL, 10000, out->steps, err));
    TRY(read_reals(&n, "tether", t, out->tether, err));
    TRY(read_reals(&n, "scale", t, out->scale, err));
    TRY(read_sampling(root, out, err));
    TRY(ebm_levels_check(out, err));
    compute_products(out);
    return EBM_OK;
}

/* The lowest level of each expert, of which the first has level 0. One expert needs no field. */
static ebm_status read_experts(const node *n, ebm__manifest *out, ebm_error *err)
{
    const json_t *from;
    char at[32];
    out->n_experts = 1;
    out->expert_from[0] = 0;
    if (json_object_get(n->object, "experts") == NULL) {
        return EBM_OK;
    }
    TRY(find_array(n, "experts", 2, EBM_MAX_EXPERTS, &from, err));
    const size_t count = json_array_size(from);
    TRY(read_integers(n, "experts", count, 0, out->levels.count - 1, out->expert_from, err));
    if (out->expert_from[0] != 0) {
        return fail(err, EBM_ERR_RANGE, n, "experts/0", "must be 0");
    }
    for (size_t i = 1; i < count; i++) {
        if (out->expert_from[i] <= out->expert_from[i - 1]) {
            return fail(err, EBM_ERR_RANGE, n, element("experts", i, at), "must ascend");
        }
    }
    out->n_experts = (int32_t)count;
    return EBM_OK;
}

/* After the levels, of which experts have some each. */
static ebm_status read_weights(const node *root, ebm__manifest *out, ebm_error *err)
{
    static const char *const known[] = {"sha256", "experts", NULL};
    node n;
    TRY(enter(root, "weights", known, &n, err));
    TRY(read_text(&n, "sha256", out->sha256, sizeof(out->sha256), err));
    if (strspn(out->sha256, "0123456789abcdef") != 64) {
        return fail(err, EBM_ERR_FORMAT, &n, "sha256", "must be 64 lower-case hex digits");
    }
    return read_experts(&n, out, err);
}

/* Facts for people: any JSON inside, but an object. */
static ebm_status check_facts(const node *root, const char *key, ebm_error *err)
{
    const json_t *facts = json_object_get(root->object, key);
    if (facts != NULL && !json_is_object(facts)) {
        return fail(err, EBM_ERR_FORMAT, root, key, "not an object");
    }
    return EBM_OK;
}

static ebm_status read_manifest(const node *document, ebm__manifest *out, ebm_error *err)
{
    static const char *const known[] = {
        "format", "id",           "version", "title",    "licence",  "image",   "network",
        "levels", "architecture", "weights", "sampling", "training", "quality", NULL};
    TRY(check_keys(document, known, err));
    TRY(read_identity(document, out, err));
    TRY(read_architecture(document, &out->network, err));
    TRY(read_image(document, &out->network, err));
    TRY(read_network(document, &out->network, err));
    TRY(read_levels(document, &out->levels, err));
    TRY(read_weights(document, out, err));
    TRY(check_facts(document, "training", err));
    return check_facts(document, "quality", err);
}

ebm_status ebm__manifest_parse(const char *json, size_t size, ebm__manifest *out, ebm_error *err)
{
    node root = {.object = NULL};
    *out = (ebm__manifest){.id = ""};
    if (size > EBM__MANIFEST_MAX_BYTES) {
        return ebm_error_set(err, EBM_ERR_LIMIT, "model.json", "has %zu bytes, at most %zu", size,
                             EBM__MANIFEST_MAX_BYTES);
    }
    ebm_status st =
        ebm__json_parse(json, size, MAX_DEPTH, MAX_TOKENS, "model.json", &root.object, err);
    if (st == EBM_OK) {
        st = read_manifest(&root, out, err);
    }
    json_decref(root.object);
    if (st != EBM_OK) {
        ebm_levels_clear(&out->levels);
        *out = (ebm__manifest){.id = ""};
    }
    return st;
}
