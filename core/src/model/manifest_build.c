/* Writes model.json in one fixed form. Knows the fields; that they are within bounds is decided
 * by the reader, which every text written here has to pass. */
#include "model/manifest.h"

#include <math.h>
#include <string.h>

#include <jansson.h>

#include "base/utf8.h"
#include "ebm/memory.h"
#include "io/json_build.h"
#include "io/json_scan.h"

#define MAX_DEPTH     7 /* inside a document of which the reader accepts 8 */
#define MAX_TOKENS    16384
#define INDENT_LEVELS 2 /* deeper values stay on one line, tables above all */
/* 17 digits bring every double back; jansson writes them with a point in every locale. */
#define NUMBERS (JSON_REAL_PRECISION(17) | JSON_ENCODE_ANY)

/* --- the document ------------------------------------------------------------------------- */

static json_t *integers(const int32_t *values, size_t n)
{
    json_t *array = json_array();
    for (size_t i = 0; i < n; i++) {
        if (json_array_append_new(array, json_integer(values[i])) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *image_part(const ebm_network_config *c)
{
    return json_pack("{s:i, s:i, s:i, s:[i,i]}", "width", (int)c->width, "height", (int)c->height,
                     "channels", (int)c->channels, "value_range", -1, 1);
}

/* No attention needs no field. */
static json_t *network_part(const ebm_network_config *c)
{
    return json_pack(
        "{s:i, s:o, s:i, s:s, s:f, s:o*}", "ch", (int)c->ch, "ch_mult",
        integers(c->ch_mult, (size_t)c->n_mult), "num_res_blocks", (int)c->num_res_blocks,
        "activation", c->activation == EBM_ACT_SILU ? "silu" : "leaky_relu", "leaky_slope",
        (double)c->leaky_slope, "attention", c->attention == 0 ? NULL : json_integer(c->attention));
}

static json_t *levels_part(const ebm_levels *l)
{
    const size_t t = (size_t)l->count;
    return json_pack("{s:i, s:o, s:o, s:o, s:o, s:o, s:o}", "count", (int)l->count, "a",
                     ebm__json_reals(l->a, t + 1), "sigma", ebm__json_reals(l->sigma, t + 1),
                     "step2", ebm__json_reals(l->step2, t), "steps", integers(l->steps, t),
                     "tether", ebm__json_reals(l->tether, t), "scale",
                     ebm__json_reals(l->scale, t));
}

/* What is off, or one step long, needs no field. */
static json_t *sampling_part(const ebm_levels *l)
{
    return json_pack("{s:f, s:o*, s:o*, s:o*, s:o*}", "noise_scale", l->noise_scale, "denoise",
                     l->denoise ? json_true() : NULL, "stride",
                     l->stride == 1.0 ? NULL : json_real(l->stride), "paired_noise",
                     l->paired_noise ? json_true() : NULL, "predict",
                     l->predict ? json_true() : NULL);
}

/* One expert needs no field. */
static json_t *weights_part(const ebm__manifest *m)
{
    if (m->n_experts == 1) {
        return json_pack("{s:s}", "sha256", m->sha256);
    }
    return json_pack("{s:s, s:o}", "sha256", m->sha256, "experts",
                     integers(m->expert_from, (size_t)m->n_experts));
}

/* All but the facts; NULL: no memory. */
static json_t *document_of(const ebm__manifest *m)
{
    return json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "format",
                     EBM__MANIFEST_FORMAT, "id", m->id, "version", m->version, "title", m->title,
                     "licence", m->licence, "architecture", m->network.architecture, "image",
                     image_part(&m->network), "network", network_part(&m->network), "levels",
                     levels_part(&m->levels), "sampling", sampling_part(&m->levels), "weights",
                     weights_part(m));
}

static ebm_status add_facts(json_t *document, const char *key, const char *text, ebm_error *err)
{
    json_t *facts;
    if (text == NULL) {
        return EBM_OK;
    }
    const ebm_status st =
        ebm__json_parse(text, strlen(text), MAX_DEPTH, MAX_TOKENS, key, &facts, err);
    if (st != EBM_OK) {
        return st;
    }
    if (json_object_set_new(document, key, facts) != 0) {
        return ebm_error_set(err, EBM_ERR_NOMEM, key, "no memory");
    }
    return EBM_OK;
}

/* --- the text ----------------------------------------------------------------------------- */

typedef struct text {
    char *bytes;
    size_t used, room;
    bool full;
} text;

static void put(text *t, const char *s, size_t n)
{
    if (n > t->room - t->used) {
        t->full = true;
        return;
    }
    memcpy(t->bytes + t->used, s, n);
    t->used += n;
}

static void put_line(text *t, const char *s, size_t indent)
{
    put(t, s, strlen(s));
    put(t, "\n", 1);
    for (size_t i = 0; i < indent; i++) {
        put(t, "  ", 2);
    }
}

static void put_value(text *t, const json_t *value)
{
    const size_t left = t->room - t->used;
    const size_t n = json_dumpb(value, t->bytes + t->used, left, NUMBERS);
    if (n == 0 || n > left) {
        t->full = true;
        return;
    }
    t->used += n;
}

static void put_member(text *t, const char *name, const json_t *value)
{
    json_t *key = json_string(name);
    put_value(t, key);
    put(t, ": ", 2);
    json_decref(key);
    if (!json_is_object(value)) {
        put_value(t, value);
    }
}

/* Objects of the outer two levels take a line per member. */
static void put_object(text *t, json_t *object, size_t level)
{
    const char *name;
    const char *separator = "{";
    json_t *value;
    json_object_foreach(object, name, value)
    {
        put_line(t, separator, level);
        put_member(t, name, value);
        if (json_is_object(value) && level < INDENT_LEVELS && json_object_size(value) > 0) {
            put_object(t, value, level + 1);
        } else if (json_is_object(value)) {
            put_value(t, value);
        }
        separator = ",";
    }
    put_line(t, "", level - 1);
    put(t, "}", 1);
}

static ebm_status write_text(json_t *document, char **json, size_t *size, ebm_error *err)
{
    text t = {.room = EBM__MANIFEST_MAX_BYTES};
    t.bytes = ebm_alloc(t.room + 1, 1);
    if (t.bytes == NULL) {
        return ebm_error_set(err, EBM_ERR_NOMEM, "model.json", "no memory for the text");
    }
    put_object(&t, document, 1);
    put(&t, "\n", 1);
    if (t.full) {
        ebm_free(t.bytes);
        return ebm_error_set(err, EBM_ERR_LIMIT, "model.json", "longer than %zu bytes", t.room);
    }
    t.bytes[t.used] = '\0';
    *json = t.bytes;
    *size = t.used;
    return EBM_OK;
}

/* --- building ----------------------------------------------------------------------------- */

/* What JSON itself cannot hold, or the functions above rely on; every bound is the reader's. */
static ebm_status check_input(const ebm__manifest *m, ebm_error *err)
{
    const ebm_network_config *c = &m->network;
    if (!ebm__utf8_valid(m->id) || !ebm__utf8_valid(m->version) || !ebm__utf8_valid(m->title) ||
        !ebm__utf8_valid(m->licence) || !ebm__utf8_valid(c->architecture) ||
        !ebm__utf8_valid(m->sha256)) {
        return ebm_error_set(err, EBM_ERR_ARG, "model.json", "a text is not UTF-8");
    }
    if (c->n_mult < 1 || c->n_mult > 8) {
        return ebm_error_set(err, EBM_ERR_RANGE, "/network/ch_mult", "must have 1..8 entries");
    }
    if (!isfinite(c->leaky_slope)) {
        return ebm_error_set(err, EBM_ERR_RANGE, "/network/leaky_slope", "must be 0..1");
    }
    if (c->activation != EBM_ACT_SILU && c->activation != EBM_ACT_LEAKY_RELU) {
        return ebm_error_set(err, EBM_ERR_RANGE, "/network/activation",
                             "must be leaky_relu or silu");
    }
    if (m->n_experts < 1 || m->n_experts > EBM_MAX_EXPERTS) {
        return ebm_error_set(err, EBM_ERR_RANGE, "/weights/experts", "must be 1..%d",
                             EBM_MAX_EXPERTS);
    }
    if (m->levels.count < 1 || m->levels.count > EBM_MAX_LEVELS) {
        return ebm_error_set(err, EBM_ERR_RANGE, "/levels/count", "must be 1..%d", EBM_MAX_LEVELS);
    }
    return ebm_levels_check(&m->levels, err);
}

static ebm_status check_readable(const char *json, size_t size, ebm_error *err)
{
    ebm__manifest again;
    const ebm_status st = ebm__manifest_parse(json, size, &again, err);
    ebm_levels_clear(&again.levels);
    return st;
}

ebm_status ebm__manifest_build(const ebm__manifest *m, const char *training_json,
                               const char *quality_json, char **json, size_t *size, ebm_error *err)
{
    json_t *document = NULL;
    *json = NULL;
    *size = 0;
    ebm_status st = check_input(m, err);
    if (st != EBM_OK) {
        goto out;
    }
    document = document_of(m);
    if (document == NULL) {
        st = ebm_error_set(err, EBM_ERR_NOMEM, "model.json", "no memory");
        goto out;
    }
    st = add_facts(document, "training", training_json, err);
    if (st == EBM_OK) {
        st = add_facts(document, "quality", quality_json, err);
    }
    if (st == EBM_OK) {
        st = write_text(document, json, size, err);
    }
    if (st == EBM_OK) {
        st = check_readable(*json, *size, err);
    }
    if (st != EBM_OK) {
        ebm_free(*json);
        *json = NULL;
        *size = 0;
    }
out:
    json_decref(document);
    return st;
}
