/* Checkpoints: a run cut anywhere equals the undivided one; bytes that are not ours are refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analytic.h"
#include "assert_numbers.h"
#include "ebm/mcmc.h"

#include "ebm/io.h"
#include "ebm/memory.h"
#include "fail_alloc.h"
#include "io/bytes.h"

enum { DIM = 6 };

static const char digest[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/* One process's view of a chain. */
typedef struct place {
    ebm_mcmc_plan plan;
    ebm_mcmc chain;
    float y[DIM], anchor[DIM], image[DIM], mask[DIM], path[7 * DIM], work[4 * DIM];
} place;

typedef struct world {
    ebm_levels levels;
    analytic_gauss gauss;
    ebm_density density;
} world;

static void init_world(world *w)
{
    *w = (world){.levels = analytic_levels()};
    w->gauss = (analytic_gauss){.levels = &w->levels,
                                .n = 2,
                                .copies = DIM / 2,
                                .mean = {0.1, 0.2},
                                .cov = {{0.3, 0.1}, {0.1, 0.2}}};
    w->density = analytic_gauss_density(&w->gauss);
}

static ebm_mcmc_setup setup_of(const world *w, const place *p)
{
    return (ebm_mcmc_setup){.density = &w->density, .levels = &w->levels, .plan = &p->plan};
}

/* Every sampler, down the ladder and at one level, with and without known pixels, one noise or
 * two: 24 variants. */
static void start(const world *w, place *p, int variant)
{
    *p = (place){.plan = ebm_mcmc_plan_default((ebm_sampler_kind)(variant % 3))};
    p->chain = (ebm_mcmc){.noise = {.seed = 9, .index = 4, .seed_b = 1, .index_b = 2},
                          .y = p->y,
                          .anchor = p->anchor};
    p->chain.noise.lambda = variant / 12 ? 0.4 : 0.0;
    p->plan.ladder = variant / 3 % 2 == 0;
    p->plan.begin = p->plan.ladder ? (ebm_begin)((variant + variant / 6) % 3) : EBM_BEGIN_MODEL;
    p->plan.tether = true;
    p->plan.steps_per_level = 4;
    p->plan.repeats = 2;
    p->plan.polish = 5;
    p->plan.steps = 53;
    p->plan.burn_in = 3;
    ebm_mcmc_setup setup = setup_of(w, p);
    for (int i = 0; i < DIM; i++) {
        p->image[i] = 0.1f * (float)i;
        p->mask[i] = i % 2 ? 1.0f : i == 4 ? 0.5f : 0.0f;
    }
    if (variant / 6 % 2)
        assert_int_equal(ebm_mcmc_know(&p->chain, &setup, p->image, p->mask, true, p->path, NULL),
                         EBM_OK);
    ebm_mcmc_start_noise(&p->chain, &setup, p->plan.ladder ? 5 : 2);
}

static void advance(const world *w, place *p, int64_t steps)
{
    ebm_mcmc_setup setup = setup_of(w, p);
    assert_int_equal(ebm_mcmc_advance(&p->chain, &setup, steps, NULL, p->work, NULL), EBM_OK);
}

static ebm_mcmc_room room_of(const world *w, place *p)
{
    return (ebm_mcmc_room){.dim = DIM,
                           .levels = &w->levels,
                           .model_digest = digest,
                           .y = p->y,
                           .anchor = p->anchor,
                           .image = p->image,
                           .mask = p->mask,
                           .path = p->path};
}

static void encode(const world *w, const place *p, unsigned char **data, size_t *size)
{
    ebm_mcmc_setup setup = setup_of(w, p);
    assert_int_equal(ebm_mcmc_encode(&p->chain, &setup, digest, data, size, NULL), EBM_OK);
}

static void test_cut_runs(void **state)
{
    world w;
    (void)state;
    init_world(&w);
    for (int variant = 0; variant < 24; variant++)
        for (uint32_t k = 0; k < 8; k++) {
            const ebm_stream s = {
                .seed = 3, .purpose = EBM_PURPOSE_TEST, .chain = k, .step = (uint32_t)variant};
            place whole, first, second;
            unsigned char *data, *again;
            size_t size, size_again;
            start(&w, &whole, variant);
            advance(&w, &whole, INT64_MAX);
            assert_true(ebm_mcmc_done(&whole.chain, &whole.plan));
            start(&w, &first, variant);
            advance(&w, &first, ebm_rng_word(&s, 0) % 54);
            encode(&w, &first, &data, &size);
            memset(&second, 0x55, sizeof second);
            ebm_mcmc_room room = room_of(&w, &second);
            assert_int_equal(ebm_mcmc_decode(data, size, &room, &second.chain, &second.plan, NULL),
                             EBM_OK);
            encode(&w, &second, &again, &size_again);
            assert_int_equal(size, size_again);
            assert_memory_equal(data, again, size);
            memset(&first, 0xAA, sizeof first);
            advance(&w, &second, INT64_MAX);
            assert_memory_equal(second.y, whole.y, sizeof whole.y);
            assert_int_equal(second.chain.total, whole.chain.total);
            assert_true(second.chain.accept == whole.chain.accept);
            ebm_free(data);
            ebm_free(again);
        }
    ebm_levels_clear(&w.levels);
}

