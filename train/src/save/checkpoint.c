/* Checkpoints: all of ebmt_state in one safetensors file, with a digest of everything in it.
 * Knows files and vectors; has never heard of networks, losses or what the configuration says. */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint_dir.h"
#include "ebm/io.h"
#include "ebm/memory.h"
#include "ebmt/train.h"

#define FORMAT_NAME "ebm-checkpoint-2"
/* Far more than the vectors of any network and chains that one machine trains. */
#define MAX_FILE_BYTES ((size_t)64 << 30)
#define N_VECTORS      8
#define N_TEXTS        6 /* metadata beside the digests of the vectors */

/* --- the vectors of a state, by name ------------------------------------------------------- */

typedef struct vector {
    const char *name, *digest_key;
    float *values;
    size_t count;
} vector;

static void list_vectors(const ebmt_state *s, vector v[N_VECTORS])
{
    const vector all[N_VECTORS] = {
        {"params", "sha256.params", s->params, s->size.params},
        {"ema", "sha256.ema", s->ema, s->size.params},
        {"adam_m", "sha256.adam_m", s->adam_m, s->size.params},
        {"adam_v", "sha256.adam_v", s->adam_v, s->size.params},
        {"spectral_u", "sha256.spectral_u", s->spectral_u, s->size.spectral},
        {"ema_spectral_u", "sha256.ema_spectral_u", s->ema_spectral_u, s->size.spectral},
        {"watch", "sha256.watch", s->watch, s->size.watch},
        {"chains", "sha256.chains", s->chains, s->size.chains},
    };
    memcpy(v, all, sizeof all);
}

/* --- metadata ------------------------------------------------------------------------------ */

typedef struct counters {
    char iteration[24], adam_step[24], grad_norm_mean[40];
} counters;

/* One digest over all texts: a flipped bit in a counter is as bad as one in a weight. */
static ebm_status digest_texts(const counters *c, const char *config, char hex[65], ebm_error *err)
{
    size_t room = strlen(config) + sizeof *c + 64;
    char *joined = ebm_alloc(room, 1);
    if (!joined)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for the digest");
    (void)snprintf(joined, room, "%s\n%s\n%s\n%s\n%s", FORMAT_NAME, c->iteration, c->adam_step,
                   c->grad_norm_mean, config);
    ebm_sha256_hex(joined, strlen(joined), hex);
    ebm_free(joined);
    return EBM_OK;
}

/* --- saving -------------------------------------------------------------------------------- */

/* Everything that the metadata of one save points to. */
typedef struct texts {
    counters c;
    char vector_hex[N_VECTORS][65], hex[65];
    ebm_st_pair pair[N_VECTORS + N_TEXTS];
    size_t n;
} texts;

static ebm_status fill_texts(const ebmt_state *s, const vector *v, const char *config, texts *t,
                             ebm_error *err)
{
    (void)snprintf(t->c.iteration, sizeof t->c.iteration, "%lld", (long long)s->iteration);
    (void)snprintf(t->c.adam_step, sizeof t->c.adam_step, "%lld", (long long)s->adam_step);
    (void)snprintf(t->c.grad_norm_mean, sizeof t->c.grad_norm_mean, "%a", s->grad_norm_mean);
    ebm_status st = digest_texts(&t->c, config, t->hex, err);
    if (st != EBM_OK)
        return st;
    const ebm_st_pair fixed[N_TEXTS] = {
        {"format", FORMAT_NAME},
        {"config", config},
        {"iteration", t->c.iteration},
        {"adam_step", t->c.adam_step},
        {"grad_norm_mean", t->c.grad_norm_mean},
        {"sha256.metadata", t->hex},
    };
    memcpy(t->pair, fixed, sizeof fixed);
    t->n = N_TEXTS;
    for (size_t i = 0; i < N_VECTORS; i++) {
        if (v[i].count == 0)
            continue;
        ebm_sha256_hex(v[i].values, v[i].count * sizeof(float), t->vector_hex[i]);
        t->pair[t->n++] = (ebm_st_pair){v[i].digest_key, t->vector_hex[i]};
    }
    return EBM_OK;
}

/* An empty vector has no bytes to store: safetensors readers disagree about tensors of size 0. */
static size_t fill_items(const vector *v, ebm_st_item *items)
{
    size_t n = 0;
    for (size_t i = 0; i < N_VECTORS; i++) {
        if (v[i].count > 0)
            items[n++] = (ebm_st_item){
                .name = v[i].name, .rank = 1, .dim = {(int64_t)v[i].count}, .values = v[i].values};
    }
    return n;
}

