/* The job table in SQL, see store_columns.h. */
#include "store/store_columns.h"

#include <stdio.h>
#include <string.h>

#define AT(type, member) type, offsetof(ebmd_row, member), sizeof(((ebmd_row *)NULL)->member)

const ebmd__column ebmd__columns[EBMD__N_COLUMNS] = {
    {"id", AT(EBMD__TEXT, id)},
    {"kind", AT(EBMD__TEXT, kind)},
    {"owner", AT(EBMD__TEXT, owner)},
    {"idem", AT(EBMD__TEXT, idem)},
    {"digest", AT(EBMD__TEXT, digest)},
    {"code", AT(EBMD__TEXT, code)},
    {"seq", AT(EBMD__INT64, seq)},
    {"work", AT(EBMD__INT64, work)},
    {"fence", AT(EBMD__INT64, fence)},
    {"created_ms", AT(EBMD__INT64, created_ms)},
    {"started_ms", AT(EBMD__INT64, started_ms)},
    {"completed_ms", AT(EBMD__INT64, completed_ms)},
    {"deadline_ms", AT(EBMD__INT64, deadline_ms)},
    {"request_bytes", AT(EBMD__INT64, bytes[EBMD_BLOB_REQUEST])},
    {"document_bytes", AT(EBMD__INT64, bytes[EBMD_BLOB_DOCUMENT])},
    {"part_bytes", AT(EBMD__INT64, bytes[EBMD_BLOB_PART])},
    {"checkpoint_bytes", AT(EBMD__INT64, bytes[EBMD_BLOB_CHECKPOINT])},
    {"vtime", AT(EBMD__REAL, vtime)},
    {"queue_ms", AT(EBMD__REAL, timings.queue_ms)},
    {"compute_ms", AT(EBMD__REAL, timings.compute_ms)},
    {"encode_ms", AT(EBMD__REAL, timings.encode_ms)},
    {"attempts", AT(EBMD__INT32, attempts)},
    {"priority", AT(EBMD__INT32, priority)},
    {"parts", AT(EBMD__INT32, parts)},
    {"state", AT(EBMD__STATE, state)},
    {"cancel_requested", AT(EBMD__FLAG, cancel_requested)},
    {"purged", AT(EBMD__FLAG, purged)},
    {"model", AT(EBMD__TEXT, model)},
};

static const char *sql_type(ebmd__column_type type)
{
    return type == EBMD__TEXT ? "TEXT" : type == EBMD__REAL ? "REAL" : "INTEGER";
}

/* Appends to a statement; the table above is fixed, so the room is known to be enough. */
static void append(char *sql, const char *text)
{
    size_t n = strlen(sql);

    snprintf(sql + n, EBMD__SQL_ROOM - n, "%s", text);
}

/* Writes `format` once per column with its name (and type), separated by commas. */
static void append_columns(char *sql, const char *before, const char *after, bool typed, bool twice)
{
    for (size_t i = 0; i < EBMD__N_COLUMNS; i++) {
        append(sql, i > 0 ? "," : "");
        append(sql, ebmd__columns[i].name);
        append(sql, before);
        append(sql, typed ? sql_type(ebmd__columns[i].type) : "");
        append(sql, twice ? ebmd__columns[i].name : "");
        append(sql, after);
    }
}

void ebmd__sql_create(char *sql)
{
    append(sql, "BEGIN EXCLUSIVE; CREATE TABLE jobs(");
    append_columns(sql, " ", " NOT NULL", true, false);
    append(sql, ", PRIMARY KEY(id)) STRICT;"
                "CREATE INDEX jobs_by_seq ON jobs(seq);"
                "CREATE TABLE blobs(job TEXT NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,"
                " type INTEGER NOT NULL, idx INTEGER NOT NULL, data BLOB NOT NULL) STRICT;"
                "CREATE UNIQUE INDEX blobs_by_job ON blobs(job,type,idx);"
                "PRAGMA application_id=" EBMD__APPLICATION_ID
                "; PRAGMA user_version=" EBMD__SCHEMA_VERSION "; COMMIT");
}

void ebmd__sql_upsert(char *sql)
{
    append(sql, "INSERT INTO jobs(");
    append_columns(sql, "", "", false, false);
    append(sql, ") VALUES(?");
    for (size_t i = 1; i < EBMD__N_COLUMNS; i++)
        append(sql, ",?");
    append(sql, ") ON CONFLICT(id) DO UPDATE SET ");
    append_columns(sql, "=excluded.", "", false, true);
}

void ebmd__sql_load(char *sql)
{
    append(sql, "SELECT ");
    append_columns(sql, "", "", false, false);
    append(sql, " FROM jobs ORDER BY seq,id");
}

void ebmd__sql_upgrade(char *sql)
{
    append(sql, "BEGIN EXCLUSIVE; ALTER TABLE jobs ADD COLUMN model TEXT NOT NULL DEFAULT '';"
                "PRAGMA user_version=" EBMD__SCHEMA_VERSION "; COMMIT");
}
