/* Folders of pictures: order, what is passed over, damage, parts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "ebmt/data.h"
#include "fail_alloc.h"
#include "picture_maker.h"
#include "temp_dir.h"

/* A flat gray picture; its value tells which one it is. */
static void put(const char *dir, const char *name, uint8_t value)
{
    ebm_image image = picture_make(5, 4, 1, 0);
    memset(image.pixels, value, 20);
    made_file f = picture_png(&image);
    assert_true(temp_dir_write(dir, name, f.bytes, f.size));
    free(f.bytes);
    free(image.pixels);
}

static void make_folder(const char *dir, const char *name)
{
    char path[TEMP_PATH_MAX];
    assert_true(temp_dir_join(dir, name, path));
    assert_int_equal(mkdir(path, 0700), 0);
}

static ebm_status open_folder(const char *dir, const ebmt_data_options *extra, ebmt_dataset *out,
                              ebm_error *err)
{
    ebmt_data_options options = *extra;
    options.path = dir;
    options.image_size = 2;
    options.channels = 1;
    return ebmt_dataset_open(&options, out, err);
}

static const ebmt_data_options cached = {.cache_bytes = 1 << 20};
static const ebmt_data_options streamed = {.cache_bytes = 0};
static const ebmt_data_options strict = {.cache_bytes = 1 << 20, .strict = true};

static void expect_values(const ebmt_dataset *data, const uint8_t *values, int n)
{
    assert_int_equal(data->count, n);
    for (int i = 0; i < n; i++) {
        float x[4];
        assert_int_equal(ebmt_dataset_get(data, i, 0, x, NULL), EBM_OK);
        assert_true(x[3] == (float)values[i] / 127.5f - 1.0f);
    }
}

/* Bytewise by path: big letters first, "a.png" before "a/", however deep. */
static void test_order(void **state)
{
    const uint8_t in_order[] = {1, 2, 3, 4, 5, 6, 7};
    const ebmt_data_options *both[] = {&cached, &streamed};
    make_folder(*state, "a");
    make_folder(*state, "a/b");
    put(*state, "z.webp", 7); /* the ending does not decide what it is */
    put(*state, "a/b/c.jpeg", 4);
    put(*state, "a/c.png", 5);
    put(*state, "a.png", 3);
    put(*state, "Z.PNG", 2);
    put(*state, "10.jpg", 1);
    put(*state, "with\nnewline.png", 6);
    for (int k = 0; k < 2; k++) {
        ebmt_dataset data;
        assert_int_equal(open_folder(*state, both[k], &data, NULL), EBM_OK);
        assert_true((data.pixels != NULL) == (k == 0));
        expect_values(&data, in_order, 7);
        assert_int_equal(data.ignored, 0);
        ebmt_dataset_clear(&data);
    }
}

/* Text, links, a link that leads back, a pipe, no permission: counted, or fatal. */
static void test_ignored(void **state)
{
    char path[TEMP_PATH_MAX];
    const uint8_t values[] = {1, 2};
    ebmt_dataset data;
    ebm_error err = {0};
    put(*state, "1.png", 1);
    put(*state, "2.png", 2);
    assert_true(temp_dir_write(*state, "list.txt", "x", 1));
    assert_true(temp_dir_write(*state, "noending", "x", 1));
    assert_true(temp_dir_join(*state, "loop", path));
    assert_int_equal(symlink(".", path), 0);
    assert_true(temp_dir_join(*state, "3.png", path));
    assert_int_equal(symlink("1.png", path), 0);
    assert_true(temp_dir_join(*state, "4.png", path));
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(open_folder(*state, &cached, &data, NULL), EBM_OK);
    expect_values(&data, values, 2);
    assert_int_equal(data.ignored, 5);
    ebmt_dataset_clear(&data);
    assert_int_equal(open_folder(*state, &strict, &data, &err), EBM_ERR_FORMAT);
    assert_non_null(strstr(err.text, "5 entries"));
}

static void put_damaged(const char *dir)
{
    put(dir, "1.png", 1);
    assert_true(temp_dir_write(dir, "2.jpg", "\xff\xd8\xffgarbage", 10));
    assert_true(temp_dir_write(dir, "3.webp", "", 0));
    put(dir, "4.png", 4);
    assert_true(temp_dir_write(dir, "5.png", "<html>", 6));
}

/* The next sound one takes the place, the first one after the last; so in memory as on demand,
 * from whichever end one begins. */
