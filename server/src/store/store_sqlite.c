/* The backend in one SQLite file; the only file that knows sqlite3.h. It keeps rows and bytes and
 * has never heard of a rule about jobs.
 * Exactly one connection, exclusively locked: SQLite before 3.51.3 can lose commits when two
 * connections share a write-ahead log. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "ebm/memory.h"
#include "base/process_lock.h"
#include "store/store.h"
#include "store/store_columns.h"

#define LOG_PAGES 1000 /* in the log, until they are copied into the file */

/* --- the columns of a row ------------------------------------------------------------------ */

static void bind_column(sqlite3_stmt *q, int at, const ebmd__column *c, const ebmd_row *row)
{
    const char *field = (const char *)row + c->offset;

    switch (c->type) {
    case EBMD__TEXT:
        sqlite3_bind_text(q, at, field, -1, SQLITE_STATIC);
        break;
    case EBMD__INT64:
        sqlite3_bind_int64(q, at, *(const int64_t *)(const void *)field);
        break;
    case EBMD__INT32:
        sqlite3_bind_int(q, at, *(const int32_t *)(const void *)field);
        break;
    case EBMD__FLAG:
        sqlite3_bind_int(q, at, *(const bool *)(const void *)field);
        break;
    case EBMD__STATE:
        sqlite3_bind_int(q, at, (int)*(const ebmd_job_state *)(const void *)field);
        break;
    case EBMD__REAL:
        sqlite3_bind_double(q, at, *(const double *)(const void *)field);
        break;
    }
}

/* A text that does not fit becomes one that no check admits. */
static void read_text(sqlite3_stmt *q, int at, char *out, size_t room)
{
    const char *text = (const char *)sqlite3_column_text(q, at);
    size_t n = (size_t)sqlite3_column_bytes(q, at);

    if (!text || n >= room || memchr(text, '\0', n))
        snprintf(out, room, "\x01");
    else
        memcpy(out, text, n + 1);
}

static int32_t read_int32(sqlite3_stmt *q, int at)
{
    int64_t v = sqlite3_column_int64(q, at);

    return v >= INT32_MIN && v <= INT32_MAX ? (int32_t)v : -1; /* refused by every check */
}

static void read_column(sqlite3_stmt *q, int at, const ebmd__column *c, ebmd_row *row)
{
    char *field = (char *)row + c->offset;

    switch (c->type) {
    case EBMD__TEXT:
        read_text(q, at, field, c->room);
        break;
    case EBMD__INT64:
        *(int64_t *)(void *)field = sqlite3_column_int64(q, at);
        break;
    case EBMD__INT32:
        *(int32_t *)(void *)field = read_int32(q, at);
        break;
    case EBMD__FLAG:
        *(bool *)(void *)field = sqlite3_column_int64(q, at) != 0;
        break;
    case EBMD__STATE:
        *(ebmd_job_state *)(void *)field = (ebmd_job_state)read_int32(q, at);
        break;
    case EBMD__REAL:
        *(double *)(void *)field = sqlite3_column_double(q, at);
        break;
    }
}

/* --- the connection ------------------------------------------------------------------------ */

enum { Q_UPSERT, Q_DROP_ROW, Q_DROP_TYPE, Q_PUT, Q_GET, Q_BEGIN, Q_COMMIT, Q_ROLLBACK, Q_COUNT };

static const char *const queries[Q_COUNT] = {
    [Q_UPSERT] = NULL, /* made from the columns */
    [Q_DROP_ROW] = "DELETE FROM jobs WHERE id=?1",
    [Q_DROP_TYPE] = "DELETE FROM blobs WHERE job=?1 AND type=?2",
    [Q_PUT] = "INSERT INTO blobs(job,type,idx,data) VALUES(?1,?2,?3,?4)"
              " ON CONFLICT(job,type,idx) DO UPDATE SET data=excluded.data",
    [Q_GET] = "SELECT data FROM blobs WHERE job=?1 AND type=?2 AND idx=?3",
    [Q_BEGIN] = "BEGIN IMMEDIATE",
    [Q_COMMIT] = "COMMIT",
    [Q_ROLLBACK] = "ROLLBACK",
};