ebm_status ebmt_checkpoint_save(const char *dir, const ebmt_state *state, const char *config_json,
                                ebm_error *err)
{
    vector v[N_VECTORS];
    ebm_st_item items[N_VECTORS];
    texts t;
    char *path = NULL;
    unsigned char *data = NULL;
    size_t size = 0;

    list_vectors(state, v);
    ebm_status st = fill_texts(state, v, config_json, &t, err);
    if (st != EBM_OK)
        goto out;
    st = ebm_safetensors_build(items, fill_items(v, items), t.pair, t.n, &data, &size, err);
    if (st != EBM_OK)
        goto out;
    st = ebmt__checkpoint_path(dir, state->iteration, &path, err);
    if (st != EBM_OK)
        goto out;
    st = ebm_file_write(path, data, size, err);
    if (st == EBM_OK)
        ebmt__checkpoints_remove_old(dir, state->iteration);
out:
    ebm_free(path);
    ebm_free(data);
    return st;
}

/* --- loading ------------------------------------------------------------------------------- */

static ebm_status damaged(ebm_error *err, const char *where, const char *what)
{
    return ebm_error_set(err, EBM_ERR_FORMAT, where, "%s", what);
}

static ebm_status parse_count(const char *text, const char *key, int64_t *out, ebm_error *err)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < 0)
        return damaged(err, key, "not a whole number");
    *out = value;
    return EBM_OK;
}

static ebm_status parse_norm(const char *text, double *out, ebm_error *err)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(value))
        return damaged(err, "grad_norm_mean", "not a number");
    *out = value;
    return EBM_OK;
}

static ebm_status copy_text(const ebm_safetensors *file, const char *key, char *out, size_t room,
                            ebm_error *err)
{
    const char *text = ebm_safetensors_metadata(file, key);
    if (!text || strlen(text) >= room)
        return damaged(err, key, "metadata entry is missing or too long");
    memcpy(out, text, strlen(text) + 1);
    return EBM_OK;
}

static ebm_status check_format(const ebm_safetensors *file, ebm_error *err)
{
    const char *format = ebm_safetensors_metadata(file, "format");
    if (!format || strcmp(format, FORMAT_NAME) != 0)
        return damaged(err, "format", "not a checkpoint of format " FORMAT_NAME);
    if (!ebm_safetensors_metadata(file, "config"))
        return damaged(err, "config", "metadata entry is missing");
    return EBM_OK;
}

static ebm_status read_counters(const ebm_safetensors *file, ebmt_state *state, ebm_error *err)
{
    counters c;
    char hex[65];
    const char *stored = ebm_safetensors_metadata(file, "sha256.metadata");
    ebm_status st = copy_text(file, "iteration", c.iteration, sizeof c.iteration, err);
    if (st == EBM_OK)
        st = copy_text(file, "adam_step", c.adam_step, sizeof c.adam_step, err);
    if (st == EBM_OK)
        st = copy_text(file, "grad_norm_mean", c.grad_norm_mean, sizeof c.grad_norm_mean, err);
    if (st == EBM_OK)
        st = digest_texts(&c, ebm_safetensors_metadata(file, "config"), hex, err);
    if (st == EBM_OK && (!stored || strcmp(stored, hex) != 0))
        st = ebm_error_set(err, EBM_ERR_DIGEST, "sha256.metadata", "digest does not match");
    if (st == EBM_OK)
        st = parse_count(c.iteration, "iteration", &state->iteration, err);
    if (st == EBM_OK)
        st = parse_count(c.adam_step, "adam_step", &state->adam_step, err);
    if (st == EBM_OK)
        st = parse_norm(c.grad_norm_mean, &state->grad_norm_mean, err);
    return st;
}

static ebm_status check_digest(const ebm_safetensors *file, const vector *v, const void *data,
                               size_t bytes, ebm_error *err)
{
    char hex[65];
    const char *stored = ebm_safetensors_metadata(file, v->digest_key);
    ebm_sha256_hex(data, bytes, hex);
    if (!stored || strcmp(stored, hex) != 0)
        return ebm_error_set(err, EBM_ERR_DIGEST, v->name, "digest does not match");
    return EBM_OK;
}

static ebm_status check_finite(const ebm_st_tensor *t, ebm_error *err)
{
    float some[256];
    ebm_status st = EBM_OK;
    for (size_t at = 0; at < t->count && st == EBM_OK; at += sizeof some / sizeof *some) {
        ebm_st_tensor part = *t;
        part.data += at * sizeof *some;
        part.count = t->count - at;
        if (part.count > sizeof some / sizeof *some)
            part.count = sizeof some / sizeof *some;
        st = ebm_st_to_float(&part, part.count, some, err);
    }
    return st;
}

/* All that could be wrong with a vector, before any is taken. */
static ebm_status check_vector(const ebm_safetensors *file, const vector *v, ebm_error *err)
{
    const ebm_st_tensor *t = ebm_safetensors_find(file, v->name);
    ebm_status st;
    if (v->count == 0)
        return t ? ebm_error_set(err, EBM_ERR_SHAPE, v->name,
                                 "belongs to another network or other settings")
                 : EBM_OK;
    if (!t && !ebm_safetensors_metadata(file, v->digest_key))
        return ebm_error_set(err, EBM_ERR_SHAPE, v->name, "belongs to a run without such a vector");
    if (!t || t->dtype != EBM_F32)
        return damaged(err, v->name, "vector is missing or not of float32");
    st = check_digest(file, v, t->data, t->bytes, err);
    if (st != EBM_OK)
        return st;
    if (t->count != v->count)
        return ebm_error_set(
            err, EBM_ERR_SHAPE, v->name,
            "%zu values, this run has %zu: another network's, or of other settings", t->count,
            v->count);
    return check_finite(t, err);
}

