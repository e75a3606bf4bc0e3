/* The Inception network: every layer against torchvision, on a thinned network whose numbers are
 * stored, or on whatever make_reference.py wrote to the directory that is given as argument; bits
 * that depend on nobody; weights that are not trusted. */
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
#include "ebm/io.h"
#include "ebm/memory.h"
#include "eval/inception_internal.h"
#include "eval/inception_pass.h"
#include "fail_alloc.h"
#include "temp_dir.h"

/* float32 against float64: 1e-7 a rounding, some 20 layers of sums of thousands of terms. */
#define BOUND 1e-5

static const char *folder = "tests/fixtures/inception";

static const char *file_of(const char *graph, const char *what, char path[TEMP_PATH_MAX])
{
    (void)snprintf(path, TEMP_PATH_MAX, "%s/%s%s.safetensors", folder, graph, what);
    return path;
}

static ebmt_inception *open_net(const char *graph, ebmt_inception_input input)
{
    char path[TEMP_PATH_MAX];
    ebmt_inception *net = NULL;
    ebm_error err = {0};
    if (ebmt_inception_open(file_of(graph, "", path), input, &net, &err) != EBM_OK)
        fail_msg("%s: %s", err.where, err.text);
    return net;
}

/* reference_image() of make_reference.py. @own ebmt_dataset_clear() */
static ebmt_dataset reference_image(int32_t channels, int32_t height, int32_t width)
{
    ebmt_dataset set = {.count = 1, .channels = channels, .height = height, .width = width};
    set.pixels = ebm_alloc((size_t)channels, (size_t)height * (size_t)width);
    assert_non_null(set.pixels);
    uint8_t *to = set.pixels;
    for (int32_t c = 0; c < channels; c++)
        for (int32_t y = 0; y < height; y++)
            for (int32_t x = 0; x < width; x++)
                *to++ = (uint8_t)(x * 7 + y * 13 + c * 50 + x * y % 31 * 3);
    return set;
}

/* --- against torchvision ------------------------------------------------------------------- */

typedef struct reference {
    unsigned char *data;
    ebm_safetensors *file;
    size_t values; /* about so many of each layer */
    size_t layers; /* compared so far */
} reference;

static void reference_open(const char *graph, reference *r)
{
    char path[TEMP_PATH_MAX];
    size_t size = 0;
    *r = (reference){0};
    assert_int_equal(ebm_file_read(NULL, file_of(graph, "-expected", path), (size_t)16 << 20,
                                   &r->data, &size, NULL),
                     EBM_OK);
    assert_int_equal(ebm_safetensors_parse(r->data, size, &r->file, NULL), EBM_OK);
    r->values = (size_t)strtoul(ebm_safetensors_metadata(r->file, "values"), NULL, 10);
}

static void reference_close(reference *r)
{
    ebm_safetensors_free(r->file);
    ebm_free(r->data);
}

/* Compares with the values of torch's [c,side,side] that are stored under the name, if any are. */
static void compare(void *user, const ebmt__inception_view *v)
{
    reference *r = user;
    const ebm_st_tensor *t = ebm_safetensors_find(r->file, v->name);
    const size_t area = (size_t)v->side * (size_t)v->side, all = area * (size_t)v->c;
    const size_t step = all / r->values > 1 ? all / r->values : 1, n = (all + step - 1) / step;
    if (!t)
        return;
    float *want = ebm_alloc(2 * n, sizeof *want), *got = want + n;
    assert_non_null(want);
    assert_int_equal(ebm_st_to_float(t, n, want, NULL), EBM_OK);
    for (size_t i = 0; i < n; i++)
        got[i] = v->values[i * step % area * (size_t)v->pitch + i * step / area];
    assert_rel_l2(got, want, n, BOUND);
    ebm_free(want);
    r->layers++;
}

static void compare_flat(reference *r, const char *name, const float *got, int32_t n)
{
    const ebm_st_tensor *t = ebm_safetensors_find(r->file, name);
    float *want = ebm_alloc((size_t)n, sizeof *want);
    assert_true(t && want);
    assert_int_equal(ebm_st_to_float(t, (size_t)n, want, NULL), EBM_OK);
    assert_rel_l2(got, want, (size_t)n, BOUND);
    ebm_free(want);
}

