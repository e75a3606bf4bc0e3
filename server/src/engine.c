/* The models of a directory, see engine.h. */
#include "engine.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ebm/memory.h"
#include "ebmm/models.h"

struct ebmd_engine {
    size_t n;
    ebm_model *model[EBMD_MODELS_MAX];
    ebm_calibration calibration[EBMD_MODELS_MAX]; /* mean NULL: there is none */
};

typedef struct names {
    size_t n;
    char name[EBMD_MODELS_MAX][EBM_MODEL_ID_MAX + 1];
} names;

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

static bool has_manifest(const char *dir, const char *name)
{
    char path[4096];
    struct stat st;
    int n = snprintf(path, sizeof(path), "%s/%s/model.json", dir, name);

    return n > 0 && (size_t)n < sizeof(path) && lstat(path, &st) == 0;
}

static ebm_status add_name(names *found, const char *name, ebm_error *err)
{
    if (!ebm_model_id_valid(name))
        return ebm_error_set(err, EBM_ERR_FORMAT, name, "directory name is not a valid model id");
    if (found->n == EBMD_MODELS_MAX)
        return ebm_error_set(err, EBM_ERR_LIMIT, name, "more than %d models", EBMD_MODELS_MAX);
    memcpy(found->name[found->n], name, strlen(name) + 1); /* a valid id fits */
    found->n++;
    return EBM_OK;
}

static ebm_status list_names(const char *dir, names *found, ebm_error *err)
{
    ebm_status st = EBM_OK;
    const struct dirent *entry;
    DIR *d = opendir(dir);

    if (!d)
        return ebm_error_set(err, EBM_ERR_NOT_FOUND, dir, "cannot open the models directory: %s",
                             strerror(errno));
    while (st == EBM_OK && (entry = readdir(d)) != NULL) {
        if (entry->d_name[0] != '.' && has_manifest(dir, entry->d_name))
            st = add_name(found, entry->d_name, err);
    }
    closedir(d);
    if (st == EBM_OK && found->n == 0)
        st = ebm_error_set(err, EBM_ERR_NOT_FOUND, dir, "no model in the models directory");
    qsort(found->name, found->n, sizeof(found->name[0]), by_name);
    return st;
}

/* Puts the model's name before what the loader said: one line must be enough to find the file. */
static ebm_status blame(ebm_error *err, const char *name, const ebm_error *cause)
{
    char where[sizeof(cause->where) + EBM_MODEL_ID_MAX + 2];

    snprintf(where, sizeof(where), "%s%s%s", name, cause->where[0] ? "/" : "", cause->where);
    return ebm_error_set(err, cause->status, where, "%s", cause->text);
}

/* One of other weights counts as none: training has gone on since. */
static ebm_status read_calibration(ebmd_engine *e, const char *dir, const char *name,
                                   ebm_error *err)
{
    const ebm_model_info *m = ebm_model_describe(e->model[e->n]);
    ebm_error cause = {0};
    ebm_status st =
        ebm_calibration_read(dir, m->sha256, m->levels->count, &e->calibration[e->n], &cause);

    e->n++;
    return st == EBM_OK || st == EBM_ERR_NOT_FOUND ? EBM_OK : blame(err, name, &cause);
}

static ebm_status open_one(ebmd_engine *e, const char *dir, const char *name,
                           const ebm_kernels *kernels, ebm_error *err)
{
    ebm_error cause = {0};
    ebm_model *m = NULL;
    char path[4096];
    int n = snprintf(path, sizeof(path), "%s/%s", dir, name);

    if (n < 0 || (size_t)n >= sizeof(path))
        return ebm_error_set(err, EBM_ERR_LIMIT, name, "path too long");
    if (ebmm_model_open(path, kernels, &m, &cause) != EBM_OK)
        return blame(err, name, &cause);
    if (strcmp(ebm_model_describe(m)->id, name) != 0) {
        ebm_error_set(err, EBM_ERR_FORMAT, name, "model.json says id \"%s\", the directory differs",
                      ebm_model_describe(m)->id);
        ebm_model_unref(m);
        return EBM_ERR_FORMAT;
    }
    e->model[e->n] = m;
    return read_calibration(e, path, name, err);
}

ebm_status ebmd_engine_open(const char *dir, const ebm_kernels *kernels, ebmd_engine **out,
                            ebm_error *err)
{
    ebm_status st = EBM_ERR_NOMEM;
    ebmd_engine *e = ebm_alloc(1, sizeof(*e));
    names *found = ebm_alloc(1, sizeof(*found));

    *out = NULL;
    if (!e || !found) {
        ebm_error_set(err, st, NULL, "no memory for the model table");
        goto out;
    }
    st = list_names(dir, found, err);
    for (size_t i = 0; st == EBM_OK && i < found->n; i++)
        st = open_one(e, dir, found->name[i], kernels, err);
    if (st != EBM_OK)
        goto out;
    *out = e;
    e = NULL;
out:
    ebmd_engine_close(e);
    ebm_free(found);
    return st;
}

static void forget(ebmd_engine *e, size_t i)
{
    ebm_model_unref(e->model[i]);
    ebm_calibration_clear(&e->calibration[i]);
}

void ebmd_engine_close(ebmd_engine *e)
{
    if (!e)
        return;
    for (size_t i = 0; i < e->n; i++)
        forget(e, i);
    ebm_free(e);
}

size_t ebmd_engine_count(const ebmd_engine *e)
{
    return e->n;
}

ebm_model *ebmd_engine_at(const ebmd_engine *e, size_t i)
{
    return e->model[i];
}

const ebm_calibration *ebmd_engine_calibration(const ebmd_engine *e, size_t i)
{
    return e->calibration[i].mean ? &e->calibration[i] : NULL;
}

bool ebmd_engine_find(const ebmd_engine *e, const char *id, size_t *index)
{
    for (size_t i = 0; i < e->n; i++) {
        if (!id || strcmp(ebm_model_describe(e->model[i])->id, id) == 0) {
            *index = i;
            return true;
        }
    }
    return false;
}
