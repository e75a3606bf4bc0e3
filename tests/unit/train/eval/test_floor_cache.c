/* Kept floors: taken again bit for bit where nothing that decides them has changed, never where
 * something has; files that are damaged or hostile are noted, ignored and replaced. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "bars.h"
#include "ebm/io.h"
#include "ebm/memory.h"
#include "eval/embedding.h"
#include "eval/floor_cache.h"
#include "fail_alloc.h"
#include "temp_dir.h"

#define KEY "a key"

typedef struct scene {
    char path[TEMP_PATH_MAX];
    int notes;
    char last[512];
    ebmt_floor_file file;
} scene;

static void count_note(void *user, const char *line)
{
    scene *s = user;
    s->notes++;
    (void)snprintf(s->last, sizeof s->last, "%s", line);
}

static void scene_make(void **state, scene *s)
{
    memset(s, 0, sizeof *s);
    assert_true(temp_dir_join(*state, "floors.json", s->path));
    s->file = (ebmt_floor_file){.path = s->path, .ruler = "r", .note = count_note, .user = s};
}

static ebmt_number made(double v)
{
    return (ebmt_number){v, 0.1 * v, 90};
}

/* Numbers that no two fields share, with a NaN where one may be. */
static void fill(ebmt_comparison *c, double v)
{
    c->n = (int64_t)(10 * v);
    c->n_reference = (int64_t)(20 * v);
    c->frechet = made(v + 0.1);
    c->frechet_unbiased = made(v + 0.2);
    c->kernel = made(v + 0.3);
    c->precision = (ebmt_number){NAN, NAN, 7};
    c->recall = made(v + 0.4);
    c->classes.classes = 3;
    c->classes.entropy = v / 3;
    c->classes.score = made(v + 0.5);
    for (int i = 0; i < 3; i++)
        c->classes.share[i] = made(v + 0.6 + 0.01 * i);
}

static void fill_all(ebmt_ruler_report *r, double v)
{
    memset(r, 0, sizeof *r);
    fill(&r->train, v);
    fill(&r->halves, v + 1);
    fill(&r->gaussian, v + 2);
}

static void test_there_and_back(void **state)
{
    static ebmt_ruler_report a, b, none;
    scene s;
    scene_make(state, &s);
    memset(&b, 0, sizeof b);
    memset(&none, 0, sizeof none);
    assert_false(ebmt__floors_take(&s.file, KEY, &b));
    fill_all(&a, 3);
    ebmt__floors_keep(&s.file, KEY, &a);
    assert_false(ebmt__floors_take(&s.file, "another", &b));
    assert_memory_equal(&b, &none, sizeof b);
    b.train.name = "stays";
    assert_true(ebmt__floors_take(&s.file, KEY, &b));
    assert_string_equal(b.train.name, "stays");
    b.train.name = NULL;
    assert_true(isnan(b.halves.precision.value) && isnan(b.halves.precision.se));
    b.train.precision = a.train.precision; /* NaN need not have the same bits */
    b.halves.precision = a.halves.precision;
    b.gaussian.precision = a.gaussian.precision;
    assert_memory_equal(&a, &b, sizeof a);
    assert_int_equal(s.notes, 0);
}

/* Eight sets are kept, the newest; the same key twice is one. */
static void test_how_many(void **state)
{
    static ebmt_ruler_report r;
    scene s;
    char key[16];
    scene_make(state, &s);
    for (int i = 0; i < 20; i++) {
        (void)snprintf(key, sizeof key, "key %d", i / 2);
        fill_all(&r, 3 + i);
        ebmt__floors_keep(&s.file, key, &r);
    }
    for (int i = 0; i < 10; i++) {
        (void)snprintf(key, sizeof key, "key %d", i);
        assert_int_equal(ebmt__floors_take(&s.file, key, &r), i >= 2);
        if (i >= 2)
            assert_int_equal(r.train.n, 10 * (3 + 2 * i + 1));
    }
    assert_int_equal(s.notes, 0);
}

/* --- files that are wrong ------------------------------------------------------------------ */

