/* Receipts: every value comes back through JSON, company leaves no trace, strange text is refused;
 * lists of models. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ebm/io.h"
#include "ebm/memory.h"
#include "ebm/receipt.h"
#include "fail_alloc.h"

enum { DIM = 4 };

static const char digest[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
static const char levels[] = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";

/* A run of an operation whose every number differs from its default. The second model's levels are
 * not known, as in older receipts. */
static void make(ebm_op_kind kind, ebm_receipt *r)
{
    const float image[DIM] = {0.1f, 0.2f}, known[DIM] = {1.0f};
    ebm_call call = {.operation = ebm_operation_of(kind), .image = image, .known = known};
    ebm_op_params_default(call.operation, &call.params);
    for (size_t i = 0; i < call.operation->n_params; i++) {
        const ebm_param *row = &call.operation->params[i];
        double v = row->type == EBM_PARAM_REAL ? row->min + (row->max - row->min) / 3.0 : row->max;
        if (row->type == EBM_PARAM_INT)
            v = row->min + 1.0 + (double)i;
        ebm_param_store(row, v, &call.params);
    }
    ebm_receipt_begin(&call, DIM, r);
    r->n_models = 2;
    r->model[0] = (ebm_weighted){"a", 1.5};
    r->model[1] = (ebm_weighted){"b", -0.1};
    memcpy(r->sha256[0], digest, 65);
    memcpy(r->sha256[1], digest, 65);
    memcpy(r->levels_sha256[0], levels, 65);
    memcpy(r->kernel_class, "f32-fma", 8);
}

static void test_round_trip(void **state)
{
    const uint8_t pixels[DIM] = {1, 2, 3, 4};
    (void)state;
    for (int k = EBM_OP_SAMPLE; k <= EBM_OP_INTERPOLATE; k++) {
        ebm_receipt run, item, back;
        char *text;
        make((ebm_op_kind)k, &run);
        ebm_receipt_item(&run, 3, 0, pixels, sizeof pixels, &item);
        assert_int_equal(ebm_receipt_text(&item, &text, NULL), EBM_OK);
        assert_int_equal(ebm_receipt_parse(text, strlen(text), &back, NULL), EBM_OK);
        assert_ptr_equal(back.operation, ebm_operation_of((ebm_op_kind)k));
        for (size_t i = 0; i < back.operation->n_params; i++) {
            const ebm_param *row = &back.operation->params[i];
            if (ebm_param_number(row, &back.params) != ebm_param_number(row, &item.params))
                fail_msg("%s of %s is lost", row->name, back.operation->name);
        }
        assert_int_equal(back.n_models, 2);
        assert_memory_equal(back.model, item.model, 2 * sizeof back.model[0]);
        assert_string_equal(back.levels_sha256[0], levels);
        assert_string_equal(back.levels_sha256[1], "");
        assert_string_equal(back.inputs.image, item.inputs.image);
        assert_string_equal(back.inputs.image_b, "");
        assert_string_equal(back.inputs.known, item.inputs.known);
        assert_string_equal(back.pixels_sha256, item.pixels_sha256);
        assert_string_equal(back.kernel_class, "f32-fma");
        assert_int_equal(back.item, k == EBM_OP_INTERPOLATE ? 3 : 0);
        ebm_free(text);
    }
}

/* Item 3 of many has the receipt of item 0 of a run of one that begins there. */
static void test_company_leaves_no_trace(void **state)
{
    const uint8_t pixels[DIM] = {0};
    (void)state;
    for (int k = EBM_OP_SAMPLE; k <= EBM_OP_MCMC; k++) {
        ebm_receipt many, one, a, b;
        char *text_a, *text_b;
        make((ebm_op_kind)k, &many);
        make((ebm_op_kind)k, &one);
        one.params.n = one.params.chains = one.params.thin = 1;
        one.params.first_index = many.params.first_index + 3;
        ebm_receipt_item(&many, 3, 77, pixels, sizeof pixels, &a);
        ebm_receipt_item(&one, 0, 77, pixels, sizeof pixels, &b);
        assert_int_equal(a.params.steps, k == EBM_OP_MCMC ? 77 : 0);
        assert_int_equal(ebm_receipt_text(&a, &text_a, NULL), EBM_OK);
        assert_int_equal(ebm_receipt_text(&b, &text_b, NULL), EBM_OK);
        assert_string_equal(text_a, text_b);
        ebm_free(text_a);
        ebm_free(text_b);
    }
}

