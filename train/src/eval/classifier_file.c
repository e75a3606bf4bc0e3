/* A classifier on disk: classifier.json says what it is, classifier.safetensors holds the weights.
 * Everything read is checked. Has never heard of training or images. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ebm/io.h"
#include "ebm/memory.h"
#include "eval/classifier_internal.h"

#define FACTS          "classifier.json"
#define WEIGHTS        "classifier.safetensors"
#define FACTS_BYTES    ((size_t)64 << 10)
#define WEIGHTS_BYTES  ((size_t)256 << 20)
#define FORMAT_VERSION 1

/* --- writing ------------------------------------------------------------------------------- */

static ebm_status write_beneath(const char *dir, const char *name, const void *data, size_t size,
                                ebm_error *err)
{
    size_t room = strlen(dir) + strlen(name) + 2;
    char *path = ebm_alloc(room, 1);
    if (!path)
        return ebm_error_set(err, EBM_ERR_NOMEM, name, "no memory for a path");
    (void)snprintf(path, room, "%s/%s", dir, name);
    ebm_status st = ebm_file_write(path, data, size, err);
    ebm_free(path);
    return st;
}

static ebm_status save_weights(ebmt_classifier *c, const char *dir, ebm_error *err)
{
    ebm_st_item items[EBMT_NET_TENSORS];
    char names[EBMT_NET_TENSORS][32];
    unsigned char *data = NULL;
    size_t size = 0, n = ebmt__net_tensors(&c->net, c->params, items, names);
    ebm_status st = ebm_safetensors_build(items, n, NULL, 0, &data, &size, err);
    if (st == EBM_OK)
        st = write_beneath(dir, WEIGHTS, data, size, err);
    if (st == EBM_OK)
        ebm_sha256_hex(data, size, c->info.sha256);
    ebm_free(data);
    return st;
}

static json_t *floats(const float *values, int32_t n)
{
    json_t *list = json_array();
    for (int32_t i = 0; i < n; i++)
        (void)json_array_append_new(list, json_real((double)values[i]));
    return list;
}

/* JSON has no NaN: what was not measured is null. */
static json_t *measured(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *facts_to_json(const ebmt_classifier_info *i)
{
    return json_pack(
        "{s:i, s:i, s:i, s:i, s:i, s:i, s:o, s:o, s:{s:s}, s:{s:i, s:I, s:I, s:I, s:o, s:o}}",
        "format", FORMAT_VERSION, "width", i->width, "height", i->height, "channels", i->channels,
        "classes", i->classes, "features", i->features, "mean", floats(i->mean, i->channels), "std",
        floats(i->std, i->channels), "weights", "sha256", i->sha256, "training", "epochs",
        i->epochs, "seed", (json_int_t)i->seed, "train_count", (json_int_t)i->train_count,
        "test_count", (json_int_t)i->test_count, "train_accuracy", measured(i->train_accuracy),
        "test_accuracy", measured(i->test_accuracy));
}

ebm_status ebmt_classifier_save(ebmt_classifier *c, const char *dir, ebm_error *err)
{
    ebm_status st = save_weights(c, dir, err);
    if (st != EBM_OK)
        return st;
    json_t *object = facts_to_json(&c->info);
    char *text = object ? json_dumps(object, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(object);
    st = text ? write_beneath(dir, FACTS, text, strlen(text), err)
              : ebm_error_set(err, EBM_ERR_NOMEM, FACTS, "no memory");
    free(text);
    return st;
}

/* --- reading ------------------------------------------------------------------------------- */

static ebm_status bad(ebm_error *err, const char *field, const char *rule)
{
    return ebm_error_set(err, EBM_ERR_FORMAT, FACTS, "%s: %s", field, rule);
}

static ebm_status get_whole(const json_t *object, const char *field, int64_t max, int64_t *out,
                            ebm_error *err)
{
    const json_t *value = json_object_get(object, field);
    *out = json_integer_value(value);
    if (!json_is_integer(value) || *out < 0 || *out > max)
        return bad(err, field, "must be a whole number in range");
    return EBM_OK;
}

/* Mean or standard deviation of each channel; `min` keeps a division finite. */
static ebm_status get_floats(const json_t *object, const char *field, int32_t n, double min,
                             float *out, ebm_error *err)
{
    const json_t *list = json_object_get(object, field);
    if (!json_is_array(list) || json_array_size(list) != (size_t)n)
        return bad(err, field, "needs one number for each channel");
    for (int32_t i = 0; i < n; i++) {
        const json_t *value = json_array_get(list, (size_t)i);
        double v = json_number_value(value);
        if (!json_is_number(value) || !(v >= min && v <= 1.0))
            return bad(err, field, "holds a value outside its bounds");
        out[i] = (float)v;
    }
    return EBM_OK;
}

static ebm_status get_accuracy(const json_t *object, const char *field, double *out, ebm_error *err)
{
    const json_t *value = json_object_get(object, field);
    *out = json_is_number(value) ? json_number_value(value) : NAN;
    if (!json_is_null(value) && !(*out >= 0.0 && *out <= 1.0))
        return bad(err, field, "must be null or between 0 and 1");
    return EBM_OK;
}

static ebm_status read_sizes(const json_t *object, ebmt_classifier_info *out, ebm_error *err)
{
    const struct {
        const char *name;
        int32_t *at;
    } rows[] = {{"width", &out->width},
                {"height", &out->height},
                {"channels", &out->channels},
                {"classes", &out->classes},
                {"features", &out->features}};
    int64_t value;
    ebm_status st = get_whole(object, "format", INT32_MAX, &value, err);
    if (st == EBM_OK && value != FORMAT_VERSION)
        st = bad(err, "format", "this version of the format is not known");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0] && st == EBM_OK; i++) {
        st = get_whole(object, rows[i].name, 65536, &value, err);
        *rows[i].at = (int32_t)value;
    }
    if (st == EBM_OK && out->features != EBMT_CLASSIFIER_FEATURES)
        st = bad(err, "features", "another width than this program's");
    if (st == EBM_OK && (out->channels < 1 || out->channels > 4))
        st = bad(err, "channels", "must be 1..4");
    return st;
}

