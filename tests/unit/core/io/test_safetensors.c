/* The safetensors reader: what a valid image gives, and that nothing else gets through. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ebm/io.h"
#include "ebm/memory.h"
#include "fail_alloc.h"
#include "io/bytes.h"

/* An image on the heap, exactly as long as it is, so that a sanitizer sees a read beyond it. */
typedef struct image {
    unsigned char *bytes;
    size_t size;
} image;

static image make_image(const char *header, size_t data_bytes)
{
    const size_t n = strlen(header);
    image im = {.size = 8 + n + data_bytes};
    im.bytes = calloc(im.size, 1);
    assert_non_null(im.bytes);
    ebm__store_le64(im.bytes, n);
    memcpy(im.bytes + 8, header, n);
    for (size_t i = 0; i < data_bytes; i++) {
        im.bytes[8 + n + i] = (unsigned char)i;
    }
    return im;
}

/* Parses a copy of the first `size` bytes and forgets the result. */
static ebm_status parse(const unsigned char *bytes, size_t size, ebm_error *err)
{
    ebm_safetensors *st = NULL;
    unsigned char *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    *err = (ebm_error){EBM_OK, 0, "", ""};
    const ebm_status status = ebm_safetensors_parse(copy, size, &st, err);
    assert_int_equal(status == EBM_OK, st != NULL);
    assert_int_equal(err->status, status);
    ebm_safetensors_free(st);
    free(copy);
    return status;
}

#define ENTRY(dtype, shape, begin, end)                                                            \
    "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" #begin "," #end "]}"

static const char valid[] =
    "{\"__metadata__\":{\"format\":\"pt\",\"note\":\"x\"},"
    "\"b\":" ENTRY("F32", "[2,3]", 8, 32) ","
                                          "\"z\":" ENTRY("I64", "[1]", 0,
                                                         8) ","
                                                            "\"c\":" ENTRY("BF16", "[]", 32,
                                                                           34) "}   ";

static void reads_a_valid_image(void **state)
{
    (void)state;
    image im = make_image(valid, 34);
    ebm_safetensors *st;
    assert_int_equal(ebm_safetensors_parse(im.bytes, im.size, &st, NULL), EBM_OK);
    assert_int_equal(ebm_safetensors_count(st), 3);
    assert_null(ebm_safetensors_at(st, 3));
    static const char *const order[] = {"z", "b", "c"}; /* of the data, not of the header */
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(ebm_safetensors_at(st, i)->name, order[i]);
        assert_ptr_equal(ebm_safetensors_find(st, order[i]), ebm_safetensors_at(st, i));
    }
    const ebm_st_tensor *b = ebm_safetensors_find(st, "b");
    assert_int_equal(b->dtype, EBM_F32);
    assert_int_equal(b->rank, 2);
    assert_int_equal(b->dim[0], 2);
    assert_int_equal(b->dim[1], 3);
    assert_int_equal(b->count, 6);
    assert_int_equal(b->bytes, 24);
    assert_int_equal(b->data[0], 8);
    const ebm_st_tensor *c = ebm_safetensors_find(st, "c");
    assert_int_equal(c->rank, 0);
    assert_int_equal(c->count, 1);
    ebm_safetensors_free(st);
    free(im.bytes);
}

static void finds_names_and_metadata(void **state)
{
    (void)state;
    image im = make_image(valid, 34);
    ebm_safetensors *st;
    assert_int_equal(ebm_safetensors_parse(im.bytes, im.size, &st, NULL), EBM_OK);
    assert_null(ebm_safetensors_find(st, ""));
    assert_null(ebm_safetensors_find(st, "aa"));
    assert_null(ebm_safetensors_find(st, "__metadata__"));
    assert_string_equal(ebm_safetensors_metadata(st, "format"), "pt");
    assert_null(ebm_safetensors_metadata(st, "missing"));
    ebm_safetensors_free(st);
    free(im.bytes);
    ebm_safetensors_free(NULL);
}

static void an_image_without_tensors_is_valid(void **state)
{
    (void)state;
    image im = make_image("{}", 0);
    ebm_safetensors *st;
    assert_int_equal(ebm_safetensors_parse(im.bytes, im.size, &st, NULL), EBM_OK);
    assert_int_equal(ebm_safetensors_count(st), 0);
    assert_null(ebm_safetensors_at(st, 0));
    assert_null(ebm_safetensors_find(st, "a"));
    assert_null(ebm_safetensors_metadata(st, "a"));
    ebm_safetensors_free(st);
    free(im.bytes);
}