static void check_graph(const char *graph)
{
    ebmt_inception *net = open_net(graph, EBMT_INCEPTION_BILINEAR);
    ebmt_dataset image = reference_image(3, 40, 31);
    ebmt__inception_scratch s;
    reference r;
    float *features = ebm_alloc((size_t)net->info.features, sizeof *features);
    float *logits = ebm_alloc((size_t)net->info.classes, sizeof *logits);
    assert_true(features && logits);
    reference_open(graph, &r);
    assert_int_equal(ebmt__inception_scratch_init(&net->plan, &s, NULL), EBM_OK);
    assert_int_equal(ebmt__inception_image(net->info.input, &image, 0, s.maps[EBMT_MAP_IN], NULL),
                     EBM_OK);
    ebmt__inception_pass(&net->plan, net->params, &s, compare, &r, features);
    /* 94 convolutions, two pools of the stem, eleven blocks */
    assert_int_equal(r.layers, 94 + 2 + 11);
    compare_flat(&r, "features", features, net->info.features);
    ebmt__inception_logits(net, features, logits);
    compare_flat(&r, "logits", logits, net->info.classes);
    ebmt__inception_scratch_clear(&s);
    reference_close(&r);
    ebm_free(features);
    ebm_free(logits);
    ebmt_dataset_clear(&image);
    ebmt_inception_free(net);
}

static void test_fid_graph(void **state)
{
    (void)state;
    check_graph("fid");
}

static void test_torchvision_graph(void **state)
{
    (void)state;
    check_graph("torchvision");
}

/* --- the input ----------------------------------------------------------------------------- */

static void check_input(reference *r, const char *name, ebmt_inception_input input,
                        ebmt_dataset image)
{
    float *x = ebm_alloc(3, EBMT_INCEPTION_SIDE * EBMT_INCEPTION_SIDE * sizeof *x);
    assert_non_null(x);
    assert_int_equal(ebmt__inception_image(input, &image, 0, x, NULL), EBM_OK);
    const ebmt__inception_view view = {name, x, EBMT_INCEPTION_SIDE, 3, 3};
    compare(r, &view);
    ebm_free(x);
    ebmt_dataset_clear(&image);
}

static void test_input_as_torch(void **state)
{
    reference r;
    (void)state;
    reference_open("fid", &r);
    check_input(&r, "input.bilinear", EBMT_INCEPTION_BILINEAR, reference_image(3, 40, 31));
    check_input(&r, "input.gray", EBMT_INCEPTION_BILINEAR, reference_image(1, 28, 28));
    check_input(&r, "input.antialias", EBMT_INCEPTION_ANTIALIAS, reference_image(3, 700, 500));
    /* what is enlarged has nothing to smooth */
    check_input(&r, "input.bilinear", EBMT_INCEPTION_ANTIALIAS, reference_image(3, 40, 31));
    assert_int_equal(r.layers, 4);
    reference_close(&r);
}

/* On a ramp u = 10 x of 20 pixels TensorFlow 1 reads u = 10 min(20 i/299, 19). */
static void test_input_of_tf1(void **state)
{
    uint8_t pixels[40];
    const ebmt_dataset ramp = {
        .count = 1, .channels = 1, .height = 2, .width = 20, .pixels = pixels};
    float *x = ebm_alloc(3, EBMT_INCEPTION_SIDE * EBMT_INCEPTION_SIDE * sizeof *x);
    (void)state;
    assert_non_null(x);
    for (int i = 0; i < 40; i++)
        pixels[i] = (uint8_t)(i % 20 * 10);
    assert_int_equal(ebmt__inception_image(EBMT_INCEPTION_TF1, &ramp, 0, x, NULL), EBM_OK);
    for (int i = 0; i < EBMT_INCEPTION_SIDE; i++)
        for (int k = 0; k < 3; k++)
            assert_close((double)x[(200 * EBMT_INCEPTION_SIDE + i) * 3 + k],
                         (fmin(200.0 * i / 299.0, 190.0) - 128.0) / 128.0, 1e-6);
    ebm_free(x);
}

/* --- the ruler ----------------------------------------------------------------------------- */

static ebmt_pool *pool_of(int32_t threads)
{
    ebmt_pool *pool = NULL;
    assert_int_equal(ebmt_pool_create(threads, &pool, NULL), EBM_OK);
    return pool;
}

/* n gray images of 9x8 that differ */
static ebmt_dataset some_images(int64_t n)
{
    ebmt_dataset set = reference_image((int32_t)n, 9, 8);
    set.count = n;
    set.channels = 1;
    return set;
}

