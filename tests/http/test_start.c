/* Starts that must fail: bad models, bad stores, taken ports, bad options. Each ends with the
 * right code and one line that says what to look at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon_models.h"
#include "http_client.h"

static daemon_process d;

static int setup(void **state)
{
    (void)state;
    return daemon_prepare_tiny(&d) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    daemon_clean(&d);
    return 0;
}

/* The start fails with this code and a line that names `hint`. */
static void expect(const char *const *more, int code, const char *hint)
{
    char line[1024];
    int got = daemon_try(&d, more, line, sizeof(line));

    if (got != code || !strstr(line, hint) || strncmp(line, "ebmd: ", 6) != 0)
        fail_msg("exit %d, \"%s\"; expected %d and \"%s\"", got, line, code, hint);
}

static char *read_file(const char *name, size_t *size)
{
    char path[TEMP_PATH_MAX];
    char *text = calloc(1, 1u << 20);
    FILE *f;

    assert_true(temp_dir_join(d.models, name, path));
    f = fopen(path, "rb");
    assert_non_null(f);
    *size = fread(text, 1, 1u << 20, f);
    fclose(f);
    return text;
}

static void write_file(const char *name, const void *data, size_t size)
{
    assert_true(temp_dir_write(d.models, name, data, size));
}

static void truncated_weights(void **state)
{
    size_t size;
    char *data = read_file("tiny/model.safetensors", &size);
    static const size_t cuts[] = {0, 7, 8, 100, 4000};

    (void)state;
    for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        write_file("tiny/model.safetensors", data, cuts[i]);
        expect(NULL, 65, "tiny/");
    }
    write_file("tiny/model.safetensors", data, size - 1);
    expect(NULL, 65, "tiny/");
    free(data);
}

static void wrong_digest(void **state)
{
    size_t size;
    char *data = read_file("tiny/model.safetensors", &size);

    (void)state;
    data[size - 1] ^= 1;
    write_file("tiny/model.safetensors", data, size);
    expect(NULL, 65, "tiny/");
    free(data);
}

