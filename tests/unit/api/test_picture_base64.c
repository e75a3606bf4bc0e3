/* Pictures in base64: data URLs of any type, of which the bytes decide; what is no base64. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api_internal.h"

#define PNG  "iVBORw0KGgo=" /* the eight bytes that a PNG file begins with */
#define X64  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define JPEG "/9j/4AAQ"

static void data_urls(void **state)
{
    static const struct {
        const char *text;
        ebma__base64_fault want;
    } rows[] = {
        {PNG, EBMA__BASE64_OK},
        {JPEG, EBMA__BASE64_NOT_PNG},
        {"", EBMA__BASE64_NOT_PNG},
        {"data:image/png;base64," PNG, EBMA__BASE64_OK},
        {"data:image/PNG;base64," PNG, EBMA__BASE64_OK},
        {"DATA:image/x-png;BASE64," PNG, EBMA__BASE64_OK},
        {"data:image/jpeg;base64," PNG, EBMA__BASE64_OK},
        {"data:image/" X64 ";base64," PNG, EBMA__BASE64_OK},
        {"data:image/jpeg;base64," JPEG, EBMA__BASE64_NOT_PNG},
        {"data:image/svg+xml;base64,PHN2Zz4=", EBMA__BASE64_NOT_PNG},
        {"data:image/png;base64,", EBMA__BASE64_NOT_PNG},
        {"data:image/png;base64", EBMA__BASE64_BAD},
        {"data:image/png," PNG, EBMA__BASE64_BAD},
        {"data:image;base64," PNG, EBMA__BASE64_BAD},
        {"data:;base64," PNG, EBMA__BASE64_BAD},
        {"data:/;base64," PNG, EBMA__BASE64_BAD},
        {"data:image/png;charset=utf-8;base64," PNG, EBMA__BASE64_BAD},
        {"data:image/x" X64 ";base64," PNG, EBMA__BASE64_BAD},
        {"data:image/png;base64,data:image/png;base64," PNG, EBMA__BASE64_BAD},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ebm_arena *arena = ebm_arena_create(1u << 16);
        ebma_picture picture = {NULL, 0};
        ebma__base64_fault fault =
            ebma__picture_decode(rows[i].text, strlen(rows[i].text), arena, &picture);

        if (fault != rows[i].want)
            fail_msg("%s: %d", rows[i].text, (int)fault);
        assert_int_equal(picture.size, fault == EBMA__BASE64_OK ? 8 : 0);
        ebm_arena_free(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(data_urls)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