typedef struct sqlite_backend {
    ebmd_backend base;
    sqlite3 *db;
    sqlite3_stmt *query[Q_COUNT];
    int lock_fd;
} sqlite_backend;

static sqlite_backend *self_of(ebmd_backend *b)
{
    return (sqlite_backend *)(void *)b;
}

static ebm_status fail(const sqlite_backend *m, const char *where, const char *what, ebm_error *err)
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
    else if (code == SQLITE_FULL || code == SQLITE_TOOBIG)
        st = EBM_ERR_LIMIT;
    return ebm_error_set(err, st, where, "%s: %s", what, sqlite3_errmsg(m->db));
}

/* Runs a statement that gives no rows. */
static bool run(sqlite_backend *m, int which)
{
    int rc = sqlite3_step(m->query[which]);

    sqlite3_reset(m->query[which]);
    sqlite3_clear_bindings(m->query[which]);
    return rc == SQLITE_DONE;
}

/* --- changes and reads --------------------------------------------------------------------- */

static bool put_row(sqlite_backend *m, const ebmd_row *row)
{
    for (size_t i = 0; i < EBMD__N_COLUMNS; i++)
        bind_column(m->query[Q_UPSERT], (int)i + 1, &ebmd__columns[i], row);
    return run(m, Q_UPSERT);
}

static bool drop_row(sqlite_backend *m, const ebmd_row *row)
{
    sqlite3_bind_text(m->query[Q_DROP_ROW], 1, row->id, -1, SQLITE_STATIC);
    return run(m, Q_DROP_ROW);
}

static bool drop_type(sqlite_backend *m, const ebmd_row *row, int type)
{
    sqlite3_bind_text(m->query[Q_DROP_TYPE], 1, row->id, -1, SQLITE_STATIC);
    sqlite3_bind_int(m->query[Q_DROP_TYPE], 2, type);
    return run(m, Q_DROP_TYPE);
}

static bool put_blob(sqlite_backend *m, const ebmd_row *row, const ebmd_blob *blob)
{
    sqlite3_stmt *q = m->query[Q_PUT];

    sqlite3_bind_text(q, 1, row->id, -1, SQLITE_STATIC);
    sqlite3_bind_int(q, 2, (int)blob->type);
    sqlite3_bind_int(q, 3, blob->index);
    /* one that is too long would leave NULL behind, and a broken rule of the table, which looks
     * like a broken disk */
    if (sqlite3_bind_blob64(q, 4, blob->size > 0 ? blob->data : "", blob->size, SQLITE_STATIC) !=
        SQLITE_OK) {
        sqlite3_clear_bindings(q);
        return false;
    }
    return run(m, Q_PUT);
}

static bool apply(sqlite_backend *m, const ebmd_change *c)
{
    if (c->drop_row)
        return drop_row(m, c->row);
    if (!put_row(m, c->row))
        return false;
    for (int t = 0; t < EBMD_BLOB_TYPES; t++) {
        if ((c->drop_blobs & (1u << t)) && !drop_type(m, c->row, t))
            return false;
    }
    for (size_t i = 0; i < c->n_blobs; i++) {
        if (!put_blob(m, c->row, &c->blobs[i]))
            return false;
    }
    return true;
}

static ebm_status sqlite_write(ebmd_backend *b, const ebmd_change *c, ebm_error *err)
{
    sqlite_backend *m = self_of(b);
    ebm_status st;

    if (run(m, Q_BEGIN) && apply(m, c) && run(m, Q_COMMIT))
        return EBM_OK;
    st = fail(m, c->row->id, "cannot write to the job store", err);
    if (!sqlite3_get_autocommit(m->db) && !run(m, Q_ROLLBACK))
        st = EBM_ERR_IO; /* what looked harmless is not */
    return st;
}