/* Replaces one piece of the manifest by another. */
static void edit_manifest(const char *from, const char *to)
{
    size_t size;
    char *text = read_file("tiny/model.json", &size);
    char *at = strstr(text, from);
    char *out = calloc(1, (1u << 20) + strlen(to));

    assert_non_null(at);
    snprintf(out, 1u << 20, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    write_file("tiny/model.json", out, strlen(out));
    free(out);
    free(text);
}

static void hostile_manifests(void **state)
{
    static const struct {
        const char *from, *to;
    } rows[] = {{"\"id\": \"tiny\"", "\"id\": \"../x\""},
                {"\"id\": \"tiny\"", "\"id\": \"other\""},
                {"\"width\": 8", "\"width\": 1000000000"},
                {"\"width\": 8", "\"width\": -8"},
                {"\"width\": 8", "\"width\": 16, \"width\": 8"},
                {"\"architecture\": \"drl-resnet\"", "\"architecture\": \"nope\""},
                {"\"ch\": 8", "\"ch\": 16"},
                {"\"ch_mult\": [1, 2]", "\"ch_mult\": [1, 2, 2]"},
                {"\"num_res_blocks\": 1", "\"num_res_blocks\": 2"},
                {"{", "["}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t size;
        char *good = read_file("tiny/model.json", &size);

        edit_manifest(rows[i].from, rows[i].to);
        expect(NULL, 65, "tiny");
        write_file("tiny/model.json", good, size);
        free(good);
    }
}

static void a_missing_tensor(void **state)
{
    size_t size;
    char *data = read_file("tiny/model.safetensors", &size);
    char *name = NULL;

    (void)state;
    for (size_t i = 8; i + 8 < 8000 && !name; i++) {
        if (memcmp(data + i, "\"conv_in.", 9) == 0)
            name = data + i;
    }
    assert_non_null(name);
    memcpy(name, "\"conv_on.", 9);
    write_file("tiny/model.safetensors", data, size);
    /* the digest is wrong now too; whichever is found first, the start fails and names the model */
    expect(NULL, 65, "tiny");
    free(data);
}

static void missing_weights(void **state)
{
    char path[TEMP_PATH_MAX];

    (void)state;
    assert_true(temp_dir_join(d.models, "tiny/model.safetensors", path));
    unlink(path);
    expect(NULL, 65, "tiny/");
    assert_int_equal(symlink("/etc/passwd", path), 0);
    expect(NULL, 65, "tiny/");
    unlink(path);
    assert_int_equal(mkfifo(path, 0644), 0);
    expect(NULL, 65, "tiny/");
}

static void a_directory_with_a_bad_name(void **state)
{
    char from[TEMP_PATH_MAX], to[TEMP_PATH_MAX];

    (void)state;
    assert_true(temp_dir_join(d.models, "tiny", from));
    assert_true(temp_dir_join(d.models, "TINY", to));
    assert_int_equal(rename(from, to), 0);
    expect(NULL, 65, "TINY");
}

static void no_models(void **state)
{
    char from[TEMP_PATH_MAX];

    (void)state;
    assert_true(temp_dir_join(d.models, "tiny/model.json", from));
    unlink(from);
    expect(NULL, 66, d.models);
    temp_dir_remove(d.models);
    expect(NULL, 66, d.models);
}

static void bad_stores(void **state)
{
    char spec[TEMP_PATH_MAX + 32];
    const char *more[] = {"--store", spec, NULL};

    (void)state;
    snprintf(spec, sizeof(spec), "sqlite:%s/none/jobs.db", d.dir);
    expect(more, 73, "jobs.db");
    assert_true(temp_dir_write(d.dir, "junk.db",
                               "this is no database, it only is a long text "
                               "that stands where a header should be........."
                               "....................",
                               110));
    snprintf(spec, sizeof(spec), "sqlite:%s/junk.db", d.dir);
    expect(more, 78, "junk.db");
}

static void a_second_daemon(void **state)
{
    const char *more[] = {"--store", d.store, NULL};
    daemon_process first = d;

    (void)state;
    assert_true(daemon_start(&first, more));
    expect(more, 75, "jobs.db");
    assert_int_equal(daemon_stop(&first, SIGTERM, 10000), 0);
}

static void bad_options(void **state)
{
    static const struct {
        const char *words[3];
        int code;
        const char *hint;
    } rows[] = {{{"--frobnicate"}, 64, "--frobnicate"},
                {{"--workers", "0"}, 78, "--workers"},
                {{"--workers"}, 64, "--workers"},
                {{"--kernels", "nope"}, 78, "nope"},
                {{"--models", "/nonexistent/x"}, 64, "--models"}}; /* given twice */

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        expect(rows[i].words, rows[i].code, rows[i].hint);
}

/* X09: whatever is opened first must not become somebody's standard output. */
static void closed_descriptors(void **state)
{
    int in = dup(0), out = dup(1);
    char path[64], target[64];

    (void)state;
    close(0);
    close(1);
    assert_true(daemon_start(&d, NULL));
    dup2(in, 0);
    dup2(out, 1);
    close(in);
    close(out);
    for (int fd = 0; fd < 2; fd++) {
        ssize_t n;

        snprintf(path, sizeof(path), "/proc/%ld/fd/%d", (long)d.pid, fd);
        n = readlink(path, target, sizeof(target) - 1);
        assert_true(n > 0);
        target[n] = '\0';
        assert_string_equal(target, "/dev/null");
    }
    assert_int_equal(daemon_stop(&d, SIGTERM, 10000), 0);
}

/* The data of a job object, for a given seed. @own free() */
static char *drawn(void)
{
    http_reply r;
    char *data;

    assert_true(http_post(d.port, "/sample", "{\"seed\":7,\"noise_scale\":0.5}", &r));
    assert_int_equal(r.status, 200);
    data = strstr(r.body, "\"data\":[");
    assert_non_null(data);
    data = strndup(data, strcspn(data, "]"));
    http_reply_clear(&r);
    return data;
}

/* X10: none of these changes a byte of a result. */
static void odd_environments(void **state)
{
    static const char *const rows[][2] = {{"OPENBLAS_NUM_THREADS", "64"},
                                          {"OMP_NUM_THREADS", "-1"},
                                          {"LC_ALL", "de_DE.UTF-8"},
                                          {"TZ", "../../etc/passwd"}};
    static const char *const more[] = {"--kernels", "blas", NULL};
    char *reference, *data;

    (void)state;
    assert_true(daemon_start(&d, more));
    reference = drawn();
    assert_int_equal(daemon_stop(&d, SIGTERM, 10000), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *old = getenv(rows[i][0]);
        char *before = old ? strdup(old) : NULL;

        setenv(rows[i][0], rows[i][1], 1);
        assert_true(daemon_start(&d, more));
        data = drawn();
        assert_string_equal(data, reference);
        free(data);
        assert_int_equal(daemon_stop(&d, SIGTERM, 10000), 0);
        if (before)
            setenv(rows[i][0], before, 1);
        else
            unsetenv(rows[i][0]);
        free(before);
    }
    free(reference);
}

static int bind_manager(char name[32])
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    size_t n = (size_t)snprintf(name, 32, "@ebmd-start-%ld", (long)getpid());

    memcpy(a.sun_path + 1, name + 1, n - 1); /* in the abstract name space */
    assert_int_equal(bind(fd, (const struct sockaddr *)&a,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)),
                     0);
    return fd;
}