static ebm_status take_vector(const ebm_safetensors *file, const vector *v, ebm_error *err)
{
    const ebm_st_tensor *t = ebm_safetensors_find(file, v->name);
    return t ? ebm_st_to_float(t, v->count, v->values, err) : EBM_OK;
}

static ebm_status copy_config(const ebm_safetensors *file, char **config, ebm_error *err)
{
    const char *text = ebm_safetensors_metadata(file, "config");
    *config = ebm_alloc(strlen(text) + 1, 1);
    if (!*config)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for the configuration");
    memcpy(*config, text, strlen(text) + 1);
    return EBM_OK;
}

/* The configuration comes before the vectors: it tells why those may have other lengths. The state
 * is touched when nothing can fail any more: a run may still need what is in it. */
static ebm_status read_whole(const ebm_safetensors *file, int64_t iteration, ebmt_state *state,
                             char **config, ebm_error *err)
{
    vector v[N_VECTORS];
    ebmt_state counted = *state;
    list_vectors(state, v);
    ebm_status st = check_format(file, err);
    if (st == EBM_OK)
        st = read_counters(file, &counted, err);
    if (st == EBM_OK && counted.iteration != iteration)
        st = damaged(err, "iteration", "the file's name and content name different iterations");
    if (st == EBM_OK)
        st = copy_config(file, config, err);
    for (size_t i = 0; i < N_VECTORS && st == EBM_OK; i++)
        st = check_vector(file, &v[i], err);
    for (size_t i = 0; i < N_VECTORS && st == EBM_OK; i++)
        st = take_vector(file, &v[i], err);
    if (st == EBM_OK)
        *state = counted;
    return st;
}

/* *config: also with SHAPE, else NULL after an error */
static ebm_status load_one(const char *path, int64_t iteration, ebmt_state *state, char **config,
                           ebm_error *err)
{
    unsigned char *data = NULL;
    size_t size = 0;
    ebm_safetensors *file = NULL;
    ebm_status st = ebm_file_read(NULL, path, MAX_FILE_BYTES, &data, &size, err);
    if (st != EBM_OK)
        goto out;
    st = ebm_safetensors_parse(data, size, &file, err);
    if (st != EBM_OK)
        goto out;
    st = read_whole(file, iteration, state, config, err);
    if (st != EBM_OK && st != EBM_ERR_SHAPE) {
        ebm_free(*config);
        *config = NULL;
    }
out:
    ebm_safetensors_free(file);
    ebm_free(data);
    return st;
}

typedef struct note_sink {
    void (*note)(void *user, const char *line);
    void *user;
} note_sink;

static void tell(const note_sink *sink, const char *path, const ebm_error *why)
{
    char line[512];
    if (!sink->note)
        return;
    (void)snprintf(line, sizeof line, "skipping damaged checkpoint %s: %s: %s", path, why->where,
                   why->text);
    sink->note(sink->user, line);
}

/* An older file is no help against another network or a lack of memory. What the system cannot open
 * or read now may be whole: to go on from an older one would throw its hours away, since the run
 * then overwrites them. */
static bool is_damage(ebm_status st)
{
    return st != EBM_OK && st != EBM_ERR_SHAPE && st != EBM_ERR_NOMEM && st != EBM_ERR_IO;
}

ebm_status ebmt_checkpoint_load(const char *dir, ebmt_state *state, char **config_json,
                                void (*note)(void *user, const char *line), void *user,
                                ebm_error *err)
{
    const note_sink sink = {note, user};
    ebmt__checkpoint_list list = {NULL, 0, 0};
    *config_json = NULL;
    ebm_status st = ebmt__checkpoints_list(dir, &list, err);
    if (st != EBM_OK)
        goto out;
    st = EBM_ERR_NOT_FOUND;
    for (size_t i = 0; i < list.n && is_damage(st); i++) {
        char *path = NULL;
        ebm_error inner = {0};
        st = ebmt__checkpoint_path(dir, list.iteration[i], &path, &inner);
        if (st == EBM_OK)
            st = load_one(path, list.iteration[i], state, config_json, &inner);
        if (is_damage(st))
            tell(&sink, path, &inner);
        else if (st != EBM_OK)
            (void)ebm_error_set(err, st, inner.where, "%s", inner.text);
        ebm_free(path);
    }
    if (is_damage(st))
        st = ebm_error_set(err, EBM_ERR_NOT_FOUND, dir, "no whole checkpoint among %zu files",
                           list.n);
out:
    ebm_free(list.iteration);
    return st;
}