static ebm_status sqlite_read(ebmd_backend *b, const char *id, ebmd_blob_type type, int32_t index,
                              char **data, size_t *size, ebm_error *err)
{
    sqlite_backend *m = self_of(b);
    sqlite3_stmt *q = m->query[Q_GET];
    ebm_status st = EBM_OK;
    int rc;

    sqlite3_bind_text(q, 1, id, -1, SQLITE_STATIC);
    sqlite3_bind_int(q, 2, (int)type);
    sqlite3_bind_int(q, 3, index);
    rc = sqlite3_step(q);
    if (rc == SQLITE_ROW) {
        const void *bytes = sqlite3_column_blob(q, 0);

        *size = (size_t)sqlite3_column_bytes(q, 0);
        *data = ebm_alloc(*size + 1, 1); /* at most EBMD_BLOB_MAX */
        if (!*data)
            st = ebm_error_set(err, EBM_ERR_NOMEM, id, "no memory for a job record");
        else if (bytes)
            memcpy(*data, bytes, *size);
    } else if (rc == SQLITE_DONE) {
        st = ebm_error_set(err, EBM_ERR_NOT_FOUND, id, "nothing is kept there");
    } else {
        st = fail(m, id, "cannot read from the job store", err);
    }
    sqlite3_reset(q);
    sqlite3_clear_bindings(q);
    return st;
}

static ebm_status sqlite_load(ebmd_backend *b, ebm_status (*take)(void *arg, const ebmd_row *row),
                              void *arg, ebm_error *err)
{
    sqlite_backend *m = self_of(b);
    char sql[EBMD__SQL_ROOM] = "";
    sqlite3_stmt *q = NULL;
    ebm_status st = EBM_OK;
    int rc;

    ebmd__sql_load(sql);
    if (sqlite3_prepare_v2(m->db, sql, -1, &q, NULL) != SQLITE_OK)
        return fail(m, NULL, "cannot read the job store", err);
    while ((rc = sqlite3_step(q)) == SQLITE_ROW && st == EBM_OK) {
        ebmd_row row = {.seq = 0};

        for (size_t i = 0; i < EBMD__N_COLUMNS; i++)
            read_column(q, (int)i, &ebmd__columns[i], &row);
        st = take(arg, &row);
    }
    if (st == EBM_OK && rc != SQLITE_DONE)
        st = fail(m, NULL, "cannot read the job store", err);
    sqlite3_finalize(q);
    return st;
}

static void sqlite_close(ebmd_backend *b)
{
    sqlite_backend *m = self_of(b);

    for (int i = 0; i < Q_COUNT; i++)
        sqlite3_finalize(m->query[i]);
    sqlite3_close(m->db);
    if (m->lock_fd >= 0)
        close(m->lock_fd);
    ebm_free(m);
}

static const ebmd_backend_ops sqlite_ops = {sqlite_write, sqlite_read, sqlite_load, sqlite_close};

/* --- opening ------------------------------------------------------------------------------- */