/* What a service manager hears: when requests are served, and before each part of a stop how long
 * that part and all behind it may take. */
static void a_service_manager(void **state)
{
    static const char *const heard[] = {"READY=1", "EXTEND_TIMEOUT_USEC=13000000", "STOPPING=1",
                                        "EXTEND_TIMEOUT_USEC=12000000"};
    static const char *const more[] = {"--drain-delay", "1", "--drain-seconds", "2", NULL};
    char name[32], text[64];
    int fd = bind_manager(name);

    (void)state;
    setenv("NOTIFY_SOCKET", name, 1);
    assert_true(daemon_start(&d, more));
    unsetenv("NOTIFY_SOCKET");
    assert_int_equal(daemon_stop(&d, SIGTERM, 10000), 0);
    for (size_t i = 0; i < sizeof(heard) / sizeof(heard[0]); i++) {
        ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);

        assert_true(n > 0);
        text[n] = '\0';
        assert_string_equal(text, heard[i]);
    }
    close(fd);
}

/* F32: signals that mean something to other daemons. */
static void signals_of_others(void **state)
{
    static const int numbers[] = {SIGPIPE, SIGUSR1, SIGUSR2, SIGHUP, SIGCHLD, SIGWINCH, SIGCONT};

    (void)state;
    assert_true(daemon_start(&d, NULL));
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
            assert_int_equal(kill(d.pid, numbers[i]), 0);
        free(drawn());
    }
    assert_int_equal(daemon_stop(&d, SIGTERM, 10000), 0);
}

/* A hard limit of 1024 open files, as bare containers have it: by default the daemon takes fewer
 * connections; a number that was asked for and does not fit is refused with the sum. */
static void few_descriptors(void **state)
{
    static const char *const asked[] = {"--connections", "1024", NULL};
    struct rlimit before, low;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = (struct rlimit){.rlim_cur = 256, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    assert_true(daemon_start(&d, NULL)); /* a soft limit is raised */
    assert_int_equal(daemon_stop(&d, SIGTERM, 10000), 0);
    low = (struct rlimit){.rlim_cur = 256, .rlim_max = 1024};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0); /* last test: it cannot be taken back */
    assert_true(daemon_start(&d, NULL));
    assert_int_equal(daemon_stop(&d, SIGTERM, 10000), 0);
    expect(asked, 78, "1152 descriptors");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(truncated_weights, setup, teardown),
        cmocka_unit_test_setup_teardown(wrong_digest, setup, teardown),
        cmocka_unit_test_setup_teardown(hostile_manifests, setup, teardown),
        cmocka_unit_test_setup_teardown(a_missing_tensor, setup, teardown),
        cmocka_unit_test_setup_teardown(missing_weights, setup, teardown),
        cmocka_unit_test_setup_teardown(a_directory_with_a_bad_name, setup, teardown),
        cmocka_unit_test_setup_teardown(no_models, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_stores, setup, teardown),
        cmocka_unit_test_setup_teardown(a_second_daemon, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_options, setup, teardown),
        cmocka_unit_test_setup_teardown(closed_descriptors, setup, teardown),
        cmocka_unit_test_setup_teardown(odd_environments, setup, teardown),
        cmocka_unit_test_setup_teardown(a_service_manager, setup, teardown),
        cmocka_unit_test_setup_teardown(signals_of_others, setup, teardown),
        cmocka_unit_test_setup_teardown(few_descriptors, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
