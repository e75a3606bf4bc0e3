/* Where jobs live: one interface, so that a store may be this process alone (store_local.c: the job
 * core over a backend; there is no other yet) or a database that several processes share. The
 * meaning of each call is that of its namesake in jobs.h; what is added here is threads.
 * @thread every call from any thread; listeners run inside a call and must not call back */
#ifndef EBMD_STORE_H
#define EBMD_STORE_H

#include "store/jobs.h"

typedef struct ebmd_store ebmd_store;

typedef struct ebmd_store_ops {
    ebm_status (*submit)(ebmd_store *s, const ebmd_spec *spec, ebmd_submit_outcome *how,
                         char id[EBMD_ID_SIZE], ebm_error *err);
    ebm_status (*claim)(ebmd_store *s, const ebmd_wish *wish, ebmd_lease *out, ebm_error *err);
    ebmd_beat_verdict (*heartbeat)(ebmd_store *s, const ebmd_lease *lease,
                                   const ebmd_progress *progress);
    ebm_status (*save)(ebmd_store *s, const ebmd_lease *lease, const ebmd_save *save,
                       ebm_error *err);
    ebm_status (*finish)(ebmd_store *s, const ebmd_lease *lease, const ebmd_outcome *outcome,
                         ebm_error *err);
    ebm_status (*cancel)(ebmd_store *s, const char *id, const char *owner, ebmd_view *now,
                         ebm_error *err);
    ebm_status (*forget)(ebmd_store *s, const char *id, const char *owner, ebm_error *err);
    ebm_status (*get)(ebmd_store *s, const char *id, const char *owner, ebmd_view *out);
    void (*list)(ebmd_store *s, const ebmd_filter *filter, ebmd_list_fn fn, void *arg);
    ebm_status (*blob)(ebmd_store *s, const char *id, ebmd_blob_type type, int32_t index,
                       char **data, size_t *size, ebm_error *err);
    /* One listener; set before the first job. */
    void (*listen)(ebmd_store *s, ebmd_listener fn, void *arg);
    void (*stats)(ebmd_store *s, ebmd_stats *out);
    ebm_status (*sweep)(ebmd_store *s, ebm_error *err);
    void (*close)(ebmd_store *s);
} ebmd_store_ops;

struct ebmd_store {
    const ebmd_store_ops *ops;
    const char *durability; /* "none", "sqlite-full": what /readyz says */
    bool durable;           /* jobs outlive this process */
};

/* Opens "memory", "sqlite:FILE" or "auto" (see ebmd_store_default_path()).
 * @own store->ops->close()
 * @err ARG (spec), NOT_FOUND (no such directory), BAD_STATE (another process has it: its pid is in
 *      the text), FORMAT (not ours, newer or damaged), LIMIT (no room on the disk to make it), IO,
 *      NOMEM */
EBM_MUST_CHECK ebm_status ebmd_store_open(const char *spec, const ebmd_limits *limits,
                                          ebmd_store **out, ebm_error *err);
bool ebmd_store_spec_valid(const char *spec);
/* Where "auto" keeps its file, the first of these whose variable is set: $STATE_DIRECTORY (systemd
 * sets it), $XDG_STATE_HOME/ebmd, $HOME/.local/state/ebmd; the file is jobs.db in it.
 * @err NOT_FOUND: none is set, or the path is too long */
EBM_MUST_CHECK ebm_status ebmd_store_default_path(char *(*lookup)(const char *), char *out,
                                                  size_t size, ebm_error *err);

/* A store of this process alone. env NULL: this machine's clocks and randomness.
 * @own takes the backend, also on error */
EBM_MUST_CHECK ebm_status ebmd_store_local_open(const ebmd_limits *limits, const ebmd_env *env,
                                                ebmd_backend *backend, ebmd_store **out,
                                                ebm_error *err);
/* Keeps rows for as long as the process lives. @err NOMEM */
EBM_MUST_CHECK ebm_status ebmd_backend_memory_open(ebmd_backend **out, ebm_error *err);
/* Keeps rows in one SQLite file. @err as ebmd_store_open() */
EBM_MUST_CHECK ebm_status ebmd_backend_sqlite_open(const char *path, ebmd_backend **out,
                                                   ebm_error *err);

#endif
