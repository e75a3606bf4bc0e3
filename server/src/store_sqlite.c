/* The store in one SQLite file; the only file that knows sqlite3.h.
 * Exactly one connection, exclusively locked: SQLite before 3.51.3 can lose commits when two
 * connections share a write-ahead log. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <sqlite3.h>

#include "ebm/memory.h"
#include "store.h"

#define SCHEMA_VERSION 1
#define APPLICATION_ID 1701965156 /* "ebmd" */

enum {
    Q_ACCEPT,
    Q_FINISH,
    Q_GET,
    Q_UNFINISHED,
    Q_OLDEST,
    Q_DELETE,
    Q_TOTALS,
    Q_BEGIN,
    Q_COMMIT,
    Q_ROLLBACK,
    Q_COUNT
};

static const char *const queries[Q_COUNT] = {
    [Q_ACCEPT] = "INSERT INTO jobs(id,created_ms,status,finished,body) VALUES(?1,?2,'queued',0,?3)",
    [Q_FINISH] = "UPDATE jobs SET status=?2,finished=1,body=?3 WHERE id=?1",
    [Q_GET] = "SELECT body,finished FROM jobs WHERE id=?1",
    [Q_UNFINISHED] = "SELECT id FROM jobs WHERE finished=0 ORDER BY seq LIMIT 1",
    [Q_OLDEST] = "SELECT seq,length(body) FROM jobs WHERE finished=1 ORDER BY seq LIMIT 1",
    [Q_DELETE] = "DELETE FROM jobs WHERE seq=?1",
    [Q_TOTALS] = "SELECT count(*),coalesce(sum(length(body)),0) FROM jobs",
    [Q_BEGIN] = "BEGIN IMMEDIATE",
    [Q_COMMIT] = "COMMIT",
    [Q_ROLLBACK] = "ROLLBACK",
};

static const char schema[] =
    "CREATE TABLE jobs(seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,"
    " created_ms INTEGER NOT NULL, status TEXT NOT NULL, finished INTEGER NOT NULL,"
    " body BLOB NOT NULL) STRICT;"
    "CREATE INDEX jobs_by_finished ON jobs(finished, seq);";

typedef struct sqlite_store {
    ebmd_store base;
    pthread_mutex_t lock;
    ebmd_store_limits limits;
    sqlite3 *db;
    sqlite3_stmt *query[Q_COUNT];
    size_t rows, bytes; /* of the table, so that trimming need not count */
} sqlite_store;

static sqlite_store *self_of(ebmd_store *s)
{
    return (sqlite_store *)(void *)s;
}

static ebm_status fail(const sqlite_store *m, const char *where, const char *what, ebm_error *err)
{
    int code = sqlite3_errcode(m->db);
    ebm_status st = EBM_ERR_IO;

    if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
        st = EBM_ERR_BAD_STATE;
    else if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT)
        st = EBM_ERR_FORMAT;
    else if (code == SQLITE_CANTOPEN)
        st = EBM_ERR_NOT_FOUND;
    else if (code == SQLITE_NOMEM)
        st = EBM_ERR_NOMEM;
    return ebm_error_set(err, st, where, "%s: %s", what, sqlite3_errmsg(m->db));
}

