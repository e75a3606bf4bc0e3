/* Checkpoints: what was saved comes back, damage is found and passed over, two are kept. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "ebm/io.h"
#include "ebm/memory.h"
#include "ebmt/train.h"
#include "fail_alloc.h"
#include "save/checkpoint_dir.h"
#include "temp_dir.h"

#define N_PARAMS   5
#define N_SPECTRAL 2
#define N_WATCH    3
#define N_CHAINS   4
#define BEFORE     1000 /* iteration of a state that nothing is loaded into */
#define CONFIG     "{\"ch\":8,\"title\":\"a \\\"quoted\\\" one\"}"

static void fill(float *v, size_t n, float from)
{
    for (size_t i = 0; i < n; i++)
        v[i] = from + 0.1f * (float)i;
}

static ebmt_state make_state(size_t n_params, size_t n_spectral, int64_t iteration)
{
    const ebmt_state_sizes size = {n_params, n_spectral, N_WATCH, n_spectral ? N_CHAINS : 0};
    ebmt_state s;
    assert_int_equal(ebmt_state_init(&size, &s, NULL), EBM_OK);
    fill(s.params, n_params, 1.0f + (float)iteration);
    fill(s.ema, n_params, 2.0f);
    fill(s.adam_m, n_params, -3.0f);
    fill(s.adam_v, n_params, 4e-30f);
    fill(s.spectral_u, n_spectral, 5.0f);
    fill(s.ema_spectral_u, n_spectral, 6.0f);
    fill(s.watch, N_WATCH, 7.0f);
    fill(s.chains, size.chains, 8.0f);
    s.iteration = iteration;
    s.adam_step = iteration / 2;
    s.grad_norm_mean = 0.1 + (double)iteration; /* not exact in decimal */
    return s;
}

static void save(const char *dir, int64_t iteration)
{
    ebmt_state s = make_state(N_PARAMS, N_SPECTRAL, iteration);
    assert_int_equal(ebmt_checkpoint_save(dir, &s, CONFIG, NULL), EBM_OK);
    ebmt_state_clear(&s);
}

static void name_of(int64_t iteration, char name[64])
{
    (void)snprintf(name, 64, "checkpoint-%lld.safetensors", (long long)iteration);
}

static void path_of(const char *dir, int64_t iteration, char path[TEMP_PATH_MAX])
{
    char name[64];
    name_of(iteration, name);
    assert_true(temp_dir_join(dir, name, path));
}

static bool exists(const char *dir, int64_t iteration)
{
    char path[TEMP_PATH_MAX];
    path_of(dir, iteration, path);
    return access(path, F_OK) == 0;
}

static void assert_same_state(const ebmt_state *a, const ebmt_state *b)
{
    assert_memory_equal(a->params, b->params, a->size.params * sizeof(float));
    assert_memory_equal(a->ema, b->ema, a->size.params * sizeof(float));
    assert_memory_equal(a->adam_m, b->adam_m, a->size.params * sizeof(float));
    assert_memory_equal(a->adam_v, b->adam_v, a->size.params * sizeof(float));
    assert_memory_equal(a->spectral_u, b->spectral_u, a->size.spectral * sizeof(float));
    assert_memory_equal(a->ema_spectral_u, b->ema_spectral_u, a->size.spectral * sizeof(float));
    assert_memory_equal(a->watch, b->watch, a->size.watch * sizeof(float));
    assert_memory_equal(a->chains, b->chains, a->size.chains * sizeof(float));
    assert_int_equal(a->iteration, b->iteration);
    assert_int_equal(a->adam_step, b->adam_step);
    assert_true(a->grad_norm_mean == b->grad_norm_mean);
}

static void count_note(void *user, const char *line)
{
    int *n = user;
    assert_non_null(strstr(line, "checkpoint-"));
    ++*n;
}

/* Loads and returns the iteration, or -status. An error leaves the state as it was; one of another
 * network has its configuration. */
