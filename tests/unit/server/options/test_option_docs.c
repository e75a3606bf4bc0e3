/* Documents made from the table of options still say what the table says: the flag table, the
 * configuration template, the manual pages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "options/option_rows.h"
#include "temp_dir.h"

#define TEXT_MAX 65536

static char *read_file(const char *path)
{
    FILE *f = fopen(path, "r");
    char *text = calloc(1, TEXT_MAX);

    if (!f || !text)
        fail_msg("cannot read %s", path);
    text[fread(text, 1, TEXT_MAX - 1, f)] = '\0';
    fclose(f);
    return text;
}

static char *written(void (*write)(FILE *))
{
    char *text = calloc(1, TEXT_MAX);
    FILE *f = text ? fmemopen(text, TEXT_MAX - 1, "w") : NULL;

    assert_non_null(f);
    write(f);
    fclose(f);
    return text;
}

static void the_flag_table(void **state)
{
    char *document = read_file("docs/options.md");
    char *table = written(ebmd_options_markdown);
    char *at = strstr(document, "| flag |");

    (void)state;
    assert_non_null(at);
    assert_string_equal(at, table); /* else: ./dev docs */
    free(table);
    free(document);
}

static void the_template(void **state)
{
    char *file = read_file("deploy/ebmd.conf");
    char *conf = written(ebmd_options_conf);

    (void)state;
    assert_string_equal(file, conf);
    free(conf);
    free(file);
}

static char *no_variable(const char *name)
{
    (void)name;
    return NULL;
}

/* The template with every option uncommented means the same as no file at all. */
static void the_template_holds_the_defaults(void **state)
{
    char dir[TEMP_PATH_MAX], path[TEMP_PATH_MAX];
    const char *const bare[] = {"ebmd"};
    const char *const with[] = {"ebmd", "--config", path};
    char *conf = written(ebmd_options_conf);
    static ebmd_options a, b;
    ebm_error err = {0};
    size_t n;

    (void)state;
    ebmd__option_rows(&n);
    for (char *line = strstr(conf, "\n#"); line; line = strstr(line + 1, "\n#")) {
        if (line[2] != ' ') {
            line[1] = ' ';
            n--;
        }
    }
    assert_int_equal(n, 1); /* all but --config */
    assert_true(temp_dir_make(dir) && temp_dir_join(dir, "c", path) &&
                temp_dir_write(dir, "c", conf, strlen(conf)));
    assert_int_equal(ebmd_options_parse(1, bare, no_variable, &a, &err), EBMD_EX_OK);
    if (ebmd_options_parse(3, with, no_variable, &b, &err) != EBMD_EX_OK)
        fail_msg("%s: %s", err.where, err.text);
    assert_string_equal(b.config, path);
    memset(b.config, 0, sizeof(b.config));
    assert_memory_equal(&a, &b, sizeof(a));
    temp_dir_remove(dir);
    free(conf);
}

static void the_help(void **state)
{
    char *help = written(ebmd_options_help);
    size_t n;
    const ebmd_option *rows = ebmd__option_rows(&n);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        assert_non_null(strstr(help, rows[i].flag));
        assert_non_null(strstr(help, rows[i].env));
        assert_non_null(strstr(help, rows[i].help));
    }
    free(help);
}

/* Every option stands in its manual page, with its argument and its default. */
static void the_manual_pages(void **state)
{
    char *daemon = read_file("docs/man/ebmd.8");
    char *conf = read_file("docs/man/ebmd.conf.5");
    size_t n;
    const ebmd_option *rows = ebmd__option_rows(&n);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        char line[128], *at;

        snprintf(line, sizeof(line), "\n.It Fl Fl %s Ar ", rows[i].flag + 2);
        at = strstr(daemon, line);
        if (!at)
            fail_msg("ebmd.8 lacks %s", rows[i].flag);
        snprintf(line, sizeof(line), "\n.Ql %s .\n", rows[i].preset);
        if (rows[i].preset[0] && (!strstr(at, line) || strstr(at, line) - at > 400))
            fail_msg("ebmd.8: another default of %s", rows[i].flag);
        snprintf(line, sizeof(line), "\n.It Cm %s = Ar ", rows[i].flag + 2);
        if (i > 0 && !strstr(conf, line))
            fail_msg("ebmd.conf.5 lacks %s", rows[i].flag);
    }
    free(daemon);
    free(conf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_flag_table),
        cmocka_unit_test(the_template),
        cmocka_unit_test(the_template_holds_the_defaults),
        cmocka_unit_test(the_help),
        cmocka_unit_test(the_manual_pages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
