/* energy.json: calibration as a file beside a model. Every field is checked here and nowhere else;
 * the digest is that of the same document without it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "ebm/calibration.h"
#include "ebm/io.h"
#include "ebm/memory.h"
#include "energy/calibration_internal.h"
#include "energy/cholesky.h"
#include "io/json_build.h"
#include "io/json_scan.h"

#define MAX_DEPTH  3
#define MAX_TOKENS 131072
#define FORMAT     3
#define LEVELS_KEY "levels_sha256"
#define MAX_WEIGHT 1e6
/* Of a covariance with diagonal 1 and ridge 0.01 the factor has rows of length sqrt(1.01) and, as
 * no eigenvalue is below the ridge, a diagonal of at least 0.1. Within these bounds a distance is
 * finite, whatever the numbers: under ((1e6/0.09) (1 + 2/0.09)^95)^2 < 1e274. */
#define MAX_FACTOR   2.0
#define MIN_DIAGONAL 0.09
#define CANONICAL    (JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17))

/* --- writing ------------------------------------------------------------------------------- */

static json_t *quantile_rows(const ebm_calibration *c)
{
    json_t *rows = json_array();
    for (int32_t t = 0; t <= c->levels; t++) {
        const double *row = c->quantile + (size_t)t * EBM_QUANTILES;
        if (json_array_append_new(rows, ebm__json_reals(row, EBM_QUANTILES)) != 0) {
            json_decref(rows);
            return NULL;
        }
    }
    return rows;
}

/* [low, high] of every level. */
static json_t *single_rows(const ebm_calibration *c)
{
    json_t *rows = json_array();
    for (size_t t = 0; t < (size_t)c->levels; t++)
        if (json_array_append_new(rows, ebm__json_reals(c->single + 2 * t, 2)) != 0) {
            json_decref(rows);
            return NULL;
        }
    return rows;
}

/* False without memory. @shape hex [65] */
static bool digest_of(const json_t *document, char *hex)
{
    char *text = json_dumps(document, CANONICAL);
    if (text)
        ebm_sha256_hex(text, strlen(text), hex);
    free(text);
    return text != NULL;
}

static char *text_of(const ebm_calibration *c, const ebm_calibrated *of)
{
    char hex[65], levels[65], *text = NULL;
    if (ebm_levels_density_digest(of->levels, levels, NULL) != EBM_OK)
        return NULL;
    const size_t p = EBM_FEATURES * (size_t)c->bands;
    json_t *o = json_pack("{s:i, s:s, s:s, s:I, s:i, s:I, s:o, s:o, s:o, s:o, s:o}", "format",
                          FORMAT, "model_sha256", of->model_sha256, LEVELS_KEY, levels, "count",
                          (json_int_t)c->count, "draws", (int)c->draws, "seed", (json_int_t)c->seed,
                          "mean", ebm__json_reals(c->mean, p), "sd", ebm__json_reals(c->sd, p),
                          "factor", ebm__json_reals(c->factor, ebm__triangle(p)), "weights",
                          ebm__json_reals(c->weight, EBM__COLUMNS(c->bands) + 1), "quantiles",
                          quantile_rows(c));
    bool ok = o && (!c->has_single || json_object_set_new(o, "single", single_rows(c)) == 0);
    if (ok && digest_of(o, hex) && json_object_set_new(o, "sha256", json_string(hex)) == 0)
        text = json_dumps(o, CANONICAL);
    json_decref(o);
    return text;
}

ebm_status ebm_calibration_write(const ebm_calibration *c, const ebm_calibrated *of,
                                 const char *dir, ebm_error *err)
{
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/" EBM_CALIBRATION_FILE, dir);
    if (n < 0 || (size_t)n >= sizeof path)
        return ebm_error_set(err, EBM_ERR_IO, EBM_CALIBRATION_FILE, "the path is too long");
    char *text = text_of(c, of);
    if (!text)
        return ebm_error_set(err, EBM_ERR_NOMEM, EBM_CALIBRATION_FILE, "no memory");
    ebm_status st = ebm_file_write(path, text, strlen(text), err);
    free(text);
    return st;
}

/* --- reading ------------------------------------------------------------------------------- */

static ebm_status whole(const json_t *o, const char *key, double min, double max, int64_t *out,
                        ebm_error *err)
{
    const json_t *v = json_object_get(o, key);
    if (!json_is_integer(v))
        return ebm_error_set(err, EBM_ERR_FORMAT, key, "missing, or not a whole number");
    *out = json_integer_value(v);
    if ((double)*out < min || (double)*out > max)
        return ebm_error_set(err, EBM_ERR_RANGE, key, "must be %.16g..%.16g", min, max);
    return EBM_OK;
}

