/* What only a store in a file can do: outlive the process, refuse what is not its own, and read
 * what somebody else has written into it. */
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

#include "store_bench.h"

static void a_file_is_still_there_later(void **state)
{
    store_bench *f = *state;
    char key[EBMD_HEX_SIZE];
    ebmd_spec spec = bench_spec_of(bench_id_of(2));
    ebmd_lease lease;
    ebmd_stats stats;
    ebmd_view v;

    snprintf(key, sizeof(key), "%064x", 7);
    bench_accept(f, 1);
    lease = bench_claim(f, 1);
    assert_int_equal(bench_finish(f, &lease), EBM_OK);
    spec.idem = spec.digest = key;
    spec.owner = "alice";
    spec.timeout_ms = 60000;
    assert_int_equal(bench_submit(f, &spec), EBMD_SUBMIT_ACCEPTED);
    bench_accept(f, 3);
    bench_accept(f, 4);
    lease = bench_claim(f, 2);
    assert_int_equal(bench_save(f, &lease, "here", false), EBM_OK);
    bench_claim(f, 3);
    assert_int_equal(f->store->ops->cancel(f->store, bench_id_of(3), NULL, &v, NULL), EBM_OK);
    f->mono = 99; /* another boot */
    f->wall += 20000;
    bench_reopen(f);
    f->store->ops->stats(f->store, &stats);
    assert_true(stats.recovered == 2 && stats.damaged == 0 && stats.rows == 4);
    bench_expect_state(f, 1, EBMD_JOB_SUCCEEDED, "");
    bench_expect_blob(f, 1, EBMD_BLOB_PART, 1, "PNG1\0\xff", 6);
    bench_expect_state(f, 3, EBMD_JOB_CANCELED, "canceled"); /* it had been asked for */
    assert_int_equal(bench_submit(f, &spec), EBMD_SUBMIT_REPLAYED);
    assert_int_equal(bench_finish(f, &lease), EBM_ERR_BAD_STATE); /* of the dead process */
    lease = bench_claim(f, 2);
    assert_true(lease.has_checkpoint && lease.attempts == 2);
    assert_int_equal(lease.deadline_mono, 99 + 40000); /* 20 of 60 s are gone */
    bench_claim(f, 4);
    bench_claim_none(f);
}

