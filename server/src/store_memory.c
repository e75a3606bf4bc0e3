/* The store that forgets everything with the process: for demos, tests and replicas that need no
 * record. A list in order of age and a hash table of the same rows. */
#include <pthread.h>
#include <string.h>

#include "ebm/memory.h"
#include "store.h"

#define BUCKETS 4096u

typedef struct row {
    struct row *older, *newer; /* age */
    struct row *chain;         /* bucket */
    char id[EBMD_ID_SIZE];
    bool finished;
    char *body;
    size_t size;
} row;

typedef struct memory_store {
    ebmd_store base;
    pthread_mutex_t lock;
    ebmd_store_limits limits;
    row *oldest, *newest;
    size_t rows, bytes;
    row *bucket[BUCKETS];
} memory_store;

static memory_store *self_of(ebmd_store *s)
{
    return (memory_store *)(void *)s;
}

static row **slot_of(memory_store *m, const char *id)
{
    uint32_t h = 2166136261u; /* FNV-1a; ids are ours, so nobody aims at a bucket */
    row **slot;

    for (const char *c = id; *c; c++)
        h = (h ^ (unsigned char)*c) * 16777619u;
    slot = &m->bucket[h % BUCKETS];
    while (*slot && strcmp((*slot)->id, id) != 0)
        slot = &(*slot)->chain;
    return slot;
}

static char *copy_of(const char *body, size_t size)
{
    size_t room;
    char *copy = ebm_size_add(size, 1, &room) ? ebm_alloc(room, 1) : NULL;

    if (copy && size > 0)
        memcpy(copy, body, size);
    return copy;
}

static void unlink_age(memory_store *m, row *r)
{
    if (r->older)
        r->older->newer = r->newer;
    else
        m->oldest = r->newer;
    if (r->newer)
        r->newer->older = r->older;
    else
        m->newest = r->older;
}

static void drop(memory_store *m, row *r)
{
    *slot_of(m, r->id) = r->chain;
    unlink_age(m, r);
    m->rows--;
    m->bytes -= r->size;
    ebm_free(r->body);
    ebm_free(r);
}

static void trim(memory_store *m)
{
    row *r = m->oldest;

    while (r && (m->rows > m->limits.rows || m->bytes > m->limits.bytes)) {
        row *newer = r->newer;

        if (r->finished)
            drop(m, r);
        r = newer;
    }
}

static void insert(memory_store *m, row **slot, row *r)
{
    *slot = r;
    r->older = m->newest;
    if (m->newest)
        m->newest->newer = r;
    else
        m->oldest = r;
    m->newest = r;
    m->rows++;
    m->bytes += r->size;
}

static ebm_status memory_accept(ebmd_store *s, const char *id, const char *body, size_t size,
                                int64_t created_ms, ebm_error *err)
{
    memory_store *m = self_of(s);
    ebm_status st = EBM_OK;
    row *r = ebm_alloc(1, sizeof(*r));
    row **slot;

    (void)created_ms; /* rows are in order of arrival already */
    if (r)
        r->body = copy_of(body, size);
    if (!r || !r->body || strlen(id) >= sizeof(r->id)) {
        ebm_free(r ? r->body : NULL);
        ebm_free(r);
        return ebm_error_set(err, EBM_ERR_NOMEM, id, "no memory for a job record");
    }
    memcpy(r->id, id, strlen(id) + 1);
    r->size = size;
    pthread_mutex_lock(&m->lock);
    slot = slot_of(m, id);
    if (*slot)
        st = ebm_error_set(err, EBM_ERR_BAD_STATE, id, "job id is taken");
    else
        insert(m, slot, r);
    pthread_mutex_unlock(&m->lock);
    if (st != EBM_OK) {
        ebm_free(r->body);
        ebm_free(r);
    }
    return st;
}

static ebm_status memory_finish(ebmd_store *s, const char *id, const char *status, const char *body,
                                size_t size, ebm_error *err)
{
    memory_store *m = self_of(s);
    ebm_status st = EBM_OK;
    char *copy = copy_of(body, size);
    row *r;

    (void)status; /* the body says it too; nothing here asks by status */
    if (!copy)
        return ebm_error_set(err, EBM_ERR_NOMEM, id, "no memory for a job record");
    pthread_mutex_lock(&m->lock);
    r = *slot_of(m, id);
    if (!r) {
        st = ebm_error_set(err, EBM_ERR_NOT_FOUND, id, "no such job");
    } else if (r->finished) {
        st = ebm_error_set(err, EBM_ERR_BAD_STATE, id, "job is finished already");
    } else {
        char *old = r->body;
        m->bytes = m->bytes - r->size + size;
        r->body = copy;
        r->size = size;
        r->finished = true;
        copy = old;
        trim(m);
    }
    pthread_mutex_unlock(&m->lock);
    ebm_free(copy);
    return st;
}

static ebm_status memory_get(ebmd_store *s, const char *id, char **body, size_t *size,
                             bool *finished, ebm_error *err)
{
    memory_store *m = self_of(s);
    ebm_status st = EBM_OK;
    const row *r;

    *body = NULL;
    pthread_mutex_lock(&m->lock);
    r = *slot_of(m, id);
    if (!r) {
        st = ebm_error_set(err, EBM_ERR_NOT_FOUND, id, "no such job");
    } else {
        *body = copy_of(r->body, r->size);
        *size = r->size;
        *finished = r->finished;
        if (!*body)
            st = ebm_error_set(err, EBM_ERR_NOMEM, id, "no memory for a job record");
    }
    pthread_mutex_unlock(&m->lock);
    return st;
}

static ebm_status memory_unfinished(ebmd_store *s, char id[EBMD_ID_SIZE], ebm_error *err)
{
    memory_store *m = self_of(s);
    const row *r;

    pthread_mutex_lock(&m->lock);
    r = m->oldest;
    while (r && r->finished)
        r = r->newer;
    if (r)
        memcpy(id, r->id, EBMD_ID_SIZE);
    pthread_mutex_unlock(&m->lock);
    return r ? EBM_OK : ebm_error_set(err, EBM_ERR_NOT_FOUND, NULL, "all jobs are finished");
}

static void memory_close(ebmd_store *s)
{
    memory_store *m = self_of(s);

    while (m->oldest)
        drop(m, m->oldest);
    pthread_mutex_destroy(&m->lock);
    ebm_free(m);
}

static const ebmd_store_ops memory_ops = {memory_accept, memory_finish, memory_get,
                                          memory_unfinished, memory_close};

ebm_status ebmd_store_memory_open(const ebmd_store_limits *limits, ebmd_store **out, ebm_error *err)
{
    memory_store *m = ebm_alloc(1, sizeof(*m));

    *out = NULL;
    if (!m || pthread_mutex_init(&m->lock, NULL) != 0) {
        ebm_free(m);
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for the store");
    }
    m->base.ops = &memory_ops;
    m->base.durability = "none";
    m->limits = *limits;
    *out = &m->base;
    return EBM_OK;
}
