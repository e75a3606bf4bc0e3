/* Models whose images are too large for what is asked of them: that is refused by the name of a
 * field, at once and when a job's turn comes, and is never a want of memory, which would be worth
 * another try. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <nettle/base64.h>

#include "base/clock.h"
#include "ebm/io.h"
#include "run_bench.h"
#include "tiny_model.h"

#define SIDE 8
#define BODY 65536

static run_bench b;
static char mask[1024]; /* base64: one half black, one white */

static bool write_mask(void)
{
    uint8_t pixels[SIDE * SIDE];
    const ebm_image image = {SIDE, SIDE, 1, pixels};
    unsigned char *png;
    size_t size;

    for (int i = 0; i < SIDE * SIDE; i++)
        pixels[i] = i < SIDE * SIDE / 2 ? 0 : 255;
    if (ebm_png_encode(&image, NULL, 0, &png, &size, NULL) != EBM_OK)
        return false;
    base64_encode_raw(mask, size, png);
    ebm_free(png);
    return true;
}

static int setup(void **state)
{
    (void)state;
    return run_bench_open(&b, 4, SIZE_MAX) && write_mask() ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    run_bench_close(&b);
    return 0;
}

/* Parses a body with the models that are served now. */
static ebm_status parse_with(const char *kind, const char *body, ebm_arena *arena,
                             ebma_problem *problem)
{
    ebmd_engine *engine = ebmd_catalog_take(b.catalog);
    ebmd_plan plan = {.kind = ebmd_kind_find(kind)};
    ebm_status st = plan.kind->parse(engine, body, strlen(body), arena, &plan, problem);

    ebmd_engine_unref(engine);
    return st;
}

/* {"model":"wide","images":[P, ... 64 times]} */
static void sixty_four_pictures(char *body, size_t size)
{
    size_t n = (size_t)snprintf(body, size, "{\"model\":\"wide\",\"fit\":\"resize\",\"images\":[");

    for (int i = 0; i < 64; i++)
        n += (size_t)snprintf(body + n, size - n, "%s\"%s\"", i > 0 ? "," : "", mask);
    n += (size_t)snprintf(body + n, size - n, "]}");
    assert_true(n < size);
}

/* Claims what waits, which is not fit to run, and ends it. */
static void claim_and_end(void)
{
    const ebmd_wish any = {.above_priority = -1, .below_work = INT64_MAX};
    ebmd_lease lease;
    ebmd_run *run;

    assert_int_equal(b.store->ops->claim(b.store, &any, &lease, NULL), EBM_OK);
    assert_int_equal(ebmd_run_create(&b.env, &lease, &run, NULL), EBM_ERR_FORMAT);
    assert_true(ebmd_run_is_over(run, ebmd_clock_ms()));
    assert_int_equal(ebmd_run_finish(&b.env, run, NULL), EBM_OK);
    ebmd_run_free(run);
}

/* With another model in the place of the one it was asked of, 64 pictures may be more than a plan
 * has room for: the request is refused, and the job that waited fails at once. As a want of memory
 * it would be claimed and given back for ever. */
static void pictures_too_large_by_now(void **state)
{
    static const tiny_model small = {
        .id = "wide", .levels = 2, .steps = 3, .seed = 1, .step_scale = 1.0};
    tiny_model large = small;
    char body[BODY];
    ebm_arena *arena = ebm_arena_create(EBMD_PLAN_ARENA);
    ebma_problem problem;

    (void)state;
    sixty_four_pictures(body, sizeof(body));
    assert_true(tiny_model_write(b.dir, &small));
    assert_int_equal(ebmd_catalog_load(b.catalog, "wide", NULL), EBM_OK);
    assert_int_equal(parse_with("energy", body, arena, &problem), EBM_OK);
    run_bench_submit_stored(&b, 1, "energy", body);
    large.side = 512;
    assert_true(tiny_model_write(b.dir, &large));
    assert_int_equal(ebmd_catalog_load(b.catalog, "wide", NULL), EBM_OK);
    assert_int_equal(parse_with("energy", body, arena, &problem), EBM_ERR_RANGE);
    assert_int_equal(ebma_problem_describe(problem.code)->status, 422);
    assert_string_equal(problem.first->pointer, "/images");
    assert_string_equal(problem.first->code, "picture_too_large");
    claim_and_end();
    assert_int_equal(run_bench_state(&b, 1), EBMD_JOB_FAILED);
    ebm_arena_free(arena);
}

/* The directions of traces are eight images. Of two channels and 1020x1020 pixels that is nearly
 * all that a plan may have, and the chain itself is just small enough; it is not with 1024x1024.
 * Neither is a want of memory. */
static void traces_too_large(void **state)
{
    static const struct {
        int32_t side;
        const char *pointer, *code;
    } cases[] = {{1020, "/model", "model_too_large"}, {1024, "/thin", "result_too_large"}};
    tiny_model large = {.id = "wide", .levels = 2, .steps = 3, .seed = 1, .step_scale = 1.0};

    (void)state;
    for (int i = 0; i < 2; i++) {
        ebm_arena *arena = ebm_arena_create(EBMD_PLAN_ARENA);
        ebma_problem problem;

        large.side = cases[i].side;
        large.channels = 2;
        assert_true(tiny_model_write(b.dir, &large));
        assert_int_equal(ebmd_catalog_load(b.catalog, "wide", NULL), EBM_OK);
        assert_non_null(ebm_arena_alloc(arena, 1u << 20, 1)); /* what else there may be */
        assert_int_equal(
            parse_with("mcmc", "{\"model\":\"wide\",\"chains\":1,\"steps\":9}", arena, &problem),
            EBM_ERR_RANGE);
        assert_string_equal(problem.first->pointer, cases[i].pointer);
        assert_string_equal(problem.first->code, cases[i].code);
        ebm_arena_free(arena);
    }
}

/* An inpainting chain holds three images and one for each level, 4 bytes a number: at 1024x1024
 * pixels of three colours that are 120 MiB with seven levels, and 132 MiB with eight, which no
 * checkpoint can keep. */
static void chains_too_large_to_be_saved(void **state)
{
    tiny_model large = {
        .id = "wide", .steps = 3, .side = 1024, .channels = 3, .seed = 1, .step_scale = 1.0};
    char body[BODY];
    int n = snprintf(body, sizeof(body),
                     "{\"model\":\"wide\",\"fit\":\"resize\",\"image\":\"%s\",\"mask\":\"%s\"}",
                     mask, mask);

    (void)state;
    assert_in_range(n, 1, sizeof(body) - 1);
    for (int32_t levels = 7; levels <= 8; levels++) {
        ebm_arena *arena = ebm_arena_create(EBMD_PLAN_ARENA);
        ebma_problem problem;
        ebm_status st;

        large.levels = levels;
        assert_true(tiny_model_write(b.dir, &large));
        assert_int_equal(ebmd_catalog_load(b.catalog, "wide", NULL), EBM_OK);
        st = parse_with("inpaint", body, arena, &problem);
        assert_int_equal(st, levels == 7 ? EBM_OK : EBM_ERR_RANGE);
        if (st != EBM_OK) {
            assert_string_equal(problem.first->pointer, "/model");
            assert_string_equal(problem.first->code, "state_too_large");
        }
        ebm_arena_free(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_too_large_by_now),
        cmocka_unit_test(traces_too_large),
        cmocka_unit_test(chains_too_large_to_be_saved),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