static void test_damage(void **state)
{
    const uint8_t values[] = {1, 4, 4, 4, 1};
    ebmt_dataset data;
    float x[4];
    put_damaged(*state);
    assert_int_equal(open_folder(*state, &cached, &data, NULL), EBM_OK);
    assert_int_equal(ebmt_dataset_damaged(&data), 3);
    expect_values(&data, values, 5);
    ebmt_dataset_clear(&data);

    assert_int_equal(open_folder(*state, &streamed, &data, NULL), EBM_OK);
    assert_int_equal(ebmt_dataset_damaged(&data), 0);
    for (int i = 4; i >= 0; i--) {
        assert_int_equal(ebmt_dataset_get(&data, i, 0, x, NULL), EBM_OK);
        assert_true(x[0] == (float)values[i] / 127.5f - 1.0f);
    }
    expect_values(&data, values, 5);
    assert_int_equal(ebmt_dataset_damaged(&data), 3);
    ebmt_dataset_clear(&data);
}

/* A damaged image is replaced by one of its own part: nothing held out gets in front of a network.
 */
static void test_damage_beside_held_out(void **state)
{
    const uint8_t train[] = {1, 4, 4, 4}, test[] = {7, 6, 7};
    ebmt_data_options o = cached;
    ebmt_dataset data;
    put_damaged(*state);
    put(*state, "6.png", 6);
    put(*state, "7.png", 7);
    o.held_out = 3; /* 5.png, which is damaged, 6.png, 7.png */
    assert_int_equal(open_folder(*state, &o, &data, NULL), EBM_OK);
    assert_int_equal(ebmt_dataset_damaged(&data), 2);
    expect_values(&data, train, 4);
    ebmt_dataset_clear(&data);
    assert_true(temp_dir_write(*state, "7.png", "x", 1));
    put(*state, "5.png", 7);
    o.split = EBMT_TEST;
    assert_int_equal(open_folder(*state, &o, &data, NULL), EBM_OK);
    expect_values(&data, test, 3);
    ebmt_dataset_clear(&data);
}

static void test_strict(void **state)
{
    const ebmt_data_options on_demand = {.strict = true};
    ebmt_dataset data;
    ebm_error err = {0};
    float x[4];
    put_damaged(*state);
    assert_int_equal(open_folder(*state, &strict, &data, &err), EBM_ERR_FORMAT);
    assert_non_null(strstr(err.where, "2.jpg"));
    assert_int_equal(open_folder(*state, &on_demand, &data, NULL), EBM_OK);
    assert_int_equal(ebmt_dataset_get(&data, 0, 0, x, NULL), EBM_OK);
    for (int k = 0; k < 2; k++) { /* and stays so */
        err = (ebm_error){0};
        assert_int_equal(ebmt_dataset_get(&data, 2, 0, x, &err), EBM_ERR_FORMAT);
        assert_non_null(strstr(err.where, "3.webp"));
    }
    ebmt_dataset_clear(&data);
}

static void test_nothing_sound(void **state)
{
    ebmt_dataset data;
    ebm_error err = {0};
    assert_true(temp_dir_write(*state, "1.png", "x", 1));
    assert_true(temp_dir_write(*state, "2.png", "x", 1));
    assert_int_equal(open_folder(*state, &cached, &data, &err), EBM_ERR_FORMAT);
    assert_non_null(strstr(err.text, "2 damaged images in a row"));
    assert_null(data.pixels);
}

/* A file that vanishes is no damage: it would change what the run learns from. */
static void test_vanished(void **state)
{
    char path[TEMP_PATH_MAX];
    ebmt_dataset data;
    ebm_error err = {0};
    float x[4];
    put(*state, "1.png", 1);
    put(*state, "2.png", 2);
    assert_int_equal(open_folder(*state, &streamed, &data, NULL), EBM_OK);
    assert_true(temp_dir_join(*state, "2.png", path));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(ebmt_dataset_get(&data, 1, 0, x, &err), EBM_ERR_NOT_FOUND);
    assert_non_null(strstr(err.where, "2.png"));
    ebmt_dataset_clear(&data);
}

