/* The command line: every bound, every mistake, and who beats whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "options/options.h"
#include "temp_dir.h"

static const char *env_name, *env_value;

static char *lookup(const char *name)
{
    return env_name && strcmp(name, env_name) == 0 ? (char *)(uintptr_t)env_value : NULL;
}

#define MAX_WORDS 6

static int parse(const char *const words[], ebmd_options *out, ebm_error *err)
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
    assert_string_equal(o.store, "auto");
    assert_string_equal(o.cors_origins, "");
    assert_int_equal(o.queue, 64);
    assert_int_equal(o.drain_seconds, 15);
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
        {{"--streams", "0"}, 78, "--streams"},
        {{"--streams", "49", "--connections", "64"}, 78, "--streams"},
        {{"--stream-heartbeat", "61"}, 78, "--stream-heartbeat"},
        {{"--sync-limit", "0"}, 78, "--sync-limit"},
        {{"--drain-seconds", "3601"}, 78, "--drain-seconds"},
        {{"--listen", "127.0.0.1"}, 78, "--listen"},
        {{"--listen", "127.0.0.1:0"}, 78, "--listen"},
        {{"--listen", "127.0.0.1:65536"}, 78, "--listen"},
        {{"--listen", ":80"}, 78, "--listen"},
        {{"--listen", "::1:80"}, 78, "--listen"},
        {{"--listen", "a:8x"}, 78, "--listen"},
        {{"--listen", "none"}, 78, "--listen"},
        {{"--admin-listen", "0.0.0.0:81"}, 78, "--admin-listen"},
        {{"--admin-listen", "127.example.org:81"}, 78, "--admin-listen"},
        {{"--admin-listen", "127.0.0.1.example.org:81"}, 78, "--admin-listen"},
        {{"--admin-listen", "[::2]:81"}, 78, "--admin-listen"},
        {{"--models", ""}, 78, "--models"},
        {{"--store", "redis"}, 78, "--store"},
        {{"--store", "sqlite:"}, 78, "--store"},
        {{"--playground", "yes"}, 78, "--playground"},
        {{"--playground", ""}, 78, "--playground"},
        {{"--cors-origins", "*"}, 78, "--cors-origins"},
        {{"--cors-origins", "https://a/path"}, 78, "--cors-origins"},
        {{"--trusted-proxies", "10.0.0.1/8"}, 78, "--trusted-proxies"},
        {{"--trusted-proxies", "proxy.example"}, 78, "--trusted-proxies"},
        {{"--tls-cert", "a.pem"}, 78, "--tls-key"},
        {{"--tls-key", "a.pem"}, 78, "--tls-cert"},
        {{"--config", "/nonexistent/ebmd.conf"}, 78, "/nonexistent/ebmd.conf"},
        {{"--config", "/"}, 78, "/"},
        {{"--config", "/dev/zero"}, 78, "/dev/zero"},
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

static void a_key_without_an_id(void **state)
{
    static const char *const bare[] = {"--make-key", NULL};
    static const char *const named[] = {"--make-key", "shop", NULL};
    ebmd_options o;
    ebm_error err;

    (void)state;
    assert_int_equal(parse(bare, &o, &err), EBMD_EX_USAGE);
    assert_string_equal(err.where, "--make-key");
    assert_string_equal(err.text, "needs an ID for the key; usage: ebmd --make-key ID");
    assert_int_equal(parse(named, &o, &err), EBMD_EX_OK);
    assert_int_equal(o.action, EBMD_MAKE_KEY);
    assert_string_equal(o.key_id, "shop");
}

static void values(void **state)
{
    static const char *const words[] = {"--listen=[::1]:80", "--admin-listen",   "none", "--store",
                                        "sqlite:/a/b",       "--playground=off", NULL};
    static const char *const more[] = {"--help", NULL};
    static const char *const check[] = {"--check-config", "--trusted-proxies=10.0.0.0/8", NULL};
    ebmd_options o;
    ebm_error err;

    (void)state;
    assert_int_equal(parse(words, &o, &err), EBMD_EX_OK);
    assert_string_equal(o.listen.host, "::1");
    assert_true(o.admin.none);
    assert_string_equal(o.store, "sqlite:/a/b");
    assert_false(o.playground);
    assert_int_equal(o.action, EBMD_SERVE);
    assert_int_equal(parse(more, &o, &err), EBMD_EX_OK);
    assert_int_equal(o.action, EBMD_SHOW_HELP);
    assert_int_equal(parse(check, &o, &err), EBMD_EX_OK);
    assert_int_equal(o.action, EBMD_CHECK_CONFIG);
    assert_int_equal(o.proxies.n, 1);
    assert_true(o.playground);
}

static void streams_and_connections(void **state)
{
    static const char *const half[] = {"--connections", "100", NULL};
    static const char *const most[] = {"--connections", "100", "--streams", "75", NULL};
    ebmd_options o;
    ebm_error err;

    (void)state;
    assert_int_equal(parse(half, &o, &err), EBMD_EX_OK);
    assert_int_equal(ebmd_options_streams(&o), 50);
    assert_int_equal(parse(most, &o, &err), EBMD_EX_OK);
    assert_int_equal(ebmd_options_streams(&o), 75);
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

static char dir[TEMP_PATH_MAX], conf[TEMP_PATH_MAX];

static int make_dir(void **state)
{
    (void)state;
    return temp_dir_make(dir) && temp_dir_join(dir, "e.conf", conf) ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    temp_dir_remove(dir);
    return 0;
}

static void write_conf(const char *text)
{
    assert_true(temp_dir_write(dir, "e.conf", text, strlen(text)));
}

/* flag > environment > file > default, for one option; others keep what the file says. */
static void precedence(void **state)
{
    const char *const file[] = {"--config", conf, NULL};
    const char *const flag[] = {"--queue=9", "--config", conf, NULL};
    ebmd_options o;
    ebm_error err;

    (void)state;
    write_conf("# a comment\n\n  queue = 7\r\n\tworkers=3  \nadmin-listen = none");
    assert_int_equal(parse(file, &o, &err), EBMD_EX_OK);
    assert_int_equal(o.queue, 7);
    assert_int_equal(o.workers, 3);
    assert_true(o.admin.none);
    env_name = "EBMD_QUEUE";
    env_value = "8";
    assert_int_equal(parse(file, &o, &err), EBMD_EX_OK);
    assert_int_equal(o.queue, 8);
    assert_int_equal(parse(flag, &o, &err), EBMD_EX_OK);
    assert_int_equal(o.queue, 9);
    env_name = "EBMD_CONFIG";
    env_value = conf;
    assert_int_equal(parse(file + 2, &o, &err), EBMD_EX_OK);
    assert_int_equal(o.queue, 7);
    env_name = NULL;
}

