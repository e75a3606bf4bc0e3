/* Tests of train/src/cli/bench_model.c: short names of networks, and the random ones made of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/bench.h"
#include "ebm/session.h"
#include "fail_alloc.h"

static ebmt__bench_args args_of(const char *network)
{
    return (ebmt__bench_args){.network = network, .kernels = "ref", .levels = 6, .steps = 30};
}

static void reads_every_field(void **state)
{
    (void)state;
    ebm_network_config c;
    ebm_error err = {0};
    assert_int_equal(ebmt__bench_network(
                         "size=32,channels=3,mult=1:2:4:8,ch=64,blocks=3,attention=16", &c, &err),
                     EBM_OK);
    assert_int_equal(c.width, 32);
    assert_int_equal(c.height, 32);
    assert_int_equal(c.channels, 3);
    assert_int_equal(c.ch, 64);
    assert_int_equal(c.num_res_blocks, 3);
    assert_int_equal(c.attention, 16);
    assert_int_equal(c.n_mult, 4);
    assert_int_equal(c.ch_mult[3], 8);
}

static void keeps_defaults(void **state)
{
    (void)state;
    ebm_network_config c;
    ebm_error err = {0};
    assert_int_equal(ebmt__bench_network("ch=16", &c, &err), EBM_OK);
    assert_int_equal(c.ch, 16);
    assert_int_equal(c.width, 28);
    assert_int_equal(c.n_mult, 3);
    assert_int_equal(c.ch_mult[2], 2);
    assert_int_equal(c.num_res_blocks, 2);
    assert_string_equal(c.architecture, "drl-resnet");
    assert_int_equal(c.activation, EBM_ACT_LEAKY_RELU);
}

static void reads_words(void **state)
{
    (void)state;
    ebm_network_config c;
    ebm_error err = {0};
    assert_int_equal(ebmt__bench_network("unet,ch=16,silu", &c, &err), EBM_OK);
    assert_string_equal(c.architecture, "drl-unet");
    assert_int_equal(c.activation, EBM_ACT_SILU);
    assert_int_equal(c.ch, 16);
}

static void refuses_what_is_not_a_network(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",         "ch",          "ch=",      "ch=-1",   "ch=0x10",
        "ch=1e3",   "ch=1234567",  "ch=8,",    ",ch=8",   "ch=8,,size=8",
        "ch=8 ",    "width=8",     "mult=",    "mult=1:", "mult=:1",
        "mult=1:a", "ch=8;size=8", "mult=1,2", "ch=8:2",  "mult=1:1:1:1:1:1:1:1:1",
        "unet=1",   "unets",       "silu8",    "relu",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        ebm_network_config c;
        ebm_error err = {0};
        ebm_status st = ebmt__bench_network(texts[i], &c, &err);
        if (st != EBM_ERR_ARG)
            fail_msg("'%s' gave %d", texts[i], (int)st);
        assert_string_equal(err.where, "--network");
    }
}

/* Sizes that the parser lets through are the graph builder's to refuse. */
static void refuses_sizes_without_a_graph(void **state)
{
    (void)state;
    static const char *const texts[] = {"ch=0",     "ch=999999",  "size=0",   "size=1",
                                        "blocks=0", "channels=0", "mult=0:1", "attention=15"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        ebmt__bench_args args = args_of(texts[i]);
        ebm_model *model = NULL;
        ebm_error err = {0};
        if (ebmt__bench_model(&args, &model, &err) == EBM_OK)
            fail_msg("'%s' was built", texts[i]);
        assert_null(model);
        assert_true(err.text[0] != '\0');
    }
}

/* A network without signal would be timed on zeros and denormal numbers. */
static void random_weights_carry_a_signal(void **state)
{
    (void)state;
    ebmt__bench_args args = args_of("ch=8,mult=1:2,blocks=1,size=8");
    ebm_model *model = NULL;
    ebm_session *session = NULL;
    ebm_error err = {0};
    float x[64], grad[64];
    double sum = 0.0;
    assert_int_equal(ebmt__bench_model(&args, &model, &err), EBM_OK);
    assert_int_equal(ebm_session_create(model, NULL, &session, &err), EBM_OK);
    for (int i = 0; i < 64; i++)
        x[i] = (float)(i % 7) / 3.5f - 1.0f;
    (void)ebm_session_gradient(session, x, 3, grad);
    for (int i = 0; i < 64; i++)
        sum += (double)grad[i] * (double)grad[i];
    assert_true(sum / 64.0 > 1e-4 && sum / 64.0 < 1e4);
    ebm_session_free(session);
    ebm_model_unref(model);
}

/* One convolution from 1 to 4 channels, then a block of 4 to 4: 4*9*(4 + 16 + 16)*64. Attention
 * adds four layers of 4 to 4, 4*4*16*64, and six products of 64 by 64 pixels over 4 channels. */
static void counts_operations(void **state)
{
    static const struct {
        const char *network;
        double flop;
    } rows[] = {{"ch=4,mult=1,blocks=1,size=8", 82944.0},
                {"ch=4,mult=1,blocks=1,size=8,attention=8", 82944.0 + 16384.0 + 196608.0}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ebmt__bench_args args = args_of(rows[i].network);
        ebm_model *model = NULL;
        ebm_error err = {0};
        assert_int_equal(ebmt__bench_model(&args, &model, &err), EBM_OK);
        assert_true(ebmt__bench_flop(ebm_model_describe(model)->graph) == rows[i].flop);
        ebm_model_unref(model);
    }
}

static void survives_failing_allocations(void **state)
{
    (void)state;
    FOR_EACH_ALLOC_FAILURE
    {
        ebmt__bench_args args = args_of("ch=4,mult=1,blocks=1,size=8");
        ebm_model *model = NULL;
        ebm_error err = {0};
        ebm_status st = ebmt__bench_model(&args, &model, &err);
        assert_true((st == EBM_OK) == (model != NULL));
        ebm_model_unref(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_field),
        cmocka_unit_test(keeps_defaults),
        cmocka_unit_test(reads_words),
        cmocka_unit_test(refuses_what_is_not_a_network),
        cmocka_unit_test(refuses_sizes_without_a_graph),
        cmocka_unit_test(random_weights_carry_a_signal),
        cmocka_unit_test(counts_operations),
        cmocka_unit_test(survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
