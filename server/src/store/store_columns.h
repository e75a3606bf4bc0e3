/* The job table as SQL: one list of columns, and the statements made from it. Knows names and
 * types; neither the database's library nor a rule about jobs. For store_sqlite.c alone. */
#ifndef EBMD_STORE_COLUMNS_H
#define EBMD_STORE_COLUMNS_H

#include "store/jobrow.h"

#define EBMD__SCHEMA_VERSION  "3"
#define EBMD__SCHEMA_UPGRADED "2"          /* the version that ebmd__sql_upgrade() starts from */
#define EBMD__APPLICATION_ID  "1701965156" /* "ebmd" */
#define EBMD__SQL_ROOM        4096
#define EBMD__N_COLUMNS       28

typedef enum ebmd__column_type {
    EBMD__TEXT,
    EBMD__INT64,
    EBMD__INT32,
    EBMD__FLAG,
    EBMD__STATE,
    EBMD__REAL
} ebmd__column_type;

typedef struct ebmd__column {
    const char *name;
    ebmd__column_type type;
    size_t offset, room; /* in ebmd_row */
} ebmd__column;

extern const ebmd__column ebmd__columns[EBMD__N_COLUMNS];

/* Each appends to a statement of EBMD__SQL_ROOM bytes, which is known to be enough. */
void ebmd__sql_create(char *sql);
void ebmd__sql_upsert(char *sql);
void ebmd__sql_load(char *sql);
/* Makes a file of the version before what this program knows. */
void ebmd__sql_upgrade(char *sql);

#endif