static ebm_status numbers(const json_t *array, const char *key, size_t n, double *out,
                          ebm_error *err)
{
    if (!json_is_array(array))
        return ebm_error_set(err, EBM_ERR_FORMAT, key, "missing, or not an array");
    if (json_array_size(array) != n)
        return ebm_error_set(err, EBM_ERR_SHAPE, key, "has %zu values, expected %zu",
                             json_array_size(array), n);
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(array, i);
        if (!json_is_number(v))
            return ebm_error_set(err, EBM_ERR_FORMAT, key, "value %zu is not a number", i);
        out[i] = json_number_value(v);
        if (!isfinite(out[i]))
            return ebm_error_set(err, EBM_ERR_RANGE, key, "value %zu is not finite", i);
    }
    return EBM_OK;
}

static ebm_status quantiles(const json_t *o, ebm_calibration *c, ebm_error *err)
{
    static const char key[] = "quantiles";
    const json_t *rows = json_object_get(o, key);
    ebm_status st = EBM_OK;
    if (!json_is_array(rows) || json_array_size(rows) != (size_t)c->levels + 1)
        return ebm_error_set(err, EBM_ERR_SHAPE, key, "is not an array of %d rows", c->levels + 1);
    for (size_t t = 0; t <= (size_t)c->levels && st == EBM_OK; t++) {
        double *q = c->quantile + t * EBM_QUANTILES;
        st = numbers(json_array_get(rows, t), key, EBM_QUANTILES, q, err);
        for (size_t i = 1; i < EBM_QUANTILES && st == EBM_OK; i++)
            if (q[i] < q[i - 1])
                st = ebm_error_set(err, EBM_ERR_RANGE, key, "row %zu does not ascend", t);
        if (st == EBM_OK && !(q[1] < q[EBM_QUANTILES - 2]))
            st = ebm_error_set(err, EBM_ERR_RANGE, key, "row %zu has no spread", t);
    }
    return st;
}

/* Files of earlier builds lack it. */
static ebm_status single(const json_t *o, ebm_calibration *c, ebm_error *err)
{
    static const char key[] = "single";
    const json_t *rows = json_object_get(o, key);
    ebm_status st = EBM_OK;
    if (!rows)
        return EBM_OK;
    if (!json_is_array(rows) || json_array_size(rows) != (size_t)c->levels)
        return ebm_error_set(err, EBM_ERR_SHAPE, key, "is not an array of %d rows", c->levels);
    for (size_t t = 0; t < (size_t)c->levels && st == EBM_OK; t++) {
        double *band = c->single + 2 * t;
        st = numbers(json_array_get(rows, t), key, 2, band, err);
        if (st == EBM_OK && !(band[0] < band[1]))
            st = ebm_error_set(err, EBM_ERR_RANGE, key, "row %zu has no spread", t);
    }
    c->has_single = st == EBM_OK;
    return st;
}

/* Numbers of which none is over a bound, on either side. */
static ebm_status bounded(const json_t *o, const char *key, size_t n, double max, double *out,
                          ebm_error *err)
{
    ebm_status st = numbers(json_object_get(o, key), key, n, out, err);
    for (size_t i = 0; i < n && st == EBM_OK; i++)
        if (!(fabs(out[i]) <= max))
            st = ebm_error_set(err, EBM_ERR_RANGE, key, "value %zu is over %g", i, max);
    return st;
}

static ebm_status moments(const json_t *o, ebm_calibration *c, ebm_error *err)
{
    const size_t p = EBM_FEATURES * (size_t)c->bands;
    ebm_status st = numbers(json_object_get(o, "mean"), "mean", p, c->mean, err);
    if (st == EBM_OK)
        st = numbers(json_object_get(o, "sd"), "sd", p, c->sd, err);
    for (size_t i = 0; i < p && st == EBM_OK; i++)
        if (!(c->sd[i] > 0.0))
            st = ebm_error_set(err, EBM_ERR_RANGE, "sd", "value %zu is not positive", i);
    if (st == EBM_OK)
        st = bounded(o, "factor", ebm__triangle(p), MAX_FACTOR, c->factor, err);
    for (size_t i = 0; i < p && st == EBM_OK; i++)
        if (!(c->factor[ebm__triangle(i) + i] >= MIN_DIAGONAL))
            st = ebm_error_set(err, EBM_ERR_RANGE, "factor", "row %zu ends below %g", i,
                               MIN_DIAGONAL);
    return st;
}

/* Weights of a regression with a ridge are small; bounded ones keep every score finite. */
static ebm_status weights(const json_t *o, ebm_calibration *c, ebm_error *err)
{
    static const char key[] = "weights";
    const size_t columns = EBM__COLUMNS(c->bands);
    ebm_status st = bounded(o, key, columns + 1, MAX_WEIGHT, c->weight, err);
    if (st == EBM_OK && c->weight[columns - 1] > 0.0)
        st = ebm_error_set(err, EBM_ERR_RANGE, key, "value %zu, the distance's, is above 0",
                           columns - 1);
    return st;
}

