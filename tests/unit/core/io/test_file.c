/* Reading: nothing but a regular file beneath the directory, never above the limit. Writing: the
 * old content or the new one, and no temporary file left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "ebm/io.h"
#include "ebm/memory.h"
#include "fail_alloc.h"
#include "io/file.h"
#include "temp_dir.h"

/* A directory "in" to read from, with neighbours that must stay out of reach. */
typedef struct scene {
    char root[TEMP_PATH_MAX], in[TEMP_PATH_MAX];
    int open_fds;
} scene;

static void make_link(const scene *s, const char *target, const char *name)
{
    char path[TEMP_PATH_MAX];
    assert_true(temp_dir_join(s->in, name, path));
    assert_int_equal(symlink(target, path), 0);
}

static void fill_scene(scene *s)
{
    char path[TEMP_PATH_MAX];
    assert_true(temp_dir_join(s->root, "in", s->in));
    assert_int_equal(mkdir(s->in, 0755), 0);
    assert_true(temp_dir_write(s->root, "secret", "secret", 6));
    assert_true(temp_dir_write(s->in, "plain", "plain text", 10));
    assert_true(temp_dir_write(s->in, "empty", "", 0));
    assert_true(temp_dir_join(s->in, "sub", path));
    assert_int_equal(mkdir(path, 0755), 0);
    assert_true(temp_dir_write(path, "deep", "deep", 4));
    assert_true(temp_dir_join(s->in, "sub/two", path));
    assert_int_equal(mkdir(path, 0755), 0);
    assert_true(temp_dir_write(path, "deep", "deep", 4));
    assert_true(temp_dir_join(s->in, "fifo", path));
    assert_int_equal(mkfifo(path, 0644), 0);
    make_link(s, "../secret", "out");
    make_link(s, "/etc/passwd", "absolute");
    make_link(s, "..", "up");
    make_link(s, "loop", "loop");
    make_link(s, "plain", "beside");
    make_link(s, "sub", "subway");
}

static int set_up(void **state)
{
    static scene s;
    if (!temp_dir_make(s.root)) {
        return -1;
    }
    fill_scene(&s);
    s.open_fds = temp_dir_count("/proc/self/fd");
    *state = &s;
    return 0;
}

/* No call may leak a descriptor, whatever its outcome. */
static int tear_down(void **state)
{
    const scene *s = *state;
    const int fds = temp_dir_count("/proc/self/fd");
    temp_dir_remove(s->root);
    return fds == s->open_fds ? 0 : -1;
}

