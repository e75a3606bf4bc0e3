/* The safetensors writer: one golden image, round trips, and what it refuses to write. */
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
#include "fail_alloc.h"

static const float values[] = {1, 2, 3, 4, 5, 6};
static const ebm_st_item items[] = {
    {.name = "b", .rank = 2, .dim = {2, 2}, .values = values},
    {.name = "a.\xc3\xa4\"", .rank = 0, .values = values + 5},
};
static const ebm_st_pair metadata[] = {{"format", "pt"}, {"note", "line\nbreak"}};

static void golden_bytes(void **state)
{
    (void)state;
    static const char header[] = "{\"__metadata__\":{\"format\":\"pt\"},\"b\":{\"dtype\":\"F32\","
                                 "\"shape\":[1],\"data_offsets\":[0,4]}}   ";
    const ebm_st_item item = {.name = "b", .rank = 1, .dim = {1}, .values = values};
    unsigned char *data;
    size_t size;
    assert_int_equal(ebm_safetensors_build(&item, 1, metadata, 1, &data, &size, NULL), EBM_OK);
    const size_t n = sizeof(header) - 1;
    assert_int_equal(n % 8, 0);
    assert_int_equal(size, 8 + n + 4);
    assert_int_equal(data[0], n);
    assert_memory_equal(data + 1, "\0\0\0\0\0\0\0", 7);
    assert_memory_equal(data + 8, header, n);
    assert_memory_equal(data + 8 + n, "\0\0\x80\x3f", 4);
    ebm_free(data);
}

static void round_trip(void **state)
{
    (void)state;
    unsigned char *data, *again;
    size_t size, size_again;
    ebm_safetensors *st;
    float x[4];
    assert_int_equal(ebm_safetensors_build(items, 2, metadata, 2, &data, &size, NULL), EBM_OK);
    assert_int_equal(ebm_safetensors_build(items, 2, metadata, 2, &again, &size_again, NULL),
                     EBM_OK);
    assert_int_equal(size, size_again);
    assert_memory_equal(data, again, size);
    assert_int_equal(ebm_safetensors_parse(data, size, &st, NULL), EBM_OK);
    assert_int_equal(ebm_safetensors_count(st), 2);
    const ebm_st_tensor *b = ebm_safetensors_find(st, "b");
    const ebm_st_tensor *a = ebm_safetensors_find(st, items[1].name);
    assert_int_equal((b->data - data) % 8, 0);
    assert_int_equal(ebm_st_to_float(b, 4, x, NULL), EBM_OK);
    assert_rel_l2(x, values, 4, 0);
    assert_int_equal(ebm_st_to_float(a, 1, x, NULL), EBM_OK);
    assert_close(x[0], 6, 0);
    assert_string_equal(ebm_safetensors_metadata(st, "note"), "line\nbreak");
    ebm_safetensors_free(st);
    ebm_free(data);
    ebm_free(again);
}

static void nothing_to_write(void **state)
{
    (void)state;
    unsigned char *data;
    size_t size;
    assert_int_equal(ebm_safetensors_build(NULL, 0, NULL, 0, &data, &size, NULL), EBM_OK);
    assert_int_equal(size, 16);
    assert_memory_equal(data + 8, "{}      ", 8);
    ebm_free(data);
}

static void expect_refusal(const ebm_st_item *list, size_t n, const ebm_st_pair *pairs,
                           size_t n_pairs, ebm_status want)
{
    unsigned char *data = NULL;
    size_t size = 1;
    ebm_error err = {EBM_OK, 0, "", ""};
    const ebm_status st = ebm_safetensors_build(list, n, pairs, n_pairs, &data, &size, &err);
    if (st != want) {
        fail_msg("%s: %s", list != NULL && list->name != NULL ? list->name : "",
                 ebm_status_name(st));
    }
    assert_null(data);
    assert_int_equal(size, 0);
    assert_int_equal(err.status, st);
}

static void refuses_items(void **state)
{
    (void)state;
    char long_name[300];
    memset(long_name, 'n', sizeof(long_name));
    long_name[257] = '\0';
    const ebm_st_item bad[] = {
        {.name = NULL, .values = values},
        {.name = "", .values = values},
        {.name = "__metadata__", .values = values},
        {.name = "\xff", .values = values},
        {.name = long_name, .values = values},
        {.name = "no values", .rank = 0},
        {.name = "rank -1", .rank = -1, .values = values},
        {.name = "rank 9", .rank = 9, .dim = {1, 1, 1, 1, 1, 1, 1, 1}, .values = values},
        {.name = "zero", .rank = 1, .dim = {0}, .values = values},
        {.name = "negative", .rank = 1, .dim = {-1}, .values = values},
        {.name = "overflow", .rank = 2, .dim = {INT64_MAX, 3}, .values = values},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        expect_refusal(&bad[i], 1, NULL, 0, EBM_ERR_ARG);
    }
    const ebm_st_item twice[] = {items[0], items[1], items[0]};
    expect_refusal(twice, 3, NULL, 0, EBM_ERR_ARG);
    const ebm_st_item huge = {.name = "huge", .rank = 1, .dim = {INT64_MAX / 3}, .values = values};
    expect_refusal(&huge, 1, NULL, 0, EBM_ERR_LIMIT);
}

static void refuses_metadata(void **state)
{
    (void)state;
    const ebm_st_pair bad[][2] = {{{"a", "1"}, {"a", "2"}},
                                  {{"a", "1"}, {"\xff", "2"}},
                                  {{"a", "1"}, {"b", "\xff"}},
                                  {{"a", "1"}, {NULL, "2"}},
                                  {{"a", "1"}, {"b", NULL}}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        expect_refusal(items, 2, bad[i], 2, EBM_ERR_ARG);
    }
}

static void limits(void **state)
{
    (void)state;
    const size_t n = 4097;
    char(*names)[256] = calloc(n, sizeof(*names));
    ebm_st_item *list = calloc(n, sizeof(*list));
    unsigned char *data;
    size_t size;
    ebm_safetensors *st;
    assert_non_null(names);
    assert_non_null(list);
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(names[i], 256, "%zu", i);
        list[i] = (ebm_st_item){
            .name = names[i], .rank = 8, .values = values, .dim = {1, 1, 1, 1, 1, 1, 1, 1}};
    }
    expect_refusal(list, n, NULL, 0, EBM_ERR_LIMIT);
    /* what is written can be read, also at the limit */
    assert_int_equal(ebm_safetensors_build(list, n - 1, metadata, 2, &data, &size, NULL), EBM_OK);
    assert_int_equal(ebm_safetensors_parse(data, size, &st, NULL), EBM_OK);
    ebm_safetensors_free(st);
    ebm_free(data);
    for (size_t i = 0; i < n; i++) { /* 4096 names of 255 bytes: header above a megabyte */
        (void)snprintf(names[i], 256, "%0255zu", i);
    }
    expect_refusal(list, n - 1, NULL, 0, EBM_ERR_LIMIT);
    free(names);
    free(list);
}

static void no_memory(void **state)
{
    (void)state;
    FOR_EACH_ALLOC_FAILURE
    {
        unsigned char *data;
        size_t size;
        const ebm_status st = ebm_safetensors_build(items, 2, metadata, 2, &data, &size, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        ebm_free(data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_bytes),     cmocka_unit_test(round_trip),
        cmocka_unit_test(nothing_to_write), cmocka_unit_test(refuses_items),
        cmocka_unit_test(refuses_metadata), cmocka_unit_test(limits),
        cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
