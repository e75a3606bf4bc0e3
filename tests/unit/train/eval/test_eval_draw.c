/* Drawing images, on every kernel set: a chain has the same bits alone and in company, wherever it
 * stands in a batch and however many threads work on it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "amx_emulator.h"
#include "ebm/sampler.h"
#include "ebm/session.h"
#include "ebmt/eval.h"
#include "random_net.h"

enum { N = 5, DIM = 64, THREADS = 2, SEED = 11, STEPS = 2 };

static const int32_t first_middle_last[] = {0, 2, 4};

/* Both architectures with both ways of beginning a level, one of each with attention. */
static const struct {
    int which; /* of small_network_of() */
    ebm_act act;
    ebm_begin begin;
} scenes[] = {
    {0, EBM_ACT_LEAKY_RELU, EBM_BEGIN_MODEL}, {0, EBM_ACT_SILU, EBM_BEGIN_PREDICTED},
    {1, EBM_ACT_SILU, EBM_BEGIN_MODEL},       {1, EBM_ACT_LEAKY_RELU, EBM_BEGIN_PREDICTED},
    {2, EBM_ACT_SILU, EBM_BEGIN_MODEL},       {3, EBM_ACT_SILU, EBM_BEGIN_PREDICTED},
};

static ebm_model *scene_model(size_t i, const ebm_kernels *set)
{
    const ebm_network_config network = small_network_of(scenes[i].which, scenes[i].act);
    return random_net(&network, set, 5);
}

static void for_each_scene(void (*check)(ebm_model *m, ebm_begin begin), const ebm_kernels *set)
{
    for (size_t i = 0; i < sizeof scenes / sizeof scenes[0]; i++) {
        ebm_model *m = scene_model(i, set);
        check(m, scenes[i].begin);
        ebm_model_unref(m);
    }
}

/* --- images --------------------------------------------------------------------------------- */

static ebmt_dataset draw(ebm_model *m, ebm_begin begin, int32_t first, int64_t n, int32_t threads)
{
    const ebmt_draw how = {
        .n = n, .first_index = first, .steps_per_level = STEPS, .begin = begin, .seed = SEED};
    ebmt_dataset out;
    ebmt_pool *pool = NULL;
    assert_int_equal(ebmt_pool_create(threads, &pool, NULL), EBM_OK);
    assert_int_equal(ebmt_draw_images(m, &how, pool, &out, NULL), EBM_OK);
    ebmt_pool_free(pool);
    return out;
}

static void check_images(ebm_model *m, ebm_begin begin)
{
    ebmt_dataset all = draw(m, begin, 0, N, THREADS);
    for (int i = 0; i < 3; i++) {
        const int32_t k = first_middle_last[i];
        ebmt_dataset alone = draw(m, begin, k, 1, 1);
        assert_memory_equal(alone.pixels, all.pixels + (size_t)k * DIM, DIM);
        ebmt_dataset_clear(&alone);
    }
    assert_memory_not_equal(all.pixels, all.pixels + DIM, DIM);
    ebmt_dataset_clear(&all);
}

static void check_images_of_set(const ebm_kernels *set)
{
    for_each_scene(check_images, set);
}

static void test_images_alone_and_in_company(void **state)
{
    (void)state;
    for_each_own_set(check_images_of_set);
}

/* --- what bytes of pixels would hide -------------------------------------------------------- */

typedef struct batch {
    ebm_model *model;
    ebm_begin begin;
    ebm_session *session[THREADS];
    float (*x)[DIM]; /* [n, DIM] */
    int32_t first;
} batch;

static void run_chain(void *user, int32_t k, int32_t worker)
{
    const batch *b = user;
    const ebm_levels *levels = ebm_model_describe(b->model)->levels;
    const ebm_density density = ebm_density_of_session(b->session[worker]);
    const ebm_langevin how = {.steps_per_level = STEPS, .noise_scale = 1.0, .begin = b->begin};
    float anchor[DIM], work[2 * DIM];
    ebm_chain chain = {.y = b->x[k], .anchor = anchor};
    ebm_chain_start(&chain, levels, DIM, SEED, (uint32_t)(b->first + k));
    ebm_status st = ebm_chain_advance(&chain, &density, levels, &how, INT64_MAX, work, NULL);
    if (st != EBM_OK) /* helpers may not fail a test: zeros will differ */
        memset(b->x[k], 0, sizeof b->x[k]);
}

/* Chains first .. first+n-1, each on whichever thread is free. */
static void run_batch(batch *b, int32_t n, int32_t threads)
{
    ebmt_pool *pool = NULL;
    assert_int_equal(ebmt_pool_create(threads, &pool, NULL), EBM_OK);
    for (int32_t i = 0; i < threads; i++)
        assert_int_equal(ebm_session_create(b->model, NULL, &b->session[i], NULL), EBM_OK);
    ebmt_pool_run(pool, n, run_chain, b);
    for (int32_t i = 0; i < threads; i++)
        ebm_session_free(b->session[i]);
    ebmt_pool_free(pool);
}

static void check_chains(ebm_model *m, ebm_begin begin)
{
    float all[N][DIM], alone[1][DIM];
    batch b = {.model = m, .begin = begin, .x = all};
    run_batch(&b, N, THREADS);
    b.x = alone;
    for (int i = 0; i < 3; i++) {
        b.first = first_middle_last[i];
        run_batch(&b, 1, 1);
        assert_memory_equal(alone[0], all[b.first], sizeof alone[0]);
    }
    assert_memory_not_equal(all[0], all[1], sizeof all[0]);
}

static void check_chains_of_set(const ebm_kernels *set)
{
    for_each_scene(check_chains, set);
}

static void test_chains_alone_and_in_company(void **state)
{
    (void)state;
    for_each_own_set(check_chains_of_set);
    if (emulated_amx()) { /* slow */
        ebm_model *m = scene_model(0, emulated_amx());
        check_chains(m, scenes[0].begin);
        ebm_model_unref(m);
    }
}

/* --- one image on several threads ------------------------------------------------------------- */

/* As `ebm sample` does it: a team shares the passes of the chain, or those that it is faster at. */
static void run_with_team(batch *b)
{
    ebm_team *team = NULL;
    assert_int_equal(ebm_team_create(THREADS, &team, NULL), EBM_OK);
    assert_int_equal(ebm_session_create(b->model, NULL, &b->session[0], NULL), EBM_OK);
    assert_int_equal(ebm_session_use_team(b->session[0], team, NULL), EBM_OK);
    run_chain(b, 0, 0);
    ebm_session_free(b->session[0]);
    ebm_team_free(team);
}

/* One network alone: where others have the cores, members wait long for each other. */
static void check_team_of_set(const ebm_kernels *set)
{
    float alone[1][DIM], together[1][DIM];
    batch b = {.model = scene_model(3, set), .begin = scenes[3].begin, .x = alone, .first = 2};
    run_batch(&b, 1, 1);
    b.x = together;
    run_with_team(&b);
    assert_memory_equal(alone, together, sizeof alone);
    ebm_model_unref(b.model);
}

static void test_chain_of_a_team(void **state)
{
    (void)state;
    for_each_own_set(check_team_of_set);
    if (emulated_amx())
        check_team_of_set(emulated_amx());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_images_alone_and_in_company),
        cmocka_unit_test(test_chains_alone_and_in_company),
        cmocka_unit_test(test_chain_of_a_team),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
