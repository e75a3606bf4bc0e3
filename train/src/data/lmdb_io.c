/* The only file that sees lmdb.h: an LMDB database whose values are pictures, as LSUN comes.
 * Never writes to it. Has never heard of what is in a picture. */
#include <limits.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <lmdb.h>

#include "data/input.h"
#include "data/picture.h"
#include "data/source.h"
#include "ebm/memory.h"

/* LMDB finds a value by its key, not by its number. Every 2^shift-th key is kept, at most
 * MAX_KEYS of them however large the database is; the way from there is walked. */
#define MAX_KEYS   16384
#define MAX_KEY    511 /* LMDB's own limit, as built */
#define LAST_ERROR "LMDB: %s"

typedef struct stored_key {
    uint16_t size;
    unsigned char bytes[MAX_KEY];
} stored_key;

typedef struct database {
    char path[PATH_MAX];
    MDB_env *env;
    MDB_txn *txn; /* one reading transaction: the state of the database when it was opened */
    MDB_dbi dbi;
    MDB_cursor *cursor;
    pthread_mutex_t lock; /* a transaction belongs to one thread at a time */
    stored_key *key;      /* [n_keys] */
    size_t n_keys;
    int shift;
    int64_t count;
} database;

static void database_free(void *self)
{
    database *db = self;
    if (db->cursor)
        mdb_cursor_close(db->cursor);
    if (db->txn)
        mdb_txn_abort(db->txn);
    if (db->env)
        mdb_env_close(db->env);
    (void)pthread_mutex_destroy(&db->lock);
    ebm_free(db->key);
    ebm_free(db);
}

static ebm_status lmdb_error(const database *db, int code, ebm_error *err)
{
    if (code == ENOMEM)
        return ebm_error_set(err, EBM_ERR_NOMEM, db->path, LAST_ERROR, mdb_strerror(code));
    if (code == ENOENT)
        return ebm_error_set(err, EBM_ERR_NOT_FOUND, db->path, LAST_ERROR, mdb_strerror(code));
    const bool damaged = code == MDB_INVALID || code == MDB_CORRUPTED ||
                         code == MDB_PAGE_NOTFOUND || code == MDB_VERSION_MISMATCH ||
                         code == MDB_INCOMPATIBLE;
    return ebm_error_set(err, damaged ? EBM_ERR_FORMAT : EBM_ERR_IO, db->path, LAST_ERROR,
                         mdb_strerror(code));
}

/* --- opening ------------------------------------------------------------------------------- */

/* LMDB maps the file and would die of a signal on the missing pages of a copy cut short. */
static ebm_status check_length(const database *db, ebm_error *err)
{
    ebmt__input in;
    MDB_envinfo info;
    MDB_stat stat;
    ebm_status st = ebmt__input_open(db->path, "data.mdb", &in, err);
    if (st != EBM_OK)
        return st;
    int rc = mdb_env_info(db->env, &info);
    if (rc == 0)
        rc = mdb_env_stat(db->env, &stat);
    size_t need = 0;
    if (rc != 0)
        st = lmdb_error(db, rc, err);
    else if (!ebm_size_add(info.me_last_pgno, 1, &need) ||
             !ebm_size_mul(need, stat.ms_psize, &need) || need > in.size)
        st = ebm_error_set(err, EBM_ERR_FORMAT, db->path,
                           "data.mdb has %zu bytes, its header promises more", in.size);
    ebmt__input_close(&in);
    return st;
}

/* Without a lock file, so that a read-only directory will do: nobody may write meanwhile. */
static ebm_status open_environment(database *db, ebm_error *err)
{
    int rc = mdb_env_create(&db->env);
    if (rc == 0)
        rc = mdb_env_open(db->env, db->path, MDB_RDONLY | MDB_NOLOCK | MDB_NOTLS, 0);
    if (rc != 0)
        return lmdb_error(db, rc, err);
    ebm_status st = check_length(db, err);
    if (st != EBM_OK)
        return st;
    rc = mdb_txn_begin(db->env, NULL, MDB_RDONLY, &db->txn);
    if (rc == 0)
        rc = mdb_dbi_open(db->txn, NULL, 0, &db->dbi);
    if (rc == 0)
        rc = mdb_cursor_open(db->txn, db->dbi, &db->cursor);
    return rc == 0 ? EBM_OK : lmdb_error(db, rc, err);
}

/* A full table keeps every other key. */
static void thin_out(database *db)
{
    for (size_t i = 0; i < db->n_keys / 2; i++)
        db->key[i] = db->key[2 * i];
    db->n_keys /= 2;
    db->shift++;
}

