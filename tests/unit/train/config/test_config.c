/* Configurations: defaults, schedules, their text as JSON, and numbers that must be refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "assert_numbers.h"
#include "ebm/memory.h"
#include "ebmt/train.h"

static void test_default_is_the_paper(void **state)
{
    const ebmt_config c = ebmt_config_default();
    ebm_levels l;
    (void)state;
    assert_int_equal(ebmt_config_check(&c, NULL), EBM_OK);
    assert_true(c.objective == EBMT_RECOVERY && c.step_rule == EBMT_STEPS_PAPER);
    assert_true(c.lr == 1e-4 && c.lr_warmup == 1000 && c.ema == 0.999 && c.beta1 == 0.9 &&
                c.beta2 == 0.999 && c.adam_eps == 1e-7 && c.clip == 0.0);
    assert_int_equal(ebmt_config_levels(&c, &l, NULL), EBM_OK);
    assert_int_equal(l.count, 6);
    assert_int_equal(l.steps[0], 30);
    ebm_levels_clear(&l);
}

/* A schedule brings its step rule and noise scale; the rule may be another. */
static void test_schedules(void **state)
{
    ebmt_config c = ebmt_config_default();
    ebm_levels l;
    (void)state;
    assert_true(c.noise_scale == 0.99);
    ebmt_config_use_schedule(&c, EBMT_SCHEDULE_GEOMETRIC);
    assert_int_equal(ebmt_config_levels(&c, &l, NULL), EBM_OK);
    assert_true(l.count == 10 && l.noise_scale == 1.0 && c.step_rule == EBMT_STEPS_CURVATURE);
    assert_close(l.sbar[10] / l.abar[10], 100.0, 1e-9);
    double s = l.sigma[4], noise = l.scale[3] * l.sbar[3];
    assert_close(l.step2[3] * (1.0 / (s * s) + 1.0 / (noise * noise)), 0.5, 1e-12);
    ebm_levels_clear(&l);
    c.step_rule = EBMT_STEPS_VARIANCE;
    assert_int_equal(ebmt_config_levels(&c, &l, NULL), EBM_OK);
    assert_close(l.step2[3], 8.0 / 30.0 * noise * noise, 1e-12);
    ebm_levels_clear(&l);
    c.step_rule = EBMT_STEPS_PAPER;
    assert_int_equal(ebmt_config_levels(&c, &l, NULL), EBM_OK);
    assert_close(l.step2[3], l.sbar[3] / l.sbar[0] * 2e-4 * s * s, 1e-12);
    ebm_levels_clear(&l);
    c.schedule.count = 1;
    assert_int_equal(ebmt_config_levels(&c, &l, NULL), EBM_ERR_RANGE);
    ebmt_config_use_schedule(&c, EBMT_SCHEDULE_LINEAR);
    assert_int_equal(ebmt_config_levels(&c, &l, NULL), EBM_OK);
    assert_true(l.count == 999 && l.steps[998] == EBM_STEPS_NORMAL && l.tether[998] == 1.0);
    ebm_levels_clear(&l);
}

/* The configuration as a reader of its text gets it. @own json_decref() */
static json_t *json_of(const ebmt_config *c)
{
    char *text = NULL;
    assert_int_equal(ebmt_config_to_json(c, &text, NULL), EBM_OK);
    json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_true(json_is_object(object));
    ebm_free(text);
    return object;
}

static json_int_t whole(const json_t *object, const char *name)
{
    assert_true(json_is_integer(json_object_get(object, name)));
    return json_integer_value(json_object_get(object, name));
}

static const char *string(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    assert_non_null(text);
    return text;
}

/* One field of each kind; reals with all their bits, the seed with all of its 53. */
static void test_json(void **state)
{
    ebmt_config c = ebmt_config_default();
    (void)state;
    c.network.activation = EBM_ACT_SILU;
    c.network.n_mult = 4;
    c.network.ch_mult[3] = 7;
    c.network.attention = 14;
    c.persistent_chains = 9;
    c.persistent_leapfrog = 3;
    c.persistent_visits = 5;
    c.highest_level = 2;
    c.iterations = 5000000000;
    c.seed = 9007199254740991u;
    c.lr = 1.0 / 3.0;
    c.flip = true;
    memset(c.init_sha256, 'a', 64);
    c.step_rule = EBMT_STEPS_VARIANCE;
    c.data = (ebmt_data_facts){.format = EBMT_FORMAT_CBDT, .crop = EBMT_CROP_CELEBA, .images = 7};
    json_t *object = json_of(&c);
    const json_t *mult = json_object_get(object, "ch_mult");
    assert_true(json_real_value(json_object_get(object, "lr")) == c.lr);
    assert_true(json_is_true(json_object_get(object, "flip")));
    assert_int_equal(whole(object, "seed"), 9007199254740991);
    assert_int_equal(whole(object, "iterations"), 5000000000);
    assert_int_equal(whole(object, "batch"), 64);
    assert_int_equal(whole(object, "attention"), 14);
    assert_int_equal(whole(object, "persistent_chains"), 9);
    assert_int_equal(whole(object, "persistent_leapfrog"), 3);
    assert_int_equal(whole(object, "persistent_visits"), 5);
    assert_int_equal(whole(object, "lowest_level"), 0);
    assert_int_equal(whole(object, "highest_level"), 2);
    assert_int_equal(whole(object, "data_images"), 7);
    assert_int_equal(json_array_size(mult), 4);
    assert_int_equal(json_integer_value(json_array_get(mult, 3)), 7);
    assert_string_equal(string(object, "architecture"), "drl-resnet");
    assert_string_equal(string(object, "activation"), "silu");
    assert_string_equal(string(object, "step_rule"), "variance");
    assert_string_equal(string(object, "data_format"), "cbdt");
    assert_string_equal(string(object, "crop"), "celeba");
    assert_string_equal(string(object, "init_sha256"), c.init_sha256);
    json_decref(object);
}

