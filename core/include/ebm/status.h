/* Status codes and the error record that every fallible call of every room fills.
 * Anyone may include this. It knows nothing of models, files or requests. */
#ifndef EBM_STATUS_H
#define EBM_STATUS_H

#include <stdint.h>

#if defined(__GNUC__)
#define EBM_API                __attribute__((visibility("default")))
#define EBM_MUST_CHECK         __attribute__((warn_unused_result))
#define EBM_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#else
#define EBM_API
#define EBM_MUST_CHECK
#define EBM_PRINTF(fmt, first)
#endif

/* Outcome of a call. The numbers are stable; new ones go at the end of their group. */
typedef enum ebm_status {
    EBM_OK = 0,

    /* the caller's mistake */
    EBM_ERR_ARG = 10,       /* malformed or missing argument */
    EBM_ERR_RANGE = 11,     /* well-formed, but outside its bounds */
    EBM_ERR_SHAPE = 12,     /* dimensions do not fit together */
    EBM_ERR_NOT_FOUND = 13, /* no such model, tensor, file, kernel set */
    EBM_ERR_BAD_STATE = 14, /* the object cannot do this now */

    /* data from outside */
    EBM_ERR_FORMAT = 20, /* the bytes break the format's rules */
    EBM_ERR_LIMIT = 21,  /* legal, but larger than we accept */
    EBM_ERR_DIGEST = 22, /* a checksum does not match */

    /* the machine */
    EBM_ERR_IO = 30,
    EBM_ERR_NOMEM = 31,
    EBM_ERR_UNSUPPORTED = 32, /* this CPU or this build cannot do it */

    /* the run itself */
    EBM_ERR_DIVERGED = 40, /* a value is no longer finite */
    EBM_ERR_CANCELLED = 41,

    EBM_ERR_INTERNAL = 50 /* a bug of ours */
} ebm_status;

/* What went wrong, where, for which element. Zero-initialise before the call. */
typedef struct ebm_error {
    ebm_status status;
    int64_t index;  /* chain, tensor or byte the error is about; 0 if none */
    char where[96]; /* JSON pointer, tensor name, path or flag */
    char text[256]; /* one line for humans, no trailing newline */
} ebm_error;

/* Records an error unless one is recorded already (the first error wins) and returns `status`,
 * so that callers can write `return ebm_error_set(...)`.
 * @own err may be NULL; where may be NULL; strings are copied and truncated. */
EBM_API EBM_PRINTF(4, 5) ebm_status
    ebm_error_set(ebm_error *err, ebm_status status, const char *where, const char *fmt, ...);

/* Names the status for logs and JSON, e.g. "out_of_range".
 * @own static string, never NULL, also for unknown values. */
EBM_API const char *ebm_status_name(ebm_status status);

#endif
