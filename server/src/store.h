/* Where jobs are written down: one small interface, one file per driver. A store keeps bytes
 * under an id; it has never heard of images or requests.
 * Promise: what accept() or finish() returned EBM_OK for is there after a crash, as far as the
 * driver's durability says. */
#ifndef EBMD_STORE_H
#define EBMD_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ebm/status.h"
#include "ids.h"

typedef struct ebmd_store ebmd_store;

/* What is kept: beyond either number the oldest finished jobs go. */
typedef struct ebmd_store_limits {
    size_t rows;
    size_t bytes;
} ebmd_store_limits;

/* All calls may come from any thread. Ids are those of ids.h. */
typedef struct ebmd_store_ops {
    /* @err BAD_STATE: the id is taken; IO; NOMEM */
    ebm_status (*accept)(ebmd_store *s, const char *id, const char *body, size_t size,
                         int64_t created_ms, ebm_error *err);
    /* Replaces the body; a finished job never changes again.
     * @err NOT_FOUND; BAD_STATE: finished already; IO; NOMEM */
    ebm_status (*finish)(ebmd_store *s, const char *id, const char *status, const char *body,
                         size_t size, ebm_error *err);
    /* @own *body: ebm_free(), a zero byte follows @err NOT_FOUND, IO, NOMEM */
    ebm_status (*get)(ebmd_store *s, const char *id, char **body, size_t *size, bool *finished,
                      ebm_error *err);
    /* Writes the id of the oldest unfinished job. @err NOT_FOUND: all are finished; IO */
    ebm_status (*unfinished)(ebmd_store *s, char id[EBMD_ID_SIZE], ebm_error *err);
    void (*close)(ebmd_store *s);
} ebmd_store_ops;

struct ebmd_store {
    const ebmd_store_ops *ops;
    const char *durability; /* "none", "sqlite-full": what /readyz says */
};

/* Opens "memory" or "sqlite:FILE".
 * @own store->ops->close()
 * @err ARG (spec), NOT_FOUND (no such directory), BAD_STATE (another process has it), FORMAT (not
 *      ours, newer or damaged), IO, NOMEM */
EBM_MUST_CHECK ebm_status ebmd_store_open(const char *spec, const ebmd_store_limits *limits,
                                          ebmd_store **out, ebm_error *err);
EBM_MUST_CHECK ebm_status ebmd_store_memory_open(const ebmd_store_limits *limits, ebmd_store **out,
                                                 ebm_error *err);
EBM_MUST_CHECK ebm_status ebmd_store_sqlite_open(const char *path, const ebmd_store_limits *limits,
                                                 ebmd_store **out, ebm_error *err);
bool ebmd_store_spec_valid(const char *spec);

#endif