static void test_parts(void **state)
{
    const uint8_t train[] = {1, 2}, test[] = {3, 4};
    const ebmt_data_options test_part = {.cache_bytes = 1 << 20, .split = EBMT_TEST};
    ebmt_dataset data;
    make_folder(*state, "train");
    put(*state, "train/1.png", 1);
    put(*state, "train/2.png", 2);
    assert_int_equal(open_folder(*state, &test_part, &data, NULL), EBM_ERR_NOT_FOUND);
    make_folder(*state, "test");
    put(*state, "test/3.png", 3);
    put(*state, "test/4.png", 4);
    assert_int_equal(open_folder(*state, &cached, &data, NULL), EBM_OK);
    expect_values(&data, train, 2);
    ebmt_dataset_clear(&data);
    assert_int_equal(open_folder(*state, &test_part, &data, NULL), EBM_OK);
    expect_values(&data, test, 2);
    ebmt_dataset_clear(&data);
}

/* With test/ alone, all else is training data: nothing trains on what it is measured with. */
static void test_test_part_alone(void **state)
{
    const uint8_t train[] = {1, 2, 5}, test[] = {3, 4};
    const ebmt_data_options test_part = {.cache_bytes = 1 << 20, .split = EBMT_TEST};
    ebmt_dataset data;
    make_folder(*state, "test");
    make_folder(*state, "x");
    make_folder(*state, "x/test");
    put(*state, "1.png", 1);
    put(*state, "2.png", 2);
    put(*state, "test/3.png", 3);
    put(*state, "test/4.png", 4);
    put(*state, "x/test/5.png", 5); /* only the one at the top is a part */
    assert_int_equal(open_folder(*state, &cached, &data, NULL), EBM_OK);
    expect_values(&data, train, 3);
    ebmt_dataset_clear(&data);
    assert_int_equal(open_folder(*state, &test_part, &data, NULL), EBM_OK);
    expect_values(&data, test, 2);
    ebmt_dataset_clear(&data);
}

static void test_options(void **state)
{
    ebmt_dataset data;
    ebm_error err = {0};
    ebmt_data_options o = {.path = *state};
    put(*state, "1.png", 1);
    assert_int_equal(open_folder(*state, &cached, &data, NULL), EBM_ERR_FORMAT); /* one sample */
    put(*state, "2.png", 2);
    assert_int_equal(ebmt_dataset_open(&o, &data, &err), EBM_ERR_ARG);
    assert_string_equal(err.where, "image_size");
    o.image_size = 1025;
    assert_int_equal(ebmt_dataset_open(&o, &data, NULL), EBM_ERR_RANGE);
    o.image_size = 32;
    o.channels = 2; /* pictures are gray or colour */
    assert_int_equal(ebmt_dataset_open(&o, &data, NULL), EBM_ERR_SHAPE);
    o.channels = 0;
    assert_int_equal(ebmt_dataset_open(&o, &data, NULL), EBM_OK);
    assert_int_equal(data.channels, 3);
    assert_int_equal(data.width, 32);
    ebmt_dataset_clear(&data);
}

/* Folders in folders: 16 are fine, 17 are not. */
static void test_depth(void **state)
{
    char name[TEMP_PATH_MAX] = "d";
    ebmt_dataset data;
    put(*state, "1.png", 1);
    put(*state, "2.png", 2);
    for (int i = 0; i < 17; i++) {
        make_folder(*state, name);
        assert_int_equal(open_folder(*state, &cached, &data, NULL),
                         i < 16 ? EBM_OK : EBM_ERR_LIMIT);
        ebmt_dataset_clear(&data);
        memcpy(name + 2 * i + 1, "/d", 3);
    }
}

static void test_no_memory(void **state)
{
    put(*state, "1.png", 1);
    put(*state, "2.png", 2);
    FOR_EACH_ALLOC_FAILURE
    {
        ebmt_dataset data;
        ebm_status st = open_folder(*state, &cached, &data, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        ebmt_dataset_clear(&data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEMP_DIR_TEST(test_order),
        TEMP_DIR_TEST(test_ignored),
        TEMP_DIR_TEST(test_damage),
        TEMP_DIR_TEST(test_strict),
        TEMP_DIR_TEST(test_nothing_sound),
        TEMP_DIR_TEST(test_vanished),
        TEMP_DIR_TEST(test_parts),
        TEMP_DIR_TEST(test_test_part_alone),
        TEMP_DIR_TEST(test_options),
        TEMP_DIR_TEST(test_depth),
        TEMP_DIR_TEST(test_no_memory),
        TEMP_DIR_TEST(test_damage_beside_held_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
