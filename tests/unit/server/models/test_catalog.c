/* Sets of models and which one is served: order, replacement, what holds on to an old model, and
 * that a change that fails changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/catalog.h"
#include "ebm/kernels.h"
#include "fail_alloc.h"
#include "temp_dir.h"
#include "tiny_model.h"

#define NOTES_SIZE 128

static char dir[TEMP_PATH_MAX];
static const ebm_kernels *kernels;
static ebmd_catalog *catalog;

static void write_model(const char *id, uint64_t seed)
{
    const tiny_model what = {.id = id, .levels = 2, .steps = 2, .seed = seed, .step_scale = 1.0};

    assert_true(tiny_model_write(dir, &what));
}

static int setup(void **state)
{
    (void)state;
    if (!temp_dir_make(dir) || ebm_kernels_select("ref", &kernels, NULL) != EBM_OK)
        return -1;
    write_model("m", 1);
    return ebmd_catalog_open(dir, kernels, &catalog, NULL) == EBM_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    ebmd_catalog_close(catalog);
    temp_dir_remove(dir);
    return 0;
}

/* The ids that are served, each followed by a blank. */
static void expect_ids(const char *expected)
{
    ebmd_engine *e = ebmd_catalog_take(catalog);
    char ids[256] = "";

    for (size_t i = 0; i < ebmd_engine_count(e); i++) {
        size_t n = strlen(ids);

        snprintf(ids + n, sizeof(ids) - n, "%s ", ebm_model_describe(ebmd_engine_at(e, i))->id);
    }
    ebmd_engine_unref(e);
    assert_string_equal(ids, expected);
}

static ebm_model *served(const char *id)
{
    ebmd_engine *e = ebmd_catalog_take(catalog);
    ebm_model *m;
    size_t i;

    assert_true(ebmd_engine_find(e, id, &i));
    m = ebm_model_ref(ebmd_engine_at(e, i));
    ebmd_engine_unref(e);
    return m;
}

static void order(void **state)
{
    (void)state;
    write_model("a", 2);
    write_model("z", 3);
    assert_int_equal(ebmd_catalog_load(catalog, "z", NULL), EBM_OK);
    assert_int_equal(ebmd_catalog_load(catalog, "a", NULL), EBM_OK);
    expect_ids("a m z ");
    assert_int_equal(ebmd_catalog_load(catalog, "m", NULL), EBM_OK);
    expect_ids("a m z ");
    assert_int_equal(ebmd_catalog_unload(catalog, "m", NULL), EBM_OK);
    assert_int_equal(ebmd_catalog_unload(catalog, "m", NULL), EBM_ERR_NOT_FOUND);
    expect_ids("a z ");
    assert_int_equal(ebmd_catalog_unload(catalog, "a", NULL), EBM_OK);
    assert_int_equal(ebmd_catalog_unload(catalog, "z", NULL), EBM_ERR_BAD_STATE);
    expect_ids("z ");
}

/* Who has the old model keeps it; it is counted until then, and gone afterwards. */
static void the_old_one(void **state)
{
    ebm_model *old = served("m"), *fresh;

    (void)state;
    write_model("m", 2);
    assert_int_equal(ebmd_catalog_load(catalog, "m", NULL), EBM_OK);
    fresh = served("m");
    assert_ptr_not_equal(fresh, old);
    assert_string_not_equal(ebm_model_describe(fresh)->sha256, ebm_model_describe(old)->sha256);
    assert_true(ebmd_catalog_serves(catalog, fresh));
    assert_false(ebmd_catalog_serves(catalog, old));
    assert_int_equal(ebmd_catalog_prune(catalog), 1);
    ebm_model_unref(old);
    assert_int_equal(ebmd_catalog_prune(catalog), 0);
    ebm_model_unref(fresh);
}

/* A set that was taken stays as it is while others change what is served. */
static void a_set_that_was_taken(void **state)
{
    ebmd_engine *before = ebmd_catalog_take(catalog);

    (void)state;
    write_model("n", 2);
    assert_int_equal(ebmd_catalog_load(catalog, "n", NULL), EBM_OK);
    assert_int_equal(ebmd_catalog_unload(catalog, "m", NULL), EBM_OK);
    assert_int_equal(ebmd_engine_count(before), 1);
    assert_string_equal(ebm_model_describe(ebmd_engine_at(before, 0))->id, "m");
    assert_int_equal(ebmd_catalog_prune(catalog), 1);
    ebmd_engine_unref(before);
    assert_int_equal(ebmd_catalog_prune(catalog), 0);
}

static void cut_weights(const char *id, long size)
{
    char path[2 * TEMP_PATH_MAX];

    snprintf(path, sizeof(path), "%s/%s/model.safetensors", dir, id);
    assert_int_equal(truncate(path, size), 0);
}

/* A model that is served on without its files is refused, not unknown; nobody has to ask why. */
static void files_that_went(void **state)
{
    char path[TEMP_PATH_MAX];
    ebm_error err = {0};

    (void)state;
    assert_true(temp_dir_join(dir, "m/model.json", path));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(ebmd_catalog_load(catalog, "m", NULL), EBM_ERR_FORMAT);
    assert_int_equal(ebmd_catalog_load(catalog, "m", &err), EBM_ERR_FORMAT);
    assert_int_equal(err.status, EBM_ERR_FORMAT);
    expect_ids("m ");
}

