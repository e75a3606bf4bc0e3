/* A set of models, see engine.h. */
#include "models/engine.h"

#include <dirent.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ebm/memory.h"
#include "ebm/session.h"
#include "ebmm/models.h"

#define PATH_SIZE 4096

struct ebmd_engine {
    atomic_size_t refs;
    size_t n;
    ebmd_loaded item[EBMD_MODELS_MAX];
};

/* --- directories -------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

static bool stat_file(const char *dir, const char *id, const char *file, struct stat *st)
{
    char path[PATH_SIZE];
    int n = snprintf(path, sizeof(path), "%s/%s/%s", dir, id, file);

    return n > 0 && (size_t)n < sizeof(path) && lstat(path, st) == 0;
}

static bool has_manifest(const char *dir, const char *id)
{
    struct stat st;

    return stat_file(dir, id, "model.json", &st);
}

static ebm_status add_name(ebmd_names *found, const char *name, ebm_error *err)
{
    if (!ebm_model_id_valid(name))
        return ebm_error_set(err, EBM_ERR_FORMAT, name, "directory name is not a valid model id");
    if (found->n == EBMD_MODELS_MAX)
        return ebm_error_set(err, EBM_ERR_LIMIT, name, "more than %d models", EBMD_MODELS_MAX);
    memcpy(found->name[found->n], name, strlen(name) + 1); /* a valid id fits */
    found->n++;
    return EBM_OK;
}

ebm_status ebmd_engine_list(const char *dir, ebmd_names *out, ebm_error *err)
{
    ebm_status st = EBM_OK;
    const struct dirent *entry;
    DIR *d = opendir(dir);

    out->n = 0;
    if (!d)
        return ebm_error_set(err, EBM_ERR_NOT_FOUND, dir, "cannot open the models directory: %s",
                             strerror(errno));
    while (st == EBM_OK && (entry = readdir(d)) != NULL) {
        if (entry->d_name[0] != '.' && has_manifest(dir, entry->d_name))
            st = add_name(out, entry->d_name, err);
    }
    closedir(d);
    if (st == EBM_OK && out->n == 0)
        st = ebm_error_set(err, EBM_ERR_NOT_FOUND, dir, "no model in the models directory");
    qsort(out->name, out->n, sizeof(out->name[0]), by_name);
    return st;
}

/* The time of the last change of a file's inode cannot be set back. */
static void stamp_file(const struct stat *st, int64_t out[5])
{
    out[0] = (int64_t)st->st_dev;
    out[1] = (int64_t)st->st_ino;
    out[2] = (int64_t)st->st_size;
    out[3] = (int64_t)st->st_ctim.tv_sec;
    out[4] = (int64_t)st->st_ctim.tv_nsec;
}

bool ebmd_engine_stamp(const char *dir, const char *id, ebmd_stamp *out)
{
    struct stat st;

    memset(out, 0, sizeof(*out));
    if (!stat_file(dir, id, "model.json", &st))
        return false;
    stamp_file(&st, out->field);
    if (stat_file(dir, id, "model.safetensors", &st))
        stamp_file(&st, out->field + 5);
    if (stat_file(dir, id, EBM_CALIBRATION_FILE, &st))
        stamp_file(&st, out->field + 10);
    return true;
}

/* Puts the model's name before what the loader said: one line must be enough to find the file. */
static ebm_status blame(ebm_error *err, const char *name, const ebm_error *cause)
{
    char where[sizeof(cause->where) + EBM_MODEL_ID_MAX + 2];
    ebm_status st = cause->status == EBM_ERR_NOT_FOUND ? EBM_ERR_FORMAT : cause->status;

    snprintf(where, sizeof(where), "%s%s%s", name, cause->where[0] ? "/" : "", cause->where);
    return ebm_error_set(err, st, where, "%s", cause->text);
}

