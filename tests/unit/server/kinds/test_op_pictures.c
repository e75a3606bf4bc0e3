/* Pictures of a request in the model's shape: what is kept of one can be read again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ebm/io.h"
#include "ebm/memory.h"
#include "kinds/op_plan.h"

/* Colours by chance: what no encoder makes smaller. @own out->png: ebm_free() */
static void make_noise(int32_t side, ebma_picture *out)
{
    ebm_image image = {side, side, 3, malloc((size_t)side * (size_t)side * 3)};
    uint32_t x = 1;
    unsigned char *png;

    assert_non_null(image.pixels);
    for (size_t i = 0; i < (size_t)side * (size_t)side * 3; i++) {
        x = x * 1664525u + 1013904223u;
        image.pixels[i] = (uint8_t)(x >> 24);
    }
    assert_int_equal(ebm_png_encode(&image, NULL, 0, &png, &out->size, NULL), EBM_OK);
    out->png = png;
    free(image.pixels);
}

/* Hands a picture, n times, to a model with images of so many pixels a side. */
static ebm_status hand_in_all(int32_t side, ebma_picture picture, int32_t n, ebm_arena *arena,
                              ebmd_op **out, ebma_problem *problem)
{
    ebmd_op *op = *out = ebm_arena_alloc(arena, 1, sizeof(*op));

    memset(problem, 0, sizeof(*problem));
    memset(op, 0, sizeof(*op));
    op->request.operation = op->call.operation = ebm_operation_of(EBM_OP_ENERGY);
    op->request.params.fit = EBM_FIT_RESIZE;
    for (int32_t i = 0; i < n; i++)
        op->request.images[i] = picture;
    op->request.n_images = n;
    op->shape = (ebm_shape){3, side, side};
    op->dim = 3u * (size_t)side * (size_t)side;
    return ebmd_op_pictures(op, arena, problem);
}

static ebm_status hand_in(int32_t side, ebma_picture picture, ebm_arena *arena, ebmd_op **out,
                          ebma_problem *problem)
{
    return hand_in_all(side, picture, 1, arena, out, problem);
}

static void what_is_kept_is_a_picture(void **state)
{
    ebm_arena *arena = ebm_arena_create(EBMD_PLAN_ARENA);
    ebma_problem problem;
    ebma_picture sent;
    ebm_image image;
    ebmd_op *op;

    (void)state;
    make_noise(800, &sent);
    assert_in_range(sent.size, 1900000, EBM_PNG_MAX_BYTES);
    assert_int_equal(hand_in(600, sent, arena, &op, &problem), EBM_OK);
    assert_int_equal(
        ebm_png_decode(op->request.images[0].png, op->request.images[0].size, &image, NULL),
        EBM_OK);
    assert_int_equal(image.width, 600);
    ebm_free(image.pixels);
    ebm_free((void *)(uintptr_t)sent.png);
    ebm_arena_free(arena);
}

/* A picture that grows beyond what is read of one is refused at once, not when it is its turn. */
static void too_large_when_resized(void **state)
{
    ebm_arena *arena = ebm_arena_create(EBMD_PLAN_ARENA);
    ebma_problem problem;
    ebma_picture sent;
    ebmd_op *op;

    (void)state;
    make_noise(800, &sent);
    assert_int_equal(hand_in(1024, sent, arena, &op, &problem), EBM_ERR_RANGE);
    assert_int_equal(problem.n_errors, 1);
    assert_string_equal(problem.first->pointer, "/images/0");
    assert_string_equal(problem.first->code, "picture_too_large");
    assert_non_null(strstr(problem.first->detail, "model's size"));
    ebm_free((void *)(uintptr_t)sent.png);
    ebm_arena_free(arena);
}

static void assert_too_large(const ebma_problem *problem, const char *what)
{
    assert_int_equal(problem->n_errors, 1);
    assert_string_equal(problem->first->pointer, "/images");
    assert_string_equal(problem->first->code, "picture_too_large");
    assert_non_null(strstr(problem->first->detail, what));
}

/* 64 pictures of 512x512 pixels are 192 MiB of numbers, more than a plan may have: that is no want
 * of memory, which would be tried again and again, but the request's fault. */