/* Closes a list of entries with its right digest: what is wrong is inside. */
static void write_list(const scene *s, const char *entries)
{
    char hex[65];
    json_t *list = json_loads(entries, 0, NULL);
    assert_non_null(list);
    char *text = json_dumps(list, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
    ebm_sha256_hex(text, strlen(text), hex);
    json_t *o = json_pack("{s:i, s:s, s:o}", "format", 1, "sha256", hex, "floors", list);
    assert_int_equal(json_dump_file(o, s->path, 0), 0);
    json_decref(o);
    free(text);
}

static void expect_ignored(scene *s, const char *what)
{
    static ebmt_ruler_report r, none;
    const int before = s->notes;
    memset(&r, 0, sizeof r);
    if (ebmt__floors_take(&s->file, KEY, &r))
        fail_msg("taken: %s", what);
    assert_memory_equal(&r, &none, sizeof r);
    if (s->notes == before)
        fail_msg("not noted: %s", what);
    fill_all(&r, 5);
    ebmt__floors_keep(&s->file, KEY, &r);
    assert_true(ebmt__floors_take(&s->file, KEY, &r));
}

static void test_wrong_files(void **state)
{
    static const char *const text[] = {
        "",
        "{",
        "[]",
        "null",
        "{\"format\":1}",
        "{\"format\":2,\"sha256\":\"\",\"floors\":[]}",
        "{\"format\":1,\"sha256\":\"00\",\"floors\":[]}",
        "{\"format\":1,\"sha256\":7,\"floors\":[]}",
        "{\"format\":1,\"sha256\":\"00\",\"floors\":{}}",
        "{\"format\":1,\"format\":1,\"sha256\":\"00\",\"floors\":[]}",
        "{\"format\":1,\"sha256\":\"00\",\"floors\":[1e999]}",
    };
    scene s;
    scene_make(state, &s);
    for (size_t i = 0; i < sizeof text / sizeof text[0]; i++) {
        assert_true(temp_dir_write(*state, "floors.json", text[i], strlen(text[i])));
        expect_ignored(&s, text[i]);
    }
    write_list(&s, "[0,1,2,3,4,5,6,7,8]");
    expect_ignored(&s, "nine entries");
}

#define NINES "9,9,9,9,9,9,9,9,9,9,9,9,9,9,9,9,9,9"
#define GOOD  "[9,9,1,1," NINES ",9,9,9]"

/* The right key and the right digest around numbers that no comparison has. */
static void test_wrong_numbers(void **state)
{
    static const char *const list[] = {
        "7",
        "null",
        "[]",
        "[9,9,1,1," NINES "]",          /* shares are missing */
        "[9,9,1,1," NINES ",9,9,9,9]",  /* one too many */
        "[9,9,1,1025," NINES ",9,9,9]", /* classes */
        "[9,9,1,1e300," NINES ",9,9,9]",
        "[9,9,1,0," NINES "]",
        "[9,9,1,-1," NINES ",9,9,9]",
        "[9,9,1,1.5," NINES ",9,9,9]",
        "[9,9,null,1," NINES ",9,9,9]", /* entropy */
        "[0,9,1,1," NINES ",9,9,9]",    /* n */
        "[9,1e300,1,1," NINES ",9,9,9]",
        "[9,\"9\",1,1," NINES ",9,9,9]",
        "[9,9,1,1," NINES ",9,-1,9]", /* a negative error */
        "[9,9,1,1," NINES ",9,9,0]",
        "[9,9,1,1,null,9,9,9,9,9,9,9,9,9,9,9,9,9,9,9,9,9,9,9,9]", /* no distance */
    };
    static ebmt_ruler_report r;
    char entries[2048];
    scene s;
    scene_make(state, &s);
    write_list(&s, "[{\"key\":\"" KEY "\",\"train\":" GOOD ",\"halves\":" GOOD ",\"gaussian\":" GOOD
                   "}]");
    assert_true(ebmt__floors_take(&s.file, KEY, &r));
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++)
        for (int which = 0; which < 3; which++) {
            (void)snprintf(entries, sizeof entries,
                           "[{\"key\":\"" KEY "\",\"train\":%s,\"halves\":%s,\"gaussian\":%s}]",
                           which == 0 ? list[i] : GOOD, which == 1 ? list[i] : GOOD,
                           which == 2 ? list[i] : GOOD);
            write_list(&s, entries);
            expect_ignored(&s, list[i]);
        }
    write_list(&s, "[{\"key\":\"" KEY "\"}]");
    expect_ignored(&s, "no floors");
    write_list(&s, "[7,null,{\"key\":8},{}]");
    assert_false(ebmt__floors_take(&s.file, KEY, &r));
}

static void test_one_byte_off(void **state)
{
    static ebmt_ruler_report r;
    unsigned char *data = NULL;
    size_t size = 0;
    scene s;
    scene_make(state, &s);
    fill_all(&r, 3);
    ebmt__floors_keep(&s.file, KEY, &r);
    assert_int_equal(ebm_file_read(NULL, s.path, 1 << 20, &data, &size, NULL), EBM_OK);
    unsigned char *digit = (unsigned char *)strstr((char *)data, "3.1");
    assert_non_null(digit);
    *digit = '4';
    assert_true(temp_dir_write(*state, "floors.json", data, size));
    expect_ignored(&s, "another digit");
    ebm_free(data);
}