void ebmd_loaded_clear(ebmd_loaded *one)
{
    ebmd_standard *s = one->standard;

    ebm_model_unref(one->model);
    if (s && atomic_fetch_sub(&s->refs, 1) == 1) {
        ebm_calibration_clear(&s->calibration);
        ebm_free(s);
    }
    one->model = NULL;
    one->standard = NULL;
}

/* One of other weights or levels counts as none: training has gone on since. */
static ebm_status read_standard(ebmd_loaded *one, const char *dir, const char *id, ebm_error *err)
{
    const ebm_model_info *m = ebm_model_describe(one->model);
    ebmd_standard *s = ebm_alloc(1, sizeof(*s));
    ebm_error cause = {0};
    ebm_status st;

    if (!s)
        return ebm_error_set(err, EBM_ERR_NOMEM, id, "no memory for a calibration");
    st =
        ebm_calibration_read(dir, &(ebm_calibrated){m->sha256, m->levels}, &s->calibration, &cause);
    if (st != EBM_OK) {
        ebm_free(s);
        return st == EBM_ERR_NOT_FOUND ? EBM_OK : blame(err, id, &cause);
    }
    atomic_init(&s->refs, 1);
    one->standard = s;
    return EBM_OK;
}

static ebm_status check_id(ebm_model *m, const char *id, ebm_error *err)
{
    if (strcmp(ebm_model_describe(m)->id, id) == 0)
        return EBM_OK;
    return ebm_error_set(err, EBM_ERR_FORMAT, id,
                         "model.json says id \"%s\", the directory differs",
                         ebm_model_describe(m)->id);
}

/* A file of a megabyte may hold a network whose maps fill the memory of every worker. */
static ebm_status check_session(const ebm_model *m, const char *id, ebm_error *err)
{
    const size_t bytes = ebm_session_bytes(m, NULL);

    if (bytes == 0)
        return ebm_error_set(err, EBM_ERR_NOMEM, id, "no memory to plan a session");
    if (bytes <= EBMD_SESSION_MAX)
        return EBM_OK;
    return ebm_error_set(err, EBM_ERR_LIMIT, id, "takes %zu MiB in each worker, at most %zu MiB",
                         bytes >> 20, EBMD_SESSION_MAX >> 20);
}

ebm_status ebmd_engine_read(const char *dir, const char *id, const ebm_kernels *kernels,
                            ebmd_loaded *out, ebm_error *err)
{
    ebm_error cause = {0};
    ebm_model *m = NULL;
    char path[PATH_SIZE];
    int n = snprintf(path, sizeof(path), "%s/%s", dir, id);
    ebm_status st;

    out->model = NULL;
    out->standard = NULL;
    if (n < 0 || (size_t)n >= sizeof(path))
        return ebm_error_set(err, EBM_ERR_LIMIT, id, "path too long");
    /* before the files are read: what is written meanwhile makes another stamp */
    if (!ebmd_engine_stamp(dir, id, &out->stamp))
        return ebm_error_set(err, EBM_ERR_NOT_FOUND, id,
                             "there is no directory of this name with a model.json");
    if (ebmm_model_open(path, kernels, &m, &cause) != EBM_OK)
        return blame(err, id, &cause);
    ebm_model_seal(m); /* nobody here trains or saves it */
    out->model = m;
    st = check_id(m, id, err);
    if (st == EBM_OK)
        st = check_session(m, id, err);
    if (st == EBM_OK)
        st = read_standard(out, path, id, err);
    if (st != EBM_OK)
        ebmd_loaded_clear(out);
    return st;
}

/* --- sets --------------------------------------------------------------------------------- */

static ebmd_engine *engine_alloc(ebm_error *err)
{
    ebmd_engine *e = ebm_alloc(1, sizeof(*e));

    if (e)
        atomic_init(&e->refs, 1);
    else
        ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for the model table");
    return e;
}

static void append(ebmd_engine *e, const ebmd_loaded *one)
{
    e->item[e->n] = *one;
    ebm_model_ref(e->item[e->n].model);
    if (e->item[e->n].standard)
        atomic_fetch_add(&e->item[e->n].standard->refs, 1);
    e->n++;
}

