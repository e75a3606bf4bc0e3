/* Configurations: round trip through JSON, and every field that must be refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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

static void test_json_round_trip(void **state)
{
    ebmt_config c = ebmt_config_default(), back;
    char *text = NULL, *again = NULL;
    (void)state;
    c.network.activation = EBM_ACT_SILU;
    c.network.n_mult = 4;
    c.network.ch_mult[3] = 7;
    c.network.attention = 14;
    c.seed = 9007199254740991u;
    c.lr = 1.0 / 3.0;
    c.flip = true;
    memset(c.init_sha256, 'a', 64);
    c.step_rule = EBMT_STEPS_VARIANCE;
    c.data = (ebmt_data_facts){.format = EBMT_FORMAT_CBDT, .crop = EBMT_CROP_CELEBA, .images = 7};
    assert_int_equal(ebmt_config_to_json(&c, &text, NULL), EBM_OK);
    assert_int_equal(ebmt_config_from_json(text, &back, NULL), EBM_OK);
    assert_int_equal(ebmt_config_to_json(&back, &again, NULL), EBM_OK);
    assert_string_equal(text, again);
    assert_true(back.lr == c.lr && back.seed == c.seed && back.flip &&
                back.network.ch_mult[3] == 7 && back.network.activation == EBM_ACT_SILU &&
                back.network.attention == 14);
    assert_true(back.data.format == EBMT_FORMAT_CBDT && back.data.crop == EBMT_CROP_CELEBA &&
                back.data.images == 7);
    ebm_free(text);
    ebm_free(again);
}

/* Checkpoints from before there was attention say nothing of it, and still fit. */
static void test_no_attention_is_not_said(void **state)
{
    const ebmt_config c = ebmt_config_default();
    ebmt_config back;
    char *text = NULL;
    (void)state;
    assert_int_equal(ebmt_config_to_json(&c, &text, NULL), EBM_OK);
    assert_null(strstr(text, "attention"));
    assert_int_equal(ebmt_config_from_json(text, &back, NULL), EBM_OK);
    assert_int_equal(back.network.attention, 0);
    ebm_free(text);
}

static void test_bad_json(void **state)
{
    static const char *const bad[] = {"", "[]", "{}", "null", "{\"ch\":32}", "{\"ch\":"};
    ebmt_config c;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(ebmt_config_from_json(bad[i], &c, NULL), EBM_ERR_FORMAT);
}

/* A wrong type in one field of a good configuration. */
static void test_wrong_types(void **state)
{
    static const struct {
        const char *from, *to, *where;
    } rows[] = {
        {"\"batch\": 64", "\"batch\": 1.5", "batch"},
        {"\"batch\": 64", "\"batch\": 99999999999", "batch"},
        {"\"flip\": false", "\"flip\": 0", "flip"},
        {"\"objective\": \"recovery\"", "\"objective\": \"recover\"", "objective"},
        {"\"seed\": 1", "\"seed\": -1", "seed"},
        {"\"ch_mult\": [1, 2, 2]", "\"ch_mult\": []", "ch_mult"},
        {"\"ch_mult\": [1, 2, 2]", "\"ch_mult\": [0]", "ch_mult"},
        {"\"init_sha256\": \"\"", "\"init_sha256\": \"abc\"", "init_sha256"},
        {"\"init_sha256\": \"\"", "\"init_sha256\": 7", "init_sha256"},
        {"\"lr\": ", "\"lx\": ", "lr"},
        {"{", "{\"attention\": 14.5, ", "attention"},
        {"{", "{\"attention\": \"14\", ", "attention"},
        {"{", "{\"attentive\": 14, ", "config"},
    };
    const ebmt_config c = ebmt_config_default();
    char *text = NULL, changed[4096];
    (void)state;
    assert_int_equal(ebmt_config_to_json(&c, &text, NULL), EBM_OK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ebmt_config out;
        ebm_error err = {0};
        const char *at = strstr(text, rows[i].from);
        assert_non_null(at);
        snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - text), text, rows[i].to,
                 at + strlen(rows[i].from));
        assert_int_equal(ebmt_config_from_json(changed, &out, &err), EBM_ERR_FORMAT);
        assert_string_equal(err.where, rows[i].where);
    }
    ebm_free(text);
}

static void test_bounds(void **state)
{
    ebmt_config bad[13];
    (void)state;
    for (int i = 0; i < 13; i++)
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
    for (int i = 0; i < 13; i++) {
        ebm_error err = {0};
        assert_int_equal(ebmt_config_check(&bad[i], &err), EBM_ERR_RANGE);
        assert_true(err.where[0] != 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default_is_the_paper),
        cmocka_unit_test(test_schedules),
        cmocka_unit_test(test_json_round_trip),
        cmocka_unit_test(test_no_attention_is_not_said),
        cmocka_unit_test(test_bad_json),
        cmocka_unit_test(test_wrong_types),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
