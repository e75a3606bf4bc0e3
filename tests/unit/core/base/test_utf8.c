/* Well-formed UTF-8: every code point once, and the classic malformed forms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/utf8.h"

static size_t encode(uint32_t code, char out[5])
{
    const size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char lead[5] = {0, 0x00, 0xC0, 0xE0, 0xF0};
    for (size_t i = n; i-- > 1;) {
        out[i] = (char)(0x80 | (code & 0x3F));
        code >>= 6;
    }
    out[0] = (char)(lead[n] | code);
    out[n] = '\0';
    return n;
}

static void every_code_point(void **state)
{
    (void)state;
    char bytes[5];
    for (uint32_t code = 1; code < 0x111000; code++) {
        const size_t n = encode(code, bytes);
        const int good = code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
        if (ebm__utf8_sequence(bytes, n) != (good ? n : 0)) {
            fail_msg("code point %x", (unsigned)code);
        }
        for (size_t cut = 0; cut < n; cut++) {
            assert_int_equal(ebm__utf8_sequence(bytes, cut), 0);
        }
    }
}

static void malformed(void **state)
{
    (void)state;
    static const char *const bad[] = {"\x80",
                                      "\xbf",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xe0\x80\x80",
                                      "\xe0\x9f\xbf",
                                      "\xf0\x80\x80\x80",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xfe",
                                      "\xff",
                                      "\xc3(",
                                      "\xe2\x82(",
                                      "\xf0\x9f\x8e(",
                                      "ok\xc3"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(ebm__utf8_valid(bad[i]));
    }
    assert_true(ebm__utf8_valid(""));
    assert_true(ebm__utf8_valid("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x8e\xa8"));
}

static void controls(void **state)
{
    (void)state;
    assert_true(ebm__is_control('\n'));
    assert_true(ebm__is_control('\x1f'));
    assert_true(ebm__is_control('\x7f'));
    assert_false(ebm__is_control(' '));
    assert_false(ebm__is_control('~'));
    assert_false(ebm__is_control((char)0x80));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point),
        cmocka_unit_test(malformed),
        cmocka_unit_test(controls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
