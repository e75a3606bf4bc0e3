/* Pictures and masks of strangers as tensors of a model's shape. Knows pixels; never what the
 * tensors are for. */
#include <string.h>

#include "ebm/memory.h"
#include "ebm/ops.h"

static bool has_alpha(const ebm_image *p)
{
    return p->channels == 2 || p->channels == 4;
}

/* Colour that is no colour: red, green and blue are equal everywhere. */
static bool is_gray(const ebm_image *p)
{
    const size_t area = (size_t)p->width * (size_t)p->height, c = (size_t)p->channels;
    if (c < 3)
        return true;
    for (size_t i = 0; i < area; i++) {
        const uint8_t *v = p->pixels + i * c;
        if (v[0] != v[1] || v[1] != v[2])
            return false;
    }
    return true;
}

static ebm_status check_size(const ebm_image *p, const ebm_shape *s, const char *what,
                             ebm_error *err)
{
    if (p->width == s->width && p->height == s->height)
        return EBM_OK;
    return ebm_error_set(err, EBM_ERR_SHAPE, what, "is %dx%d, the model's images are %dx%d",
                         (int)p->width, (int)p->height, (int)s->width, (int)s->height);
}

bool ebm_shape_has_colours(const ebm_shape *s)
{
    return s->channels == 1 || s->channels == 3;
}

/* What is neither gray nor colour cannot be made of them, nor transparency be told from it. */
static ebm_status check_channels(const ebm_image *p, const ebm_shape *s, ebm_error *err)
{
    if (ebm_shape_has_colours(s) || p->channels == s->channels)
        return EBM_OK;
    return ebm_error_set(err, EBM_ERR_SHAPE, "image",
                         "has %d channels, the model's images have %d: only pictures of as many "
                         "are taken",
                         (int)p->channels, (int)s->channels);
}

/* Cuts and resizes to the shape, with `channels` channels. @own out->pixels: ebm_free() */
static ebm_status reshape(const ebm_image *p, const ebm_shape *s, ebm_fit fit, int32_t channels,
                          ebm_image *out, ebm_error *err)
{
    ebm_image part;
    ebm_rect r = {0, 0, p->width, p->height};
    if (fit == EBM_FIT_CROP)
        r = ebm_image_centre(p, s->width, s->height);
    ebm_status st = ebm_image_cut(p, &r, channels, &part, err);
    if (st != EBM_OK)
        return st;
    if (part.width == s->width && part.height == s->height) {
        *out = part;
        return EBM_OK;
    }
    st = ebm_image_resize(&part, s->width, s->height, out, err);
    ebm_free(part.pixels);
    return st;
}

ebm_status ebm_fit_image(const ebm_image *picture, const ebm_shape *shape, ebm_fit fit, float *x,
                         ebm_error *err)
{
    ebm_image fitted;
    ebm_status st = check_channels(picture, shape, err);
    if (st == EBM_OK && fit == EBM_FIT_EXACT) {
        st = check_size(picture, shape, "image", err);
        if (st == EBM_OK && shape->channels == 1 && !is_gray(picture))
            st = ebm_error_set(err, EBM_ERR_SHAPE, "image", "is in colour, the model's are gray");
    }
    if (st == EBM_OK)
        st = reshape(picture, shape, fit, shape->channels, &fitted, err);
    if (st != EBM_OK)
        return st;
    ebm_image_to_tensor(fitted.pixels, shape->channels, shape->height, shape->width, x);
    ebm_free(fitted.pixels);
    return EBM_OK;
}

/* --- masks --------------------------------------------------------------------------------- */

/* The transparency as a gray picture: 255 where the pixel is transparent, so to repaint.
 * @own out->pixels: ebm_free() */
static ebm_status transparency(const ebm_image *mask, ebm_image *out, ebm_error *err)
{
    const size_t area = (size_t)mask->width * (size_t)mask->height, c = (size_t)mask->channels;
    if (!has_alpha(mask))
        return ebm_error_set(err, EBM_ERR_ARG, "mask", "has no transparency");
    *out = (ebm_image){mask->width, mask->height, 1, ebm_alloc(area, 1)};
    if (!out->pixels)
        return ebm_error_set(err, EBM_ERR_NOMEM, "mask", "no memory for a mask");
    for (size_t i = 0; i < area; i++)
        out->pixels[i] = (uint8_t)(255 - mask->pixels[i * c + c - 1]);
    return EBM_OK;
}

/* @shape whiteness [H,W]: 255 is white; known [C,H,W] */
static ebm_status to_known(const uint8_t *whiteness, const ebm_shape *s, const ebm_mask_rule *rule,
                           float *known, double *coverage, ebm_error *err)
{
    const size_t area = (size_t)s->height * (size_t)s->width;
    size_t unknown = 0;
    *coverage = 0.0;
    for (size_t i = 0; i < area; i++) {
        unsigned v = rule->mode == EBM_MASK_BLACK ? 255u - whiteness[i] : whiteness[i];
        if (!rule->soft)
            v = v >= 128 ? 255 : 0;
        known[i] = (float)(255 - v) / 255.0f;
        *coverage += (double)v / 255.0 / (double)area;
        unknown += v > 0;
    }
    for (int32_t c = 1; c < s->channels; c++)
        memcpy(known + (size_t)c * area, known, area * sizeof *known);
    if (unknown == 0)
        return ebm_error_set(err, EBM_ERR_RANGE, "mask", "there is nothing to repaint");
    if (*coverage > 1.0 - 0.5 / 255.0 / (double)area)
        return ebm_error_set(err, EBM_ERR_RANGE, "mask", "all would be repainted: use sample");
    return EBM_OK;
}

ebm_status ebm_fit_mask(const ebm_image *mask, const ebm_shape *shape, const ebm_mask_rule *rule,
                        float *known, double *coverage, ebm_error *err)
{
    ebm_image alpha = {0}, fitted = {0};
    ebm_status st = EBM_OK;
    if (rule->fit == EBM_FIT_EXACT)
        st = check_size(mask, shape, "mask", err);
    if (st == EBM_OK && rule->mode == EBM_MASK_ALPHA)
        st = transparency(mask, &alpha, err);
    if (st == EBM_OK)
        st = reshape(alpha.pixels ? &alpha : mask, shape, rule->fit, 1, &fitted, err);
    if (st == EBM_OK)
        st = to_known(fitted.pixels, shape, rule, known, coverage, err);
    ebm_free(alpha.pixels);
    ebm_free(fitted.pixels);
    return st;
}