/* Checkpoints from before there were attention, persistent chains and ranges of levels say nothing
 * of them, and still fit. */
static void test_what_is_not_used_is_not_said(void **state)
{
    const ebmt_config c = ebmt_config_default();
    (void)state;
    json_t *object = json_of(&c);
    assert_null(json_object_get(object, "attention"));
    assert_null(json_object_get(object, "persistent_chains"));
    assert_null(json_object_get(object, "persistent_weight"));
    assert_null(json_object_get(object, "persistent_visits"));
    assert_null(json_object_get(object, "lowest_level"));
    assert_null(json_object_get(object, "highest_level"));
    json_decref(object);
}

static void test_bounds(void **state)
{
    ebmt_config bad[22];
    (void)state;
    for (int i = 0; i < 22; i++)
        bad[i] = ebmt_config_default();
    bad[0].iterations = 0;
    bad[1].batch = 0;
    bad[2].lr = NAN;
    bad[3].lr = 0.0;
    bad[4].beta1 = 1.0;
    bad[5].ema = 1.0;
    bad[6].power_iterations = -1;
    bad[7].shards = 0;
    bad[8].rl_share = 1.1;
    bad[9].network.width = 0;
    bad[10].curvature_share = 0.0;
    bad[11].noise_scale = NAN;
    bad[12].network.attention = -1;
    bad[13].persistent_chains = -1;
    bad[14].persistent_moves = 0;
    bad[15].persistent_leapfrog = 65;
    ebmt_config_use_schedule(&bad[16], EBMT_SCHEDULE_LINEAR);
    bad[16].persistent_chains = 1;
    bad[17].persistent_visits = bad[17].batch + 1; /* slots of the batch visit them */
    bad[18].lowest_level = bad[18].schedule.count;
    bad[19].highest_level = bad[19].schedule.count;
    bad[20].lowest_level = 3;
    bad[20].highest_level = 2;
    bad[21].lowest_level = bad[21].persistent_chains = 1; /* they are at level 0 */
    for (int i = 0; i < 22; i++) {
        ebm_error err = {0};
        assert_int_equal(ebmt_config_check(&bad[i], &err), EBM_ERR_RANGE);
        assert_true(err.where[0] != 0);
    }
}

/* Within the bounds of their flags, and still no way to train. */
static void test_numbers_that_make_no_run(void **state)
{
    static const struct {
        double clip, limit, share; /* share: of batches of 10 */
        ebmt_objective objective;
        const char *where; /* NULL: fine */
    } rows[] = {
        {0.0, 1.5, 0.5, EBMT_RECOVERY, NULL},
        {1e-3, 1.5, 0.5, EBMT_RECOVERY, "clip"},
        {1.0, 1.5, 0.5, EBMT_RECOVERY, "clip"},
        {1.001, 1.5, 0.5, EBMT_RECOVERY, NULL},
        {0.0, 0.0, 0.5, EBMT_RECOVERY, NULL},
        {0.0, 1e-3, 0.5, EBMT_RECOVERY, "divergence-limit"},
        {0.0, 1.1, 0.5, EBMT_RECOVERY, "divergence-limit"},
        {0.0, 1.11, 0.5, EBMT_RECOVERY, NULL},
        {0.0, 1.5, 0.0, EBMT_HYBRID, NULL},
        {0.0, 1.5, 0.049, EBMT_HYBRID, "rl-share"},
        {0.0, 1.5, 0.05, EBMT_HYBRID, NULL},
        {0.0, 1.5, 0.049, EBMT_MATCHING, NULL}, /* which has no share */
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ebmt_config c = ebmt_config_default();
        ebm_error err = {0};
        c.clip = rows[i].clip;
        c.divergence_limit = rows[i].limit;
        c.rl_share = rows[i].share;
        c.objective = rows[i].objective;
        c.batch = 10;
        assert_int_equal(ebmt_config_check(&c, &err), rows[i].where ? EBM_ERR_RANGE : EBM_OK);
        assert_string_equal(err.where, rows[i].where ? rows[i].where : "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default_is_the_paper),
        cmocka_unit_test(test_schedules),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_what_is_not_used_is_not_said),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_numbers_that_make_no_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
