/* Whole training runs on every kernel set: the same seed gives the same weights file, byte for
 * byte, again and with another number of threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ebm/io.h"
#include "ebm/memory.h"
#include "ebmt/train.h"
#include "random_net.h"
#include "run_scene.h"
#include "temp_dir.h"

static const char *where; /* the directory of the test; call-backs of sets have no argument */

static const struct {
    const char *name;
    int which; /* of small_network_of() */
    ebm_act act;
    ebmt_objective objective;
    int64_t iterations;
    int32_t chains; /* persistent ones */
} recipes[] = {
    {"unet", 1, EBM_ACT_SILU, EBMT_MATCHING, 5, 7},
    {"resnet", 0, EBM_ACT_LEAKY_RELU, EBMT_RECOVERY, 3, 0},
};

typedef struct weights {
    unsigned char *bytes;
    size_t size;
} weights;

/* A run that is told to stop leaves its model without drawing a sheet of samples, which would take
 * longer than all else here. */
static bool stop_after(void *user, const ebmt_report *report)
{
    return report->iteration < *(const int64_t *)user;
}

/* Trains in a directory of its own and reads what is left. @own bytes: ebm_free() */
static weights train(size_t recipe, const ebm_kernels *set, const char *run, int32_t threads,
                     uint64_t seed)
{
    uint8_t pixels[RUN_IMAGES * RUN_DIM];
    const ebmt_dataset data = run_bars(pixels);
    char name[64], dir[TEMP_PATH_MAX];
    ebmt_run_options opt = {.config = run_config(recipes[recipe].objective),
                            .data = &data,
                            .out_dir = dir,
                            .threads = threads,
                            .kernels = set,
                            .title = "t"};
    int64_t iterations = recipes[recipe].iterations;
    weights w;
    opt.config.network = small_network_of(recipes[recipe].which, recipes[recipe].act);
    opt.hooks = (ebmt_hooks){.user = &iterations, .report = stop_after};
    opt.config.seed = seed;
    opt.config.persistent_chains = recipes[recipe].chains;
    (void)snprintf(name, sizeof name, "%s-%s-%s", recipes[recipe].name, set->name, run);
    assert_true(temp_dir_join(where, name, dir));
    assert_int_equal(ebmt_run(&opt, NULL), EBM_OK);
    assert_int_equal(ebm_file_read(dir, "model.safetensors", 1 << 24, &w.bytes, &w.size, NULL),
                     EBM_OK);
    return w;
}

static bool same(weights a, weights b)
{
    return a.size == b.size && memcmp(a.bytes, b.bytes, a.size) == 0;
}

static void check_set(const ebm_kernels *set)
{
    for (size_t r = 0; r < sizeof recipes / sizeof recipes[0]; r++) {
        weights first = train(r, set, "first", 1, 1), again = train(r, set, "again", 1, 1);
        weights three = train(r, set, "three", 3, 1), other = train(r, set, "other", 1, 2);
        if (!same(first, again) || !same(first, three) || same(first, other))
            fail_msg("%s on %s: again %d, three threads %d, another seed %d", recipes[r].name,
                     set->name, same(first, again), same(first, three), same(first, other));
        ebm_free(first.bytes);
        ebm_free(again.bytes);
        ebm_free(three.bytes);
        ebm_free(other.bytes);
    }
}

static void test_same_weights_on_every_set(void **state)
{
    where = *state;
    for_each_own_set(check_set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEMP_DIR_TEST(test_same_weights_on_every_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
