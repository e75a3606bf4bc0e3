/* Models whose levels are served by several sets of parameters: each level's passes are those of
 * the model that its set came from, bit for bit, also after a way through files. */
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
#include "ebm/session.h"
#include "ebmm/models.h"
#include "fail_alloc.h"
#include "random_net.h"
#include "temp_dir.h"

enum { LEVELS = 6, PARTS = 3, DIM = 64 };

static const int32_t first_level[PARTS] = {0, 2, 5};

/* Models of one network with other weights each, and one that is made of all. */
typedef struct fixture {
    char base[TEMP_PATH_MAX];
    ebm_model *part[PARTS], *whole;
} fixture;

/* A fresh model with the parameters of part 0. */
static ebm_model *begin(const fixture *f, const ebm_levels *levels)
{
    const ebm_model_info *info = ebm_model_describe(f->part[0]);
    ebm_graph *graph = NULL;
    ebm_model *m = NULL;
    assert_int_equal(ebmm_graph_build(&info->network, &graph, NULL), EBM_OK);
    assert_int_equal(ebm_model_create("whole", &info->network, graph,
                                      levels ? levels : info->levels, info->kernels, &m, NULL),
                     EBM_OK);
    ebm_model_set_params(m, ebm_model_params(f->part[0], 0));
    return m;
}

static ebm_status add(const fixture *f, ebm_model *m, int part, int32_t from, ebm_error *err)
{
    return ebm_model_add_expert(m, from, ebm_model_params(f->part[part], 0), err);
}