ebm_status ebmd_engine_open(const char *dir, const ebm_kernels *kernels, ebmd_engine **out,
                            ebm_error *err)
{
    ebm_status st = EBM_ERR_NOMEM;
    ebmd_engine *e = engine_alloc(err);
    ebmd_names *found = ebm_alloc(1, sizeof(*found));

    *out = NULL;
    if (!e || !found) {
        ebm_error_set(err, st, NULL, "no memory for the model table");
        goto out;
    }
    st = ebmd_engine_list(dir, found, err);
    for (size_t i = 0; st == EBM_OK && i < found->n; i++) {
        st = ebmd_engine_read(dir, found->name[i], kernels, &e->item[e->n], err);
        e->n += st == EBM_OK ? 1 : 0;
    }
    if (st != EBM_OK)
        goto out;
    *out = e;
    e = NULL;
out:
    ebmd_engine_unref(e);
    ebm_free(found);
    return st;
}

ebm_status ebmd_engine_with(const ebmd_engine *e, const ebmd_loaded *one, ebmd_engine **out,
                            ebm_error *err)
{
    const char *id = ebm_model_describe(one->model)->id;
    ebmd_engine *made;
    size_t at = 0, before = 0;
    bool replaces;

    *out = NULL;
    while (before < e->n && strcmp(ebm_model_describe(e->item[before].model)->id, id) < 0)
        before++;
    replaces = before < e->n && strcmp(ebm_model_describe(e->item[before].model)->id, id) == 0;
    if (!replaces && e->n == EBMD_MODELS_MAX)
        return ebm_error_set(err, EBM_ERR_LIMIT, id, "more than %d models", EBMD_MODELS_MAX);
    made = engine_alloc(err);
    if (!made)
        return EBM_ERR_NOMEM;
    for (; at < before; at++)
        append(made, &e->item[at]);
    append(made, one);
    for (at += replaces ? 1 : 0; at < e->n; at++)
        append(made, &e->item[at]);
    *out = made;
    return EBM_OK;
}

ebm_status ebmd_engine_without(const ebmd_engine *e, size_t i, ebmd_engine **out, ebm_error *err)
{
    ebmd_engine *made = engine_alloc(err);

    *out = made;
    if (!made)
        return EBM_ERR_NOMEM;
    for (size_t k = 0; k < e->n; k++) {
        if (k != i)
            append(made, &e->item[k]);
    }
    return EBM_OK;
}

ebmd_engine *ebmd_engine_ref(ebmd_engine *e)
{
    atomic_fetch_add(&e->refs, 1);
    return e;
}

void ebmd_engine_unref(ebmd_engine *e)
{
    if (!e || atomic_fetch_sub(&e->refs, 1) != 1)
        return;
    for (size_t i = 0; i < e->n; i++)
        ebmd_loaded_clear(&e->item[i]);
    ebm_free(e);
}

size_t ebmd_engine_count(const ebmd_engine *e)
{
    return e->n;
}

ebm_model *ebmd_engine_at(const ebmd_engine *e, size_t i)
{
    return e->item[i].model;
}

const ebm_calibration *ebmd_engine_calibration(const ebmd_engine *e, size_t i)
{
    return e->item[i].standard ? &e->item[i].standard->calibration : NULL;
}

bool ebmd_engine_find(const ebmd_engine *e, const char *id, size_t *index)
{
    for (size_t i = 0; i < e->n; i++) {
        if (!id || strcmp(ebm_model_describe(e->item[i].model)->id, id) == 0) {
            *index = i;
            return true;
        }
    }
    return false;
}

bool ebmd_engine_is_from(const ebmd_engine *e, size_t i, const ebmd_stamp *stamp)
{
    return memcmp(&e->item[i].stamp, stamp, sizeof(*stamp)) == 0;
}
