/* See long_scene.h. */
#include "long_scene.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ebm/rng.h"
#include "eval/embedding.h"

/* A ruler whose features are the pixels. */
static ebm_status embed_pixels(const void *self, const ebmt_dataset *images, ebmt_pool *pool,
                               ebmt_embedding *out, ebm_error *err)
{
    (void)self, (void)pool;
    ebm_status st = ebmt__embedding_init(images->count, LONG_PIXELS, 2, out, err);
    for (int64_t i = 0; st == EBM_OK && i < images->count * LONG_PIXELS; i++)
        out->features[i] = images->pixels[i];
    if (st != EBM_OK)
        ebmt_embedding_clear(out);
    return st;
}

static void make_test_images(long_scene *s)
{
    const ebm_stream stream = {.seed = 5, .purpose = EBM_PURPOSE_TEST};
    float z[LONG_IMAGES * LONG_PIXELS];
    ebm_rng_normal(&stream, 0, LONG_IMAGES * LONG_PIXELS, z);
    for (int i = 0; i < LONG_IMAGES * LONG_PIXELS; i++)
        s->pixels[i] = (uint8_t)lrintf((0.1f + 0.2f * z[i] + 1.0f) * 127.5f);
    s->test = (ebmt_dataset){
        .count = LONG_IMAGES, .channels = 1, .height = 2, .width = 2, .pixels = s->pixels};
}

void long_scene_make(long_scene *s, int32_t threads, ebm_sampler_kind sampler)
{
    const ebm_schedule_geometric schedule = {6, 0.1, 100, 60};
    memset(s, 0, sizeof *s);
    assert_int_equal(ebm_levels_geometric(&schedule, &s->levels, NULL), EBM_OK);
    make_test_images(s);
    for (int i = 0; i < 2; i++) {
        s->gauss[i] = (analytic_gauss){
            .levels = &s->levels, .n = 1, .copies = LONG_PIXELS, .mean = {0.1}, .cov = {{0.04}}};
        s->density[i] = analytic_gauss_density(&s->gauss[i]);
    }
    s->ruler = (ebmt_ruler){.name = "pixels", .embed = embed_pixels};
    s->ground = (ebmt__long_ground){
        s->density, &s->levels, &s->test,
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "ref"};
    s->opt = (ebmt_long_options){.ruler = &s->ruler,
                                 .test = &s->test,
                                 .draw = {.n = LONG_CHAINS, .seed = 3},
                                 .plan = ebm_mcmc_plan_default(sampler)};
    s->opt.plan.burn_in = 200;
    s->opt.plan.steps = 1200;
    assert_int_equal(ebmt_pool_create(threads, &s->opt.pool, NULL), EBM_OK);
}

void long_scene_clear(long_scene *s)
{
    ebmt_pool_free(s->opt.pool);
    ebm_levels_clear(&s->levels);
}

void long_scene_run(long_scene *s)
{
    ebm_error err = {0};
    if (ebmt__long_chains_run(&s->ground, &s->opt, &s->report, &err) != EBM_OK)
        fail_msg("%s: %s", err.where, err.text);
}

void long_scene_unstable(void *user, const ebmt_long_report *report)
{
    long_scene *s = user;
    float y[LONG_PIXELS] = {0}, grad[LONG_PIXELS];
    for (int i = 0; i < 2 && report->n_marks == 1; i++) {
        s->density[i].gradient(&s->gauss[i], y, 0, NULL, grad); /* knows its curvature from here */
        s->gauss[i].inverse[0][0][0] *= 1e4;
    }
}