static int64_t load(const char *dir, int *notes, ebm_error *err)
{
    ebmt_state s = make_state(N_PARAMS, N_SPECTRAL, BEFORE);
    char *config = NULL;
    fill(s.watch, N_WATCH, -7.0f);
    *notes = 0;
    ebm_status st = ebmt_checkpoint_load(dir, &s, &config, count_note, notes, err);
    int64_t result = -(int64_t)st;
    if (st == EBM_OK) {
        ebmt_state want = make_state(N_PARAMS, N_SPECTRAL, s.iteration);
        assert_same_state(&s, &want);
        assert_string_equal(config, CONFIG);
        result = s.iteration;
        ebmt_state_clear(&want);
    } else {
        ebmt_state before = make_state(N_PARAMS, N_SPECTRAL, BEFORE);
        fill(before.watch, N_WATCH, -7.0f);
        assert_same_state(&s, &before);
        ebmt_state_clear(&before);
        assert_true((config != NULL) == (st == EBM_ERR_SHAPE));
        if (config)
            assert_string_equal(config, CONFIG);
    }
    ebm_free(config);
    ebmt_state_clear(&s);
    return result;
}

static void test_round_trip(void **state)
{
    int notes;
    save(*state, 12);
    assert_int_equal(load(*state, &notes, NULL), 12);
    assert_int_equal(notes, 0);
}

static void test_empty_vectors(void **state)
{
    ebmt_state s = make_state(3, 0, 7), back;
    char *config = NULL;
    assert_int_equal(ebmt_checkpoint_save(*state, &s, "{}", NULL), EBM_OK);
    assert_int_equal(ebmt_state_init(&s.size, &back, NULL), EBM_OK);
    assert_int_equal(ebmt_checkpoint_load(*state, &back, &config, NULL, NULL, NULL), EBM_OK);
    assert_same_state(&s, &back);
    ebm_free(config);
    ebmt_state_clear(&s);
    ebmt_state_clear(&back);
}

static void test_two_are_kept(void **state)
{
    int64_t newest = 0;
    int notes;
    for (int64_t i = 8; i <= 12; i++)
        save(*state, i);
    assert_int_equal(temp_dir_count(*state), 2);
    assert_true(exists(*state, 11) && exists(*state, 12));
    assert_int_equal(load(*state, &notes, NULL), 12);
    assert_int_equal(ebmt__checkpoint_newest(*state, &newest, NULL), EBM_OK);
    assert_int_equal(newest, 12);
}

/* Names are ordered as numbers (9 < 10), and a later file is not touched by an earlier save. */
static void test_later_files_stay(void **state)
{
    save(*state, 1000);
    for (int64_t i = 9; i <= 11; i++)
        save(*state, i);
    assert_int_equal(temp_dir_count(*state), 3);
    assert_true(exists(*state, 1000) && exists(*state, 11) && exists(*state, 10));
}

static void test_strangers_are_ignored(void **state)
{
    static const char *const names[] = {
        "checkpoint-.safetensors",   "checkpoint-+5.safetensors",
        "checkpoint-05.safetensors", "checkpoint-5.safetensors.tmp",
        "checkpoint-5.safetensor",   "checkpoint-99999999999999999999.safetensors",
        "checkpoint--5.safetensors", "Checkpoint-5.safetensors",
        "checkpoint- 5.safetensors"};
    const size_t n = sizeof names / sizeof names[0];
    int notes;
    for (size_t i = 0; i < n; i++)
        assert_true(temp_dir_write(*state, names[i], "x", 1));
    assert_int_equal(load(*state, &notes, NULL), -EBM_ERR_NOT_FOUND);
    save(*state, 3);
    save(*state, 4);
    save(*state, 5);
    assert_int_equal(load(*state, &notes, NULL), 5);
    assert_int_equal(notes, 0);
    assert_int_equal(temp_dir_count(*state), (int)n + 2);
}

/* Saves two checkpoints and reads the newer one, to be damaged. @own *data: ebm_free() */
static void save_two(const char *dir, char name[64], unsigned char **data, size_t *size)
{
    save(dir, 1);
    save(dir, 2);
    name_of(2, name);
    assert_int_equal(ebm_file_read(dir, name, 1 << 20, data, size, NULL), EBM_OK);
}