static void test_digest_of_models(void **state)
{
    ebm_receipt r;
    char one[65], two[65], other[65];
    (void)state;
    make(EBM_OP_SAMPLE, &r);
    ebm_receipt_model_digest(&r, two);
    r.model[1].weight = -0.2;
    ebm_receipt_model_digest(&r, other);
    assert_string_not_equal(two, other);
    r.n_models = 1;
    ebm_receipt_model_digest(&r, other);
    assert_string_not_equal(other, digest); /* weight 1.5 is not the model itself */
    r.model[0].weight = 1.0;
    ebm_receipt_model_digest(&r, one);
    assert_string_equal(one, digest);
}

/* Weights and levels both decide what a chain is; the digest of the weights alone stays theirs. */
static void test_digest_of_chains(void **state)
{
    ebm_receipt r;
    char whole[65], other[65];
    (void)state;
    make(EBM_OP_SAMPLE, &r);
    ebm_receipt_chain_digest(&r, whole);
    r.levels_sha256[0][3] = '0';
    ebm_receipt_chain_digest(&r, other);
    assert_string_not_equal(whole, other);
    make(EBM_OP_SAMPLE, &r);
    r.sha256[1][3] = '0';
    ebm_receipt_chain_digest(&r, other);
    assert_string_not_equal(whole, other);
    r.n_models = EBM_COMPOSE_MAX_PARTS; /* as long as a list may be */
    for (int i = 0; i < EBM_COMPOSE_MAX_PARTS; i++) {
        memcpy(r.sha256[i], digest, 65);
        memcpy(r.levels_sha256[i], levels, 65);
    }
    ebm_receipt_chain_digest(&r, other);
    assert_int_equal(strlen(other), 64);
}

static void test_same_models(void **state)
{
    ebm_receipt now, then;
    ebm_error err = {0};
    (void)state;
    make(EBM_OP_SAMPLE, &now);
    make(EBM_OP_SAMPLE, &then);
    memcpy(now.levels_sha256[1], levels, 65); /* of which the older receipt says nothing */
    assert_int_equal(ebm_receipt_same_models(&now, &then, NULL), EBM_OK);
    then.levels_sha256[0][3] = '0';
    assert_int_equal(ebm_receipt_same_models(&now, &then, &err), EBM_ERR_DIGEST);
    assert_string_equal(err.where, "a");
    assert_non_null(strstr(err.text, "levels"));
    make(EBM_OP_SAMPLE, &then);
    then.sha256[1][3] = '0';
    err = (ebm_error){0};
    assert_int_equal(ebm_receipt_same_models(&now, &then, &err), EBM_ERR_DIGEST);
    assert_string_equal(err.where, "b");
    assert_non_null(strstr(err.text, "weights"));
    then.n_models = 1;
    assert_int_equal(ebm_receipt_same_models(&now, &then, NULL), EBM_ERR_DIGEST);
}

/* Steps of the same class change nothing; once there were two classes, none makes the run again. */
static void test_classes(void **state)
{
    ebm_receipt r;
    (void)state;
    make(EBM_OP_MCMC, &r);
    ebm_receipt_add_class(&r, "f32-fma");
    assert_true(ebm_receipt_of_one_class(&r));
    assert_string_equal(r.kernel_class, "f32-fma");
    ebm_receipt_add_class(&r, "ref");
    assert_false(ebm_receipt_of_one_class(&r));
    assert_string_equal(r.kernel_class, "several");
    make(EBM_OP_MCMC, &r);
    ebm_receipt_add_class(&r, "several"); /* of chains that have gone on so before */
    assert_false(ebm_receipt_of_one_class(&r));
    ebm_receipt_add_class(&r, "f32-fma");
    assert_false(ebm_receipt_of_one_class(&r));
}