static void test_bits(void **state)
{
    ebmt_inception *net = open_net("fid", EBMT_INCEPTION_BILINEAR);
    const ebmt_ruler ruler = ebmt_inception_ruler(net);
    ebmt_pool *one = pool_of(1), *three = pool_of(3);
    ebmt_dataset set = some_images(4), last = set;
    ebmt_embedding a, b, c;
    (void)state;
    assert_false(ruler.of_the_data);
    last.pixels = set.pixels + 3 * 72;
    last.count = 1;
    assert_int_equal(ruler.embed(ruler.self, &set, one, &a, NULL), EBM_OK);
    assert_int_equal(ruler.embed(ruler.self, &set, three, &b, NULL), EBM_OK);
    assert_int_equal(ruler.embed(ruler.self, &last, three, &c, NULL), EBM_OK);
    const size_t row = (size_t)a.dim * sizeof(double);
    assert_memory_equal(a.features, b.features, 4 * row);
    assert_memory_equal(a.features + 3 * a.dim, c.features, row);
    assert_memory_equal(a.probs + 3 * a.classes, c.probs, (size_t)a.classes * sizeof(double));
    assert_memory_not_equal(a.features, c.features, row);
    double sum = 0;
    for (int32_t k = 0; k < a.classes; k++)
        sum += a.probs[k];
    assert_close(sum, 1, 1e-12);
    ebmt_embedding_clear(&a);
    ebmt_embedding_clear(&b);
    ebmt_embedding_clear(&c);
    ebmt_dataset_clear(&set);
    ebmt_pool_free(one);
    ebmt_pool_free(three);
    ebmt_inception_free(net);
}

/* --- files that are not trusted ------------------------------------------------------------ */

/* The weights with some bytes of the header replaced by as many others. */
static ebm_status open_damaged(const char *dir, const char *from, const char *to, ebm_error *err)
{
    char path[TEMP_PATH_MAX];
    unsigned char *data = NULL;
    size_t size = 0, n = strlen(from);
    ebmt_inception *net = NULL;
    assert_int_equal(strlen(to), n);
    assert_int_equal(
        ebm_file_read(NULL, file_of("fid", "", path), (size_t)1 << 20, &data, &size, NULL), EBM_OK);
    size_t at = 8;
    while (at + n < size && memcmp(data + at, from, n) != 0)
        at++;
    assert_true(at + n < size);
    memcpy(data + at, to, n);
    assert_true(temp_dir_write(dir, "damaged.safetensors", data, size));
    assert_true(temp_dir_join(dir, "damaged.safetensors", path));
    ebm_status st = ebmt_inception_open(path, EBMT_INCEPTION_BILINEAR, &net, err);
    assert_null(net);
    ebm_free(data);
    return st;
}

static void test_hostile_files(void **state)
{
    static const struct {
        const char *from, *to;
        ebm_status want;
        const char *where;
    } rows[] = {
        {"\"graph\":\"fid\"", "\"graph\":\"fit\"", EBM_ERR_FORMAT, NULL},
        {"\"graph\":\"fid\"", "\"grape\":\"fid\"", EBM_ERR_FORMAT, NULL},
        {"Mixed_6c.branch7x7_2.conv", "Mixed_6c.branch7x7_9.conv", EBM_ERR_FORMAT,
         "Mixed_6c.branch7x7_2.conv.weight"},
        {"Mixed_7c.branch_pool.bn.bias", "Mixed_7c.branch_pool.bn.bees", EBM_ERR_FORMAT,
         "Mixed_7c.branch_pool.bn.bias"},
        {"\"shape\":[2,2,1,7]", "\"shape\":[2,2,7,1]", EBM_ERR_SHAPE,
         "Mixed_6b.branch7x7_2.conv.weight"},
        {"\"shape\":[2,3,3,3]", "\"shape\":[3,2,3,3]", EBM_ERR_SHAPE, "Conv2d_1a_3x3.conv.weight"},
        {"\"shape\":[2,3,3,3]", "\"shape\":[3,3,2,3]", EBM_ERR_SHAPE, "Conv2d_1a_3x3.conv.weight"},
        {"fc.bias", "fc.bees", EBM_ERR_FORMAT, "fc.bias"},
    };
    char dir[TEMP_PATH_MAX];
    (void)state;
    assert_true(temp_dir_make(dir));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ebm_error err = {0};
        assert_int_equal(open_damaged(dir, rows[i].from, rows[i].to, &err), rows[i].want);
        if (rows[i].where)
            assert_string_equal(err.where, rows[i].where);
        assert_true(err.where[0] != '\0');
    }
    temp_dir_remove(dir);
    ebmt_inception *net = NULL;
    assert_int_equal(
        ebmt_inception_open("tests/fixtures/nothing", EBMT_INCEPTION_BILINEAR, &net, NULL),
        EBM_ERR_NOT_FOUND);
}