static int set_up(void **state)
{
    const ebm_network_config c = small_network_of(1, EBM_ACT_SILU);
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    assert_true(temp_dir_make(f->base));
    for (uint64_t i = 0; i < PARTS; i++)
        f->part[i] = random_net(&c, kernel_set("ref"), 3 + i);
    f->whole = begin(f, NULL);
    for (int i = 1; i < PARTS; i++)
        assert_int_equal(add(f, f->whole, i, first_level[i], NULL), EBM_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    for (int i = 0; i < PARTS; i++)
        ebm_model_unref(f->part[i]);
    ebm_model_unref(f->whole);
    temp_dir_remove(f->base);
    free(f);
    return 0;
}

static int part_of(int32_t level)
{
    return level < 2 ? 0 : level < 5 ? 1 : 2;
}

/* net and its gradient are those of the part, whichever level came before. */
static void check_passes(const fixture *f, ebm_model *m)
{
    float x[DIM], want[DIM], got[DIM];
    ebm_session *whole = NULL, *part[PARTS] = {NULL};
    random_floats(1, 0, DIM, x);
    assert_int_equal(ebm_session_create(m, NULL, &whole, NULL), EBM_OK);
    for (int i = 0; i < PARTS; i++)
        assert_int_equal(ebm_session_create(f->part[i], NULL, &part[i], NULL), EBM_OK);
    for (int32_t i = 0; i < 2 * LEVELS; i++) {
        const int32_t t = i * 5 % LEVELS;
        const float net = ebm_session_gradient(part[part_of(t)], x, t, want);
        assert_true(ebm_session_gradient(whole, x, t, got) == net);
        assert_memory_equal(got, want, sizeof want);
        assert_true(ebm_session_net(whole, x, t) == net);
    }
    for (int i = 0; i < PARTS; i++)
        ebm_session_free(part[i]);
    ebm_session_free(whole);
}

static void test_levels_have_their_expert(void **state)
{
    const fixture *f = *state;
    const ebm_model_info *info = ebm_model_describe(f->whole);
    const size_t bytes = info->graph->n_params * sizeof(float);
    assert_int_equal(info->n_experts, PARTS);
    assert_memory_equal(info->expert_from, first_level, sizeof first_level);
    for (int32_t t = 0; t < LEVELS; t++)
        assert_memory_equal(ebm_model_params(f->whole, t), ebm_model_params(f->part[part_of(t)], t),
                            bytes);
    check_passes(f, f->whole);
}

/* Forward over reverse: the tangent of a level's expert. */
static void test_tangents(void **state)
{
    const fixture *f = *state;
    const ebm_session_options tangent = {.tangent = true};
    float x[DIM], v[DIM];
    ebm_session *whole = NULL;
    random_floats(1, 0, DIM, x);
    random_floats(1, 1, DIM, v);
    assert_int_equal(ebm_session_create(f->whole, &tangent, &whole, NULL), EBM_OK);
    for (int32_t t = 0; t < LEVELS; t++) {
        ebm_session *part = NULL;
        assert_int_equal(ebm_session_create(f->part[part_of(t)], &tangent, &part, NULL), EBM_OK);
        ebm_session_net(whole, x, t);
        ebm_session_net(part, x, t);
        assert_true(ebm_session_tangent(whole, v) == ebm_session_tangent(part, v));
        ebm_session_free(part);
    }
    ebm_session_free(whole);
}

static void test_round_trip(void **state)
{
    const fixture *f = *state;
    const ebm_manifest_extra extra = {.version = "1"};
    ebm_model *m = NULL;
    assert_int_equal(ebm_model_save(f->whole, &extra, f->base, NULL), EBM_OK);
    assert_int_equal(ebmm_model_open(f->base, kernel_set("ref"), &m, NULL), EBM_OK);
    assert_int_equal(ebm_model_describe(m)->n_experts, PARTS);
    check_passes(f, m);
    ebm_model_unref(m);
    FOR_EACH_ALLOC_FAILURE
    {
        ebm_status st = ebmm_model_open(f->base, kernel_set("ref"), &m, NULL);
        assert_true((m != NULL) == (st == EBM_OK));
        ebm_model_unref(m);
    }
}

/* Files that do not fit together: tensors of one expert too many or too few, or of other levels,
 * which the digest of the weights therefore tells apart. */
static void test_other_experts(void **state)
{
    static const char own[] = "[0, 2, 5]";
    static const struct {
        const char *experts;
        ebm_status status;
        const char *where;
    } cases[] = {
        {"[0, 2, 5]", EBM_OK, ""},
        {"[0, 1, 5]", EBM_ERR_NOT_FOUND, "from1.temb0.weight"}, /* other levels, as many experts */
        {"[0, 2]", EBM_ERR_FORMAT, "from5.temb0.weight"},
        {"[0, 2, 4, 5]", EBM_ERR_NOT_FOUND, "from4.temb0.weight"},
    };
    const fixture *f = *state;
    const ebm_manifest_extra extra = {.version = "1"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char edited[8192];
        unsigned char *text = NULL;
        size_t n = 0;
        ebm_error err = {0};
        ebm_model *m = NULL;
        assert_int_equal(ebm_model_save(f->whole, &extra, f->base, NULL), EBM_OK);
        assert_int_equal(ebm_file_read(f->base, "model.json", sizeof edited, &text, &n, NULL),
                         EBM_OK);
        const char *all = (const char *)text, *at = strstr(all, own);
        assert_non_null(at);
        const char *behind = at + strlen(own);
        const int length = snprintf(edited, sizeof edited, "%.*s%s%.*s", (int)(at - all), all,
                                    cases[i].experts, (int)(all + n - behind), behind);
        ebm_free(text);
        assert_true(temp_dir_write(f->base, "model.json", edited, (size_t)length));
        assert_int_equal(ebmm_model_open(f->base, kernel_set("ref"), &m, &err), cases[i].status);
        assert_string_equal(err.where, cases[i].where);
        ebm_model_unref(m);
    }
}

/* Refused, and the model goes on as it was. */
static void test_bounds(void **state)
{
    static const int32_t bad[] = {-1, 0, 4, 5, 6, INT32_MAX};
    const fixture *f = *state;
    ebm_model *m = begin(f, NULL);
    ebm_error err = {0};
    assert_int_equal(add(f, m, 1, 5, NULL), EBM_OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(add(f, m, 2, bad[i], &err), EBM_ERR_RANGE);
        assert_string_equal(err.where, "experts");
    }
    assert_int_equal(ebm_model_describe(m)->n_experts, 2);
    ebm_model_unref(m);
    m = begin(f, NULL);
    FOR_EACH_ALLOC_FAILURE
    {
        const int32_t n = ebm_model_describe(m)->n_experts;
        if (n < 2 && add(f, m, 1, 1, NULL) != EBM_OK)
            assert_int_equal(ebm_model_describe(m)->n_experts, n);
    }
    assert_int_equal(ebm_model_describe(m)->n_experts, 2);
    ebm_model_unref(m);
}

/* Eight experts, each from the next level on, and no ninth. */
static void test_most_experts(void **state)
{
    const fixture *f = *state;
    ebm_schedule_t6 schedule = ebm_schedule_t6_default();
    ebm_levels levels;
    schedule.count = 10;
    assert_int_equal(ebm_levels_t6(&schedule, &levels, NULL), EBM_OK);
    ebm_model *m = begin(f, &levels);
    for (int32_t i = 1; i < EBM_MAX_EXPERTS; i++)
        assert_int_equal(add(f, m, 1, i, NULL), EBM_OK);
    assert_int_equal(add(f, m, 1, EBM_MAX_EXPERTS, NULL), EBM_ERR_LIMIT);
    assert_int_equal(ebm_model_describe(m)->n_params,
                     EBM_MAX_EXPERTS * ebm_model_describe(f->part[0])->n_params);
    ebm_model_unref(m);
    ebm_levels_clear(&levels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels_have_their_expert),
        cmocka_unit_test(test_tangents),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_other_experts),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_most_experts),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
