/* Runs of long chains that were stopped: they go on to the same bytes; files that are damaged,
 * hostile or of another run are refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ebm/io.h"
#include "ebm/memory.h"
#include "fail_alloc.h"
#include "long_scene.h"
#include "temp_dir.h"

#define MINUS_INFINITY ((int64_t)-4503599627370496) /* its bits */

/* Keeps what the file holds when the third mark after the samples is told: a state between two
 * marks, as a kill would leave it. */
typedef struct keeper {
    long_scene *s;
    int told, images;
    unsigned char *data;
    size_t size;
} keeper;

static void keep_file(void *user, const ebmt_long_report *report)
{
    keeper *k = user;
    k->told++;
    if (report->n_marks == 4 && !k->data)
        assert_int_equal(
            ebm_file_read(NULL, k->s->opt.checkpoint, 1 << 24, &k->data, &k->size, NULL), EBM_OK);
}

static ebm_status count_images(void *user, int64_t steps, const ebmt_dataset *images,
                               ebm_error *err)
{
    keeper *k = user;
    (void)err;
    assert_int_equal(images->count, k->s->opt.draw.n);
    assert_true(steps == -20 || steps == 0 || steps == 100 || steps == 1000);
    k->images++;
    return EBM_OK;
}

static void checkpoint_scene(void **state, long_scene *s, keeper *k, char path[TEMP_PATH_MAX])
{
    long_scene_make(s, 2, EBM_SAMPLER_MALA);
    s->opt.draw.n = 2 * LONG_CHAINS; /* slices of 13 moves */
    s->opt.plan.burn_in = 20;
    s->opt.plan.steps = 1000;
    assert_true(temp_dir_join(*state, "chains", path));
    *k = (keeper){.s = s};
    s->opt.ruler_id = "pixels";
    s->opt.checkpoint = path;
    s->opt.on_mark = keep_file;
    s->opt.on_images = count_images;
    s->opt.user = k;
}

static ebm_status run_on(long_scene *s, const unsigned char *data, size_t size, ebm_error *err)
{
    *err = (ebm_error){0};
    assert_int_equal(ebm_file_write(s->opt.checkpoint, data, size, NULL), EBM_OK);
    return ebmt__long_chains_run(&s->ground, &s->opt, &s->report, err);
}

/* A run without a file, one with it, one from the middle and one from the end say the same. */
static void test_going_on(void **state)
{
    static long_scene s;
    static ebmt_long_report straight, kept;
    char path[TEMP_PATH_MAX];
    keeper k;
    ebm_error err = {0};
    checkpoint_scene(state, &s, &k, path);
    s.opt.checkpoint = NULL;
    s.opt.on_mark = NULL;
    long_scene_run(&s);
    straight = s.report;
    s.opt.checkpoint = path;
    s.opt.on_mark = keep_file;
    k.images = 0;
    long_scene_run(&s);
    assert_memory_equal(&straight, &s.report, sizeof straight);
    assert_int_equal(k.told, 4);
    assert_int_equal(k.images, 4);
    kept = s.report;
    k.told = k.images = 0;
    s.gauss[0].calls = s.gauss[1].calls = 0;
    assert_int_equal(run_on(&s, k.data, k.size, &err), EBM_OK);
    assert_memory_equal(&kept, &s.report, sizeof kept);
    assert_int_equal(k.told, 4);
    assert_int_equal(k.images, 1); /* the others were kept before the stop */
    /* at most 13 moves were left, not 1020 and the sampling */
    assert_true(s.gauss[0].calls + s.gauss[1].calls < 2 * LONG_CHAINS * (13 + 5));
    s.gauss[0].calls = s.gauss[1].calls = 0;
    long_scene_run(&s);
    assert_memory_equal(&kept, &s.report, sizeof kept);
    assert_int_equal(s.gauss[0].calls + s.gauss[1].calls, 0);
    ebm_free(k.data);
    long_scene_clear(&s);
}

static void keep_unstable(void *user, const ebmt_long_report *report)
{
    keeper *k = user;
    long_scene_unstable(k->s, report);
    if (report->n_marks == 3)
        keep_file(user, &(ebmt_long_report){.n_marks = 4});
}