static void reads_content(void **state)
{
    const scene *s = *state;
    static const struct {
        const char *name, *content;
    } cases[] = {{"plain", "plain text"},  {"empty", ""},           {"sub/deep", "deep"},
                 {"beside", "plain text"}, {"subway/deep", "deep"}, {"sub/../plain", "plain text"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned char *data = NULL;
        size_t size = 99;
        ebm_error err = {EBM_OK, 0, "", ""};
        assert_int_equal(ebm_file_read(s->in, cases[i].name, 10, &data, &size, &err), EBM_OK);
        assert_int_equal(size, strlen(cases[i].content));
        assert_string_equal((const char *)data, cases[i].content); /* the zero behind the data */
        ebm_free(data);
    }
}

static void reads_a_plain_path(void **state)
{
    const scene *s = *state;
    char path[TEMP_PATH_MAX];
    unsigned char *data = NULL;
    size_t size;
    assert_true(temp_dir_join(s->in, "plain", path));
    assert_int_equal(ebm_file_read(NULL, path, 10, &data, &size, NULL), EBM_OK);
    assert_memory_equal(data, "plain text", 10);
    ebm_free(data);
}

static void refuses(void **state)
{
    const scene *s = *state;
    static const struct {
        const char *name;
        ebm_status status;
    } cases[] = {
        {"missing", EBM_ERR_NOT_FOUND},  {"sub/missing", EBM_ERR_NOT_FOUND},
        {"plain/x", EBM_ERR_NOT_FOUND},  {"", EBM_ERR_NOT_FOUND},
        {"../secret", EBM_ERR_FORMAT},   {"sub/../../secret", EBM_ERR_FORMAT},
        {"/etc/passwd", EBM_ERR_FORMAT}, {"out", EBM_ERR_FORMAT},
        {"absolute", EBM_ERR_FORMAT},    {"up/secret", EBM_ERR_FORMAT},
        {"loop", EBM_ERR_FORMAT},        {"fifo", EBM_ERR_FORMAT},
        {"sub", EBM_ERR_FORMAT},         {".", EBM_ERR_FORMAT},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned char *data = NULL;
        size_t size = 1;
        ebm_error err = {EBM_OK, 0, "", ""};
        const ebm_status st = ebm_file_read(s->in, cases[i].name, 100, &data, &size, &err);
        if (st != cases[i].status) {
            fail_msg("%s: %s", cases[i].name, ebm_status_name(st));
        }
        assert_null(data);
        assert_int_equal(size, 0);
        assert_int_equal(err.status, st);
        assert_string_equal(err.where, cases[i].name);
    }
}

static void refuses_devices_and_missing_directories(void **state)
{
    (void)state;
    unsigned char *data;
    size_t size;
    assert_int_equal(ebm_file_read(NULL, "/dev/zero", 10, &data, &size, NULL), EBM_ERR_FORMAT);
    assert_int_equal(ebm_file_read("/nowhere/at/all", "x", 10, &data, &size, NULL),
                     EBM_ERR_NOT_FOUND);
    assert_int_equal(ebm_file_read("/dev/null", "x", 10, &data, &size, NULL), EBM_ERR_NOT_FOUND);
}

static void the_limit_is_exact(void **state)
{
    const scene *s = *state;
    unsigned char *data;
    size_t size;
    ebm_error err = {EBM_OK, 0, "", ""};
    fail_alloc_reset();
    assert_int_equal(ebm_file_read(s->in, "plain", 9, &data, &size, &err), EBM_ERR_LIMIT);
    assert_int_equal(fail_alloc_count(), 0);
    assert_int_equal(ebm_file_read(s->in, "plain", 10, &data, &size, NULL), EBM_OK);
    ebm_free(data);
    assert_int_equal(ebm_file_read(s->in, "empty", 0, &data, &size, NULL), EBM_OK);
    ebm_free(data);
}

/* Files of /proc claim to be empty and are not: the same as a file that grows while it is read. */
static void growth_is_noticed(void **state)
{
    (void)state;
    unsigned char *data;
    size_t size;
    ebm_error err = {EBM_OK, 0, "", ""};
    assert_int_equal(ebm_file_read(NULL, "/proc/self/status", 1 << 20, &data, &size, &err),
                     EBM_ERR_IO);
    assert_non_null(strstr(err.text, "changed"));
}

static void read_without_memory(void **state)
{
    const scene *s = *state;
    FOR_EACH_ALLOC_FAILURE
    {
        unsigned char *data;
        size_t size;
        const ebm_status st = ebm_file_read(s->in, "plain", 10, &data, &size, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        ebm_free(data);
    }
}

/* The way used without openat2 follows no link at all and never leaves the directory. */
static void walk_without_openat2(void **state)
{
    const scene *s = *state;
    static const char *const bad[] = {"",        "/etc/passwd", "../secret", "sub/../plain",
                                      "./plain", "out",         "absolute",  "up/secret",
                                      "beside",  "subway/deep", "loop",      "sub//deep",
                                      "plain/",  "sub/",        "missing",   "plain/x"};
    const int dir = open(s->in, O_RDONLY | O_DIRECTORY);
    assert_true(dir >= 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (ebm__open_walk(dir, bad[i]) >= 0) {
            fail_msg("opened \"%s\"", bad[i]);
        }
    }
    char text[5] = "";
    const int fd = ebm__open_walk(dir, "sub/two/deep");
    assert_true(fd >= 0);
    assert_int_equal(read(fd, text, 4), 4);
    assert_string_equal(text, "deep");
    assert_int_equal(close(fd), 0);
    assert_int_equal(close(dir), 0);
}

static void assert_content(const scene *s, const char *name, const void *want, size_t n)
{
    unsigned char *data;
    size_t size;
    assert_int_equal(ebm_file_read(s->in, name, SIZE_MAX, &data, &size, NULL), EBM_OK);
    assert_int_equal(size, n);
    assert_memory_equal(data, want, n);
    ebm_free(data);
}

static void writes_and_replaces(void **state)
{
    const scene *s = *state;
    const int entries = temp_dir_count(s->in);
    char path[TEMP_PATH_MAX];
    unsigned char *big = malloc(1 << 20);
    struct stat st;
    assert_non_null(big);
    memset(big, 0x5A, 1 << 20);
    assert_true(temp_dir_join(s->in, "new", path));
    assert_int_equal(ebm_file_write(path, big, 1 << 20, NULL), EBM_OK);
    assert_content(s, "new", big, 1 << 20);
    assert_int_equal(ebm_file_write(path, "small", 5, NULL), EBM_OK);
    assert_content(s, "new", "small", 5);
    assert_int_equal(ebm_file_write(path, "", 0, NULL), EBM_OK);
    assert_content(s, "new", "", 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0111, 0);
    assert_int_equal(temp_dir_count(s->in), entries + 1);
    free(big);
}

static void writes_beside_the_working_directory(void **state)
{
    const scene *s = *state;
    char before[4096];
    assert_non_null(getcwd(before, sizeof(before)));
    assert_int_equal(chdir(s->in), 0);
    const ebm_status st = ebm_file_write("local", "x", 1, NULL);
    assert_int_equal(chdir(before), 0);
    assert_int_equal(st, EBM_OK);
    assert_content(s, "local", "x", 1);
}

static void write_refuses(void **state)
{
    const scene *s = *state;
    const int entries = temp_dir_count(s->in);
    static const char *const bad[] = {"sub", "missing/file", "plain/file", "sub/"};
    char path[TEMP_PATH_MAX], endless[5000];
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ebm_error err = {EBM_OK, 0, "", ""};
        assert_true(temp_dir_join(s->in, bad[i], path));
        assert_int_equal(ebm_file_write(path, "x", 1, &err), EBM_ERR_IO);
        assert_string_equal(err.where, path);
    }
    memset(endless, 'a', sizeof(endless) - 1);
    endless[sizeof(endless) - 1] = '\0';
    assert_int_equal(ebm_file_write(endless, "x", 1, NULL), EBM_ERR_IO);
    endless[4500] = '/';
    assert_int_equal(ebm_file_write(endless, "x", 1, NULL), EBM_ERR_IO);
    assert_int_equal(temp_dir_count(s->in), entries);
}

/* A file size limit stands for the full disk: the write breaks off in the middle. */
static void a_failed_write_keeps_the_old_file(void **state)
{
    const scene *s = *state;
    const int entries = temp_dir_count(s->in);
    struct rlimit before, small = {1000, 1000};
    char path[TEMP_PATH_MAX], data[5000] = "";
    ebm_error err = {EBM_OK, 0, "", ""};
    assert_true(temp_dir_join(s->in, "plain", path));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    const ebm_status st = ebm_file_write(path, data, sizeof(data), &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(st, EBM_ERR_IO);
    assert_content(s, "plain", "plain text", 10);
    assert_int_equal(temp_dir_count(s->in), entries);
}

/* Missing parents are made, existing ones are fine; a file in the way is not. */
static void makes_directories(void **state)
{
    const scene *s = *state;
    static const struct {
        const char *name;
        ebm_status status;
    } rows[] = {
        {"a", EBM_OK},    {"a", EBM_OK},         {"b/c/d", EBM_OK},       {"b/c/e/", EBM_OK},
        {"b//f", EBM_OK}, {"plain", EBM_ERR_IO}, {"plain/x", EBM_ERR_IO},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char path[TEMP_PATH_MAX];
        assert_true(temp_dir_join(s->in, rows[i].name, path));
        assert_int_equal(ebm_dir_make(path, NULL), rows[i].status);
        if (rows[i].status == EBM_OK) {
            assert_true(temp_dir_count(path) >= 0);
        }
    }
    assert_int_equal(ebm_dir_make("", NULL), EBM_ERR_ARG);
}

int main(void)
{
#define IN_SCENE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        IN_SCENE(reads_content),
        IN_SCENE(reads_a_plain_path),
        IN_SCENE(refuses),
        IN_SCENE(refuses_devices_and_missing_directories),
        IN_SCENE(the_limit_is_exact),
        IN_SCENE(growth_is_noticed),
        IN_SCENE(read_without_memory),
        IN_SCENE(walk_without_openat2),
        IN_SCENE(makes_directories),
        IN_SCENE(writes_and_replaces),
        IN_SCENE(writes_beside_the_working_directory),
        IN_SCENE(write_refuses),
        IN_SCENE(a_failed_write_keeps_the_old_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