/* X01: each mistake is refused with the line it stands on, also where a flag beats it. */
static void bad_files(void **state)
{
    static const struct {
        const char *text, *line, *what;
    } rows[] = {{"queue = 1\nqueu = 2\n", ":2", "unknown key 'queu'"},
                {"--queue = 1\n", ":1", "unknown key"},
                {"QUEUE = 1\n", ":1", "unknown key"},
                {"queue = 1\n\n# x\nqueue = 1\n", ":4", "set twice"},
                {"queue = 0\n", ":1", "1..100000"},
                {"queue = 10MB\n", ":1", "whole number"},
                {"queue = 1e3\n", ":1", "whole number"},
                {"queue = 1 # x\n", ":1", "whole number"},
                {"queue = \"1\"\n", ":1", "whole number"},
                {"queue =\n", ":1", "whole number"},
                {"queue 1\n", ":1", "key = value"},
                {"queue: 1\n", ":1", "key = value"},
                {"[server]\n", ":1", "key = value"},
                {"= 1\n", ":1", "no key"},
                {"config = other.conf\n", ":1", "cannot name another"},
                {"models = \n", ":1", "must not be empty"},
                {"listen = 8080\n", ":1", "HOST:PORT"},
                {"admin-listen = 0.0.0.0\n", ":1", ""},
                {"store = \x01\n", ":1", "visible ASCII"},
                {"store = \xc3\xa4\n", ":1", "visible ASCII"}};
    const char *const file[MAX_WORDS] = {"--config", conf, "--queue", "5"};
    ebmd_options o;
    ebm_error err;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t n;

        write_conf(rows[i].text);
        assert_int_equal(parse(file, &o, &err), EBMD_EX_CONFIG);
        n = strlen(err.where);
        if (n < 2 || strcmp(err.where + n - 2, rows[i].line) != 0 ||
            !strstr(err.text, rows[i].what))
            fail_msg("%zu: %s: %s", i, err.where, err.text);
    }
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(presets),
        cmocka_unit_test(refusals),
        cmocka_unit_test(a_key_without_an_id),
        cmocka_unit_test(values),
        cmocka_unit_test(streams_and_connections),
        cmocka_unit_test(a_flag_beats_the_environment),
        cmocka_unit_test(precedence),
        cmocka_unit_test(bad_files),
        cmocka_unit_test(a_huge_argument),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