static ebm_status fields(const json_t *o, ebm_calibration *c, ebm_error *err)
{
    int64_t draws = 0;
    ebm_status st = whole(o, "count", 1, 1e15, &c->count, err);
    if (st == EBM_OK)
        st = whole(o, "draws", 1, 1000, &draws, err);
    if (st == EBM_OK)
        st = whole(o, "seed", 0, 9007199254740991.0, &c->seed, err);
    if (st == EBM_OK)
        st = moments(o, c, err);
    if (st == EBM_OK)
        st = weights(o, c, err);
    c->draws = (int32_t)draws;
    if (st == EBM_OK)
        st = quantiles(o, c, err);
    return st == EBM_OK ? single(o, c, err) : st;
}

static ebm_status check_format(const json_t *o, ebm_error *err)
{
    int64_t format = 0;
    ebm_status st = whole(o, "format", 1, FORMAT, &format, err);
    if (st == EBM_OK && format < FORMAT)
        st = ebm_error_set(err, EBM_ERR_FORMAT, "format",
                           "is %d, that of earlier builds: calibrate the model again", (int)format);
    return st;
}

/* Densities of other levels are others, and so are their quantiles. */
static ebm_status check_levels(const json_t *o, const ebm_levels *levels, ebm_error *err)
{
    const json_t *kept = json_object_get(o, LEVELS_KEY);
    char hex[65];
    if (!kept)
        return EBM_OK;
    ebm_status st = ebm_levels_density_digest(levels, hex, err);
    if (st == EBM_OK && (!json_is_string(kept) || strcmp(json_string_value(kept), hex) != 0))
        st = ebm_error_set(err, EBM_ERR_NOT_FOUND, LEVELS_KEY, "is that of other levels");
    return st;
}

/* Takes the digest out of the document and holds it against the rest. */
static ebm_status check_digest(json_t *o, const char *model_sha256, ebm_error *err)
{
    static const char damaged[] = "does not match: the file is damaged";
    const char *model = json_string_value(json_object_get(o, "model_sha256"));
    const char *said = json_string_value(json_object_get(o, "sha256"));
    char hex[65], kept[65];
    if (!model || !said || strlen(said) != 64)
        return ebm_error_set(err, EBM_ERR_FORMAT, model ? "sha256" : "model_sha256",
                             "missing, or not a digest");
    memcpy(kept, said, sizeof kept);
    if (strcmp(model, model_sha256) != 0)
        return ebm_error_set(err, EBM_ERR_NOT_FOUND, "model_sha256", "is that of other weights");
    (void)json_object_del(o, "sha256");
    if (!digest_of(o, hex))
        return ebm_error_set(err, EBM_ERR_NOMEM, EBM_CALIBRATION_FILE, "no memory");
    return strcmp(hex, kept) == 0 ? EBM_OK : ebm_error_set(err, EBM_ERR_DIGEST, "sha256", damaged);
}

ebm_status ebm_calibration_parse(const char *text, size_t size, const ebm_calibrated *of,
                                 ebm_calibration *out, ebm_error *err)
{
    json_t *o = NULL;
    *out = (ebm_calibration){0};
    if (size > EBM_CALIBRATION_MAX_BYTES)
        return ebm_error_set(err, EBM_ERR_LIMIT, EBM_CALIBRATION_FILE, "is over 4 MiB");
    ebm_status st =
        ebm__json_parse(text, size, MAX_DEPTH, MAX_TOKENS, EBM_CALIBRATION_FILE, &o, err);
    if (st == EBM_OK)
        st = check_format(o, err);
    if (st == EBM_OK)
        st = check_digest(o, of->model_sha256, err);
    if (st == EBM_OK)
        st = check_levels(o, of->levels, err);
    if (st == EBM_OK)
        st = ebm__calibration_init(of->levels->count, out, err);
    if (st == EBM_OK)
        st = fields(o, out, err);
    if (st != EBM_OK)
        ebm_calibration_clear(out);
    json_decref(o);
    return st;
}

ebm_status ebm_calibration_read(const char *dir, const ebm_calibrated *of, ebm_calibration *out,
                                ebm_error *err)
{
    unsigned char *data = NULL;
    size_t size = 0;
    *out = (ebm_calibration){0};
    ebm_status st =
        ebm_file_read(dir, EBM_CALIBRATION_FILE, EBM_CALIBRATION_MAX_BYTES, &data, &size, err);
    if (st == EBM_OK)
        st = ebm_calibration_parse((const char *)data, size, of, out, err);
    ebm_free(data);
    return st;
}
