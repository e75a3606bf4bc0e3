/* "Did you mean", and the pre-scan of a body. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api_internal.h"

static void suggestions(void **state)
{
    static const struct {
        const char *name, *expected;
    } rows[] = {{"steps", "steps_per_level"},
                {"step", "steps_per_level"},
                {"steps_per_leve", "steps_per_level"},
                {"sede", "seed"},
                {"sed", "seed"},
                {"modle", "model"},
                {"noisescale", "noise_scale"},
                {"reponse_format", "response_format"},
                {"zzz", NULL},
                {"", NULL},
                {"a_name_that_is_much_longer_than_any_row_of_ours", NULL}};
    ebma_table table = ebma_op_table(EBM_OP_SAMPLE);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *got = ebma__suggest(&table, rows[i].name);

        if (!rows[i].expected)
            assert_null(got);
        else
            assert_string_equal(got ? got : "(none)", rows[i].expected);
    }
}

static void scan(void **state)
{
    static const struct {
        const char *json;
        ebma__scan expected;
    } rows[] = {{"{}", EBMA__SCAN_OK},
                {"", EBMA__SCAN_EMPTY},
                {"[[[[[[[[[[[[[[[[", EBMA__SCAN_OK},
                {"[[[[[[[[[[[[[[[[[", EBMA__SCAN_TOO_DEEP},
                {"\"[[[[[[[[[[[[[[[[[\"", EBMA__SCAN_OK},
                {"\"\\\"[[[[[[[[[[[[[[[[[\"", EBMA__SCAN_OK},
                {"\"\\\\\"[[[[[[[[[[[[[[[[[", EBMA__SCAN_TOO_DEEP},
                {"]]]]]]]]]]]]]]]]]][[[[", EBMA__SCAN_OK},
                {"\"\\", EBMA__SCAN_OK}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(ebma__json_scan(rows[i].json, strlen(rows[i].json)), rows[i].expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(suggestions), cmocka_unit_test(scan)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
