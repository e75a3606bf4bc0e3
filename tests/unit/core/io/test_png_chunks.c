/* Texts of PNG files: what the encoder stored is found; damaged files are refused. */
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
#include "io/png_chunks.h"

static uint8_t pixels[64];
static const ebm_image image = {8, 8, 1, pixels};
static const ebm_png_text texts[] = {{"ebm2", "longer key"}, {"ebm", "{\"a\": 1}"}, {"ebm", "no"}};

static void make(unsigned char **png, size_t *size)
{
    assert_int_equal(ebm_png_encode(&image, texts, 3, png, size, NULL), EBM_OK);
}

static void first_text_of_a_key(void **state)
{
    unsigned char *png;
    size_t size;
    char *text;
    (void)state;
    make(&png, &size);
    assert_int_equal(ebm_png_find_text(png, size, "ebm", &text, NULL), EBM_OK);
    assert_string_equal(text, "{\"a\": 1}");
    ebm_free(text);
    assert_int_equal(ebm_png_find_text(png, size, "ebm2", &text, NULL), EBM_OK);
    assert_string_equal(text, "longer key");
    ebm_free(text);
    assert_int_equal(ebm_png_find_text(png, size, "eb", &text, NULL), EBM_ERR_NOT_FOUND);
    assert_null(text);
    FOR_EACH_ALLOC_FAILURE
    {
        ebm_status st = ebm_png_find_text(png, size, "ebm", &text, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        ebm_free(text);
    }
    ebm_free(png);
}

/* Cut anywhere before the text ends: refused. Any bit of the text's chunk turned: never found. */
static void damage(void **state)
{
    unsigned char *png;
    size_t size, end = EBM__PNG_SIGNATURE;
    ebm__png_chunk c;
    char *text;
    (void)state;
    make(&png, &size);
    for (int i = 0; i < 3; i++)
        assert_true(ebm__png_next(png, size, &end, &c));
    for (size_t n = 0; n < end; n++)
        assert_int_equal(ebm_png_find_text(png, n, "ebm", &text, NULL), EBM_ERR_FORMAT);
    for (size_t bit = 0; bit < 8 * end; bit++) {
        png[bit / 8] ^= (unsigned char)(1u << bit % 8);
        assert_int_equal(ebm_png_find_text(png, size, "ebm", &text, NULL), EBM_ERR_FORMAT);
        png[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    assert_int_equal(ebm_png_find_text(png, EBM_PNG_MAX_BYTES + 1u, "ebm", &text, NULL),
                     EBM_ERR_LIMIT);
    ebm_free(png);
}

static void odd_texts(void **state)
{
    static unsigned char file[70000];
    static unsigned char body[66000];
    char *text;
    unsigned char *png;
    size_t size;
    (void)state;
    make(&png, &size);
    memcpy(file, png, EBM__PNG_SIGNATURE);
    memcpy(body, "ebm\0x\0y", 7);
    size_t n = EBM__PNG_SIGNATURE + ebm__png_put(file + EBM__PNG_SIGNATURE, "tEXt", body, 7);
    assert_int_equal(ebm_png_find_text(file, n, "ebm", &text, NULL), EBM_ERR_FORMAT);
    memset(body + 4, 'x', sizeof body - 4);
    n = EBM__PNG_SIGNATURE + ebm__png_put(file + EBM__PNG_SIGNATURE, "tEXt", body, 4 + 65537);
    assert_int_equal(ebm_png_find_text(file, n, "ebm", &text, NULL), EBM_ERR_LIMIT);
    n = EBM__PNG_SIGNATURE + ebm__png_put(file + EBM__PNG_SIGNATURE, "tEXt", body, 4 + 65536);
    assert_int_equal(ebm_png_find_text(file, n, "ebm", &text, NULL), EBM_OK);
    assert_int_equal(strlen(text), 65536);
    ebm_free(text);
    ebm_free(png);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_text_of_a_key),
        cmocka_unit_test(damage),
        cmocka_unit_test(odd_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
