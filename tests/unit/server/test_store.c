/* The conformance suite of stores: the same cases on every driver, then what only a file can do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ebm/memory.h"
#include "store.h"
#include "temp_dir.h"

static const ebmd_store_limits roomy = {.rows = 1000, .bytes = 1u << 20};

typedef struct fixture {
    char dir[TEMP_PATH_MAX], path[TEMP_PATH_MAX];
    const char *driver;
} fixture;

static ebmd_store *open_store(const fixture *f, const ebmd_store_limits *limits)
{
    char spec[TEMP_PATH_MAX + 16];
    ebmd_store *s = NULL;
    ebm_error err = {0};

    snprintf(spec, sizeof(spec), "%s%s", f->driver, f->driver[0] == 's' ? f->path : "");
    if (ebmd_store_open(spec, limits, &s, &err) != EBM_OK)
        fail_msg("%s: %s", err.where, err.text);
    return s;
}

static int setup(fixture *f, const char *driver, void **state)
{
    f->driver = driver;
    *state = f;
    return temp_dir_make(f->dir) && temp_dir_join(f->dir, "jobs.db", f->path) ? 0 : -1;
}

static int setup_memory(void **state)
{
    static fixture f;

    return setup(&f, "memory", state);
}

static int setup_sqlite(void **state)
{
    static fixture f;

    return setup(&f, "sqlite:", state);
}

static int teardown(void **state)
{
    temp_dir_remove(((fixture *)*state)->dir);
    return 0;
}

static const char *id_of(int i)
{
    static char id[EBMD_ID_SIZE];

    snprintf(id, sizeof(id), "job_%026d", i);
    return id;
}

static ebm_status accept_text(ebmd_store *s, int i, const char *text)
{
    return s->ops->accept(s, id_of(i), text, strlen(text), i, NULL);
}

static ebm_status finish_text(ebmd_store *s, int i, const char *text)
{
    return s->ops->finish(s, id_of(i), "succeeded", text, strlen(text), NULL);
}

static void expect(ebmd_store *s, int i, const char *text, bool done)
{
    char *body = NULL;
    size_t size = 0;
    bool finished = !done;

    assert_int_equal(s->ops->get(s, id_of(i), &body, &size, &finished, NULL), EBM_OK);
    assert_int_equal(size, strlen(text));
    assert_string_equal(body, text);
    assert_int_equal(finished, done);
    ebm_free(body);
}

static ebm_status lookup(ebmd_store *s, int i)
{
    char *body = NULL;
    size_t size;
    bool finished;
    ebm_status st = s->ops->get(s, id_of(i), &body, &size, &finished, NULL);

    ebm_free(body);
    return st;
}

static void life_of_a_job(void **state)
{
    ebmd_store *s = open_store(*state, &roomy);

    assert_int_equal(lookup(s, 1), EBM_ERR_NOT_FOUND);
    assert_int_equal(finish_text(s, 1, "x"), EBM_ERR_NOT_FOUND);
    assert_int_equal(accept_text(s, 1, "queued"), EBM_OK);
    assert_int_equal(accept_text(s, 1, "again"), EBM_ERR_BAD_STATE);
    expect(s, 1, "queued", false);
    assert_int_equal(finish_text(s, 1, "done"), EBM_OK);
    expect(s, 1, "done", true);
    assert_int_equal(finish_text(s, 1, "other"), EBM_ERR_BAD_STATE);
    expect(s, 1, "done", true);
    assert_int_equal(accept_text(s, 2, ""), EBM_OK);
    expect(s, 2, "", false);
    s->ops->close(s);
}

static void bytes_are_kept_as_they_are(void **state)
{
    ebmd_store *s = open_store(*state, &roomy);
    char all[256];
    char *body;
    size_t size;
    bool finished;

    for (int i = 0; i < 256; i++)
        all[i] = (char)i;
    assert_int_equal(s->ops->accept(s, id_of(1), all, 256, 0, NULL), EBM_OK);
    assert_int_equal(s->ops->get(s, id_of(1), &body, &size, &finished, NULL), EBM_OK);
    assert_int_equal(size, 256);
    assert_memory_equal(body, all, 256);
    ebm_free(body);
    s->ops->close(s);
}

static void unfinished_jobs_oldest_first(void **state)
{
    ebmd_store *s = open_store(*state, &roomy);
    char id[EBMD_ID_SIZE];

    assert_int_equal(s->ops->unfinished(s, id, NULL), EBM_ERR_NOT_FOUND);
    for (int i = 5; i > 0; i--)
        assert_int_equal(accept_text(s, i, "q"), EBM_OK);
    for (int i = 5; i > 0; i--) {
        assert_int_equal(s->ops->unfinished(s, id, NULL), EBM_OK);
        assert_string_equal(id, id_of(i));
        assert_int_equal(finish_text(s, i, "d"), EBM_OK);
    }
    assert_int_equal(s->ops->unfinished(s, id, NULL), EBM_ERR_NOT_FOUND);
    s->ops->close(s);
}

static void only_so_many_rows(void **state)
{
    ebmd_store_limits three = {.rows = 3, .bytes = 1u << 20};
    ebmd_store *s = open_store(*state, &three);

    assert_int_equal(accept_text(s, 100, "never finished"), EBM_OK);
    for (int i = 1; i <= 6; i++) {
        assert_int_equal(accept_text(s, i, "q"), EBM_OK);
        assert_int_equal(finish_text(s, i, "d"), EBM_OK);
    }
    expect(s, 100, "never finished", false); /* only finished jobs go */
    for (int i = 1; i <= 4; i++)
        assert_int_equal(lookup(s, i), EBM_ERR_NOT_FOUND);
    expect(s, 5, "d", true);
    expect(s, 6, "d", true);
    s->ops->close(s);
}