static void too_many_as_numbers(void **state)
{
    ebm_arena *arena = ebm_arena_create(EBMD_PLAN_ARENA);
    ebma_problem problem;
    ebma_picture sent;
    ebmd_op *op;

    (void)state;
    make_noise(1, &sent);
    assert_int_equal(hand_in_all(512, sent, 64, arena, &op, &problem), EBM_ERR_RANGE);
    assert_too_large(&problem, "48 MiB");
    assert_int_equal(hand_in_all(256, sent, 64, arena, &op, &problem), EBM_OK); /* just fit */
    ebm_free((void *)(uintptr_t)sent.png);
    ebm_arena_free(arena);
}

/* Of pictures that are too large as files only those up to the first that is too much are made:
 * all of them would not fit beside the numbers, and the request itself. */
static void too_many_as_files(void **state)
{
    ebm_arena *arena = ebm_arena_create(EBMD_PLAN_ARENA);
    ebma_problem problem;
    ebma_picture sent;
    ebmd_op *op;

    (void)state;
    make_noise(256, &sent);
    assert_in_range(sent.size, 196608, 200000);
    assert_non_null(ebm_arena_alloc(arena, EBMA_UPLOAD_MAX, 1));
    assert_int_equal(hand_in_all(256, sent, 64, arena, &op, &problem), EBM_ERR_RANGE);
    assert_too_large(&problem, "4 MiB");
    ebm_free((void *)(uintptr_t)sent.png);
    ebm_arena_free(arena);
}

/* A point of the plane is a pixel of gray and transparency; the latter is a number like the former,
 * no mask, and kept as it is. */
static void points(void **state)
{
    static uint8_t pixel[] = {10, 200}, gray[] = {10};
    const ebm_image point = {1, 1, 2, pixel}, other = {1, 1, 1, gray};
    ebm_arena *arena = ebm_arena_create(EBMD_PLAN_ARENA);
    ebma_problem problem;
    ebma_picture sent;
    unsigned char *png;
    ebm_image kept;
    ebmd_op *op = ebm_arena_alloc(arena, 1, sizeof(*op));

    (void)state;
    assert_int_equal(ebm_png_encode(&point, NULL, 0, &png, &sent.size, NULL), EBM_OK);
    sent.png = png;
    memset(op, 0, sizeof(*op));
    op->call.operation = ebm_operation_of(EBM_OP_INPAINT);
    op->request.image = sent;
    op->shape = (ebm_shape){2, 1, 1};
    op->dim = 2;
    memset(&problem, 0, sizeof(problem));
    assert_int_equal(ebmd_op_pictures(op, arena, &problem), EBM_ERR_RANGE);
    assert_string_equal(problem.first->pointer, "/mask");
    assert_non_null(strstr(problem.first->detail, "is required"));
    assert_true(op->call.image[0] == (float)(10 / 127.5 - 1.0));
    assert_true(op->call.image[1] == (float)(200 / 127.5 - 1.0));
    assert_int_equal(ebm_png_decode(op->request.image.png, op->request.image.size, &kept, NULL),
                     EBM_OK);
    assert_int_equal(kept.channels, 2);
    assert_memory_equal(kept.pixels, pixel, 2);
    ebm_free(kept.pixels);
    ebm_free(png);
    assert_int_equal(ebm_png_encode(&other, NULL, 0, &png, &sent.size, NULL), EBM_OK);
    op->call.operation = ebm_operation_of(EBM_OP_SAMPLE);
    op->request.image = (ebma_picture){png, sent.size};
    memset(&problem, 0, sizeof(problem));
    assert_int_equal(ebmd_op_pictures(op, arena, &problem), EBM_ERR_RANGE);
    assert_string_equal(problem.first->pointer, "/image");
    assert_string_equal(problem.first->code, "wrong_shape");
    assert_non_null(strstr(problem.first->detail, "2"));
    ebm_free(png);
    ebm_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_kept_is_a_picture),
        cmocka_unit_test(too_large_when_resized),
        cmocka_unit_test(too_many_as_numbers),
        cmocka_unit_test(too_many_as_files),
        cmocka_unit_test(points),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
