/* The backend that forgets everything with the process: for demos, tests and replicas that need
 * no record. The job core keeps the rows in memory itself; here are the blobs.
 * Knows ids and bytes, no rule about jobs. */
#include <string.h>

#include "ebm/memory.h"
#include "store/store.h"

#define BUCKETS 4096u

typedef struct item {
    struct item *next;
    char id[EBMD_ID_SIZE];
    ebmd_blob_type type;
    int32_t index;
    char *data;
    size_t size;
} item;

typedef struct memory_backend {
    ebmd_backend base;
    item *bucket[BUCKETS]; /* all blobs of an id are in one bucket */
} memory_backend;

static item **bucket_of(ebmd_backend *b, const char *id)
{
    uint32_t h = 2166136261u; /* FNV-1a */

    for (const char *c = id; *c; c++)
        h = (h ^ (unsigned char)*c) * 16777619u;
    return &((memory_backend *)(void *)b)->bucket[h % BUCKETS];
}

static void item_free(item *i)
{
    ebm_free(i->data);
    ebm_free(i);
}

static item *item_make(const char *id, const ebmd_blob *blob)
{
    item *i = ebm_alloc(1, sizeof(*i));
    size_t room;

    if (!i)
        return NULL;
    if (ebm_size_add(blob->size, 1, &room))
        i->data = ebm_alloc(room, 1);
    if (!i->data) {
        ebm_free(i);
        return NULL;
    }
    memcpy(i->id, id, strlen(id) + 1); /* the core has checked it */
    i->type = blob->type;
    i->index = blob->index;
    i->size = blob->size;
    if (blob->size > 0)
        memcpy(i->data, blob->data, blob->size);
    return i;
}

static bool replaced(const item *i, const ebmd_change *c)
{
    if (c->drop_row || (c->drop_blobs & (1u << i->type)))
        return true;
    for (size_t k = 0; k < c->n_blobs; k++) {
        if (c->blobs[k].type == i->type && c->blobs[k].index == i->index)
            return true;
    }
    return false;
}

static void remove_replaced(item **slot, const ebmd_change *c)
{
    while (*slot) {
        item *i = *slot;

        if (strcmp(i->id, c->row->id) == 0 && replaced(i, c)) {
            *slot = i->next;
            item_free(i);
        } else {
            slot = &i->next;
        }
    }
}

/* Everything that can fail is done before the first old blob goes. */
static ebm_status memory_write(ebmd_backend *b, const ebmd_change *c, ebm_error *err)
{
    item **slot = bucket_of(b, c->row->id);
    item *fresh = NULL;

    for (size_t k = 0; k < c->n_blobs; k++) {
        if (c->blobs[k].size > EBMD_BLOB_MAX)
            return ebm_error_set(err, EBM_ERR_LIMIT, c->row->id, "a blob is too long");
    }
    for (size_t k = 0; k < c->n_blobs; k++) {
        item *i = item_make(c->row->id, &c->blobs[k]);

        if (!i)
            goto fail;
        i->next = fresh;
        fresh = i;
    }
    remove_replaced(slot, c);
    while (fresh) {
        item *next = fresh->next;

        fresh->next = *slot;
        *slot = fresh;
        fresh = next;
    }
    return EBM_OK;
fail:
    while (fresh) {
        item *next = fresh->next;

        item_free(fresh);
        fresh = next;
    }
    return ebm_error_set(err, EBM_ERR_NOMEM, c->row->id, "no memory for a job record");
}

static ebm_status memory_read(ebmd_backend *b, const char *id, ebmd_blob_type type, int32_t index,
                              char **data, size_t *size, ebm_error *err)
{
    const item *i = *bucket_of(b, id);

    while (i && !(strcmp(i->id, id) == 0 && i->type == type && i->index == index))
        i = i->next;
    if (!i)
        return ebm_error_set(err, EBM_ERR_NOT_FOUND, id, "nothing is kept there");
    *data = ebm_alloc(i->size + 1, 1); /* item_make() has checked the sum */
    if (!*data)
        return ebm_error_set(err, EBM_ERR_NOMEM, id, "no memory for a job record");
    memcpy(*data, i->data, i->size);
    *size = i->size;
    return EBM_OK;
}

static ebm_status memory_load(ebmd_backend *b, ebm_status (*take)(void *arg, const ebmd_row *row),
                              void *arg, ebm_error *err)
{
    (void)b;
    (void)take;
    (void)arg;
    (void)err;
    return EBM_OK; /* a new process starts with nothing */
}

static void memory_close(ebmd_backend *b)
{
    memory_backend *m = (memory_backend *)(void *)b;

    for (size_t k = 0; k < BUCKETS; k++) {
        while (m->bucket[k]) {
            item *i = m->bucket[k];

            m->bucket[k] = i->next;
            item_free(i);
        }
    }
    ebm_free(m);
}

static const ebmd_backend_ops memory_ops = {memory_write, memory_read, memory_load, memory_close};

ebm_status ebmd_backend_memory_open(ebmd_backend **out, ebm_error *err)
{
    memory_backend *m = ebm_alloc(1, sizeof(*m));

    *out = NULL;
    if (!m)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for the store");
    m->base.ops = &memory_ops;
    m->base.durability = "none";
    *out = &m->base;
    return EBM_OK;
}
