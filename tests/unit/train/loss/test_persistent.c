/* Persistent chains, one visit at a time: where they begin, how the step size follows what is
 * accepted, and that moves at a fixed density are those of the sampler. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "assert_numbers.h"
#include "ebm/mcmc.h"
#include "loss/persistent.h"
#include "random_net.h"

enum { DIM = 64, RECORD = DIM + 2 };

typedef struct rig {
    ebm_model *m;
    ebm_session *s;
    ebmt__visit_plan plan;
    float y_plus[DIM], record[RECORD], work[4 * DIM];
} rig;

static void init_rig(rig *r, int32_t moves, int32_t leapfrog)
{
    const ebm_network_config c = small_network();
    memset(r, 0, sizeof *r);
    r->m = random_net(&c, kernel_set("ref"), 41);
    assert_int_equal(ebm_session_create(r->m, NULL, &r->s, NULL), EBM_OK);
    r->plan = (ebmt__visit_plan){ebm_model_describe(r->m)->levels, 7, moves, leapfrog};
    random_floats(42, 0, DIM, r->y_plus);
}

static void clear_rig(rig *r)
{
    ebm_session_free(r->s);
    ebm_model_unref(r->m);
}

static double visit(rig *r, uint32_t chain)
{
    return ebmt__persistent_moves(r->s, &r->plan, chain, r->y_plus, r->record, r->work);
}

static void test_record(void **state)
{
    (void)state;
    assert_int_equal(ebmt__persistent_floats(DIM), RECORD);
    for (size_t dim = 1; dim < 9; dim++) {
        assert_true(ebmt__persistent_floats(dim) > dim);
        assert_int_equal(ebmt__persistent_floats(dim) % 2, 0);
    }
}

/* A step so short that the density is flat over it is accepted, and the next is longer by
 * exp(0.2 (1 - 0.574)); one so long that it leads nowhere is not, and the chain stays. */
static void test_step_size_follows(void **state)
{
    rig r;
    (void)state;
    init_rig(&r, 1, 1);
    memcpy(r.record, r.y_plus, sizeof r.y_plus);
    r.record[DIM] = 1e-6f;
    assert_close(visit(&r, 3), 1.0, 1e-2);
    assert_close((double)r.record[DIM] / 1e-6, exp(0.2 * (1.0 - 0.574)), 2e-3);
    assert_rel_l2(r.record, r.y_plus, DIM, 1e-5);

    memcpy(r.record, r.y_plus, sizeof r.y_plus);
    r.record[DIM] = 1e3f;
    assert_close(visit(&r, 3), 0.0, 1e-12);
    assert_close((double)r.record[DIM], 1e3 * exp(0.2 * -0.574), 1e-3);
    assert_memory_equal(r.record, r.y_plus, sizeof r.y_plus);
    clear_rig(&r);
}

/* Many moves in one visit say more, up to a limit: the state stays, so that each is refused. */
static void test_step_size_of_many_moves(void **state)
{
    static const struct {
        int32_t moves;
        double gain;
    } visits[] = {{4, 0.8}, {40, 2.0}};
    (void)state;
    for (int i = 0; i < 2; i++) {
        rig r;
        init_rig(&r, visits[i].moves, 1);
        r.record[DIM] = 1e3f;
        assert_close(visit(&r, 3), 0.0, 1e-12);
        assert_close((double)r.record[DIM], 1e3 * exp(visits[i].gain * -0.574), 1e-3);
        clear_rig(&r);
    }
}

/* With leapfrog steps the aim is that of Hamiltonian moves. */
static void test_hamiltonian_aim(void **state)
{
    rig r;
    (void)state;
    init_rig(&r, 1, 4);
    r.record[DIM] = 1e3f;
    assert_close(visit(&r, 3), 0.0, 1e-12);
    assert_close((double)r.record[DIM], 1e3 * exp(0.2 * -0.651), 1e-3);
    clear_rig(&r);
}

/* A chain of zeros begins at the image, and takes the moves of the sampler's chain at level 0. */
static void test_begins_at_the_image(void **state)
{
    rig r;
    float y[DIM], anchor[DIM];
    (void)state;
    init_rig(&r, 5, 3);
    const ebm_density density = ebm_density_of_session(r.s);
    ebm_mcmc_plan plan = ebm_mcmc_plan_default(EBM_SAMPLER_HMC);
    plan.ladder = false;
    plan.leapfrog = 3;
    plan.steps = 5;
    const ebm_mcmc_setup setup = {&density, r.plan.levels, &plan};
    ebm_mcmc want = {.noise = {.seed = 7, .index = 3}, .y = y, .anchor = anchor};
    ebm_mcmc_start_state(&want, &setup, r.y_plus, r.y_plus, 0);
    assert_int_equal(ebm_mcmc_advance(&want, &setup, 5, NULL, r.work, NULL), EBM_OK);
    const double accepted = visit(&r, 3);
    assert_close(accepted, want.accept / 5.0, 1e-12);
    assert_true(accepted > 0.1);
    assert_memory_equal(r.record, y, sizeof y);
    clear_rig(&r);
}

/* Other chains and other iterations meet other noise. */
static void test_noise_of_its_own(void **state)
{
    rig r;
    float first[RECORD];
    (void)state;
    init_rig(&r, 5, 1);
    visit(&r, 3);
    memcpy(first, r.record, sizeof first);
    memset(r.record, 0, sizeof r.record);
    visit(&r, 3);
    assert_memory_equal(first, r.record, sizeof first);
    memset(r.record, 0, sizeof r.record);
    visit(&r, 4);
    assert_memory_not_equal(first, r.record, sizeof first);
    memset(r.record, 0, sizeof r.record);
    r.plan.iteration_seed++;
    visit(&r, 3);
    assert_memory_not_equal(first, r.record, sizeof first);
    clear_rig(&r);
}

/* A state that is no number is told, not kept quiet. */
static void test_lost_chain(void **state)
{
    rig r;
    (void)state;
    init_rig(&r, 1, 1);
    r.record[0] = NAN;
    r.record[DIM] = 0.1f;
    assert_true(isnan(visit(&r, 3)));
    clear_rig(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_record),
        cmocka_unit_test(test_step_size_follows),
        cmocka_unit_test(test_step_size_of_many_moves),
        cmocka_unit_test(test_hamiltonian_aim),
        cmocka_unit_test(test_begins_at_the_image),
        cmocka_unit_test(test_noise_of_its_own),
        cmocka_unit_test(test_lost_chain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