/* Rebuilds the weights with one tensor changed or one more. */
static ebm_status open_rebuilt(const char *dir, const char *name, float value, bool extra,
                               ebm_error *err)
{
    static ebm_st_item items[EBM_SAFETENSORS_MAX_TENSORS];
    const ebm_st_pair graph = {"graph", "fid"};
    char path[TEMP_PATH_MAX];
    unsigned char *data = NULL, *out = NULL;
    size_t size = 0, n;
    ebm_safetensors *file = NULL;
    float *values, *at;
    ebmt_inception *net = NULL;
    assert_int_equal(
        ebm_file_read(NULL, file_of("fid", "", path), (size_t)1 << 20, &data, &size, NULL), EBM_OK);
    assert_int_equal(ebm_safetensors_parse(data, size, &file, NULL), EBM_OK);
    at = values = ebm_alloc(size, sizeof(float));
    n = ebm_safetensors_count(file);
    for (size_t i = 0; i < n; i++) {
        const ebm_st_tensor *t = ebm_safetensors_at(file, i);
        items[i] = (ebm_st_item){.name = t->name, .rank = t->rank, .values = at};
        memcpy(items[i].dim, t->dim, sizeof t->dim);
        assert_int_equal(ebm_st_to_float(t, t->count, at, NULL), EBM_OK);
        if (strcmp(t->name, name) == 0)
            at[1] = value;
        at += t->count;
    }
    if (extra)
        items[n++] = (ebm_st_item){.name = name, .rank = 1, .dim = {1}, .values = values};
    assert_int_equal(ebm_safetensors_build(items, n, &graph, 1, &out, &size, NULL), EBM_OK);
    assert_true(temp_dir_write(dir, "rebuilt.safetensors", out, size));
    assert_true(temp_dir_join(dir, "rebuilt.safetensors", path));
    ebm_status st = ebmt_inception_open(path, EBMT_INCEPTION_BILINEAR, &net, err);
    ebmt_inception_free(net);
    ebm_safetensors_free(file);
    ebm_free(values);
    ebm_free(out);
    ebm_free(data);
    return st;
}

static void test_hostile_values(void **state)
{
    static const char variance[] = "Mixed_5b.branch1x1.bn.running_var";
    char dir[TEMP_PATH_MAX];
    ebm_error err = {0};
    (void)state;
    assert_true(temp_dir_make(dir));
    assert_int_equal(open_rebuilt(dir, variance, 0.0f, false, NULL), EBM_OK);
    assert_int_equal(open_rebuilt(dir, variance, -0.5f, false, &err), EBM_ERR_RANGE);
    assert_string_equal(err.where, variance);
    assert_int_equal(open_rebuilt(dir, "fc.bias", NAN, false, NULL), EBM_ERR_FORMAT);
    assert_int_equal(open_rebuilt(dir, "AuxLogits.fc.bias", 0.0f, true, NULL), EBM_ERR_FORMAT);
    temp_dir_remove(dir);
}

static void test_no_memory(void **state)
{
    char path[TEMP_PATH_MAX];
    ebmt_inception *net = open_net("fid", EBMT_INCEPTION_BILINEAR);
    const ebmt_ruler ruler = ebmt_inception_ruler(net);
    ebmt_dataset set = some_images(1);
    ebmt_pool *pool = pool_of(1);
    (void)state;
    FOR_EACH_ALLOC_FAILURE
    {
        ebmt_inception *again = NULL;
        ebm_status st =
            ebmt_inception_open(file_of("fid", "", path), EBMT_INCEPTION_BILINEAR, &again, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        ebmt_inception_free(again);
    }
    FOR_EACH_ALLOC_FAILURE
    {
        ebmt_embedding e;
        ebm_status st = ruler.embed(ruler.self, &set, pool, &e, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        ebmt_embedding_clear(&e);
    }
    ebmt_pool_free(pool);
    ebmt_dataset_clear(&set);
    ebmt_inception_free(net);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fid_graph),      cmocka_unit_test(test_torchvision_graph),
        cmocka_unit_test(test_input_as_torch), cmocka_unit_test(test_input_of_tf1),
        cmocka_unit_test(test_bits),           cmocka_unit_test(test_hostile_files),
        cmocka_unit_test(test_hostile_values), cmocka_unit_test(test_no_memory),
    };
    const struct CMUnitTest given[] = {
        cmocka_unit_test(test_fid_graph),
        cmocka_unit_test(test_torchvision_graph),
        cmocka_unit_test(test_input_as_torch),
        cmocka_unit_test(test_bits),
    };
    if (argc < 2)
        return cmocka_run_group_tests(tests, NULL, NULL);
    folder = argv[1];
    return cmocka_run_group_tests(given, NULL, NULL);
}