static void sign(unsigned char *data, size_t size)
{
    char hex[65];
    ebm_sha256_hex(data, size - 64, hex);
    memcpy(data + size - 64, hex, 64);
}

/* Writes a field, signs the bytes again, and expects the refusal that names the field. */
typedef struct forgery {
    size_t offset, bytes;
    uint64_t value;
    ebm_status status;
    const char *where;
} forgery;

/* Offsets as in the header's field list: plan at 88, noise at 148, position at 180, vectors at
 * 232, levels behind them. */
static const forgery forgeries[] = {
    {0, 1, 'e', EBM_ERR_FORMAT, "checkpoint"},
    {8, 4, 3, EBM_ERR_FORMAT, "version"},
    {8, 4, 0, EBM_ERR_FORMAT, "version"},
    {8, 4, 1, EBM_ERR_FORMAT, "size"},
    {12, 4, 1, EBM_ERR_FORMAT, "size"},
    {12, 4, 2, EBM_ERR_FORMAT, "size"},
    {16, 8, DIM + 1, EBM_ERR_SHAPE, "dim"},
    {16, 8, UINT64_MAX, EBM_ERR_LIMIT, "dim"},
    {24, 1, 'f', EBM_ERR_NOT_FOUND, "model_digest"},
    {88, 4, 3, EBM_ERR_RANGE, "sampler"},
    {92, 4, 4, EBM_ERR_RANGE, "ladder"},
    {92, 4, UINT32_MAX, EBM_ERR_RANGE, "ladder"},
    {96, 4, 2, EBM_ERR_RANGE, "tether"},
    {100, 4, 0, EBM_ERR_RANGE, "leapfrog"},
    {104, 4, UINT32_MAX, EBM_ERR_RANGE, "steps_per_level"},
    {108, 4, 0, EBM_ERR_RANGE, "repeats"},
    {112, 4, UINT32_MAX, EBM_ERR_RANGE, "polish"},
    {116, 8, 0, EBM_ERR_RANGE, "steps"},
    {124, 8, UINT64_MAX, EBM_ERR_RANGE, "burn_in"},
    {132, 8, 0, EBM_ERR_RANGE, "step_scale"},
    {140, 8, 0x7ff8000000000000u, EBM_ERR_RANGE, "noise_scale"},
    {172, 8, 0x4000000000000000u, EBM_ERR_RANGE, "lambda"},
    {180, 4, 6, EBM_ERR_RANGE, "level"},
    {180, 4, UINT32_MAX - 1, EBM_ERR_RANGE, "level"},
    {184, 8, UINT64_MAX, EBM_ERR_RANGE, "step"},
    {192, 8, UINT64_MAX, EBM_ERR_RANGE, "total"},
    {200, 8, 0x7ff0000000000000u, EBM_ERR_RANGE, "step_size"},
    {208, 8, 0x7ff8000000000000u, EBM_ERR_RANGE, "running"},
    {216, 8, UINT64_MAX, EBM_ERR_RANGE, "moves"},
    {224, 8, 0x7ff8000000000000u, EBM_ERR_RANGE, "accept"},
    {232 + 4, 4, 0x7fc00000u, EBM_ERR_RANGE, "y"},
    {232 + 4 * DIM, 4, 0x7f800000u, EBM_ERR_RANGE, "anchor"},
    {232 + 8 * DIM, 1, 'g', EBM_ERR_NOT_FOUND, "levels"},
};

static void test_forgeries(void **state)
{
    world w;
    place p, q;
    unsigned char *data, *copy;
    size_t size;
    (void)state;
    init_world(&w);
    start(&w, &p, 0);
    advance(&w, &p, 20);
    encode(&w, &p, &data, &size);
    copy = malloc(size);
    assert_non_null(copy);
    for (size_t i = 0; i < sizeof forgeries / sizeof forgeries[0]; i++) {
        const forgery *f = &forgeries[i];
        ebm_error err = {0};
        ebm_mcmc_room room = room_of(&w, &q);
        memcpy(copy, data, size);
        for (size_t k = 0; k < f->bytes; k++)
            copy[f->offset + k] = (unsigned char)(f->value >> (8 * k));
        sign(copy, size);
        ebm_status st = ebm_mcmc_decode(copy, size, &room, &q.chain, &q.plan, &err);
        if (st != f->status || strcmp(err.where, f->where) != 0)
            print_error("forgery %zu: status %d at %s\n", i, (int)st, err.where);
        assert_int_equal(st, f->status);
        assert_string_equal(err.where, f->where);
    }
    free(copy);
    ebm_free(data);
    ebm_levels_clear(&w.levels);
}

/* A step number beyond its level, which no run of ours writes, ends the level and no more: a plain
 * chain has no room for Metropolis moves. */