/* Every bit of the newest file, one at a time: found, told, and the one before is used. */
static void test_every_flipped_bit(void **state)
{
    char name[64];
    unsigned char *data;
    size_t size;
    int notes;
    save_two(*state, name, &data, &size);
    for (size_t i = 0; i < size; i++) {
        unsigned char bit = (unsigned char)(1u << i % 8); /* all bits would be eight times slower */
        data[i] ^= bit;
        assert_true(temp_dir_write(*state, name, data, size));
        int64_t got = load(*state, &notes, NULL);
        if (got != 1 || notes != 1)
            fail_msg("byte %zu of %zu, bit %d: loaded %lld", i, size, bit, (long long)got);
        data[i] ^= bit;
    }
    ebm_free(data);
}

static void test_truncated(void **state)
{
    char name[64];
    unsigned char *data;
    size_t size;
    int notes;
    save_two(*state, name, &data, &size);
    for (size_t cut = 0; cut < size; cut += 7) {
        assert_true(temp_dir_write(*state, name, data, cut));
        assert_int_equal(load(*state, &notes, NULL), 1);
        assert_int_equal(notes, 1);
    }
    ebm_free(data);
}

/* A copy under another name would be resumed at the wrong place. */
static void test_renamed(void **state)
{
    char from[TEMP_PATH_MAX], to[TEMP_PATH_MAX];
    int notes;
    save(*state, 1);
    save(*state, 2);
    path_of(*state, 2, from);
    path_of(*state, 3, to);
    assert_int_equal(rename(from, to), 0);
    assert_int_equal(load(*state, &notes, NULL), 1);
    assert_int_equal(notes, 1);
}

static void test_not_a_file(void **state)
{
    char path[TEMP_PATH_MAX];
    int notes;
    save(*state, 1);
    path_of(*state, 7, path);
    assert_int_equal(mkdir(path, 0755), 0);
    path_of(*state, 8, path);
    assert_int_equal(mkfifo(path, 0644), 0);
    path_of(*state, 9, path);
    assert_int_equal(symlink("nowhere", path), 0);
    assert_int_equal(load(*state, &notes, NULL), 1);
    assert_int_equal(notes, 3);
}

/* A file that cannot be opened now may be whole: neither an older one is taken for it, nor is it
 * said that there is none. A link to an impossible name stands for what users other than root meet
 * as a missing permission. */