/* A few small weights may ask for gigabytes in every worker. */
static void a_large_network(void **state)
{
    const tiny_model what = {.id = "l",
                             .levels = 2,
                             .steps = 2,
                             .side = 1024,
                             .blocks = 64,
                             .seed = 1,
                             .step_scale = 1.0};
    ebm_error err = {0};

    (void)state;
    assert_true(tiny_model_write(dir, &what));
    assert_int_equal(ebmd_catalog_load(catalog, "l", &err), EBM_ERR_LIMIT);
    assert_string_equal(err.where, "l");
    assert_non_null(strstr(err.text, "4096 MiB"));
    expect_ids("m ");
}

static void bad_directories(void **state)
{
    static const struct {
        const char *id;
        ebm_status st;
    } rows[] = {{"cut", EBM_OK}, /* anything but that or NOT_FOUND, see below */
                {"none", EBM_ERR_NOT_FOUND},
                {"../m", EBM_ERR_NOT_FOUND},
                {"", EBM_ERR_NOT_FOUND},
                {"M", EBM_ERR_NOT_FOUND}};
    ebm_model *m = served("m");

    (void)state;
    write_model("cut", 1);
    cut_weights("cut", 1000);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ebm_error err = {0};
        ebm_status st = ebmd_catalog_load(catalog, rows[i].id, &err);

        if (rows[i].st == EBM_OK) {
            assert_true(st != EBM_OK && st != EBM_ERR_NOT_FOUND);
            assert_memory_equal(err.where, "cut/", 4);
        } else {
            assert_int_equal(st, rows[i].st);
        }
        expect_ids("m ");
        assert_true(ebmd_catalog_serves(catalog, m));
    }
    ebm_model_unref(m);
}

/* What a refresh reports, "+id " or "-id ". */
static void note(void *arg, const char *id, const ebm_error *err)
{
    char *text = arg;

    size_t n = strlen(text);

    snprintf(text + n, NOTES_SIZE - n, "%s%s ", err->status == EBM_OK ? "+" : "-", id);
}

static void expect_refresh(const char *expected)
{
    char said[NOTES_SIZE] = "";

    ebmd_catalog_refresh(catalog, note, said);
    assert_string_equal(said, expected);
}

static void refresh(void **state)
{
    char aside[TEMP_PATH_MAX];

    (void)state;
    expect_refresh(""); /* nothing has changed: nothing is read */
    write_model("a", 2);
    expect_refresh("+a ");
    write_model("m", 3);
    expect_refresh("+m ");
    assert_true(temp_dir_write(dir, "m/energy.json", "{", 1)); /* a calibration, and no good one */
    expect_refresh("-m ");
    snprintf(aside, sizeof(aside), "%.200s/m/energy.json", dir);
    assert_int_equal(unlink(aside), 0);
    expect_refresh(""); /* as it is served */
    cut_weights("a", 99);
    expect_refresh("-a ");
    expect_ids("a m ");
    write_model("a", 2);
    expect_refresh("+a ");
    assert_int_equal(ebmd_catalog_unload(catalog, "a", NULL), EBM_OK);
    expect_refresh("+a "); /* it is there: it is served */
    snprintf(aside, sizeof(aside), "%.200s.aside", dir);
    assert_int_equal(rename(dir, aside), 0);
    expect_refresh("- ");
    expect_ids("a m ");
    assert_int_equal(rename(aside, dir), 0);
}

static void without_memory(void **state)
{
    ebm_model *m = served("m");
    ebmd_engine *e, *made;
    ebmd_loaded one = {.model = m};

    (void)state;
    e = ebmd_catalog_take(catalog);
    FOR_EACH_ALLOC_FAILURE
    {
        ebm_status st = ebmd_engine_with(e, &one, &made, NULL);

        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        ebmd_engine_unref(made);
    }
    FOR_EACH_ALLOC_FAILURE
    {
        ebm_status st = ebmd_catalog_load(catalog, "m", NULL);

        if (fail_alloc_hit())
            assert_true(st != EBM_OK && ebmd_catalog_serves(catalog, m));
        else
            assert_int_equal(st, EBM_OK);
    }
    FOR_EACH_ALLOC_FAILURE
    {
        ebmd_catalog *c;
        ebm_status st = ebmd_catalog_open(dir, kernels, &c, NULL);

        assert_true((st == EBM_OK) == !fail_alloc_hit());
        ebmd_catalog_close(c);
    }
    ebmd_engine_unref(e);
    ebm_model_unref(m);
}

static void full(void **state)
{
    ebmd_engine *e = ebmd_catalog_take(catalog), *made;
    char id[8];

    (void)state;
    for (int i = 0; i < EBMD_MODELS_MAX; i++) {
        tiny_model what = {.id = id, .levels = 2, .steps = 1, .seed = 1, .step_scale = 1.0};
        ebmd_loaded one;

        snprintf(id, sizeof(id), "x%d", i);
        one = (ebmd_loaded){.model = tiny_model_create(&what)};
        assert_non_null(one.model);
        assert_int_equal(ebmd_engine_with(e, &one, &made, NULL),
                         i < EBMD_MODELS_MAX - 1 ? EBM_OK : EBM_ERR_LIMIT);
        ebm_model_unref(one.model);
        if (!made)
            break;
        ebmd_engine_unref(e);
        e = made;
    }
    assert_int_equal(ebmd_engine_count(e), EBMD_MODELS_MAX);
    ebmd_engine_unref(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(order, setup, teardown),
        cmocka_unit_test_setup_teardown(the_old_one, setup, teardown),
        cmocka_unit_test_setup_teardown(a_set_that_was_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_directories, setup, teardown),
        cmocka_unit_test_setup_teardown(files_that_went, setup, teardown),
        cmocka_unit_test_setup_teardown(a_large_network, setup, teardown),
        cmocka_unit_test_setup_teardown(refresh, setup, teardown),
        cmocka_unit_test_setup_teardown(without_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(full, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
