/* Receipts as values: what of a run decides one item. See receipt_json.c for the text. */
#include <stdio.h>
#include <string.h>

#include "ebm/io.h"
#include "ebm/receipt.h"
#include "io/bytes.h"

static void digest_of(const float *x, size_t dim, char hex[65])
{
    hex[0] = '\0';
    if (x)
        ebm_sha256_hex(x, dim * sizeof *x, hex);
}

void ebm_receipt_begin(const ebm_call *op, size_t dim, ebm_receipt *out)
{
    memset(out, 0, sizeof *out);
    out->operation = op->operation;
    out->params = op->params;
    out->params.image = out->params.image_b = out->params.mask = NULL;
    digest_of(op->image, dim, out->inputs.image);
    digest_of(op->image_b, dim, out->inputs.image_b);
    digest_of(op->known, dim, out->inputs.known);
}

void ebm_receipt_add_model(ebm_receipt *r, const ebm_model_info *model, double weight)
{
    ebm_weighted *to = &r->model[r->n_models];
    (void)snprintf(to->id, sizeof to->id, "%s", model->id);
    to->weight = weight;
    memcpy(r->sha256[r->n_models], model->sha256, sizeof model->sha256);
    memcpy(r->levels_sha256[r->n_models], model->levels_sha256, sizeof model->levels_sha256);
    if (r->n_models == 0)
        (void)snprintf(r->kernel_class, sizeof r->kernel_class, "%s", model->kernels->kernel_class);
    r->n_models++;
}

void ebm_receipt_add_class(ebm_receipt *r, const char *kernel_class)
{
    if (strcmp(r->kernel_class, kernel_class) != 0)
        (void)snprintf(r->kernel_class, sizeof r->kernel_class, "%s", EBM_KERNEL_CLASS_SEVERAL);
}

bool ebm_receipt_of_one_class(const ebm_receipt *r)
{
    return strcmp(r->kernel_class, EBM_KERNEL_CLASS_SEVERAL) != 0;
}

/* A chain alone, stopped at a step: nothing watches it, nothing else is kept of it. */
static void single_chain(ebm_op_params *p, int64_t steps)
{
    p->chains = 1;
    p->thin = 1;
    p->keep = 0;
    p->until_ess = p->until_rhat = p->until_max_seconds = 0.0;
    if (steps > 0)
        p->steps = steps;
}

void ebm_receipt_item(const ebm_receipt *run, int32_t k, int64_t steps, const uint8_t *pixels,
                      size_t bytes, ebm_receipt *out)
{
    ebm_op_params *p = &out->params;
    *out = *run;
    ebm_sha256_hex(pixels, bytes, out->pixels_sha256);
    p->progressive = p->ensemble = false;
    if (run->operation->kind == EBM_OP_INTERPOLATE) {
        out->item = k;
        return;
    }
    p->first_index += k;
    if (run->operation->kind == EBM_OP_MCMC)
        single_chain(p, steps);
    else
        p->n = 1;
}

void ebm_receipt_model_digest(const ebm_receipt *r, char hex[65])
{
    char text[EBM_COMPOSE_MAX_PARTS * 96];
    size_t at = 0;
    if (r->n_models == 1 && r->model[0].weight == 1.0) {
        memcpy(hex, r->sha256[0], 65);
        return;
    }
    at = (size_t)snprintf(text, sizeof text, "%d", (int)r->params.compose);
    for (int32_t i = 0; i < r->n_models; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, " %s %016llx", r->sha256[i],
                               (unsigned long long)ebm__bits_of_double(r->model[i].weight));
    ebm_sha256_hex(text, at, hex);
}

void ebm_receipt_chain_digest(const ebm_receipt *r, char hex[65])
{
    char text[(1 + EBM_COMPOSE_MAX_PARTS) * 65];
    ebm_receipt_model_digest(r, text);
    size_t at = 64;
    for (int32_t i = 0; i < r->n_models; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, " %s", r->levels_sha256[i]);
    ebm_sha256_hex(text, at, hex);
}

static ebm_status differs(const ebm_receipt *r, int32_t i, const char *what, ebm_error *err)
{
    if (err)
        err->index = i;
    return ebm_error_set(err, EBM_ERR_DIGEST, r->model[i].id, "%s are not those of the receipt",
                         what);
}

ebm_status ebm_receipt_same_models(const ebm_receipt *now, const ebm_receipt *then, ebm_error *err)
{
    if (now->n_models != then->n_models)
        return ebm_error_set(err, EBM_ERR_DIGEST, "models", "the receipt has %d",
                             (int)then->n_models);
    for (int32_t i = 0; i < then->n_models; i++) {
        const char *levels = then->levels_sha256[i];
        if (strcmp(now->sha256[i], then->sha256[i]) != 0)
            return differs(then, i, "the weights", err);
        if (levels[0] && strcmp(now->levels_sha256[i], levels) != 0)
            return differs(then, i, "noise levels or ways of sampling in model.json", err);
    }
    return EBM_OK;
}
