/* The job core's memory: every row with its places in the lists and indexes, and the virtual time
 * of owners. Finds and links; decides nothing. For jobs*.c alone. */
#ifndef EBMD_JOBTABLE_H
#define EBMD_JOBTABLE_H

#include "store/jobs.h"

#define EBMD__BUCKETS 4096u

typedef struct ebmd__node {
    ebmd_row row;
    struct ebmd__node *by_id, *by_idem; /* next in the bucket */
    struct ebmd__node *older, *newer;   /* all, by seq */
    struct ebmd__node *prev, *next;     /* queued and running ones */
    int64_t lease_until, run_after;     /* monotonic, as all below */
    int64_t deadline;                   /* INT64_MAX: none */
    int64_t expires;                    /* of a final job: end of its present form */
    int64_t idem_until, queued_at;
    ebmd_progress progress;
} ebmd__node;

/* What an owner has been given so far. */
typedef struct ebmd__owner {
    char name[EBMD_OWNER_SIZE];
    double finish; /* virtual time at which all that it was given would be done */
    size_t live;
} ebmd__owner;

typedef struct ebmd__table {
    ebmd__node *id_bucket[EBMD__BUCKETS], *idem_bucket[EBMD__BUCKETS];
    ebmd__node *oldest, *newest, *live;
    ebmd__owner *owners;
    size_t n_owners, owner_room;
    size_t rows, queued, running;
    int64_t bytes, queued_work;
    int64_t kept; /* bytes of jobs that have ended */
    double vtime; /* start tag of the last job handed out */
} ebmd__table;

ebmd__node *ebmd__table_find(ebmd__table *t, const char *id);
ebmd__node *ebmd__table_find_idem(ebmd__table *t, const char *idem);
/* Takes the node in; rows must come in order of seq. @err false: no memory for the owner */
EBM_MUST_CHECK bool ebmd__table_insert(ebmd__table *t, ebmd__node *n);
void ebmd__table_remove(ebmd__table *t, ebmd__node *n); /* frees it */
/* Replaces a node's row and keeps all counts and lists right. */
void ebmd__table_update(ebmd__table *t, ebmd__node *n, const ebmd_row *row);
/* Forgets that an Idempotency-Key made this job. */
void ebmd__table_drop_idem(ebmd__table *t, ebmd__node *n);
/* Start tag for a new job of this owner (start-time fair queueing): when it would begin if each
 * owner with waiting jobs were served in equal shares. */
double ebmd__table_start_tag(const ebmd__table *t, const char *owner);
/* Takes back what an owner's share was charged for work that will not be done; no further than to
 * where its jobs that wait or run end. */
void ebmd__table_give_back(ebmd__table *t, const char *owner, int64_t work);
/* Jobs of this owner that wait or run. */
size_t ebmd__table_live(const ebmd__table *t, const char *owner);
void ebmd__table_clear(ebmd__table *t);

#endif