static bool exec(sqlite_backend *m, const char *sql)
{
    return sqlite3_exec(m->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

/* Reads the single number or word of a pragma. */
static bool pragma(sqlite_backend *m, const char *sql, char *out, size_t size)
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

static ebm_status settle_pragmas(sqlite_backend *m, const char *path, ebm_error *err)
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

/* A file that is not empty and not ours is left alone, whatever it is. */
static ebm_status check_schema(sqlite_backend *m, const char *path, ebm_error *err)
{
    char version[32], app[32], tables[32], check[64], sql[EBMD__SQL_ROOM] = "";

    if (!pragma(m, "PRAGMA user_version", version, sizeof(version)) ||
        !pragma(m, "PRAGMA application_id", app, sizeof(app)) ||
        !pragma(m, "SELECT count(*) FROM sqlite_schema", tables, sizeof(tables)))
        return fail(m, path, "cannot read the job store", err);
    if (strcmp(tables, "0") == 0 && strcmp(version, "0") == 0) {
        ebmd__sql_create(sql);
        return exec(m, sql) ? EBM_OK : fail(m, path, "cannot create the job store", err);
    }
    if (strcmp(app, EBMD__APPLICATION_ID) != 0)
        return ebm_error_set(err, EBM_ERR_FORMAT, path, "a database, but not a job store");
    if (strcmp(version, EBMD__SCHEMA_UPGRADED) == 0) {
        ebmd__sql_upgrade(sql);
        if (!exec(m, sql))
            return fail(m, path, "cannot upgrade the job store", err);
    } else if (strcmp(version, EBMD__SCHEMA_VERSION) != 0) {
        return ebm_error_set(
            err, EBM_ERR_FORMAT, path,
            "job store has schema version %s, this program knows " EBMD__SCHEMA_VERSION, version);
    }
    if (!pragma(m, "PRAGMA quick_check(1)", check, sizeof(check)))
        return fail(m, path, "cannot check the job store", err);
    if (strcmp(check, "ok") != 0)
        return ebm_error_set(err, EBM_ERR_FORMAT, path, "job store is damaged");
    return EBM_OK;
}

static bool leaves_log(int rc)
{
    return rc == SQLITE_BUSY || rc == SQLITE_LOCKED || rc == SQLITE_FULL || rc == SQLITE_NOMEM;
}

/* Copies the log into the file, as SQLite would by itself, but its own way swallows errors: a sync
 * that fails here makes the log's pages unsafe to give up, and the next one would be believed. The
 * commit that brought us here then counts as failed, and with it the store. It stands all the same,
 * whatever we return (sqlite.org/c3ref/wal_hook.html): so no room, no memory and a lock, after
 * which a write counts as not done, are no reason, and the log stays. */
static int checkpoint_log(void *arg, sqlite3 *db, const char *name, int pages)
{
    int rc;

    (void)arg;
    if (pages < LOG_PAGES)
        return SQLITE_OK;
    rc = sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    return leaves_log(rc) ? SQLITE_OK : rc;
}

static ebm_status prepare(sqlite_backend *m, const char *path, ebm_error *err)
{
    char upsert[EBMD__SQL_ROOM] = "";

    ebmd__sql_upsert(upsert);
    for (int i = 0; i < Q_COUNT; i++) {
        const char *sql = queries[i] ? queries[i] : upsert;

        if (sqlite3_prepare_v3(m->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &m->query[i], NULL) !=
            SQLITE_OK)
            return fail(m, path, "cannot prepare the job store", err);
    }
    return EBM_OK;
}

static ebm_status open_file(sqlite_backend *m, const char *path, ebm_error *err)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    /* SQLite would say that the file is locked, but not by whom */
    ebm_status st = ebmd_process_lock(path, &m->lock_fd, err);

    if (st != EBM_OK)
        return st;
    if (sqlite3_open_v2(path, &m->db, flags, NULL) != SQLITE_OK)
        return fail(m, path, "cannot open the job store", err);
    sqlite3_extended_result_codes(m->db, 0);
    sqlite3_db_config(m->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_limit(m->db, SQLITE_LIMIT_LENGTH, EBMD_BLOB_MAX);
    sqlite3_busy_timeout(m->db, 200);
    sqlite3_wal_hook(m->db, checkpoint_log, NULL);
    st = settle_pragmas(m, path, err);
    if (st == EBM_OK)
        st = check_schema(m, path, err);
    if (st == EBM_OK)
        st = prepare(m, path, err);
    return st;
}

ebm_status ebmd_backend_sqlite_open(const char *path, ebmd_backend **out, ebm_error *err)
{
    sqlite_backend *m = ebm_alloc(1, sizeof(*m));
    ebm_status st;

    *out = NULL;
    if (!m)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for the store");
    m->lock_fd = -1;
    m->base.ops = &sqlite_ops;
    m->base.durability = "sqlite-full";
    m->base.durable = true;
    st = open_file(m, path, err);
    if (st != EBM_OK) {
        sqlite_close(&m->base);
        return st;
    }
    *out = &m->base;
    return EBM_OK;
}
