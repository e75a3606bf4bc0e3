/* One run at a time in a directory: a second process is refused before it harms anything, and a
 * lock ends with its process. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../run_scene.h"
#include "ebm/io.h"
#include "ebm/memory.h"
#include "ebmt/train.h"
#include "random_net.h"
#include "save/out_lock.h"
#include "temp_dir.h"

#define LEFTOVER ".ebm-1-2-000000003-0.tmp"
#define METRICS  "{\"iteration\":1,\"seconds\":1}\n{\"iteration\":2,\"seconds\":2}\n"

#define HOLDER_SECONDS 60 /* far beyond any test; a failed one leaves nobody behind for long */

/* The end of a process that locks dir and waits to be killed. */
static void hold(const char *dir, int ready)
{
    int fd;
    char answer = ebmt__out_lock(dir, &fd, NULL) == EBM_OK ? 'y' : 'n';
    (void)alarm(HOLDER_SECONDS);
    if (write(ready, &answer, 1) != 1)
        _exit(1);
    for (;;)
        (void)pause();
}

static pid_t start_holder(const char *dir)
{
    int ready[2];
    char answer = 0;
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0)
        hold(dir, ready[1]);
    assert_true(pid > 0);
    assert_int_equal(read(ready[0], &answer, 1), 1);
    assert_int_equal(answer, 'y');
    (void)close(ready[0]);
    (void)close(ready[1]);
    return pid;
}

static void end_holder(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void assert_names(const ebm_error *err, const char *dir, pid_t pid)
{
    char word[32];
    (void)snprintf(word, sizeof word, "process %ld ", (long)pid);
    assert_non_null(strstr(err->text, word));
    assert_string_equal(err->where, dir);
}

static void test_second_process_is_refused(void **state)
{
    ebm_error err = {0};
    int fd = 0;
    pid_t pid = start_holder(*state);
    assert_int_equal(ebmt__out_lock(*state, &fd, &err), EBM_ERR_BAD_STATE);
    assert_int_equal(fd, -1);
    assert_names(&err, *state, pid);
    end_holder(pid);
    assert_int_equal(ebmt__out_lock(*state, &fd, NULL), EBM_OK);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    pid = start_holder(*state);
    end_holder(pid);
}

static void assert_content(const char *dir, const char *name, const char *text)
{
    unsigned char *data = NULL;
    size_t size = 0;
    assert_int_equal(ebm_file_read(dir, name, 1 << 20, &data, &size, NULL), EBM_OK);
    assert_string_equal((const char *)data, text);
    ebm_free(data);
}

/* What a run leaves of a directory in which another one writes, resumed or not: all of it. */
static void test_run_leaves_a_locked_directory_alone(void **state)
{
    char dir[TEMP_PATH_MAX], leftover[TEMP_PATH_MAX];
    uint8_t pixels[RUN_IMAGES * RUN_DIM];
    const ebmt_dataset data = run_bars(pixels);
    ebmt_run_options opt = {.config = run_config(EBMT_RECOVERY),
                            .data = &data,
                            .out_dir = dir,
                            .threads = 1,
                            .kernels = kernel_set("blas")};
    opt.config.iterations = 1;
    assert_true(temp_dir_join(*state, "busy", dir) && mkdir(dir, 0700) == 0 &&
                temp_dir_join(dir, LEFTOVER, leftover));
    assert_true(temp_dir_write(dir, LEFTOVER, "half", 4));
    assert_true(temp_dir_write(dir, "metrics.jsonl", METRICS, strlen(METRICS)));
    pid_t pid = start_holder(dir);
    for (int i = 0; i < 2; i++) {
        ebm_error err = {0};
        opt.resume = i == 1;
        assert_int_equal(ebmt_run(&opt, &err), EBM_ERR_BAD_STATE);
        assert_names(&err, dir, pid);
        assert_content(dir, LEFTOVER, "half");
        assert_content(dir, "metrics.jsonl", METRICS);
    }
    assert_int_equal(temp_dir_count(dir), 3); /* and .lock */
    end_holder(pid);
    opt.resume = false;
    assert_int_equal(ebmt_run(&opt, NULL), EBM_OK);
    assert_int_equal(access(leftover, F_OK), -1);
}

static bool is_held;

/* Asks from another process: a process has no quarrel with its own lock. */
static bool see_lock(void *user, const ebmt_report *report)
{
    int fd, status = 0;
    (void)report;
    pid_t pid = fork();
    if (pid == 0)
        _exit(ebmt__out_lock(user, &fd, NULL) == EBM_ERR_BAD_STATE ? 0 : 1);
    is_held = pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
    return true;
}

static void test_run_holds_the_lock(void **state)
{
    char dir[TEMP_PATH_MAX];
    uint8_t pixels[RUN_IMAGES * RUN_DIM];
    const ebmt_dataset data = run_bars(pixels);
    assert_true(temp_dir_join(*state, "held", dir));
    ebmt_run_options opt = {.config = run_config(EBMT_RECOVERY),
                            .data = &data,
                            .out_dir = dir,
                            .threads = 1,
                            .hooks = {.user = dir, .report = see_lock},
                            .kernels = kernel_set("blas")};
    opt.config.iterations = 2;
    is_held = false;
    assert_int_equal(ebmt_run(&opt, NULL), EBM_OK);
    assert_true(is_held);
    (void)see_lock(dir, NULL);
    assert_false(is_held);
}

static void test_no_lock_file(void **state)
{
    char path[TEMP_PATH_MAX], deep[5000];
    int fd;
    assert_true(temp_dir_join(*state, ".lock", path));
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(ebmt__out_lock(*state, &fd, NULL), EBM_ERR_IO);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(symlink("elsewhere", path), 0);
    assert_int_equal(ebmt__out_lock(*state, &fd, NULL), EBM_ERR_IO);
    assert_int_equal(ebmt__out_lock("/nonexistent", &fd, NULL), EBM_ERR_IO);
    memset(deep, 'x', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    assert_int_equal(ebmt__out_lock(deep, &fd, NULL), EBM_ERR_ARG);
    assert_int_equal(fd, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEMP_DIR_TEST(test_second_process_is_refused),
        TEMP_DIR_TEST(test_run_leaves_a_locked_directory_alone),
        TEMP_DIR_TEST(test_run_holds_the_lock),
        TEMP_DIR_TEST(test_no_lock_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
