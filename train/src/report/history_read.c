/* Reads reports back from JSON. */
#include "history_read.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ebm/memory.h"
#include "metrics_log.h"

typedef struct reader {
    ebmt__history *h;
    int32_t levels;
    int64_t line, bytes; /* lines met; bytes above which they are thinned */
    double *reals;       /* [6, levels] */
    int64_t *seen;       /* [levels] */
} reader;

static double real_of(const json_t *value)
{
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

/* Fills one list; false if it has another length, or is absent. */
static bool read_list(const reader *r, const json_t *object, const char *key, double *out)
{
    const json_t *list = json_object_get(object, key);
    if (json_array_size(list) != (size_t)r->levels)
        return false;
    for (int32_t t = 0; t < r->levels; t++)
        out[t] = real_of(json_array_get(list, (size_t)t));
    return true;
}

static bool read_seen(const reader *r, const json_t *object)
{
    const json_t *list = json_object_get(object, "seen");
    if (json_array_size(list) != (size_t)r->levels)
        return false;
    for (int32_t t = 0; t < r->levels; t++)
        r->seen[t] = json_integer_value(json_array_get(list, (size_t)t));
    return true;
}

static void add_object(const reader *r, const json_t *object)
{
    double *gap = r->reals, *displacement = gap + r->levels, *matching = gap + 2 * r->levels;
    double *validation = gap + 3 * r->levels, *error = gap + 4 * r->levels;
    double *acceptance = gap + 5 * r->levels;
    const ebmt_report report = {
        .iteration = json_integer_value(json_object_get(object, "iteration")),
        .loss = real_of(json_object_get(object, "loss")),
        .matching = real_of(json_object_get(object, "matching")),
        .grad_norm = real_of(json_object_get(object, "grad_norm")),
        .lr = real_of(json_object_get(object, "lr")),
        .levels = r->levels,
        .gap = gap,
        .displacement = displacement,
        .acceptance = read_list(r, object, "acceptance", acceptance) ? acceptance : NULL,
        .level_matching = matching,
        .persistent = json_object_get(object, "persistent_gap") != NULL,
        .persistent_gap = real_of(json_object_get(object, "persistent_gap")),
        .persistent_acceptance = real_of(json_object_get(object, "persistent_acceptance")),
        .seen = r->seen,
        .validation_gap = read_list(r, object, "validation_gap", validation) ? validation : NULL,
        .validation_error = read_list(r, object, "validation_error", error) ? error : NULL};
    if (report.iteration >= 1 && report.iteration <= 1000000000 && read_seen(r, object) &&
        read_list(r, object, "gap", gap) && read_list(r, object, "displacement", displacement) &&
        read_list(r, object, "level_matching", matching))
        ebmt__history_add(r->h, &report);
}

static void take_line(void *user, const char *line, int64_t file_bytes)
{
    reader *r = user;
    bool turn = r->line++ % (1 + file_bytes / r->bytes) == 0;
    if (!turn && !strstr(line, "\"validation_gap\""))
        return;
    json_t *object = json_loads(line, 0, NULL);
    if (object)
        add_object(r, object);
    json_decref(object);
}

ebm_status ebmt__history_read(ebmt__history *h, int32_t levels, const char *dir, int64_t bytes,
                              ebm_error *err)
{
    reader r = {.h = h, .levels = levels, .bytes = bytes};
    ebm_status st = EBM_OK;
    r.reals = ebm_alloc(6 * (size_t)levels, sizeof *r.reals);
    r.seen = ebm_alloc((size_t)levels, sizeof *r.seen);
    if (r.reals && r.seen)
        st = ebmt__metrics_read(dir, take_line, &r, err);
    else
        st = ebm_error_set(err, EBM_ERR_NOMEM, "metrics", "no memory");
    ebm_free(r.reals);
    ebm_free(r.seen);
    return st;
}
