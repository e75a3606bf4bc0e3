/* Opening model directories: the round trip, and everything in the files that must be refused
 * (truncated, renamed, reshaped, poisoned weights; digests; links that lead out). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>
#include <unistd.h>

#include "ebm/io.h"
#include "ebm/memory.h"
#include "ebm/session.h"
#include "ebmm/models.h"
#include "fail_alloc.h"
#include "random_net.h"
#include "temp_dir.h"

/* A saved model, with its two files in memory so that they can be damaged. */
typedef struct fixture {
    char base[TEMP_PATH_MAX], dir[TEMP_PATH_MAX];
    ebm_model *model;
    unsigned char *manifest, *weights;
    size_t manifest_size, weights_size;
} fixture;

static const ebm_manifest_extra extra = {
    .version = "1", .title = "A test", .licence = "none", .training_json = "{\"x\":[1,2]}"};

static int set_up(void **state)
{
    const ebm_network_config c = small_network();
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    assert_true(temp_dir_make(f->base));
    memcpy(f->dir, f->base, sizeof f->dir);
    f->model = random_net(&c, kernel_set("blas"), 3);
    assert_int_equal(ebm_model_save(f->model, &extra, f->dir, NULL), EBM_OK);
    assert_int_equal(
        ebm_file_read(f->dir, "model.json", 1 << 20, &f->manifest, &f->manifest_size, NULL), 0);
    assert_int_equal(
        ebm_file_read(f->dir, "model.safetensors", 1 << 24, &f->weights, &f->weights_size, NULL),
        0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    temp_dir_remove(f->base);
    ebm_model_unref(f->model);
    ebm_free(f->manifest);
    ebm_free(f->weights);
    free(f);
    return 0;
}

static ebm_status open_status(const fixture *f, ebm_error *err)
{
    ebm_model *m = (ebm_model *)1;
    ebm_error own = {0};
    ebm_status st = ebmm_model_open(f->dir, kernel_set("ref"), &m, err ? err : &own);
    assert_true((m != NULL) == (st == EBM_OK));
    ebm_model_unref(m);
    return st;
}

/* Puts other weights beside a manifest that names their digest. */
static void write_weights(const fixture *f, const unsigned char *data, size_t size)
{
    char digest[65], *json = malloc(f->manifest_size + 1), *at;
    assert_non_null(json);
    memcpy(json, f->manifest, f->manifest_size);
    json[f->manifest_size] = 0;
    at = strstr(json, "\"sha256\": \"");
    assert_non_null(at);
    ebm_sha256_hex(data, size, digest);
    memcpy(at + strlen("\"sha256\": \""), digest, 64);
    assert_true(temp_dir_write(f->dir, "model.json", json, f->manifest_size));
    assert_true(temp_dir_write(f->dir, "model.safetensors", data, size));
    free(json);
}

static void test_round_trip(void **state)
{
    const fixture *f = *state;
    ebm_model *m = NULL;
    char levels[65];
    assert_int_equal(ebmm_model_open(f->dir, kernel_set("blas"), &m, NULL), EBM_OK);
    const ebm_model_info *a = ebm_model_describe(f->model), *b = ebm_model_describe(m);
    assert_int_equal(a->graph->n_params, b->graph->n_params);
    assert_memory_equal(ebm_model_params(f->model, 0), ebm_model_params(m, 0),
                        a->graph->n_params * sizeof(float));
    assert_string_equal(b->id, "random");
    assert_string_equal(b->title, "A test");
    assert_int_equal(b->levels->count, 6);
    for (int t = 0; t < 6; t++)
        assert_true(a->levels->step2[t] == b->levels->step2[t] &&
                    a->levels->sbar[t] == b->levels->sbar[t]);
    assert_true(b->levels->noise_scale == 0.99);
    assert_int_equal(strlen(b->sha256), 64);
    assert_int_equal(ebm_levels_digest(b->levels, levels, NULL), EBM_OK);
    assert_string_equal(b->levels_sha256, levels);
    assert_string_equal(a->levels_sha256, levels); /* tables lose nothing as text */
    ebm_model_unref(m);
}

/* A manifest that cannot be written leaves the model that was there. */
static void test_refused_save(void **state)
{
    const fixture *f = *state;
    const ebm_network_config c = small_network();
    const ebm_manifest_extra bad = {.version = "2", .title = "two\nlines"};
    ebm_model *other = random_net(&c, kernel_set("blas"), 4);
    assert_int_not_equal(ebm_model_save(other, &bad, f->dir, NULL), EBM_OK);
    assert_int_equal(open_status(f, NULL), EBM_OK);
    ebm_model_unref(other);
}

/* Opens and tells whose parameters these are: 0 those of f->model, 1 those of other, -1 refused. */
static int opened(const fixture *f, const ebm_model *other)
{
    ebm_model *m = NULL;
    if (ebmm_model_open(f->dir, kernel_set("ref"), &m, NULL) != EBM_OK)
        return -1;
    const float *p = ebm_model_params(m, 0);
    const size_t n = ebm_model_describe(m)->n_params * sizeof *p;
    const bool mine = memcmp(p, ebm_model_params(f->model, 0), n) == 0;
    assert_true(mine || memcmp(p, ebm_model_params(other, 0), n) == 0);
    ebm_model_unref(m);
    return mine ? 0 : 1;
}

static void remove_file(const fixture *f, const char *name)
{
    char path[TEMP_PATH_MAX];
    assert_true(temp_dir_join(f->dir, name, path));
    assert_int_equal(unlink(path), 0);
}

/* A save over an older model, cut short between any two of its steps: one of both opens, whole. */
static void test_save_cut_short(void **state)
{
    static const char zeros[4 << 20]; /* more than a network of this size may have */
    const fixture *f = *state;
    const ebm_network_config c = small_network();
    ebm_model *other = random_net(&c, kernel_set("blas"), 4);
    unsigned char *json, *weights;
    size_t json_size, size;
    assert_int_equal(ebm_model_save(other, &extra, f->dir, NULL), EBM_OK);
    assert_int_equal(temp_dir_count(f->dir), 2);
    assert_int_equal(opened(f, other), 1);
    assert_int_equal(ebm_file_read(f->dir, "model.json", 1 << 20, &json, &json_size, NULL), EBM_OK);
    assert_int_equal(ebm_file_read(f->dir, "model.safetensors", 1 << 24, &weights, &size, NULL),
                     EBM_OK);

    assert_true(temp_dir_write(f->dir, "model.json", f->manifest, f->manifest_size));
    assert_true(temp_dir_write(f->dir, "model.safetensors", f->weights, f->weights_size));
    assert_true(temp_dir_write(f->dir, "model.safetensors.new", weights, size));
    assert_int_equal(opened(f, other), 0);
    assert_true(temp_dir_write(f->dir, "model.json", json, json_size));
    assert_int_equal(opened(f, other), 1);
    assert_true(temp_dir_write(f->dir, "model.safetensors", zeros, sizeof zeros));
    assert_int_equal(opened(f, other), 1);
    remove_file(f, "model.safetensors");
    assert_int_equal(opened(f, other), 1);
    assert_true(temp_dir_write(f->dir, "model.safetensors.new", weights, size - 1));
    assert_int_equal(opened(f, other), -1);
    assert_true(temp_dir_write(f->dir, "model.safetensors", f->weights, f->weights_size));
    ebm_error err = {0};
    assert_int_equal(open_status(f, &err), EBM_ERR_DIGEST);
    assert_string_equal(err.where, "model.safetensors");

    assert_int_equal(ebm_model_save(f->model, &extra, f->dir, NULL), EBM_OK);
    assert_int_equal(temp_dir_count(f->dir), 2);
    assert_int_equal(opened(f, other), 0);
    ebm_free(json);
    ebm_free(weights);
    ebm_model_unref(other);
}

static float net_of(ebm_model *m)
{
    static const float x[64] = {0.5f, -0.5f};
    ebm_session *s = NULL;
    assert_int_equal(ebm_session_create(m, NULL, &s, NULL), EBM_OK);
    const float net = ebm_session_net(s, x, 1);
    ebm_session_free(s);
    return net;
}

/* Sessions never read the parameters again; what would need them is refused. */
static void test_sealed(void **state)
{
    const fixture *f = *state;
    ebm_model *m = NULL;
    assert_int_equal(ebmm_model_open(f->dir, kernel_set("blas"), &m, NULL), EBM_OK);
    ebm_model_seal(m);
    ebm_model_seal(m); /* again: nothing */
    assert_null(ebm_model_params(m, 0));
    assert_true(net_of(m) == net_of(f->model));
    assert_int_equal(ebm_model_save(m, &extra, f->dir, NULL), EBM_ERR_ARG);
    assert_int_equal(open_status(f, NULL), EBM_OK);
    ebm_model_unref(m);
}

static void test_ids(void **state)
{
    static const char *const good[] = {"a", "0", "fashion-mnist", "a.b_c-d", "v1.0"};
    static const char *const bad[] = {"",     ".a",  "-a",       "a..b", "A",     "a/b",
                                      "../x", "a b", "\xc3\xa9", "a\n",  "a%2fb", "_a"};
    char longest[EBM_MODEL_ID_MAX + 2];
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(ebm_model_id_valid(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(ebm_model_id_valid(bad[i]));
    memset(longest, 'a', sizeof longest);
    longest[EBM_MODEL_ID_MAX + 1] = 0;
    assert_false(ebm_model_id_valid(longest));
    longest[EBM_MODEL_ID_MAX] = 0;
    assert_true(ebm_model_id_valid(longest));
}

/* W14: the weights cut off at every 64th byte, with and without a matching digest. */
static void test_truncated_weights(void **state)
{
    const fixture *f = *state;
    for (size_t size = 0; size < f->weights_size; size += 64) {
        assert_true(temp_dir_write(f->dir, "model.safetensors", f->weights, size));
        assert_int_equal(open_status(f, NULL), EBM_ERR_DIGEST);
        write_weights(f, f->weights, size);
        assert_int_equal(open_status(f, NULL), EBM_ERR_FORMAT);
        assert_true(temp_dir_write(f->dir, "model.json", f->manifest, f->manifest_size));
    }
}

/* How one tensor of the saved model is changed before it is written again. */
typedef struct change {
    const char *name;
    const char *renamed; /* NULL: left out */
    int64_t last_dim;    /* 0: as it was; otherwise split or merged into this */
    float poison;        /* 0: as it was */
    ebm_status expected;
    const char *where;
} change;

static void write_changed(const fixture *f, const change *c, bool extra_tensor)
{
    const ebm_graph_info *g = ebm_model_describe(f->model)->graph;
    size_t n = 0, size;
    unsigned char *data;
    ebm_st_item *items = calloc((size_t)g->n_tensors + 1, sizeof *items);
    float *params = malloc(g->n_params * sizeof *params);
    assert_true(items && params);
    memcpy(params, ebm_model_params(f->model, 0), g->n_params * sizeof *params);
    for (int32_t i = 0; i < g->n_tensors; i++) {
        const ebm_tensor_info *t = &g->tensors[i];
        bool chosen = c && strcmp(t->name, c->name) == 0;
        if (chosen && !c->renamed)
            continue;
        items[n] = (ebm_st_item){
            .name = chosen ? c->renamed : t->name, .rank = t->rank, .values = params + t->offset};
        for (int32_t d = 0; d < t->rank; d++)
            items[n].dim[d] = t->dim[d];
        if (chosen && c->last_dim) {
            items[n].rank = 2;
            items[n].dim[0] = (int64_t)t->count / c->last_dim;
            items[n].dim[1] = c->last_dim;
        }
        if (chosen && c->poison != 0.0f)
            params[t->offset + t->count - 1] = c->poison;
        n++;
    }
    if (extra_tensor)
        items[n++] = (ebm_st_item){.name = "stowaway", .rank = 1, .dim = {1}, .values = params};
    assert_int_equal(ebm_safetensors_build(items, n, NULL, 0, &data, &size, NULL), EBM_OK);
    write_weights(f, data, size);
    ebm_free(data);
    free(items);
    free(params);
}

static void test_wrong_tensors(void **state)
{
    static const change changes[] = {
        {"conv_in.weight", NULL, 0, 0, EBM_ERR_NOT_FOUND, "conv_in.weight"},
        {"levels.1.0.gain", "levels.1.0.gian", 0, 0, EBM_ERR_NOT_FOUND, "levels.1.0.gain"},
        {"conv_in.weight", "conv_in.weight", 3, 0, EBM_ERR_SHAPE, "conv_in.weight"},
        {"temb0.weight", "temb0.weight", 2, 0, EBM_ERR_SHAPE, "temb0.weight"},
        {"temb_out.bias", "temb_out.bias", 0, NAN, EBM_ERR_FORMAT, NULL},
        {"conv_in.bias", "conv_in.bias", 0, INFINITY, EBM_ERR_FORMAT, NULL},
        {"conv_in.bias", "conv_in.bias", 0, -INFINITY, EBM_ERR_FORMAT, NULL},
    };
    const fixture *f = *state;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        ebm_error err = {0};
        write_changed(f, &changes[i], false);
        assert_int_equal(open_status(f, &err), changes[i].expected);
        assert_string_equal(err.where, changes[i].where ? changes[i].where : changes[i].name);
    }
    ebm_error err = {0};
    write_changed(f, NULL, true);
    assert_int_equal(open_status(f, &err), EBM_ERR_FORMAT);
    assert_string_equal(err.where, "stowaway");
    write_changed(f, NULL, false);
    assert_int_equal(open_status(f, NULL), EBM_OK);
}

static void test_missing_files_and_links(void **state)
{
    const fixture *f = *state;
    char path[TEMP_PATH_MAX], outside[TEMP_PATH_MAX + 16];
    ebm_error err = {0};
    assert_true(temp_dir_join(f->dir, "model.safetensors", path));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(open_status(f, &err), EBM_ERR_NOT_FOUND);
    assert_non_null(strstr(err.where, "model.safetensors"));
    /* the right bytes behind a link that leads out of the directory */
    snprintf(outside, sizeof outside, "%s.outside", f->dir);
    FILE *file = fopen(outside, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(f->weights, 1, f->weights_size, file), f->weights_size);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(symlink(outside, path), 0);
    assert_int_not_equal(open_status(f, NULL), EBM_OK);
    assert_int_equal(unlink(outside), 0);
    assert_true(temp_dir_join(f->dir, "model.json", path));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(open_status(f, NULL), EBM_ERR_NOT_FOUND);
}

/* An architecture that this build does not have. */
static void test_unknown_architecture(void **state)
{
    const fixture *f = *state;
    const ebm_model_options opt = {.dir = f->dir, .kernels = kernel_set("ref")};
    ebm_model *m = (ebm_model *)1;
    ebm_error err = {0};
    assert_int_equal(ebm_model_open(&opt, &m, &err), EBM_ERR_NOT_FOUND);
    assert_null(m);
    assert_string_equal(err.where, "/architecture");
}

/* A manifest may ask for any network; memory is given to one whose weights are there. */
static void test_weights_of_a_smaller_network(void **state)
{
    const fixture *f = *state;
    const size_t before = f->manifest_size;
    char *json = calloc(1, before + 16), *at;
    ebm_error err = {0};
    assert_non_null(json);
    memcpy(json, f->manifest, before);
    at = strstr(json, "\"ch\": ");
    assert_non_null(at);
    at += strlen("\"ch\": ");
    memmove(at + 3, at + strcspn(at, ","), strlen(at + strcspn(at, ",")) + 1);
    memcpy(at, "512", 3); /* tens of millions of parameters */
    assert_true(temp_dir_write(f->dir, "model.json", json, strlen(json)));
    fail_alloc_reset();
    assert_int_equal(open_status(f, &err), EBM_ERR_SHAPE);
    assert_in_range(fail_alloc_bytes(), f->weights_size, f->weights_size + (4u << 20));
    free(json);
}

/* A file of holes costs nobody who sends it anything: no more is read than the network can have. */
static void test_weights_file_beyond_the_network(void **state)
{
    const fixture *f = *state;
    char path[TEMP_PATH_MAX];
    ebm_error err = {0};
    assert_true(temp_dir_join(f->dir, "model.safetensors", path));
    assert_int_equal(truncate(path, 1 << 28), 0);
    fail_alloc_reset();
    assert_int_equal(open_status(f, &err), EBM_ERR_LIMIT);
    assert_in_range(fail_alloc_bytes(), 1, 4 << 20);
}

/* jansson and others allocate too, inside shared libraries; what our own code asks for may fail
 * at every point. */
static void test_every_allocation_may_fail(void **state)
{
    const fixture *f = *state;
    FOR_EACH_ALLOC_FAILURE
    {
        ebm_status st = open_status(f, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_round_trip),
        TEST(test_refused_save),
        TEST(test_save_cut_short),
        TEST(test_sealed),
        TEST(test_ids),
        TEST(test_truncated_weights),
        TEST(test_wrong_tensors),
        TEST(test_missing_files_and_links),
        TEST(test_unknown_architecture),
        TEST(test_weights_of_a_smaller_network),
        TEST(test_weights_file_beyond_the_network),
        TEST(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