static ebm_status keep_key(database *db, const MDB_val *key, ebm_error *err)
{
    if (key->mv_size > MAX_KEY)
        return ebm_error_set(err, EBM_ERR_LIMIT, db->path, "a key has %zu bytes, limit %d",
                             key->mv_size, MAX_KEY);
    if (db->n_keys == MAX_KEYS)
        thin_out(db);
    if (((uint64_t)db->count & (((uint64_t)1 << db->shift) - 1)) == 0) {
        stored_key *k = &db->key[db->n_keys++];
        k->size = (uint16_t)key->mv_size;
        memcpy(k->bytes, key->mv_data, key->mv_size);
    }
    db->count++;
    return EBM_OK;
}

static ebm_status count_keys(database *db, ebm_error *err)
{
    MDB_val key, value;
    ebm_status st = EBM_OK;
    db->key = ebm_alloc(MAX_KEYS, sizeof *db->key);
    if (!db->key)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for keys");
    int rc = mdb_cursor_get(db->cursor, &key, &value, MDB_FIRST);
    while (rc == 0 && st == EBM_OK) {
        st = keep_key(db, &key, err);
        rc = mdb_cursor_get(db->cursor, &key, &value, MDB_NEXT_NODUP);
    }
    if (st == EBM_OK && rc != MDB_NOTFOUND)
        st = lmdb_error(db, rc, err);
    return st;
}

/* --- reading ------------------------------------------------------------------------------- */

static int seek(const database *db, int64_t i, MDB_val *value)
{
    const stored_key *k = &db->key[i >> db->shift];
    unsigned char bytes[MAX_KEY];
    memcpy(bytes, k->bytes, k->size);
    MDB_val key = {k->size, bytes};
    int rc = mdb_cursor_get(db->cursor, &key, value, MDB_SET);
    for (int64_t j = i >> db->shift << db->shift; j < i && rc == 0; j++)
        rc = mdb_cursor_get(db->cursor, &key, value, MDB_NEXT_NODUP);
    return rc;
}

/* Copies value i, so that decoding needs no lock. @own *bytes: ebm_free() */
static ebm_status copy_value(const database *db, int64_t i, unsigned char **bytes, size_t *size,
                             ebm_error *err)
{
    MDB_val value;
    const int rc = seek(db, i, &value);
    if (rc != 0)
        return lmdb_error(db, rc, err);
    if (value.mv_size > EBMT_PICTURE_MAX_BYTES)
        return ebm_error_set(err, EBM_ERR_LIMIT, NULL, "picture has %zu bytes, limit %zu",
                             value.mv_size, EBMT_PICTURE_MAX_BYTES);
    *bytes = ebm_alloc(value.mv_size, 1);
    if (!*bytes)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for a picture");
    memcpy(*bytes, value.mv_data, value.mv_size);
    *size = value.mv_size;
    return EBM_OK;
}

static ebm_status read_value(void *self, int64_t i, ebm_image *image, ebm_error *err)
{
    database *db = self;
    unsigned char *bytes = NULL;
    size_t size = 0;
    char name[32];
    ebm_error inner = {0};
    (void)pthread_mutex_lock(&db->lock);
    ebm_status st = copy_value(db, i, &bytes, &size, &inner);
    (void)pthread_mutex_unlock(&db->lock);
    if (st == EBM_OK)
        st = ebmt__picture_decode(bytes, size, image, &inner);
    ebm_free(bytes);
    (void)snprintf(name, sizeof name, "value %lld", (long long)i);
    return ebmt__name_file(st, &inner, db->path, name, err);
}

ebm_status ebmt__lmdb_open(const char *path, ebmt_split split, ebmt__source *out, ebm_error *err)
{
    (void)split;
    if (strlen(path) >= PATH_MAX)
        return ebm_error_set(err, EBM_ERR_LIMIT, path, "the path is too long");
    database *db = ebm_alloc(1, sizeof *db);
    if (!db)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for a data set");
    memcpy(db->path, path, strlen(path) + 1);
    (void)pthread_mutex_init(&db->lock, NULL);
    ebm_status st = open_environment(db, err);
    if (st == EBM_OK)
        st = count_keys(db, err);
    if (st != EBM_OK) {
        database_free(db);
        return st;
    }
    *out =
        (ebmt__source){.count = db->count, .self = db, .read = read_value, .close = database_free};
    return EBM_OK;
}
