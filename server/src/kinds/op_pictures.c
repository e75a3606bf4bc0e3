/* Pictures of a request, see op_plan.h. Knows PNG, shapes and masks; not models or jobs. What is
 * kept of a picture is what the model sees, so a stored request is small, whatever was sent. */
#include <math.h>
#include <string.h>

#include "ebm/io.h"
#include "ebm/memory.h"
#include "kinds/op_plan.h"

/* Bytes of all pictures as tensors: what else a plan holds, files and text, has the rest. */
#define TENSORS_MAX (EBMD_PLAN_ARENA / 4 * 3)

typedef struct desk {
    ebmd_op *op;
    ebm_arena *arena;
    ebma_problem *problem;
} desk;

static ebm_status no_memory(desk *d)
{
    d->problem->code = EBMA_OUT_OF_MEMORY;
    return EBM_ERR_NOMEM;
}

/* A picture that cannot be used; errors of core say what would be right. */
static ebm_status refuse(desk *d, const char *row, ebm_status st, const char *text)
{
    const char *code = "bad_picture";

    if (st == EBM_ERR_NOMEM)
        return no_memory(d);
    if (st == EBM_ERR_FORMAT)
        text = "is damaged, or uses something that PNG files may not";
    if (st == EBM_ERR_LIMIT) {
        code = "picture_too_large";
        text = "PNG files have at most 1024 pixels a side and 2 MiB";
    }
    if (st == EBM_ERR_SHAPE)
        code = "wrong_shape";
    if (st == EBM_ERR_RANGE || st == EBM_ERR_ARG)
        code = "invalid_mask";
    ebma_problem_row(d->problem, d->arena, row, code, text);
    return EBM_ERR_RANGE;
}

/* Puts a PNG of 8-bit pixels into the request. One that was small may have been resized to a large
 * one, which nobody could read when its turn comes. @own takes nothing */
static ebm_status keep(desk *d, const char *row, const ebm_image *image, ebma_picture *out)
{
    unsigned char *png = NULL, *copy;
    size_t size = 0;

    if (ebm_png_encode(image, NULL, 0, &png, &size, NULL) != EBM_OK)
        return no_memory(d);
    if (size > EBM_PNG_MAX_BYTES) {
        ebm_free(png);
        ebma_problem_row(d->problem, d->arena, row, "picture_too_large",
                         "is over 2 MiB as a PNG file of the model's size");
        return EBM_ERR_RANGE;
    }
    copy = ebm_arena_alloc(d->arena, size, 1);
    if (copy)
        memcpy(copy, png, size);
    ebm_free(png);
    if (!copy)
        return no_memory(d);
    *out = (ebma_picture){copy, size};
    return EBM_OK;
}

static ebm_status keep_tensor(desk *d, const char *row, const float *x, ebma_picture *out)
{
    const ebm_shape *s = &d->op->shape;
    ebm_image image = {s->width, s->height, s->channels, ebm_alloc(d->op->dim, 1)};
    ebm_status st;

    if (!image.pixels)
        return no_memory(d);
    ebm_image_from_tensor(x, s->channels, s->height, s->width, image.pixels);
    st = keep(d, row, &image, out);
    ebm_free(image.pixels);
    return st;
}

/* @shape x [dim] */
static ebm_status load(desk *d, const char *row, ebma_picture *picture, float *x)
{
    const ebm_fit fit = (ebm_fit)d->op->request.params.fit;
    ebm_image image = {0};
    ebm_error err = {0};
    ebm_status st = ebm_png_decode(picture->png, picture->size, &image, &err);

    if (st == EBM_OK)
        st = ebm_fit_image(&image, &d->op->shape, fit, x, &err);
    ebm_free(image.pixels);
    return st == EBM_OK ? keep_tensor(d, row, x, picture) : refuse(d, row, st, err.text);
}

static ebm_status load_one(desk *d, const char *row, ebma_picture *picture, const float **out)
{
    float *x;

    if (picture->size == 0)
        return EBM_OK;
    x = ebm_arena_alloc(d->arena, d->op->dim, sizeof(*x));
    *out = x;
    return x ? load(d, row, picture, x) : no_memory(d);
}

/* --- masks --------------------------------------------------------------------------------- */

/* The mask that asks for `known` in the request's own mode. */
static ebm_status keep_mask(desk *d, const float *known)
{
    const ebm_shape *s = &d->op->shape;
    const ebm_mask_mode mode = (ebm_mask_mode)d->op->request.params.mask_mode;
    const size_t area = (size_t)s->width * (size_t)s->height;
    ebm_image mask = {s->width, s->height, mode == EBM_MASK_ALPHA ? 2 : 1, ebm_alloc(area, 2)};
    ebm_status st;

    if (!mask.pixels)
        return no_memory(d);
    for (size_t i = 0; i < area; i++) {
        uint8_t v = (uint8_t)lrintf(255.0f * known[i]);

        if (mode == EBM_MASK_ALPHA)
            mask.pixels[2 * i + 1] = v;
        else
            mask.pixels[i] = mode == EBM_MASK_BLACK ? v : (uint8_t)(255 - v);
    }
    st = keep(d, "mask", &mask, &d->op->request.mask);
    ebm_free(mask.pixels);
    d->op->request.params.mask = "mask";
    return st;
}