static void test_steps_beyond_the_level(void **state)
{
    world w;
    place p;
    (void)state;
    init_world(&w);
    start(&w, &p, 0);
    p.plan.polish = 0;
    p.chain.level = 0;
    p.chain.step = p.chain.total = EBM_MCMC_MAX_STEPS;
    float *end = p.work + 2 * DIM;
    memset(end, 0x7f, 2 * DIM * sizeof *end);
    float before = end[0];
    advance(&w, &p, 1);
    assert_int_equal(p.chain.level, -1);
    assert_memory_equal(&before, end, sizeof before);
    ebm_levels_clear(&w.levels);
}

/* Goes on with a chain on levels that have changed in one thing. */
static ebm_status go_on(const unsigned char *data, size_t size, world *w, ebm_error *err)
{
    place q;
    ebm_mcmc_room room = room_of(w, &q);
    return ebm_mcmc_decode(data, size, &room, &q.chain, &q.plan, err);
}

/* The manifest alone decides of steps and tables: with others the chain would be another one, with
 * half of a trace of each. */
static void test_other_levels(void **state)
{
    for (int known = 0; known < 2; known++) {
        world w;
        place p;
        unsigned char *data;
        size_t size;
        (void)state;
        init_world(&w);
        start(&w, &p, 6 * known);
        encode(&w, &p, &data, &size);
        double *reals[] = {&w.levels.step2[2], &w.levels.stride, &w.levels.noise_scale};
        for (size_t i = 0; i < sizeof reals / sizeof reals[0]; i++) {
            const double kept = *reals[i];
            ebm_error err = {0};
            *reals[i] *= 1.5;
            assert_int_equal(go_on(data, size, &w, &err), EBM_ERR_NOT_FOUND);
            assert_string_equal(err.where, "levels");
            *reals[i] = kept;
        }
        w.levels.denoise = !w.levels.denoise;
        assert_int_equal(go_on(data, size, &w, NULL), EBM_ERR_NOT_FOUND);
        w.levels.denoise = !w.levels.denoise;
        assert_int_equal(go_on(data, size, &w, NULL), EBM_OK);
        ebm_free(data);
        ebm_levels_clear(&w.levels);
    }
}

/* Version 1 has no digest of levels, and is taken as it is. */
static void test_version_1(void **state)
{
    world w;
    place p;
    unsigned char *data;
    size_t size;
    (void)state;
    init_world(&w);
    start(&w, &p, 0);
    encode(&w, &p, &data, &size);
    ebm__store_le32(data + 8, 1);
    size -= 64;
    sign(data, size);
    assert_int_equal(go_on(data, size, &w, NULL), EBM_OK);
    w.levels.stride = 2;
    assert_int_equal(go_on(data, size, &w, NULL), EBM_OK);
    ebm_free(data);
    ebm_levels_clear(&w.levels);
}

/* Any flipped bit and any other length is noticed; the caller's chain stays as it was. */
static void test_damage(void **state)
{
    world w;
    place p, q;
    unsigned char *data;
    size_t size;
    (void)state;
    init_world(&w);
    start(&w, &p, 7);
    encode(&w, &p, &data, &size);
    memset(&q, 0, sizeof q);
    ebm_mcmc_room room = room_of(&w, &q);
    for (size_t i = 0; i < size; i++) {
        data[i] ^= (unsigned char)(1 << (i % 8));
        ebm_status st = ebm_mcmc_decode(data, size, &room, &q.chain, &q.plan, NULL);
        assert_true(st == EBM_ERR_DIGEST || st == EBM_ERR_FORMAT);
        data[i] ^= (unsigned char)(1 << (i % 8));
    }
    for (size_t n = 0; n < size; n++) {
        unsigned char *part = malloc(n + 1); /* its own block, so that sanitizers see its end */
        assert_non_null(part);
        memcpy(part, data, n);
        assert_int_not_equal(ebm_mcmc_decode(part, n, &room, &q.chain, &q.plan, NULL), EBM_OK);
        free(part);
    }
    assert_null(q.chain.y);
    room.mask = NULL;
    assert_int_equal(ebm_mcmc_decode(data, size, &room, &q.chain, &q.plan, NULL), EBM_ERR_ARG);
    ebm_free(data);
    ebm_levels_clear(&w.levels);
}

static void test_no_memory_and_bad_digest(void **state)
{
    world w;
    place p;
    unsigned char *data;
    size_t size;
    (void)state;
    init_world(&w);
    start(&w, &p, 0);
    ebm_mcmc_setup setup = setup_of(&w, &p);
    FOR_EACH_ALLOC_FAILURE
    {
        ebm_status st = ebm_mcmc_encode(&p.chain, &setup, digest, &data, &size, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        ebm_free(data);
    }
    assert_int_equal(ebm_mcmc_encode(&p.chain, &setup, "00", &data, &size, NULL), EBM_ERR_ARG);
    assert_null(data);
    ebm_levels_clear(&w.levels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut_runs),
        cmocka_unit_test(test_forgeries),
        cmocka_unit_test(test_steps_beyond_the_level),
        cmocka_unit_test(test_other_levels),
        cmocka_unit_test(test_version_1),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_no_memory_and_bad_digest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