/* Each case is a header and the number of data bytes behind it; `where` names the culprit. */
static const struct {
    const char *why, *header;
    size_t data_bytes;
    ebm_status status;
    const char *where;
} cases[] = {
    {"empty header", "", 0, EBM_ERR_FORMAT, "safetensors"},
    {"not an object", "[]", 0, EBM_ERR_FORMAT, "safetensors"},
    {"leading space", " {}", 0, EBM_ERR_FORMAT, "safetensors"},
    {"not JSON", "{a}", 0, EBM_ERR_FORMAT, "safetensors"},
    {"bad UTF-8", "{\"\xff\":1}", 0, EBM_ERR_FORMAT, "safetensors"},
    {"two objects", "{}{}", 0, EBM_ERR_FORMAT, "safetensors"},
    {"too deep", "{\"a\":[[[[[[[[[1]]]]]]]]]}", 0, EBM_ERR_LIMIT, "safetensors"},
    {"bytes without a tensor", "{}", 1, EBM_ERR_FORMAT, "safetensors"},
    {"duplicate tensor",
     "{\"a\":" ENTRY("F32", "[1]", 0, 4) ",\"a\":" ENTRY("F32", "[1]", 4, 8) "}", 8, EBM_ERR_FORMAT,
     "safetensors"},
    {"duplicate metadata", "{\"__metadata__\":{},\"__metadata__\":{}}", 0, EBM_ERR_FORMAT,
     "safetensors"},
    {"metadata no object", "{\"__metadata__\":\"x\"}", 0, EBM_ERR_FORMAT, "__metadata__"},
    {"metadata value no string", "{\"__metadata__\":{\"a\":1}}", 0, EBM_ERR_FORMAT, "__metadata__"},
    {"entry no object", "{\"a\":[]}", 0, EBM_ERR_FORMAT, "a"},
    {"entry empty", "{\"a\":{}}", 0, EBM_ERR_FORMAT, "a"},
    {"entry null", "{\"a\":null}", 0, EBM_ERR_FORMAT, "a"},
    {"no dtype", "{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, EBM_ERR_FORMAT, "a"},
    {"no shape", "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, EBM_ERR_FORMAT, "a"},
    {"no offsets", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, EBM_ERR_FORMAT, "a"},
    {"unknown key", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"x\":1}}", 4,
     EBM_ERR_FORMAT, "a"},
    {"no name", "{\"\":" ENTRY("F32", "[1]", 0, 4) "}", 4, EBM_ERR_FORMAT, "safetensors"},
    {"dtype number", "{\"a\":{\"dtype\":1,\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
     EBM_ERR_FORMAT, "a"},
    {"dtype unknown", "{\"a\":" ENTRY("F16", "[2]", 0, 4) "}", 4, EBM_ERR_FORMAT, "a"},
    {"dtype lower case", "{\"a\":" ENTRY("f32", "[1]", 0, 4) "}", 4, EBM_ERR_FORMAT, "a"},
    {"shape no array", "{\"a\":" ENTRY("F32", "1", 0, 4) "}", 4, EBM_ERR_FORMAT, "a"},
    {"shape of reals", "{\"a\":" ENTRY("F32", "[1.0]", 0, 4) "}", 4, EBM_ERR_FORMAT, "a"},
    {"shape of strings", "{\"a\":" ENTRY("F32", "[\"1\"]", 0, 4) "}", 4, EBM_ERR_FORMAT, "a"},
    {"negative dimension", "{\"a\":" ENTRY("F32", "[-1]", 0, 4) "}", 4, EBM_ERR_FORMAT, "a"},
    {"two negative dimensions", "{\"a\":" ENTRY("F32", "[-1,-1]", 0, 4) "}", 4, EBM_ERR_FORMAT,
     "a"},
    {"zero dimension", "{\"a\":" ENTRY("F32", "[0]", 0, 0) "}", 0, EBM_ERR_FORMAT, "a"},
    {"rank 9", "{\"a\":" ENTRY("F32", "[1,1,1,1,1,1,1,1,1]", 0, 4) "}", 4, EBM_ERR_LIMIT, "a"},
    {"shape overflows", "{\"a\":" ENTRY("F32", "[4294967296,4294967296]", 0, 4) "}", 4,
     EBM_ERR_FORMAT, "a"},
    {"shape overflows to nothing", "{\"a\":" ENTRY("F32", "[4294967296,4294967296]", 0, 0) "}", 0,
     EBM_ERR_FORMAT, "a"},
    {"shape overflows to its bytes", "{\"a\":" ENTRY("F32", "[4611686018427387905,4]", 0, 16) "}",
     16, EBM_ERR_FORMAT, "a"},
    {"shape times dtype overflows", "{\"a\":" ENTRY("F32", "[4611686018427387905]", 0, 4) "}", 4,
     EBM_ERR_FORMAT, "a"},
    {"dimension above int64", "{\"a\":" ENTRY("F32", "[9223372036854775808]", 0, 4) "}", 4,
     EBM_ERR_FORMAT, "safetensors"},
    {"offsets no array", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":4}}", 4,
     EBM_ERR_FORMAT, "a"},
    {"one offset", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4,
     EBM_ERR_FORMAT, "a"},
    {"three offsets", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,4]}}", 4,
     EBM_ERR_FORMAT, "a"},
    {"real offset", "{\"a\":" ENTRY("F32", "[1]", 0, 4.0) "}", 4, EBM_ERR_FORMAT, "a"},
    {"reversed offsets", "{\"a\":" ENTRY("F32", "[1]", 4, 0) "}", 4, EBM_ERR_FORMAT, "a"},
    {"negative offset", "{\"a\":" ENTRY("F32", "[1]", -4, 0) "}", 4, EBM_ERR_FORMAT, "a"},
    {"past the end", "{\"a\":" ENTRY("F32", "[1]", 1, 5) "}", 4, EBM_ERR_FORMAT, "a"},
    {"far past the end",
     "{\"a\":" ENTRY("F32", "[1]", 9223372036854775803, 9223372036854775807) "}", 4, EBM_ERR_FORMAT,
     "a"},
    {"does not start at 0", "{\"a\":" ENTRY("F32", "[1]", 4, 8) "}", 8, EBM_ERR_FORMAT, "a"},
    {"hole", "{\"a\":" ENTRY("F32", "[1]", 0, 4) ",\"b\":" ENTRY("F32", "[1]", 8, 12) "}", 12,
     EBM_ERR_FORMAT, "b"},
    {"overlap", "{\"a\":" ENTRY("F32", "[2]", 0, 8) ",\"b\":" ENTRY("F32", "[1]", 4, 8) "}", 8,
     EBM_ERR_FORMAT, "b"},
    {"same bytes twice",
     "{\"a\":" ENTRY("F32", "[1]", 0, 4) ",\"b\":" ENTRY("F32", "[1]", 0, 4) "}", 4, EBM_ERR_FORMAT,
     NULL},
    {"tail", "{\"a\":" ENTRY("F32", "[1]", 0, 4) "}", 5, EBM_ERR_FORMAT, "safetensors"},
    {"too few bytes for the shape", "{\"a\":" ENTRY("F32", "[2]", 0, 4) "}", 4, EBM_ERR_FORMAT,
     "a"},
    {"too many bytes for the shape", "{\"a\":" ENTRY("BF16", "[1]", 0, 4) "}", 4, EBM_ERR_FORMAT,
     "a"},
};