/* Lost chains are still lost, with the image they had. */
static void test_going_on_diverged(void **state)
{
    static long_scene s;
    static ebmt_long_report first;
    char path[TEMP_PATH_MAX];
    keeper k = {.s = &s};
    ebm_error err;
    long_scene_make(&s, 2, EBM_SAMPLER_LANGEVIN);
    assert_true(temp_dir_join(*state, "chains", path));
    s.opt.plan.steps = 110;
    s.opt.ruler_id = "pixels";
    s.opt.checkpoint = path;
    s.opt.on_mark = keep_unstable;
    s.opt.user = &k;
    long_scene_run(&s);
    s.gauss[0].known[0] = s.gauss[1].known[0] = 0; /* as it was */
    first = s.report;
    assert_int_equal(first.mark[1].diverged, LONG_CHAINS);
    assert_int_equal(run_on(&s, k.data, k.size, &err), EBM_OK);
    assert_memory_equal(&first, &s.report, sizeof first);
    ebm_free(k.data);
    long_scene_clear(&s);
}

/* Words of the header, as long_checkpoint.c has them; the digest is made anew. */
static void set_word(unsigned char *data, size_t size, int which, int64_t value)
{
    char hex[65];
    for (int i = 0; i < 8; i++)
        data[72 + 8 * which + i] = (unsigned char)((uint64_t)value >> 8 * i);
    ebm_sha256_hex(data, size - 64, hex);
    memcpy(data + size - 64, hex, 64);
}

static void test_wrong_checkpoints(void **state)
{
    /* chains, bytes of a chain, marks, moves; steps of the first mark */
    static const struct {
        int word;
        int64_t value;
        ebm_status status;
    } row[] = {
        {0, 399, EBM_ERR_FORMAT},
        {0, -1, EBM_ERR_FORMAT},
        {1, 0, EBM_ERR_FORMAT},
        {1, INT64_MAX, EBM_ERR_FORMAT},
        {1, -8, EBM_ERR_FORMAT},
        {2, 0, EBM_ERR_RANGE},
        {2, 9, EBM_ERR_RANGE},
        {2, INT64_MIN, EBM_ERR_RANGE},
        {3, -1, EBM_ERR_RANGE},
        {3, 1021, EBM_ERR_RANGE},
        {3, 119, EBM_ERR_RANGE},
        {3, 121, EBM_ERR_RANGE},
        {8, -21, EBM_ERR_RANGE},
        {8, 1000, EBM_ERR_RANGE},
        {7, MINUS_INFINITY, EBM_ERR_RANGE}, /* the band's upper end */
    };
    static long_scene s;
    char path[TEMP_PATH_MAX];
    keeper k;
    ebm_error err;
    checkpoint_scene(state, &s, &k, path);
    s.opt.draw.n = 8;
    long_scene_run(&s);
    unsigned char *copy = ebm_alloc(k.size, 1);
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        memcpy(copy, k.data, k.size);
        set_word(copy, k.size, row[i].word, row[i].value);
        if (run_on(&s, copy, k.size, &err) != row[i].status)
            fail_msg("row %zu: %s", i, err.text);
        assert_string_equal(err.where, path);
    }
    memcpy(copy, k.data, k.size);
    copy[k.size / 2] ^= 1;
    assert_int_equal(run_on(&s, copy, k.size, &err), EBM_ERR_DIGEST);
    assert_int_equal(run_on(&s, k.data, k.size - 1, &err), EBM_ERR_DIGEST);
    assert_int_equal(run_on(&s, k.data, 100, &err), EBM_ERR_FORMAT);
    copy[0] ^= 1;
    assert_int_equal(run_on(&s, copy, k.size, &err), EBM_ERR_FORMAT);
    s.opt.draw.seed++;
    assert_int_equal(run_on(&s, k.data, k.size, &err), EBM_ERR_ARG);
    s.opt.draw.seed--;
    s.levels.predict = true;
    assert_int_equal(run_on(&s, k.data, k.size, &err), EBM_ERR_ARG);
    s.levels.predict = false;
    assert_int_equal(ebm_file_write(path, k.data, k.size, NULL), EBM_OK);
    FOR_EACH_ALLOC_FAILURE /* here and there a mark further */
    {
        ebm_status st = ebmt__long_chains_run(&s.ground, &s.opt, &s.report, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
    }
    ebm_free(copy);
    ebm_free(k.data);
    long_scene_clear(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEMP_DIR_TEST(test_going_on),
        TEMP_DIR_TEST(test_going_on_diverged),
        TEMP_DIR_TEST(test_wrong_checkpoints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