static void test_unreadable_is_no_damage(void **state)
{
    char path[TEMP_PATH_MAX], target[400];
    ebm_error err = {0};
    int notes;
    memset(target, 'x', sizeof target - 1);
    target[sizeof target - 1] = '\0';
    path_of(*state, 9, path);
    assert_int_equal(symlink(target, path), 0);
    assert_int_equal(load(*state, &notes, &err), -EBM_ERR_IO);
    assert_int_equal(notes, 0);
    assert_non_null(strstr(err.where, "checkpoint-9"));
    save(*state, 1);
    assert_int_equal(load(*state, &notes, NULL), -EBM_ERR_IO);
    assert_int_equal(notes, 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(load(*state, &notes, NULL), 1);
}

static void test_none_is_whole(void **state)
{
    ebm_error err = {0};
    int64_t newest = 0;
    int notes;
    assert_int_equal(load(*state, &notes, &err), -EBM_ERR_NOT_FOUND);
    assert_int_equal(load("/nonexistent", &notes, NULL), -EBM_ERR_NOT_FOUND);
    assert_int_equal(ebmt__checkpoint_newest("/nonexistent", &newest, NULL), EBM_OK);
    assert_int_equal(newest, -1);
    assert_true(temp_dir_write(*state, "checkpoint-4.safetensors", "junk", 4));
    assert_int_equal(load(*state, &notes, NULL), -EBM_ERR_NOT_FOUND);
    assert_int_equal(notes, 1);
}

static void expect_another(const char *dir, ebmt_state other, const char *where)
{
    ebm_error err = {0};
    int notes;
    assert_int_equal(ebmt_checkpoint_save(dir, &other, CONFIG, NULL), EBM_OK);
    assert_int_equal(load(dir, &notes, &err), -EBM_ERR_SHAPE);
    assert_string_equal(err.where, where);
    assert_int_equal(notes, 0);
    ebmt_state_clear(&other);
}

/* Another network's checkpoint is an error, not damage: an older one is not taken instead. */
static void test_another_network(void **state)
{
    save(*state, 1);
    expect_another(*state, make_state(N_PARAMS, N_SPECTRAL + 1, 5), "spectral_u");
    expect_another(*state, make_state(N_PARAMS + 1, N_SPECTRAL, 6), "params");
}

/* So is one of a run without persistent chains, or of one from before there were any. */
static void test_without_chains(void **state)
{
    ebmt_state bare = make_state(N_PARAMS, N_SPECTRAL, 5);
    bare.size.chains = 0;
    save(*state, 1);
    expect_another(*state, bare, "chains");
}

/* A number that is none, in the last vector of a file that is whole otherwise. */
static void test_not_finite(void **state)
{
    ebmt_state s = make_state(N_PARAMS, N_SPECTRAL, 5);
    int notes;
    s.chains[N_CHAINS - 1] = NAN;
    assert_int_equal(ebmt_checkpoint_save(*state, &s, CONFIG, NULL), EBM_OK);
    assert_int_equal(load(*state, &notes, NULL), -EBM_ERR_NOT_FOUND);
    assert_int_equal(notes, 1);
    ebmt_state_clear(&s);
}

static void test_cannot_save(void **state)
{
    ebmt_state s = make_state(N_PARAMS, N_SPECTRAL, 1);
    (void)state;
    assert_int_equal(ebmt_checkpoint_save("/nonexistent", &s, CONFIG, NULL), EBM_ERR_IO);
    ebmt_state_clear(&s);
}

static void test_half_written_files_go(void **state)
{
    static const char *const names[] = {".ebm-12-34-000000056-0.tmp", ".ebm-.tmp"};
    static const char *const others[] = {".ebm-1", "ebm-1.tmp", ".tmp", "x.tmp"};
    char link[TEMP_PATH_MAX];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_true(temp_dir_write(*state, names[i], "x", 1));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_true(temp_dir_write(*state, others[i], "x", 1));
    assert_true(temp_dir_join(*state, ".ebm-link.tmp", link));
    assert_int_equal(symlink("/etc/passwd", link), 0); /* the link goes, not what it names */
    ebmt__checkpoint_sweep(*state);
    assert_int_equal(temp_dir_count(*state), sizeof others / sizeof others[0]);
    assert_int_equal(access("/etc/passwd", F_OK), 0);
    ebmt__checkpoint_sweep("/nonexistent");
}

static void test_no_memory(void **state)
{
    ebmt_state s = make_state(N_PARAMS, N_SPECTRAL, 3);
    save(*state, 2);
    FOR_EACH_ALLOC_FAILURE
    {
        /* a list of old files that finds no memory only leaves them where they are */
        ebm_status st = ebmt_checkpoint_save(*state, &s, CONFIG, NULL);
        assert_true(st == EBM_OK || st == EBM_ERR_NOMEM);
        assert_true(st == EBM_OK || fail_alloc_hit());
        assert_true(exists(*state, 2));
    }
    FOR_EACH_ALLOC_FAILURE
    {
        char *config = NULL;
        ebm_status st = ebmt_checkpoint_load(*state, &s, &config, NULL, NULL, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        ebm_free(config);
    }
    FOR_EACH_ALLOC_FAILURE
    {
        ebmt_state fresh;
        ebm_status st = ebmt_state_init(&s.size, &fresh, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        ebmt_state_clear(&fresh);
    }
    ebmt_state_clear(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEMP_DIR_TEST(test_round_trip),
        TEMP_DIR_TEST(test_empty_vectors),
        TEMP_DIR_TEST(test_two_are_kept),
        TEMP_DIR_TEST(test_later_files_stay),
        TEMP_DIR_TEST(test_strangers_are_ignored),
        TEMP_DIR_TEST(test_every_flipped_bit),
        TEMP_DIR_TEST(test_truncated),
        TEMP_DIR_TEST(test_renamed),
        TEMP_DIR_TEST(test_not_a_file),
        TEMP_DIR_TEST(test_unreadable_is_no_damage),
        TEMP_DIR_TEST(test_none_is_whole),
        TEMP_DIR_TEST(test_another_network),
        TEMP_DIR_TEST(test_not_finite),
        TEMP_DIR_TEST(test_without_chains),
        TEMP_DIR_TEST(test_cannot_save),
        TEMP_DIR_TEST(test_half_written_files_go),
        TEMP_DIR_TEST(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