/* Runs a statement that gives no rows. */
static int run(sqlite_store *m, int which)
{
    int rc = sqlite3_step(m->query[which]);

    sqlite3_reset(m->query[which]);
    sqlite3_clear_bindings(m->query[which]);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static bool exec(sqlite_store *m, const char *sql)
{
    return sqlite3_exec(m->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

/* Reads the single number or word of a pragma. */
static bool pragma(sqlite_store *m, const char *sql, char *out, size_t size)
{
    sqlite3_stmt *q = NULL;
    const unsigned char *text;
    bool ok =
        sqlite3_prepare_v2(m->db, sql, -1, &q, NULL) == SQLITE_OK && sqlite3_step(q) == SQLITE_ROW;

    text = ok ? sqlite3_column_text(q, 0) : NULL;
    if (text)
        snprintf(out, size, "%s", (const char *)text);
    sqlite3_finalize(q);
    return text != NULL;
}

static ebm_status settle_pragmas(sqlite_store *m, const char *path, ebm_error *err)
{
    char mode[32];

    if (!exec(m, "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;"
                 "PRAGMA locking_mode=EXCLUSIVE;"))
        return fail(m, path, "cannot set up the job store", err);
    if (!pragma(m, "PRAGMA journal_mode=WAL", mode, sizeof(mode)))
        return fail(m, path, "cannot open the job store", err);
    if (strcmp(mode, "wal") != 0)
        return ebm_error_set(err, EBM_ERR_UNSUPPORTED, path, "no write-ahead log on this file");
    if (!exec(m, "PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"))
        return fail(m, path, "cannot set up the job store", err);
    return EBM_OK;
}

static ebm_status create_schema(sqlite_store *m, const char *path, ebm_error *err)
{
    char sql[128];

    snprintf(sql, sizeof(sql), "PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT",
             APPLICATION_ID, SCHEMA_VERSION);
    if (exec(m, "BEGIN EXCLUSIVE") && exec(m, schema) && exec(m, sql))
        return EBM_OK;
    return fail(m, path, "cannot create the job store", err);
}

/* A file that is not empty and not ours is left alone, whatever it is. */
static ebm_status check_schema(sqlite_store *m, const char *path, ebm_error *err)
{
    char version[32], app[32], tables[32], check[64];

    if (!pragma(m, "PRAGMA user_version", version, sizeof(version)) ||
        !pragma(m, "PRAGMA application_id", app, sizeof(app)) ||
        !pragma(m, "SELECT count(*) FROM sqlite_schema", tables, sizeof(tables)))
        return fail(m, path, "cannot read the job store", err);
    if (strcmp(tables, "0") == 0 && strcmp(version, "0") == 0)
        return create_schema(m, path, err);
    if (strcmp(app, "1701965156") != 0)
        return ebm_error_set(err, EBM_ERR_FORMAT, path, "a database, but not a job store");
    if (strcmp(version, "1") != 0)
        return ebm_error_set(err, EBM_ERR_FORMAT, path,
                             "job store has schema version %s, this program knows %d", version,
                             SCHEMA_VERSION);
    if (!pragma(m, "PRAGMA quick_check(1)", check, sizeof(check)))
        return fail(m, path, "cannot check the job store", err);
    if (strcmp(check, "ok") != 0)
        return ebm_error_set(err, EBM_ERR_FORMAT, path, "job store is damaged");
    return EBM_OK;
}

static ebm_status prepare(sqlite_store *m, const char *path, ebm_error *err)
{
    for (int i = 0; i < Q_COUNT; i++) {
        if (sqlite3_prepare_v3(m->db, queries[i], -1, SQLITE_PREPARE_PERSISTENT, &m->query[i],
                               NULL) != SQLITE_OK)
            return fail(m, path, "cannot prepare the job store", err);
    }
    if (sqlite3_step(m->query[Q_TOTALS]) != SQLITE_ROW)
        return fail(m, path, "cannot count the job store", err);
    m->rows = (size_t)sqlite3_column_int64(m->query[Q_TOTALS], 0);
    m->bytes = (size_t)sqlite3_column_int64(m->query[Q_TOTALS], 1);
    sqlite3_reset(m->query[Q_TOTALS]);
    return EBM_OK;
}

static void rollback(sqlite_store *m)
{
    if (!sqlite3_get_autocommit(m->db))
        run(m, Q_ROLLBACK);
}

static ebm_status sqlite_accept(ebmd_store *s, const char *id, const char *body, size_t size,
                                int64_t created_ms, ebm_error *err)
{
    sqlite_store *m = self_of(s);
    sqlite3_stmt *q = m->query[Q_ACCEPT];
    ebm_status st = EBM_OK;
    int rc;

    pthread_mutex_lock(&m->lock);
    sqlite3_bind_text(q, 1, id, -1, SQLITE_STATIC);
    sqlite3_bind_int64(q, 2, created_ms);
    sqlite3_bind_blob64(q, 3, body, size, SQLITE_STATIC);
    rc = run(m, Q_ACCEPT);
    if (rc == SQLITE_OK) {
        m->rows++;
        m->bytes += size;
    } else if ((rc & 0xff) == SQLITE_CONSTRAINT) {
        st = ebm_error_set(err, EBM_ERR_BAD_STATE, id, "job id is taken");
    } else {
        st = fail(m, id, "cannot record the job", err);
    }
    pthread_mutex_unlock(&m->lock);
    return st;
}

/* Deletes the oldest finished jobs until the limits hold; runs inside a transaction. */
static int trim(sqlite_store *m)
{
    int rc = SQLITE_OK;

    while (rc == SQLITE_OK && (m->rows > m->limits.rows || m->bytes > m->limits.bytes)) {
        sqlite3_int64 seq, size;

        if (sqlite3_step(m->query[Q_OLDEST]) != SQLITE_ROW) {
            sqlite3_reset(m->query[Q_OLDEST]);
            break;
        }
        seq = sqlite3_column_int64(m->query[Q_OLDEST], 0);
        size = sqlite3_column_int64(m->query[Q_OLDEST], 1);
        sqlite3_reset(m->query[Q_OLDEST]);
        sqlite3_bind_int64(m->query[Q_DELETE], 1, seq);
        rc = run(m, Q_DELETE);
        m->rows--;
        m->bytes -= (size_t)size;
    }
    return rc;
}

/* Looks a job up: *size and *finished; *body only if asked for. */
static ebm_status find(sqlite_store *m, const char *id, char **body, size_t *size, bool *finished,
                       ebm_error *err)
{
    sqlite3_stmt *q = m->query[Q_GET];
    ebm_status st = EBM_OK;
    int rc;

    sqlite3_bind_text(q, 1, id, -1, SQLITE_STATIC);
    rc = sqlite3_step(q);
    if (rc == SQLITE_ROW) {
        const void *blob = sqlite3_column_blob(q, 0);

        *size = (size_t)sqlite3_column_bytes(q, 0);
        *finished = sqlite3_column_int(q, 1) != 0;
        if (body) {
            *body = ebm_alloc(*size + 1, 1);
            if (!*body)
                st = ebm_error_set(err, EBM_ERR_NOMEM, id, "no memory for a job record");
            else if (*size > 0 && blob)
                memcpy(*body, blob, *size);
        }
    } else if (rc == SQLITE_DONE) {
        st = ebm_error_set(err, EBM_ERR_NOT_FOUND, id, "no such job");
    } else {
        st = fail(m, id, "cannot read the job", err);
    }
    sqlite3_reset(q);
    sqlite3_clear_bindings(q);
    return st;
}

static int update(sqlite_store *m, const char *id, const char *status, const char *body,
                  size_t size)
{
    sqlite3_stmt *q = m->query[Q_FINISH];

    sqlite3_bind_text(q, 1, id, -1, SQLITE_STATIC);
    sqlite3_bind_text(q, 2, status, -1, SQLITE_STATIC);
    sqlite3_bind_blob64(q, 3, body, size, SQLITE_STATIC);
    return run(m, Q_FINISH);
}

static ebm_status sqlite_finish(ebmd_store *s, const char *id, const char *status, const char *body,
                                size_t size, ebm_error *err)
{
    sqlite_store *m = self_of(s);
    size_t old = 0;
    size_t rows, bytes;
    bool finished = false;
    ebm_status st;

    pthread_mutex_lock(&m->lock);
    rows = m->rows;
    bytes = m->bytes;
    st = find(m, id, NULL, &old, &finished, err);
    if (st == EBM_OK && finished)
        st = ebm_error_set(err, EBM_ERR_BAD_STATE, id, "job is finished already");
    if (st != EBM_OK)
        goto out;
    m->bytes = m->bytes - old + size;
    if (run(m, Q_BEGIN) != SQLITE_OK || update(m, id, status, body, size) != SQLITE_OK ||
        trim(m) != SQLITE_OK || run(m, Q_COMMIT) != SQLITE_OK) {
        st = fail(m, id, "cannot record the result", err);
        rollback(m);
        m->rows = rows;
        m->bytes = bytes;
    }
out:
    pthread_mutex_unlock(&m->lock);
    return st;
}

static ebm_status sqlite_get(ebmd_store *s, const char *id, char **body, size_t *size,
                             bool *finished, ebm_error *err)
{
    sqlite_store *m = self_of(s);
    ebm_status st;

    *body = NULL;
    pthread_mutex_lock(&m->lock);
    st = find(m, id, body, size, finished, err);
    pthread_mutex_unlock(&m->lock);
    return st;
}

static ebm_status sqlite_unfinished(ebmd_store *s, char id[EBMD_ID_SIZE], ebm_error *err)
{
    sqlite_store *m = self_of(s);
    sqlite3_stmt *q = m->query[Q_UNFINISHED];
    ebm_status st = EBM_OK;
    int rc;

    pthread_mutex_lock(&m->lock);
    rc = sqlite3_step(q);
    if (rc == SQLITE_ROW) {
        const unsigned char *text = sqlite3_column_text(q, 0);
        const char *word = (const char *)text;

        /* rows are untrusted: a row that does not hold an id of ours stops the start */
        if (word && ebmd_id_is_job(word, strlen(word)))
            memcpy(id, word, strlen(word) + 1);
        else
            st = ebm_error_set(err, EBM_ERR_FORMAT, NULL, "job store holds a row with a bad id");
    } else if (rc == SQLITE_DONE) {
        st = ebm_error_set(err, EBM_ERR_NOT_FOUND, NULL, "all jobs are finished");
    } else {
        st = fail(m, NULL, "cannot read the job store", err);
    }
    sqlite3_reset(q);
    pthread_mutex_unlock(&m->lock);
    return st;
}

static void sqlite_close(ebmd_store *s)
{
    sqlite_store *m = self_of(s);

    for (int i = 0; i < Q_COUNT; i++)
        sqlite3_finalize(m->query[i]);
    sqlite3_close(m->db);
    pthread_mutex_destroy(&m->lock);
    ebm_free(m);
}

static const ebmd_store_ops sqlite_ops = {sqlite_accept, sqlite_finish, sqlite_get,
                                          sqlite_unfinished, sqlite_close};

static ebm_status open_file(sqlite_store *m, const char *path, ebm_error *err)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    ebm_status st;

    if (sqlite3_open_v2(path, &m->db, flags, NULL) != SQLITE_OK)
        return fail(m, path, "cannot open the job store", err);
    sqlite3_extended_result_codes(m->db, 0);
    sqlite3_db_config(m->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_busy_timeout(m->db, 200);
    st = settle_pragmas(m, path, err);
    if (st == EBM_OK)
        st = check_schema(m, path, err);
    if (st == EBM_OK)
        st = prepare(m, path, err);
    return st;
}

ebm_status ebmd_store_sqlite_open(const char *path, const ebmd_store_limits *limits,
                                  ebmd_store **out, ebm_error *err)
{
    sqlite_store *m = ebm_alloc(1, sizeof(*m));
    ebm_status st;

    *out = NULL;
    if (!m || pthread_mutex_init(&m->lock, NULL) != 0) {
        ebm_free(m);
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for the store");
    }
    m->base.ops = &sqlite_ops;
    m->base.durability = "sqlite-full";
    m->limits = *limits;
    st = open_file(m, path, err);
    if (st != EBM_OK) {
        sqlite_close(&m->base);
        return st;
    }
    *out = &m->base;
    return EBM_OK;
}