static void test_nowhere_to_write(void **state)
{
    static ebmt_ruler_report r;
    scene s;
    scene_make(state, &s);
    assert_true(temp_dir_join(*state, "missing/floors.json", s.path));
    fill_all(&r, 3);
    ebmt__floors_keep(&s.file, KEY, &r);
    assert_int_equal(s.notes, 1);
    assert_non_null(strstr(s.last, "cannot be written"));
    s.file.path = *state; /* a directory */
    s.file.note = NULL;
    assert_false(ebmt__floors_take(&s.file, KEY, &r));
}

/* --- in an evaluation ---------------------------------------------------------------------- */

static ebm_status embed_pixels(const void *self, const ebmt_dataset *images, ebmt_pool *pool,
                               ebmt_embedding *out, ebm_error *err)
{
    (void)pool;
    ++*(int *)(uintptr_t)self;
    ebm_status st = ebmt__embedding_init(images->count, 3, 2, out, err);
    for (int64_t i = 0; st == EBM_OK && i < images->count; i++)
        for (int j = 0; j < 3; j++)
            out->features[i * 3 + j] = images->pixels[i * 64 + 9 * j];
    for (int64_t i = 0; st == EBM_OK && i < 2 * images->count; i++)
        out->probs[i] = 0.5;
    return st;
}

static void test_evaluation(void **state)
{
    static ebmt_eval_report a, b;
    ebmt_dataset train, test, samples;
    int embedded = 0;
    const ebmt_ruler ruler = {.name = "pixels", .embed = embed_pixels, .self = &embedded};
    scene s;
    scene_make(state, &s);
    bars_make(60, 1, &train);
    bars_make(40, 2, &test);
    bars_make(20, 3, &samples);
    ebmt_eval_options opt = {.rulers = &ruler,
                             .n_rulers = 1,
                             .samples = &samples,
                             .train = &train,
                             .test = &test,
                             .seed = 1};
    assert_int_equal(ebmt_pool_create(1, &opt.pool, NULL), EBM_OK);
    opt.floors[0] = s.file;
    assert_int_equal(ebmt_evaluate(&opt, &a, NULL), EBM_OK);
    assert_false(a.ruler[0].floors_kept);
    assert_int_equal(embedded, 4); /* samples, test, training images, Gaussian fit */
    samples.pixels[0] ^= 1;        /* other samples, the same floors */
    assert_int_equal(ebmt_evaluate(&opt, &b, NULL), EBM_OK);
    assert_true(b.ruler[0].floors_kept);
    assert_int_equal(embedded, 6);
    assert_memory_equal(&a.ruler[0].train, &b.ruler[0].train, sizeof a.ruler[0].train);
    assert_memory_equal(&a.ruler[0].halves, &b.ruler[0].halves, sizeof a.ruler[0].halves);
    assert_memory_equal(&a.ruler[0].gaussian, &b.ruler[0].gaussian, sizeof a.ruler[0].gaussian);
    /* whatever decides a floor makes it another one */
    for (int change = 0; change < 5; change++) {
        opt.seed = change == 0 ? 2 : 1;
        samples.count = change == 1 ? 19 : 20;
        train.pixels[5] ^= change == 2;
        test.pixels[5] ^= change == 3;
        opt.floors[0].ruler = change == 4 ? "another" : "r";
        assert_int_equal(ebmt_evaluate(&opt, &b, NULL), EBM_OK);
        assert_false(b.ruler[0].floors_kept);
        train.pixels[5] ^= change == 2;
        test.pixels[5] ^= change == 3;
    }
    assert_int_equal(s.notes, 0);
    char key[65];
    ebmt__floors_key(&opt, &opt.floors[0], key);
    FOR_EACH_ALLOC_FAILURE
    {
        const bool taken = ebmt__floors_take(&s.file, key, &b.ruler[0]);
        assert_int_equal(taken, !fail_alloc_hit());
    }
    ebmt_pool_free(opt.pool);
    ebmt_dataset_clear(&train);
    ebmt_dataset_clear(&test);
    ebmt_dataset_clear(&samples);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEMP_DIR_TEST(test_there_and_back), TEMP_DIR_TEST(test_how_many),
        TEMP_DIR_TEST(test_wrong_files),    TEMP_DIR_TEST(test_wrong_numbers),
        TEMP_DIR_TEST(test_one_byte_off),   TEMP_DIR_TEST(test_nowhere_to_write),
        TEMP_DIR_TEST(test_evaluation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