/* Without a mask the picture's own transparency is one. */
static ebm_status load_mask(desk *d, const ebma_picture *picture)
{
    const ebm_op_params *p = &d->op->request.params;
    const ebm_mask_rule rule = {p->mask ? (ebm_mask_mode)p->mask_mode : EBM_MASK_ALPHA,
                                p->mask_soft, (ebm_fit)p->fit};
    float *known = ebm_arena_alloc(d->arena, d->op->dim, sizeof(*known));
    ebm_image mask = {0};
    ebm_error err = {0};
    ebm_status st;

    if (!known)
        return no_memory(d);
    if (!p->mask && !ebm_shape_has_colours(&d->op->shape))
        return refuse(d, "mask", EBM_ERR_ARG,
                      "is required: the model's images have no transparency");
    st = ebm_png_decode(picture->png, picture->size, &mask, &err);
    if (st == EBM_OK)
        st = ebm_fit_mask(&mask, &d->op->shape, &rule, known, &d->op->coverage, &err);
    ebm_free(mask.pixels);
    if (st != EBM_OK)
        return refuse(d, "mask", st,
                      p->mask ? err.text : "is required, or an image with transparency");
    d->op->call.known = known;
    return keep_mask(d, known);
}

/* --- all ----------------------------------------------------------------------------------- */

static ebm_status load_list(desk *d)
{
    const int32_t n = d->op->request.n_images;
    ebm_status st = EBM_OK;

    size_t kept = 0;

    if (n == 0)
        return EBM_OK;
    d->op->images = ebm_arena_alloc(d->arena, (size_t)n * d->op->dim, sizeof(float));
    if (!d->op->images)
        return no_memory(d);
    for (int32_t i = 0; i < n && st != EBM_ERR_NOMEM && kept <= EBMA_UPLOAD_MAX; i++) {
        char row[] = "images.00";

        row[7] = (char)('0' + i / 10);
        row[8] = (char)('0' + i % 10);
        if (i < 10)
            memmove(row + 7, row + 8, 2);
        st = load(d, row, &d->op->request.images[i], d->op->images + (size_t)i * d->op->dim);
        kept += d->op->request.images[i].size;
    }
    return st;
}

/* Small pictures may have been resized to large ones. */
static size_t kept_bytes(const ebma_op_request *r)
{
    size_t sum = r->image.size + r->mask.size + r->image_b.size;

    for (int32_t i = 0; i < r->n_images; i++)
        sum += r->images[i].size;
    return sum;
}

/* Pictures of a model whose images are so large that the arena would have no room for them as
 * tensors: it never will have, so that is no want of memory, which would be worth another try. */
static bool have_room(desk *d, const char *row, bool inpaint)
{
    const ebma_op_request *r = &d->op->request;
    const size_t n = (size_t)r->n_images + (r->image.size > 0 ? 1 : 0) +
                     (r->image_b.size > 0 ? 1 : 0) + (inpaint ? 1 : 0);
    size_t bytes;

    if (ebm_size_mul(n, d->op->dim, &bytes) && ebm_size_mul(bytes, sizeof(float), &bytes) &&
        bytes <= TENSORS_MAX)
        return true;
    ebma_problem_row(d->problem, d->arena, r->n_images > 0 ? "images" : row, "picture_too_large",
                     "pictures of the model's size are over 48 MiB in all, as 4 bytes a number");
    return false;
}

ebm_status ebmd_op_pictures(ebmd_op *op, ebm_arena *arena, ebma_problem *problem)
{
    const bool inpaint = op->call.operation->kind == EBM_OP_INPAINT;
    const char *row = op->call.operation->kind == EBM_OP_INTERPOLATE ? "from.image" : "image";
    desk d = {op, arena, problem};
    ebma_picture mask = op->request.mask.size > 0 ? op->request.mask : op->request.image;
    ebm_status st;

    if (!have_room(&d, row, inpaint))
        return EBM_ERR_RANGE;
    st = load_one(&d, row, &op->request.image, &op->call.image);
    if (st != EBM_ERR_NOMEM)
        st = load_one(&d, "to.image", &op->request.image_b, &op->call.image_b);
    if (st != EBM_ERR_NOMEM && inpaint)
        st = load_mask(&d, &mask);
    if (st != EBM_ERR_NOMEM)
        st = load_list(&d);
    if (st == EBM_ERR_NOMEM)
        return st;
    if (kept_bytes(&op->request) > EBMA_UPLOAD_MAX)
        ebma_problem_row(problem, arena, op->request.n_images > 0 ? "images" : "image",
                         "picture_too_large", "pictures of the model's size are over 4 MiB in all");
    return problem->n_errors > 0 ? EBM_ERR_RANGE : EBM_OK;
}
