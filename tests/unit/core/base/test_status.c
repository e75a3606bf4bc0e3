/* The error record: first error wins, text is always one clean line of UTF-8. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/utf8.h"
#include "ebm/status.h"

static const ebm_status all[] = {
    EBM_OK,         EBM_ERR_ARG,      EBM_ERR_RANGE,     EBM_ERR_SHAPE,       EBM_ERR_NOT_FOUND,
    EBM_ERR_FORMAT, EBM_ERR_LIMIT,    EBM_ERR_DIGEST,    EBM_ERR_IO,          EBM_ERR_BAD_STATE,
    EBM_ERR_NOMEM,  EBM_ERR_DIVERGED, EBM_ERR_CANCELLED, EBM_ERR_UNSUPPORTED, EBM_ERR_INTERNAL};

static void first_error_wins(void **state)
{
    (void)state;
    ebm_error err = {EBM_OK, 0, "", ""};
    assert_int_equal(ebm_error_set(&err, EBM_ERR_IO, "/a", "broke at %d", 7), EBM_ERR_IO);
    assert_int_equal(ebm_error_set(&err, EBM_ERR_FORMAT, "/b", "later"), EBM_ERR_FORMAT);
    assert_int_equal(err.status, EBM_ERR_IO);
    assert_string_equal(err.where, "/a");
    assert_string_equal(err.text, "broke at 7");
}

static void null_is_allowed(void **state)
{
    (void)state;
    ebm_error err = {EBM_OK, 0, "", ""};
    assert_int_equal(ebm_error_set(NULL, EBM_ERR_NOMEM, "x", "y"), EBM_ERR_NOMEM);
    assert_int_equal(ebm_error_set(&err, EBM_ERR_NOMEM, NULL, "y"), EBM_ERR_NOMEM);
    assert_string_equal(err.where, "");
}

static void long_texts_are_cut(void **state)
{
    (void)state;
    char text[1000];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    ebm_error err = {EBM_OK, 0, "", ""};
    assert_int_equal(ebm_error_set(&err, EBM_ERR_ARG, text, "%s", text), EBM_ERR_ARG);
    assert_int_equal(strlen(err.where), sizeof(err.where) - 1);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

static void hostile_bytes_become_question_marks(void **state)
{
    (void)state;
    ebm_error err = {EBM_OK, 0, "", ""};
    assert_int_equal(
        ebm_error_set(&err, EBM_ERR_ARG, "a\nb\x1b[31m\x7f", "%s", "\xff\xc3\xa4\xed\xa0\x80"),
        EBM_ERR_ARG);
    assert_string_equal(err.where, "a?b?[31m?");
    assert_string_equal(err.text, "?\xc3\xa4???");
}

/* Each offset of the cut inside a character of 4 bytes leaves well-formed text. */
static void a_cut_never_splits_a_character(void **state)
{
    (void)state;
    for (size_t shift = 0; shift < 4; shift++) {
        char name[200] = "aaa";
        name[shift] = '\0';
        for (size_t i = 0; i < 40; i++) {
            memcpy(name + shift + 4 * i, "\xf0\x9f\x8e\xa8", 5);
        }
        ebm_error err = {EBM_OK, 0, "", ""};
        assert_int_equal(ebm_error_set(&err, EBM_ERR_ARG, name, "t"), EBM_ERR_ARG);
        assert_true(ebm__utf8_valid(err.where));
        assert_int_equal(strlen(err.where), sizeof(err.where) - 1);
    }
}

static void names_are_distinct(void **state)
{
    (void)state;
    const size_t n = sizeof(all) / sizeof(all[0]);
    for (size_t i = 0; i < n; i++) {
        assert_string_not_equal(ebm_status_name(all[i]), "unknown");
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(ebm_status_name(all[i]), ebm_status_name(all[k]));
        }
    }
    assert_string_equal(ebm_status_name(EBM_ERR_RANGE), "out_of_range");
    assert_string_equal(ebm_status_name((ebm_status)99), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_error_wins),
        cmocka_unit_test(null_is_allowed),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(hostile_bytes_become_question_marks),
        cmocka_unit_test(a_cut_never_splits_a_character),
        cmocka_unit_test(names_are_distinct),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
