/* The form of a configuration file: what a line means, and every malformed one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "options/conf_file.h"
#include "fail_alloc.h"
#include "temp_dir.h"

static ebm_status write_down(void *arg, const ebmd_conf_line *line, ebm_error *err)
{
    char *out = arg;
    size_t n = strlen(out);

    snprintf(out + n, 512 - n, "%s|%s|%s;", line->place, line->key, line->value);
    if (strcmp(line->key, "stop") == 0)
        return ebm_error_set(err, EBM_ERR_ARG, line->place, "stop");
    return EBM_OK;
}

static ebm_status parse(const char *text, size_t size, char out[512], ebm_error *err)
{
    static char copy[70000];

    memcpy(copy, text, size);
    out[0] = '\0';
    memset(err, 0, sizeof(*err));
    return ebmd_conf_parse("f", copy, size, write_down, out, err);
}

static void lines(void **state)
{
    static const struct {
        const char *text, *want;
        ebm_status status;
        const char *where;
    } rows[] = {
        {"", "", EBM_OK, ""},
        {"\n\n\r\n  \n\t# x = y\n#\n", "", EBM_OK, ""},
        {"a=b", "f:1|a|b;", EBM_OK, ""},
        {"a = b\nc =d \r\n", "f:1|a|b;f:2|c|d;", EBM_OK, ""},
        {"\n  a-b\t=\t x = y # z\n", "f:2|a-b|x = y # z;", EBM_OK, ""},
        {"a =", "f:1|a|;", EBM_OK, ""},
        {"stop = 1\nb = 2\n", "f:1|stop|1;", EBM_ERR_ARG, "f:1"},
        {"a = 1\nb\n", "f:1|a|1;", EBM_ERR_FORMAT, "f:2"},
        {" = 1\n", "", EBM_ERR_FORMAT, "f:1"},
        {"a = \x7f", "", EBM_ERR_FORMAT, "f:1"},
        {"a = b\rc", "", EBM_ERR_FORMAT, "f:1"},
        {"\xef\xbb\xbf"
         "a = b",
         "", EBM_ERR_FORMAT, "f:1"},
    };
    char out[512];
    ebm_error err;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ebm_status st = parse(rows[i].text, strlen(rows[i].text), out, &err);

        if (st != rows[i].status || strcmp(out, rows[i].want) != 0 ||
            strcmp(err.where, rows[i].where) != 0)
            fail_msg("%zu: %d \"%s\" %s", i, st, out, err.where);
    }
    assert_int_equal(parse("a\0b = c", 7, out, &err), EBM_ERR_FORMAT);
}

static void long_lines(void **state)
{
    static char text[EBMD_CONF_LINE_MAX + 2];
    char out[512];
    ebm_error err;

    (void)state;
    memset(text, 'x', sizeof(text));
    assert_int_equal(parse(text, EBMD_CONF_LINE_MAX + 1, out, &err), EBM_ERR_LIMIT);
    text[0] = '#'; /* a comment may be as long as it likes */
    assert_int_equal(parse(text, EBMD_CONF_LINE_MAX + 1, out, &err), EBM_OK);
}

/* A long path is named by its end, and a file beyond the limit is not read. */
static void files(void **state)
{
    static char big[EBMD_CONF_BYTES_MAX + 1];
    char dir[TEMP_PATH_MAX], path[TEMP_PATH_MAX];
    char name[101] = "";
    char out[512] = "";
    ebm_error err = {0};

    (void)state;
    memset(name, 'n', 100);
    memset(big, '\n', sizeof(big));
    assert_true(temp_dir_make(dir) && temp_dir_join(dir, name, path));
    assert_true(temp_dir_write(dir, name, "x\n", 2));
    FOR_EACH_ALLOC_FAILURE
    {
        memset(&err, 0, sizeof(err));
        assert_int_not_equal(ebmd_conf_read(path, write_down, out, &err), EBM_OK);
        assert_int_equal(err.status, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_ERR_FORMAT);
    }
    assert_non_null(strstr(err.where, "nnn:1"));
    assert_true(temp_dir_write(dir, name, big, sizeof(big)));
    assert_int_equal(ebmd_conf_read(path, write_down, out, NULL), EBM_ERR_LIMIT);
    assert_int_equal(ebmd_conf_read(dir, write_down, out, NULL), EBM_ERR_FORMAT);
    temp_dir_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),
        cmocka_unit_test(long_lines),
        cmocka_unit_test(files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