/* Texts with one thing replaced by another. */
static const struct {
    const char *find, *put;
    ebm_status want;
} changes[] = {
    {"\"format\":1", "\"format\":2", EBM_ERR_FORMAT},
    {"\"operation\":\"sample\"", "\"operation\":\"energy\"", EBM_ERR_FORMAT},
    {"\"operation\":\"sample\"", "\"operation\":\"sampel\"", EBM_ERR_FORMAT},
    {"\"item\":0", "\"item\":-1", EBM_ERR_FORMAT},
    {"\"item\":0", "\"item\":0.5", EBM_ERR_FORMAT},
    {"\"n\":1", "\"n\":65", EBM_ERR_RANGE},
    {"\"n\":1", "\"n\":\"1\"", EBM_ERR_FORMAT},
    {"\"n\":1", "\"m\":1", EBM_ERR_FORMAT},
    {"\"n\":1", "\"n\":1,\"n\":1", EBM_ERR_FORMAT},
    {"\"fit\":\"crop\"", "\"fit\":\"cro\"", EBM_ERR_RANGE},
    {"\"id\":\"a\"", "\"id\":\"../a\"", EBM_ERR_FORMAT},
    {"\"weight\":1.5", "\"weight\":0", EBM_ERR_RANGE},
    {"\"weight\":1.5", "\"weight\":1e300", EBM_ERR_RANGE},
    {"\"sha256\":\"0", "\"sha256\":\"", EBM_ERR_FORMAT},
    {"\"levels_sha256\":\"f", "\"levels_sha256\":\"F", EBM_ERR_FORMAT},
    {"\"levels_sha256\":\"f", "\"levels_sha256\":\"", EBM_ERR_FORMAT},
    {"\"levels_sha256\":\"f", "\"levels_sha256\":0,\"x\":\"f", EBM_ERR_FORMAT},
    {"\"kernel_class\":\"f32-fma\"", "\"kernel_class\":\"f32-fma-f32-fma-f32-fma-f32-fma-f32\"",
     EBM_ERR_FORMAT},
    {"\"params\":{", "\"params\":[{", EBM_ERR_FORMAT},
};

static void test_strange_texts(void **state)
{
    const uint8_t pixels[DIM] = {0};
    ebm_receipt run, item, back;
    char *text, changed[2048];
    (void)state;
    make(EBM_OP_SAMPLE, &run);
    ebm_receipt_item(&run, 0, 0, pixels, sizeof pixels, &item);
    assert_int_equal(ebm_receipt_text(&item, &text, NULL), EBM_OK);
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        const char *at = strstr(text, changes[i].find);
        assert_non_null(at);
        int n = snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - text), text,
                         changes[i].put, at + strlen(changes[i].find));
        if (ebm_receipt_parse(changed, (size_t)n, &back, NULL) != changes[i].want)
            fail_msg("%s", changes[i].put);
    }
    for (size_t n = 0; n < strlen(text); n++)
        assert_int_not_equal(ebm_receipt_parse(text, n, &back, NULL), EBM_OK);
    FOR_EACH_ALLOC_FAILURE
    {
        char *again;
        ebm_status st = ebm_receipt_text(&item, &again, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        ebm_free(again);
    }
    ebm_free(text);
}

static void test_model_lists(void **state)
{
    static const char *const bad[] = {"",      ",",      "a,",   "a:",    "a:x",  "a:0",
                                      "a:1e9", "a:nan",  "a: 1", "a:1:2", "A",    "../a",
                                      "a,a",   "a:0x10", "a:1e", "a:--1", "a,b,", "a b"};
    ebm_weighted list[EBM_COMPOSE_MAX_PARTS];
    int32_t n;
    (void)state;
    assert_int_equal(ebm_model_list_parse("a-1", list, &n, NULL), EBM_OK);
    assert_true(n == 1 && list[0].weight == 1.0);
    assert_int_equal(ebm_model_list_parse("a:1.0,b:-0.5,c", list, &n, NULL), EBM_OK);
    assert_int_equal(n, 3);
    assert_true(list[1].weight == -0.5 && list[2].weight == 1.0);
    assert_string_equal(list[1].id, "b");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (ebm_model_list_parse(bad[i], list, &n, NULL) == EBM_OK)
            fail_msg("'%s' was taken", bad[i]);
    assert_int_equal(ebm_model_list_parse("a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", list, &n, NULL),
                     EBM_ERR_ARG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),       cmocka_unit_test(test_company_leaves_no_trace),
        cmocka_unit_test(test_digest_of_models), cmocka_unit_test(test_strange_texts),
        cmocka_unit_test(test_digest_of_chains), cmocka_unit_test(test_same_models),
        cmocka_unit_test(test_classes),          cmocka_unit_test(test_model_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
