/* Weighted lists of models as text. Knows ids and numbers; not where models live. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ebm/receipt.h"

#define MAX_WEIGHT 100.0

/* The character set keeps out blanks, "nan", "inf" and hexadecimal, which strtod would take. */
static ebm_status parse_weight(const char *text, size_t n, double *out, ebm_error *err)
{
    char word[32], *end;
    if (n == 0 || n >= sizeof word || strspn(text, "0123456789.eE+-") < n)
        return ebm_error_set(err, EBM_ERR_ARG, "model", "a weight is not a number");
    memcpy(word, text, n);
    word[n] = '\0';
    *out = strtod(word, &end);
    if (*end != '\0')
        return ebm_error_set(err, EBM_ERR_ARG, "model", "a weight is not a number");
    if (!(fabs(*out) <= MAX_WEIGHT) || *out == 0.0)
        return ebm_error_set(err, EBM_ERR_RANGE, "model", "weights are -%g..%g, not 0", MAX_WEIGHT,
                             MAX_WEIGHT);
    return EBM_OK;
}

static ebm_status parse_one(const char *text, size_t n, ebm_weighted *out, ebm_error *err)
{
    const char *colon = memchr(text, ':', n);
    const size_t id = colon ? (size_t)(colon - text) : n;
    *out = (ebm_weighted){.weight = 1.0};
    if (id > EBM_MODEL_ID_MAX)
        return ebm_error_set(err, EBM_ERR_ARG, "model", "not a model id: over %d characters",
                             EBM_MODEL_ID_MAX);
    memcpy(out->id, text, id);
    if (!ebm_model_id_valid(out->id))
        return ebm_error_set(err, EBM_ERR_ARG, "model", "not a model id: '%.64s'", out->id);
    return colon ? parse_weight(colon + 1, n - id - 1, &out->weight, err) : EBM_OK;
}

ebm_status ebm_model_list_parse(const char *text, ebm_weighted *list, int32_t *n, ebm_error *err)
{
    *n = 0;
    for (;; text++) {
        const size_t size = strcspn(text, ",");
        if (*n == EBM_COMPOSE_MAX_PARTS)
            return ebm_error_set(err, EBM_ERR_ARG, "model", "more than %d models",
                                 EBM_COMPOSE_MAX_PARTS);
        ebm_status st = parse_one(text, size, &list[*n], err);
        if (st != EBM_OK)
            return st;
        for (int32_t i = 0; i < *n; i++)
            if (strcmp(list[i].id, list[*n].id) == 0)
                return ebm_error_set(err, EBM_ERR_ARG, "model", "'%s' stands there twice",
                                     list[i].id);
        (*n)++;
        text += size;
        if (*text == '\0')
            return EBM_OK;
    }
}
