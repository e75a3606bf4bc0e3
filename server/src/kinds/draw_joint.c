/* Images of several images, see draw_joint.h. */
#include "kinds/draw_joint.h"

#include <string.h>

#include "ebm/io.h"
#include "ebm/memory.h"

/* @shape pixels [n,H,W,C] */
static ebm_status read_all(const ebmd_op *op, const ebmd_result *results, int32_t n,
                           uint8_t *pixels, ebm_error *err)
{
    for (int32_t k = 0; k < n; k++) {
        ebm_image image = {0};
        ebm_status st =
            ebm_png_decode(results[k].output[0].data, results[k].output[0].size, &image, err);

        if (st == EBM_OK && (image.channels != op->shape.channels ||
                             image.width != op->shape.width || image.height != op->shape.height))
            st = ebm_error_set(err, EBM_ERR_FORMAT, NULL, "a result of another shape");
        if (st == EBM_OK)
            memcpy(pixels + (size_t)k * op->dim, image.pixels, op->dim);
        ebm_free(image.pixels);
        if (st != EBM_OK)
            return st;
    }
    return EBM_OK;
}

static void take(ebmd_joint *out, const char *name, unsigned char *png, size_t size)
{
    out->png[out->n] = png;
    out->image[out->n++] = (ebma_joint_image){name, png, size};
}

static ebm_status add_image(ebmd_joint *out, const char *name, const ebm_image *image,
                            ebm_error *err)
{
    unsigned char *png = NULL;
    size_t size = 0;
    ebm_status st = ebm_png_encode(image, NULL, 0, &png, &size, err);

    if (st == EBM_OK)
        take(out, name, png, size);
    return st;
}

static ebm_status add_sheet(const ebmd_op *op, const uint8_t *pixels, int32_t n, ebmd_joint *out,
                            ebm_error *err)
{
    ebm_image sheet = {0};
    ebm_status st = ebm_sprite_sheet(pixels, (size_t)n, &op->shape, &sheet, err);

    if (st == EBM_OK)
        st = add_image(out, "sheet", &sheet, err);
    ebm_free(sheet.pixels);
    return st;
}

static ebm_status add_animation(const ebmd_op *op, uint8_t *pixels, int32_t n, ebmd_joint *out,
                                ebm_error *err)
{
    const ebm_shape *s = &op->shape;
    ebm_image *frames = ebm_alloc((size_t)n, sizeof(*frames));
    unsigned char *png = NULL;
    size_t size = 0;
    ebm_status st;

    if (!frames)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for frames");
    for (int32_t k = 0; k < n; k++)
        frames[k] = (ebm_image){s->width, s->height, s->channels, pixels + (size_t)k * op->dim};
    st = ebm_apng_encode(frames, (size_t)n, op->request.delay_ms, &png, &size, err);
    if (st == EBM_OK)
        take(out, "animation", png, size);
    ebm_free(frames);
    return st;
}

static ebm_status add_ensemble(const ebmd_op *op, const uint8_t *pixels, int32_t n, ebmd_joint *out,
                               ebm_error *err)
{
    static const char *const names[] = {"ensemble.mean", "ensemble.sd", "ensemble.q05",
                                        "ensemble.q50", "ensemble.q95"};
    const size_t bytes = op->dim;
    uint8_t *maps = ebm_alloc(5, bytes);
    const ebm_ensemble to = {
        maps, maps + bytes, {maps + 2 * bytes, maps + 3 * bytes, maps + 4 * bytes}};
    ebm_status st;

    if (!maps)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for an ensemble");
    st = ebm_ensemble_of(pixels, (size_t)n, bytes, &to, err);
    for (size_t i = 0; i < 5 && st == EBM_OK; i++) {
        const ebm_image map = {op->shape.width, op->shape.height, op->shape.channels,
                               maps + i * bytes};

        st = add_image(out, names[i], &map, err);
    }
    ebm_free(maps);
    return st;
}

ebm_status ebmd_joint_make(const ebmd_op *op, const ebmd_result *results, int32_t n,
                           ebmd_joint *out, ebm_error *err)
{
    const ebma_op_request *r = &op->request;
    uint8_t *pixels;
    ebm_status st;

    if (!r->sheet && !r->animation && !r->params.ensemble)
        return EBM_OK;
    pixels = ebm_alloc((size_t)n, op->dim);
    if (!pixels)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for %d images", (int)n);
    st = read_all(op, results, n, pixels, err);
    if (st == EBM_OK && r->sheet)
        st = add_sheet(op, pixels, n, out, err);
    if (st == EBM_OK && r->animation)
        st = add_animation(op, pixels, n, out, err);
    if (st == EBM_OK && r->params.ensemble)
        st = add_ensemble(op, pixels, n, out, err);
    ebm_free(pixels);
    return st;
}

void ebmd_joint_clear(ebmd_joint *j)
{
    for (size_t i = 0; i < j->n; i++)
        ebm_free(j->png[i]);
    j->n = 0;
}