static void refuses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        image im = make_image(cases[i].header, cases[i].data_bytes);
        ebm_error err;
        const ebm_status st = parse(im.bytes, im.size, &err);
        if (st != cases[i].status ||
            (cases[i].where != NULL && strcmp(err.where, cases[i].where) != 0)) {
            fail_msg("%s: %s at %s (%s)", cases[i].why, ebm_status_name(st), err.where, err.text);
        }
        free(im.bytes);
    }
}

static void header_lengths(void **state)
{
    (void)state;
    image im = make_image(valid, 34);
    static const struct {
        uint64_t length;
        ebm_status status;
    } lengths[] = {
        {0, EBM_ERR_FORMAT},
        {1, EBM_ERR_FORMAT},
        {2, EBM_ERR_FORMAT},
        {1u << 20, EBM_ERR_FORMAT},
        {(1u << 20) + 1, EBM_ERR_LIMIT},
        {UINT64_C(1) << 63, EBM_ERR_LIMIT},
        {UINT64_MAX, EBM_ERR_LIMIT},
        {UINT64_MAX - 7, EBM_ERR_LIMIT},
    };
    ebm_error err;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        ebm__store_le64(im.bytes, lengths[i].length);
        assert_int_equal(parse(im.bytes, im.size, &err), lengths[i].status);
    }
    ebm__store_le64(im.bytes, im.size - 7); /* one more than there is */
    assert_int_equal(parse(im.bytes, im.size, &err), EBM_ERR_FORMAT);
    free(im.bytes);
}

