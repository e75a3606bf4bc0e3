/* What sampling does not do once a session is made: allocate, start threads, and without a team
 * lock. On every kernel set, for every kind of network and of chain. Counted is what our own code
 * asks for, not what OpenBLAS does inside. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "amx_emulator.h"
#include "ebm/mcmc.h"
#include "ebm/sampler.h"
#include "ebm/session.h"
#include "fail_alloc.h"
#include "random_net.h"

enum { DIM = 64 }; /* pixels of small_network() */

/* --- what is counted ------------------------------------------------------------------------ */

static atomic_int threads_started, locks_taken;

/* Names are the linker's, as in fail_alloc.c: calls of our static libraries come here. */
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *arg);
int __real_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *arg)
{
    atomic_fetch_add(&threads_started, 1);
    return __real_pthread_create(thread, attributes, start, arg);
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
    atomic_fetch_add(&locks_taken, 1);
    return __real_pthread_mutex_lock(mutex);
}

static void begin_counting(void)
{
    fail_alloc_reset();
    atomic_store(&threads_started, 0);
    atomic_store(&locks_taken, 0);
}

static void assert_nothing_allocated_or_started(void)
{
    assert_int_equal(fail_alloc_count(), 0);
    assert_int_equal(atomic_load(&threads_started), 0);
}

/* --- chains --------------------------------------------------------------------------------- */

static ebm_session *open_session(int which, const ebm_kernels *set)
{
    const ebm_network_config c = small_network_of(which, EBM_ACT_SILU);
    ebm_model *m = random_net(&c, set, 5);
    ebm_session *s = NULL;
    assert_int_equal(ebm_session_create(m, NULL, &s, NULL), EBM_OK);
    ebm_model_unref(m);
    return s;
}

/* A whole chain down the ladder, one step a level. */
static ebm_status run_langevin(ebm_session *s, ebm_begin begin)
{
    const ebm_levels *levels = ebm_model_describe(ebm_session_model(s))->levels;
    const ebm_langevin how = {.steps_per_level = 1, .noise_scale = 1.0, .begin = begin};
    const ebm_density density = ebm_density_of_session(s);
    float y[DIM], anchor[DIM], work[2 * DIM];
    ebm_chain chain = {.y = y, .anchor = anchor};
    ebm_chain_start(&chain, levels, DIM, 1, 0);
    return ebm_chain_advance(&chain, &density, levels, &how, INT64_MAX, work, NULL);
}

/* Two moves at level 1, of which the first one chooses and adapts the step size. */
static ebm_status run_metropolis(ebm_session *s, ebm_sampler_kind sampler)
{
    const ebm_levels *levels = ebm_model_describe(ebm_session_model(s))->levels;
    const ebm_density density = ebm_density_of_session(s);
    ebm_mcmc_plan plan = ebm_mcmc_plan_default(sampler);
    const ebm_mcmc_setup setup = {.density = &density, .levels = levels, .plan = &plan};
    float y[DIM], anchor[DIM], work[4 * DIM];
    ebm_mcmc chain = {.noise = {.seed = 1}, .y = y, .anchor = anchor};
    plan.ladder = false;
    plan.steps = 2;
    plan.burn_in = 1;
    assert_true(ebm_mcmc_work(&plan, DIM) <= sizeof work / sizeof work[0]);
    ebm_mcmc_start_noise(&chain, &setup, 1);
    return ebm_mcmc_advance(&chain, &setup, INT64_MAX, NULL, work, NULL);
}

static void check_chains(int which, const ebm_kernels *set)
{
    ebm_session *s = open_session(which, set);
    float x[DIM] = {0}, work[DIM];
    begin_counting();
    assert_int_equal(run_langevin(s, EBM_BEGIN_ABOVE), EBM_OK);
    assert_int_equal(run_langevin(s, EBM_BEGIN_PREDICTED), EBM_OK);
    assert_int_equal(run_metropolis(s, EBM_SAMPLER_MALA), EBM_OK);
    assert_int_equal(run_metropolis(s, EBM_SAMPLER_HMC), EBM_OK);
    (void)ebm_session_logp(s, x, work);
    assert_nothing_allocated_or_started();
    assert_int_equal(atomic_load(&locks_taken), 0);
    ebm_session_free(s);
}

static void check_networks(const ebm_kernels *set)
{
    for (int which = 0; which < SMALL_NETWORKS; which++)
        check_chains(which, set);
}

static void test_chains(void **state)
{
    (void)state;
    for_each_own_set(check_networks);
    if (emulated_amx()) /* slow: its attention is that of avx512bf16 */
        check_chains(0, emulated_amx());
}

/* --- teams ---------------------------------------------------------------------------------- */

/* One pass of a team, which is there before it and may wake a sleeping member: that locks. */
static void check_team(const ebm_kernels *set)
{
    ebm_session *s = open_session(1, set);
    ebm_team *team = NULL;
    float x[DIM] = {0}, grad[DIM];
    begin_counting();
    assert_int_equal(ebm_team_create(2, &team, NULL), EBM_OK);
    assert_int_equal(atomic_load(&threads_started), 1); /* the counter sees what it should */
    assert_true(fail_alloc_count() > 0);
    assert_int_equal(ebm_session_use_team(s, team, NULL), EBM_OK);
    begin_counting();
    (void)ebm_session_gradient(s, x, 1, grad);
    assert_nothing_allocated_or_started();
    ebm_session_leave_team(s);
    ebm_team_free(team);
    ebm_session_free(s);
}

static void test_team(void **state)
{
    (void)state;
    for_each_own_set(check_team);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chains),
        cmocka_unit_test(test_team),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