/* What bench_submit() said yes to is in the file when the process dies the next moment. */
static void a_killed_process_loses_nothing(void **state)
{
    store_bench *f = *state;
    ebmd_lease lease;
    int status;
    pid_t pid;

    bench_close(f);
    pid = fork();
    if (pid == 0) {
        bench_open(f);
        for (int i = 1; i <= 20; i++)
            bench_accept(f, i);
        lease = bench_claim(f, 1);
        _exit(bench_finish(f, &lease) == EBM_OK ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    bench_open(f);
    bench_expect_state(f, 1, EBMD_JOB_SUCCEEDED, "");
    bench_expect_state(f, 20, EBMD_JOB_QUEUED, "");
}

static ebm_status try_open(store_bench *f, const char *path, ebm_error *err)
{
    store_bench other = *f;
    ebm_status st;

    memset(err, 0, sizeof(*err));
    snprintf(other.path, sizeof(other.path), "%s", path);
    st = bench_try(&other, err);
    assert_true(st == EBM_OK || (err->status == st && err->text[0] != '\0'));
    bench_close(&other);
    return st;
}

static void sql(const char *path, const char *text)
{
    sqlite3 *db;
    char *message = NULL;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, text, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", text, message);
    sqlite3_close(db);
}

static void files_that_are_not_ours(void **state)
{
    store_bench *f = *state;
    char junk[8192];
    struct stat before, after;
    ebm_error err;

    bench_close(f);
    memset(junk, 'x', sizeof(junk));
    assert_true(temp_dir_write(f->dir, "jobs.db", junk, sizeof(junk)));
    assert_int_equal(stat(f->path, &before), 0);
    assert_int_equal(try_open(f, f->path, &err), EBM_ERR_FORMAT);
    assert_int_equal(stat(f->path, &after), 0);
    assert_true(before.st_size == after.st_size); /* left alone */
    unlink(f->path);
    sql(f->path, "CREATE TABLE other(x)");
    assert_int_equal(try_open(f, f->path, &err), EBM_ERR_FORMAT);
    unlink(f->path);
    assert_int_equal(try_open(f, f->path, &err), EBM_OK);
    sql(f->path, "PRAGMA user_version=99");
    assert_int_equal(try_open(f, f->path, &err), EBM_ERR_FORMAT);
    assert_non_null(strstr(err.text, "99"));
    assert_int_equal(try_open(f, "/nonexistent/dir/jobs.db", &err), EBM_ERR_NOT_FOUND);
    assert_int_equal(try_open(f, f->dir, &err), EBM_ERR_NOT_FOUND); /* a directory */
}

/* A file of the version before this one is taken over, with its jobs. */
static void a_file_of_the_version_before(void **state)
{
    store_bench *f = *state;

    bench_accept(f, 1);
    bench_close(f);
    sql(f->path, "ALTER TABLE jobs DROP COLUMN model; PRAGMA user_version=2");
    for (int i = 0; i < 2; i++) {
        bench_open(f);
        bench_expect_state(f, 1, EBMD_JOB_QUEUED, "");
        assert_string_equal(bench_view_of(f, 1).row.model, "");
        bench_close(f);
    }
    bench_open(f);
}

static void a_damaged_file(void **state)
{
    static char page[4096];
    store_bench *f = *state;
    ebm_error err;
    FILE *file;

    for (int i = 1; i <= 50; i++)
        bench_accept(f, i);
    bench_close(f);
    file = fopen(f->path, "r+b");
    assert_non_null(file);
    memset(page, 0xa5, sizeof(page));
    for (long at = 4096; at < 5 * 4096; at += 4096) {
        assert_int_equal(fseek(file, at, SEEK_SET), 0);
        assert_int_equal(fwrite(page, 1, sizeof(page), file), sizeof(page));
    }
    fclose(file);
    assert_int_equal(try_open(f, f->path, &err), EBM_ERR_FORMAT);
}

static void one_process_at_a_time(void **state)
{
    store_bench *f = *state;
    char pid[32];
    ebm_error err;
    int status;
    pid_t child;

    snprintf(pid, sizeof(pid), "process %ld", (long)getpid());
    child = fork();
    if (child == 0) {
        store_bench other = *f;
        bool named = try_open(&other, f->path, &err) == EBM_ERR_BAD_STATE && strstr(err.text, pid);

        _exit(named ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    bench_accept(f, 1); /* the first one is unharmed */
}

/* B5, F12: rows that are good SQL and nonsense are left alone; the rest goes on. */
static void hostile_rows(void **state)
{
    static const char *const edits[] = {
        "UPDATE jobs SET id='../../../../../../etc/passwd' WHERE seq=1",
        "UPDATE jobs SET id='job_' || char(0) || 'x' WHERE seq=1",
        "UPDATE jobs SET state=6 WHERE seq=1",
        "UPDATE jobs SET state=-1 WHERE seq=1",
        "UPDATE jobs SET state=4294967296 WHERE seq=1",
        "UPDATE jobs SET priority=10 WHERE seq=1",
        "UPDATE jobs SET work=-1 WHERE seq=1",
        "UPDATE jobs SET work=9223372036854775807 WHERE seq=1",
        "UPDATE jobs SET fence=9223372036854775807 WHERE seq=1",
        "UPDATE jobs SET attempts=-1 WHERE seq=1",
        "UPDATE jobs SET parts=0 WHERE seq=1",
        "UPDATE jobs SET parts=2147483647 WHERE seq=1",
        "UPDATE jobs SET vtime=9e999 WHERE seq=1",
        "UPDATE jobs SET vtime=-1 WHERE seq=1",
        "UPDATE jobs SET compute_ms=-1 WHERE seq=1",
        "UPDATE jobs SET created_ms=-1 WHERE seq=1",
        "UPDATE jobs SET completed_ms=9223372036854775807 WHERE seq=1",
        "UPDATE jobs SET part_bytes=-1 WHERE seq=1",
        "UPDATE jobs SET owner=hex(zeroblob(100)) WHERE seq=1",
        "UPDATE jobs SET owner='a\"b' WHERE seq=1",
        "UPDATE jobs SET kind='' WHERE seq=1",
        "UPDATE jobs SET code=char(10) WHERE seq=1",
        "UPDATE jobs SET idem='zz' WHERE seq=1",
        "UPDATE jobs SET seq=2 WHERE seq=1",
        "UPDATE jobs SET seq=0 WHERE seq=1",
        "UPDATE jobs SET seq=9223372036854775807 WHERE seq=2"};
    store_bench *f = *state;

    for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
        ebmd_stats stats;

        bench_close(f);
        unlink(f->path);
        bench_open(f);
        bench_accept(f, 1);
        bench_accept(f, 2);
        bench_close(f);
        sql(f->path, edits[i]);
        bench_open(f);
        f->store->ops->stats(f->store, &stats);
        if (stats.damaged != 1 || stats.rows != 1)
            fail_msg("%s: %zu damaged", edits[i], stats.damaged);
        bench_accept(f, 3);
    }
}

/* --- SQLite without memory ------------------------------------------------------------------ */

static sqlite3_mem_methods machine;
static long until_failure; /* allocations of SQLite's, the last of which fails; 0: none */

static bool fails(void)
{
    return until_failure > 0 && --until_failure == 0;
}

static void *weak_malloc(int n)
{
    return fails() ? NULL : machine.xMalloc(n);
}

static void *weak_realloc(void *p, int n)
{
    return fails() ? NULL : machine.xRealloc(p, n);
}

/* Before the first store is opened. */
static bool weaken(void)
{
    sqlite3_mem_methods weak;

    if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &machine) != SQLITE_OK)
        return false;
    weak = machine;
    weak.xMalloc = weak_malloc;
    weak.xRealloc = weak_realloc;
    return sqlite3_config(SQLITE_CONFIG_MALLOC, &weak) == SQLITE_OK;
}

/* Wherever memory is short, also when the log is copied into the file behind the commit: a job that
 * was refused is not there, one that was taken is. */
static void what_is_said_is_what_is_there(void **state)
{
    static char request[1100 * 4096]; /* makes the log long enough to be copied */
    store_bench *f = *state;
    bool hit = true;

    memset(request, ' ', sizeof(request));
    for (int k = 1; hit; k++) {
        ebmd_spec spec = bench_spec_of(bench_id_of(k));
        ebmd_submit_outcome how;
        char id[EBMD_ID_SIZE];
        ebm_status st;

        spec.request = request;
        spec.request_size = sizeof(request);
        until_failure = k;
        st = f->store->ops->submit(f->store, &spec, &how, id, NULL);
        hit = until_failure == 0;
        until_failure = 0;
        assert_true(st == EBM_OK || st == EBM_ERR_NOMEM);
        bench_reopen(f);
        if (bench_exists(f, k) != (st == EBM_OK))
            fail_msg("allocation %d: %s", k, ebm_status_name(st));
        if (st == EBM_OK)
            assert_int_equal(f->store->ops->forget(f->store, bench_id_of(k), NULL, NULL), EBM_OK);
    }
}

static void ten_thousand_jobs(void **state)
{
    store_bench *f = *state;
    ebmd_stats stats;

    bench_close(f);
    f->limits.queued = 20000;
    f->limits.queued_work = INT64_MAX / 2;
    bench_open(f);
    bench_accept(f, 1);
    bench_close(f);
    sql(f->path,
        "BEGIN; WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i+1 FROM n WHERE i<10000)"
        " INSERT INTO jobs SELECT printf('job_%026d',i),kind,owner,idem,digest,code,i,work,"
        "fence,created_ms,started_ms,completed_ms,deadline_ms,request_bytes,document_bytes,"
        "part_bytes,checkpoint_bytes,vtime,queue_ms,compute_ms,encode_ms,attempts,priority,"
        "parts,state,cancel_requested,purged,model FROM jobs,n; COMMIT");
    bench_open(f);
    f->store->ops->stats(f->store, &stats);
    assert_int_equal(stats.queued, 10000);
    bench_claim(f, 1);
}

#define FILES(test) cmocka_unit_test_setup_teardown(test, bench_setup_sqlite, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILES(a_file_is_still_there_later),
        FILES(a_killed_process_loses_nothing),
        FILES(files_that_are_not_ours),
        FILES(a_file_of_the_version_before),
        FILES(a_damaged_file),
        FILES(one_process_at_a_time),
        FILES(hostile_rows),
        FILES(what_is_said_is_what_is_there),
        FILES(ten_thousand_jobs),
    };

    if (!weaken())
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