static void truncated_everywhere(void **state)
{
    (void)state;
    image im = make_image(valid, 34);
    ebm_error err;
    for (size_t n = 0; n < im.size; n++) {
        assert_int_equal(parse(im.bytes, n, &err), EBM_ERR_FORMAT);
    }
    assert_int_equal(parse(im.bytes, im.size, &err), EBM_OK);
    free(im.bytes);
}

/* Most flips are refused, some only rename; none may crash or change where data lie. */
static void every_bit_of_the_header_flipped(void **state)
{
    (void)state;
    image im = make_image(valid, 34);
    ebm_error err;
    for (size_t bit = 0; bit < 8 * (8 + strlen(valid)); bit++) {
        im.bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        const ebm_status st = parse(im.bytes, im.size, &err);
        if (bit < 64) {
            assert_int_not_equal(st, EBM_OK);
        }
        im.bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    free(im.bytes);
}

/* Writes n entries of one float each; the name of each is `length` bytes. */
static image many_tensors(size_t n, size_t length)
{
    const size_t room = n * (length + 80) + 3;
    char *header = malloc(room);
    size_t at = 0;
    assert_non_null(header);
    header[at++] = '{';
    for (size_t i = 0; i < n; i++) {
        at += (size_t)snprintf(header + at, room - at,
                               "%s\"%0*zu\":{\"dtype\":\"F32\",\"shape\":[1],"
                               "\"data_offsets\":[%zu,%zu]}",
                               i > 0 ? "," : "", (int)length, i, 4 * i, 4 * i + 4);
    }
    (void)snprintf(header + at, room - at, "}");
    image im = make_image(header, 4 * n);
    free(header);
    return im;
}

static void limits(void **state)
{
    (void)state;
    static const struct {
        size_t tensors, name;
        ebm_status status;
    } sizes[] = {{4096, 4, EBM_OK},          {4097, 4, EBM_ERR_LIMIT}, {10000, 5, EBM_ERR_LIMIT},
                 {1, 256, EBM_OK},           {1, 257, EBM_ERR_LIMIT},  {1, 1000000, EBM_ERR_LIMIT},
                 {1, 1100000, EBM_ERR_LIMIT}};
    ebm_error err;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        image im = many_tensors(sizes[i].tensors, sizes[i].name);
        assert_int_equal(parse(im.bytes, im.size, &err), sizes[i].status);
        free(im.bytes);
    }
}

static void no_memory(void **state)
{
    (void)state;
    image im = make_image(valid, 34);
    FOR_EACH_ALLOC_FAILURE
    {
        ebm_safetensors *st;
        ebm_error err = {EBM_OK, 0, "", ""};
        const ebm_status status = ebm_safetensors_parse(im.bytes, im.size, &st, &err);
        assert_int_equal(status, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        ebm_safetensors_free(st);
    }
    free(im.bytes);
}

/* Files better kept as files: every folder of the directory holds one, none may be accepted. */
static void fixtures(void **state)
{
    (void)state;
    static const char root[] = "tests/fixtures/safetensors/invalid";
    DIR *d = opendir(root);
    const struct dirent *entry;
    size_t n = 0;
    assert_non_null(d);
    while ((entry = readdir(d)) != NULL) {
        char name[300];
        unsigned char *bytes = NULL, *want = NULL;
        size_t size, want_size;
        ebm_error err;
        if (entry->d_name[0] == '.') {
            continue;
        }
        (void)snprintf(name, sizeof(name), "%s/input", entry->d_name);
        assert_int_equal(ebm_file_read(root, name, 1 << 22, &bytes, &size, NULL), EBM_OK);
        (void)snprintf(name, sizeof(name), "%s/error", entry->d_name);
        assert_int_equal(ebm_file_read(root, name, 100, &want, &want_size, NULL), EBM_OK);
        want[strcspn((char *)want, "\n")] = '\0';
        const char *got = ebm_status_name(parse(bytes, size, &err));
        if (strcmp(got, (char *)want) != 0) {
            fail_msg("%s: %s instead of %s", entry->d_name, got, (char *)want);
        }
        ebm_free(bytes);
        ebm_free(want);
        n++;
    }
    (void)closedir(d);
    assert_true(n >= 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_valid_image),
        cmocka_unit_test(finds_names_and_metadata),
        cmocka_unit_test(an_image_without_tensors_is_valid),
        cmocka_unit_test(refuses),
        cmocka_unit_test(header_lengths),
        cmocka_unit_test(truncated_everywhere),
        cmocka_unit_test(every_bit_of_the_header_flipped),
        cmocka_unit_test(limits),
        cmocka_unit_test(no_memory),
        cmocka_unit_test(fixtures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
