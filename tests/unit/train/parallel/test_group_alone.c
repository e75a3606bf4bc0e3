/* A group of one: every call passes, and an error stays one's own. Groups of several are tested
 * from outside, by cli/test_group.sh. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ebmt/group.h"

static void test_alone(void **state)
{
    ebmt_group *g = NULL;
    uint64_t words[2] = {7, UINT64_C(1) << 63};
    char bytes[] = "bytes";
    bool stop = true;
    (void)state;
    assert_int_equal(unsetenv("OMPI_COMM_WORLD_SIZE"), 0);
    assert_int_equal(ebmt_group_join(&g, NULL), EBM_OK);
    assert_int_equal(ebmt_group_size(g), 1);
    assert_int_equal(ebmt_group_rank(g), 0);
    assert_int_equal(ebmt_group_beside(g), 1);
    assert_int_equal(ebmt_group_share(g, 0, bytes, sizeof bytes, NULL), EBM_OK);
    assert_string_equal(bytes, "bytes");
    assert_int_equal(ebmt_group_merge(g, words, 2, NULL), EBM_OK);
    assert_true(words[0] == 7 && words[1] == UINT64_C(1) << 63);
    assert_int_equal(ebmt_group_agree(g, EBM_OK, &stop, NULL), EBM_OK);
    assert_true(stop);
    assert_int_equal(ebmt_group_agree(g, EBM_ERR_IO, NULL, NULL), EBM_ERR_IO);
    assert_int_equal(ebmt_group_check_same(g, "texts", "a", NULL), EBM_OK);
    ebmt_group_leave(g, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
