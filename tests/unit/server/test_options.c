/* The command line: every bound, every mistake, and who beats whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "options.h"

static const char *env_name, *env_value;

static char *lookup(const char *name)
{
    return env_name && strcmp(name, env_name) == 0 ? (char *)(uintptr_t)env_value : NULL;
}

#define MAX_WORDS 6

static int parse(const char *const *words, ebmd_options *out, ebm_error *err)
{
    const char *argv[MAX_WORDS + 1] = {"ebmd"};
    int argc = 1;

    while (argc <= MAX_WORDS && words[argc - 1]) {
        argv[argc] = words[argc - 1];
        argc++;
    }
    memset(err, 0, sizeof(*err));
    return ebmd_options_parse(argc, argv, lookup, out, err);
}

static void presets(void **state)
{
    static const char *const none[] = {NULL};
    ebmd_options o;
    ebm_error err;

    (void)state;
    assert_int_equal(parse(none, &o, &err), EBMD_EX_OK);
    assert_string_equal(o.listen.host, "127.0.0.1");
    assert_string_equal(o.listen.port, "8080");
    assert_string_equal(o.admin.port, "8081");
    assert_string_equal(o.models, "models");
    assert_string_equal(o.store, "memory");
    assert_string_equal(o.cors_origins, "");
    assert_int_equal(o.queue, 64);
    assert_int_equal(o.drain_seconds, 25);
    assert_in_range(o.workers, 1, 64);
}

static void refusals(void **state)
{
    static const struct {
        const char *words[MAX_WORDS];
        int code;
        const char *where;
    } rows[] = {
        {{"--nope"}, 64, "--nope"},
        {{"stray"}, 64, "stray"},
        {{"--"}, 64, "--"},
        {{"-h"}, 64, "-h"},
        {{"--queue"}, 64, "--queue"},
        {{"--queue", "1", "--queue", "2"}, 64, "--queue"},
        {{"--queue=1", "--queue=1"}, 64, "--queue"},
        {{"--queue", "0"}, 78, "--queue"},
        {{"--queue="}, 78, "--queue"},
        {{"--queue", "1e3"}, 78, "--queue"},
        {{"--queue", "0x10"}, 78, "--queue"},
        {{"--queue", "10MB"}, 78, "--queue"},
        {{"--queue", "99999999999999999999"}, 78, "--queue"},
        {{"--queue", "-1"}, 78, "--queue"},
        {{"--queue", " 1"}, 78, "--queue"},
        {{"--workers", "0"}, 78, "--workers"},
        {{"--workers", "65"}, 78, "--workers"},
        {{"--workers", "-1"}, 78, "--workers"},
        {{"--connections", "15"}, 78, "--connections"},
        {{"--drain-seconds", "3601"}, 78, "--drain-seconds"},
        {{"--listen", "127.0.0.1"}, 78, "--listen"},
        {{"--listen", "127.0.0.1:0"}, 78, "--listen"},
        {{"--listen", "127.0.0.1:65536"}, 78, "--listen"},
        {{"--listen", ":80"}, 78, "--listen"},
        {{"--listen", "::1:80"}, 78, "--listen"},
        {{"--listen", "a:8x"}, 78, "--listen"},
        {{"--listen", "none"}, 78, "--listen"},
        {{"--admin-listen", "0.0.0.0:81"}, 78, "--admin-listen"},
        {{"--models", ""}, 78, "--models"},
        {{"--store", "redis"}, 78, "--store"},
        {{"--store", "sqlite:"}, 78, "--store"},
        {{"--cors-origins", "*"}, 78, "--cors-origins"},
        {{"--cors-origins", "https://a/path"}, 78, "--cors-origins"},
    };
    ebmd_options o;
    ebm_error err;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(parse(rows[i].words, &o, &err), rows[i].code);
        assert_string_equal(err.where, rows[i].where);
        assert_true(strlen(err.text) > 0);
    }
}

static void values(void **state)
{
    static const char *const words[] = {
        "--listen=[::1]:80", "--admin-listen", "none", "--workers", "64", NULL};
    static const char *const more[] = {"--store", "sqlite:/a/b", "--help", "--version", NULL};
    ebmd_options o;
    ebm_error err;

    (void)state;
    assert_int_equal(parse(words, &o, &err), EBMD_EX_OK);
    assert_string_equal(o.listen.host, "::1");
    assert_true(o.admin.none);
    assert_int_equal(o.workers, 64);
    assert_int_equal(parse(more, &o, &err), EBMD_EX_OK);
    assert_string_equal(o.store, "sqlite:/a/b");
    assert_true(o.help && o.version);
}

static void a_flag_beats_the_environment(void **state)
{
    static const char *const none[] = {NULL};
    static const char *const flag[] = {"--queue", "7", NULL};
    ebmd_options o;
    ebm_error err;

    (void)state;
    env_name = "EBMD_QUEUE";
    env_value = "5";
    assert_int_equal(parse(none, &o, &err), EBMD_EX_OK);
    assert_int_equal(o.queue, 5);
    assert_int_equal(parse(flag, &o, &err), EBMD_EX_OK);
    assert_int_equal(o.queue, 7);
    env_value = "many";
    assert_int_equal(parse(none, &o, &err), EBMD_EX_CONFIG);
    assert_string_equal(err.where, "EBMD_QUEUE");
    env_name = NULL;
}

/* A very long word is shortened before it is repeated. */
static void a_huge_argument(void **state)
{
    static char huge[1u << 20];
    const char *const words[] = {huge, NULL};
    ebmd_options o;
    ebm_error err;

    (void)state;
    memset(huge, '-', sizeof(huge) - 1);
    assert_int_equal(parse(words, &o, &err), EBMD_EX_USAGE);
    assert_int_equal(strlen(err.where), 60);
}

static void help_lists_every_option(void **state)
{
    static const char *const flags[] = {
        "--listen",  "--admin-listen", "--models",      "--store",        "--workers",
        "--kernels", "--queue",        "--connections", "--cors-origins", "--drain-seconds"};
    char text[8192] = "";
    FILE *f = fmemopen(text, sizeof(text) - 1, "w");

    (void)state;
    assert_non_null(f);
    ebmd_options_help(f);
    fclose(f);
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
        assert_non_null(strstr(text, flags[i]));
    assert_non_null(strstr(text, "EBMD_CORS_ORIGINS"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(presets),         cmocka_unit_test(refusals),
        cmocka_unit_test(values),          cmocka_unit_test(a_flag_beats_the_environment),
        cmocka_unit_test(a_huge_argument), cmocka_unit_test(help_lists_every_option),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