static void only_so_many_bytes(void **state)
{
    ebmd_store_limits few = {.rows = 100, .bytes = 10};
    ebmd_store *s = open_store(*state, &few);

    for (int i = 1; i <= 3; i++) {
        assert_int_equal(accept_text(s, i, "q"), EBM_OK);
        assert_int_equal(finish_text(s, i, "1234"), EBM_OK);
    }
    assert_int_equal(lookup(s, 1), EBM_ERR_NOT_FOUND);
    expect(s, 2, "1234", true);
    expect(s, 3, "1234", true);
    s->ops->close(s);
}

static void names_of_stores(void **state)
{
    static const char *const bad[] = {"", "memory:", "sqlite", "sqlite:", "redis:x", "Memory"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(ebmd_store_spec_valid(bad[i]));
    assert_true(ebmd_store_spec_valid("memory"));
    assert_true(ebmd_store_spec_valid("sqlite:a"));
}

static void a_file_is_still_there_later(void **state)
{
    ebmd_store_limits two = {.rows = 2, .bytes = 1u << 20};
    ebmd_store *s = open_store(*state, &roomy);

    assert_int_equal(accept_text(s, 1, "a"), EBM_OK);
    assert_int_equal(finish_text(s, 1, "b"), EBM_OK);
    assert_int_equal(accept_text(s, 2, "c"), EBM_OK);
    s->ops->close(s);
    s = open_store(*state, &two);
    expect(s, 1, "b", true);
    expect(s, 2, "c", false);
    /* the counts were read back too: a third row pushes the oldest finished one out */
    assert_int_equal(accept_text(s, 3, "d"), EBM_OK);
    assert_int_equal(finish_text(s, 3, "e"), EBM_OK);
    assert_int_equal(lookup(s, 1), EBM_ERR_NOT_FOUND);
    s->ops->close(s);
}

/* What accept() said yes to is in the file when the process dies the next moment. */
static void a_killed_process_loses_nothing(void **state)
{
    pid_t pid = fork();
    ebmd_store *s;
    int status;

    if (pid == 0) {
        s = open_store(*state, &roomy);
        for (int i = 1; i <= 20; i++) {
            if (accept_text(s, i, "q") != EBM_OK)
                _exit(1);
        }
        _exit(finish_text(s, 1, "d") == EBM_OK ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    s = open_store(*state, &roomy);
    expect(s, 1, "d", true);
    expect(s, 20, "q", false);
    s->ops->close(s);
}

static ebm_status try_open(const char *path)
{
    ebm_error err = {0};
    ebmd_store *s = NULL;
    ebm_status st = ebmd_store_sqlite_open(path, &roomy, &s, &err);

    if (s)
        s->ops->close(s);
    else
        assert_true(err.status != EBM_OK && err.text[0] != '\0');
    return st;
}

static void sql(const char *path, const char *text)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void files_that_are_not_ours(void **state)
{
    const fixture *f = *state;
    char junk[8192];
    struct stat before, after;

    memset(junk, 'x', sizeof(junk));
    assert_true(temp_dir_write(f->dir, "jobs.db", junk, sizeof(junk)));
    assert_int_equal(stat(f->path, &before), 0);
    assert_int_equal(try_open(f->path), EBM_ERR_FORMAT);
    assert_int_equal(stat(f->path, &after), 0);
    assert_true(before.st_size == after.st_size); /* left alone */
    unlink(f->path);
    sql(f->path, "CREATE TABLE other(x)");
    assert_int_equal(try_open(f->path), EBM_ERR_FORMAT);
    unlink(f->path);
    assert_int_equal(try_open(f->path), EBM_OK);
    sql(f->path, "PRAGMA user_version=2");
    assert_int_equal(try_open(f->path), EBM_ERR_FORMAT);
    assert_int_equal(try_open("/nonexistent/dir/jobs.db"), EBM_ERR_NOT_FOUND);
    assert_int_equal(try_open(f->dir), EBM_ERR_NOT_FOUND); /* a directory */
}

static void one_process_at_a_time(void **state)
{
    const fixture *f = *state;
    ebmd_store *s = open_store(f, &roomy);

    assert_int_equal(try_open(f->path), EBM_ERR_BAD_STATE);
    s->ops->close(s);
    assert_int_equal(try_open(f->path), EBM_OK);
}

static void a_bad_row_stops_the_start(void **state)
{
    const fixture *f = *state;
    ebmd_store *s;
    char id[EBMD_ID_SIZE];

    assert_int_equal(try_open(f->path), EBM_OK);
    sql(f->path, "INSERT INTO jobs(id,created_ms,status,finished,body) "
                 "VALUES('../../../../../../../../etc/passwd',0,'queued',0,x'00')");
    s = open_store(f, &roomy);
    assert_int_equal(s->ops->unfinished(s, id, NULL), EBM_ERR_FORMAT);
    s->ops->close(s);
}

#define BOTH(test)                                                                                 \
    {#test " (memory)", test, setup_memory, teardown, NULL},                                       \
    {                                                                                              \
#test " (sqlite)", test, setup_sqlite, teardown, NULL                                      \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(life_of_a_job),
        BOTH(bytes_are_kept_as_they_are),
        BOTH(unfinished_jobs_oldest_first),
        BOTH(only_so_many_rows),
        BOTH(only_so_many_bytes),
        cmocka_unit_test(names_of_stores),
        cmocka_unit_test_setup_teardown(a_file_is_still_there_later, setup_sqlite, teardown),
        cmocka_unit_test_setup_teardown(a_killed_process_loses_nothing, setup_sqlite, teardown),
        cmocka_unit_test_setup_teardown(files_that_are_not_ours, setup_sqlite, teardown),
        cmocka_unit_test_setup_teardown(one_process_at_a_time, setup_sqlite, teardown),
        cmocka_unit_test_setup_teardown(a_bad_row_stops_the_start, setup_sqlite, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