static ebm_status read_training(const json_t *object, ebmt_classifier_info *out, ebm_error *err)
{
    const json_t *t = json_object_get(object, "training");
    int64_t epochs, seed;
    ebm_status st = get_whole(t, "epochs", 1000, &epochs, err);
    if (st == EBM_OK)
        st = get_whole(t, "seed", INT64_MAX, &seed, err);
    if (st == EBM_OK)
        st = get_whole(t, "train_count", INT64_MAX, &out->train_count, err);
    if (st == EBM_OK)
        st = get_whole(t, "test_count", INT64_MAX, &out->test_count, err);
    if (st == EBM_OK)
        st = get_accuracy(t, "train_accuracy", &out->train_accuracy, err);
    if (st == EBM_OK)
        st = get_accuracy(t, "test_accuracy", &out->test_accuracy, err);
    if (st != EBM_OK)
        return st;
    out->epochs = (int32_t)epochs;
    out->seed = (uint64_t)seed;
    return EBM_OK;
}

static ebm_status read_facts(const json_t *object, ebmt_classifier_info *out, ebm_error *err)
{
    const json_t *digest = json_object_get(json_object_get(object, "weights"), "sha256");
    if (!json_is_object(object))
        return bad(err, "file", "must be a JSON object without duplicate fields");
    ebm_status st = read_sizes(object, out, err);
    if (st == EBM_OK)
        st = get_floats(object, "mean", out->channels, 0.0, out->mean, err);
    if (st == EBM_OK)
        st = get_floats(object, "std", out->channels, 1e-4, out->std, err);
    if (st == EBM_OK)
        st = read_training(object, out, err);
    if (st == EBM_OK && (!json_is_string(digest) || json_string_length(digest) != 64))
        st = bad(err, "weights.sha256", "must be 64 hexadecimal digits");
    if (st == EBM_OK)
        memcpy(out->sha256, json_string_value(digest), sizeof out->sha256);
    return st;
}

static ebm_status load_facts(const char *dir, ebmt_classifier_info *out, ebm_error *err)
{
    unsigned char *text = NULL;
    size_t size = 0;
    memset(out, 0, sizeof *out);
    ebm_status st = ebm_file_read(dir, FACTS, FACTS_BYTES, &text, &size, err);
    if (st != EBM_OK)
        return st;
    json_t *object = json_loadb((const char *)text, size, JSON_REJECT_DUPLICATES, NULL);
    st = read_facts(object, out, err);
    json_decref(object);
    ebm_free(text);
    return st;
}

static ebm_status load_tensor(const ebm_safetensors *file, const ebm_st_item *want, float *out,
                              ebm_error *err)
{
    const ebm_st_tensor *t = ebm_safetensors_find(file, want->name);
    size_t count = 1;
    if (!t)
        return ebm_error_set(err, EBM_ERR_FORMAT, want->name, "tensor is missing");
    bool same = t->rank == want->rank;
    for (int32_t i = 0; i < want->rank && same; i++) {
        same = t->dim[i] == want->dim[i];
        count *= (size_t)want->dim[i];
    }
    if (!same)
        return ebm_error_set(err, EBM_ERR_SHAPE, want->name, "another shape than " FACTS " says");
    return ebm_st_to_float(t, count, out, err);
}

static ebm_status load_tensors(const unsigned char *data, size_t size, ebmt_classifier *c,
                               ebm_error *err)
{
    ebm_safetensors *file = NULL;
    ebm_st_item items[EBMT_NET_TENSORS];
    char names[EBMT_NET_TENSORS][32];
    size_t n = ebmt__net_tensors(&c->net, c->params, items, names);
    ebm_status st = ebm_safetensors_parse(data, size, &file, err);
    if (st == EBM_OK && ebm_safetensors_count(file) != n)
        st = ebm_error_set(err, EBM_ERR_FORMAT, WEIGHTS, "%zu tensors, expected %zu",
                           ebm_safetensors_count(file), n);
    for (size_t i = 0; i < n && st == EBM_OK; i++)
        st = load_tensor(file, &items[i], c->params + (items[i].values - c->params), err);
    ebm_safetensors_free(file);
    return st;
}

static ebm_status load_weights(const char *dir, ebmt_classifier *c, ebm_error *err)
{
    unsigned char *data = NULL;
    size_t size = 0;
    char digest[65];
    ebm_status st = ebm_file_read(dir, WEIGHTS, WEIGHTS_BYTES, &data, &size, err);
    if (st != EBM_OK)
        return st;
    ebm_sha256_hex(data, size, digest);
    if (strcmp(digest, c->info.sha256) != 0)
        st = ebm_error_set(err, EBM_ERR_DIGEST, WEIGHTS, "is not the file that " FACTS " names");
    if (st == EBM_OK)
        st = load_tensors(data, size, c, err);
    ebm_free(data);
    return st;
}

ebm_status ebmt_classifier_open(const char *dir, ebmt_classifier **out, ebm_error *err)
{
    ebmt_classifier_info info;
    ebmt_classifier *c = NULL;
    *out = NULL;
    ebm_status st = load_facts(dir, &info, err);
    if (st == EBM_OK)
        st = ebmt__classifier_create(&info, &c, err);
    if (st == EBM_OK)
        st = load_weights(dir, c, err);
    if (st == EBM_OK)
        *out = c;
    else
        ebmt_classifier_free(c);
    return st;
}
