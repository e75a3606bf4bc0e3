/* API keys: who may do what, and how much of it. A key is "ID.SECRET"; the file holds a salted
 * SHA-256 of the secret, which is enough because secrets are 256 random bits and not passwords:
 * a slow hash would only slow down every request.
 * Knows Authorization values and buckets; no routes, no replies. */
#ifndef EBMD_KEYS_H
#define EBMD_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ebm/status.h"

#define EBMD_KEY_ID_SIZE   65 /* ^[a-z0-9][a-z0-9_-]{0,63}$ */
#define EBMD_KEY_TEXT_SIZE 256
#define EBMD_KEYS_MAX      1024

typedef struct ebmd_keys ebmd_keys;

/* What a key allows. */
enum {
    EBMD_SCOPE_SAMPLE = 1, /* asking for work */
    EBMD_SCOPE_JOBS = 2,   /* looking at one's jobs, canceling them */
    EBMD_SCOPE_ADMIN = 4   /* all of it, for the jobs of every owner */
};

typedef enum ebmd_verdict {
    EBMD_KEY_GOOD,
    EBMD_KEY_MISSING, /* no Authorization */
    EBMD_KEY_UNKNOWN, /* not Bearer, malformed, no such id, wrong secret */
    EBMD_KEY_SCOPE,   /* good, but not for this */
    EBMD_KEY_RATE     /* too many requests; see retry_after */
} ebmd_verdict;

/* Who asks. */
typedef struct ebmd_grant {
    char owner[EBMD_KEY_ID_SIZE];
    unsigned scopes;
    int32_t priority; /* highest one that it may ask for, 0..9 */
    int retry_after;  /* seconds, when the verdict is RATE */
} ebmd_grant;

/* Reads a key file: lines `ID SCOPES REQUESTS WORK SALT DIGEST [PRIORITY]`, `#` comments. SCOPES is
 * a list of sample, jobs, admin; REQUESTS are per minute, WORK units per minute, "-" is no limit;
 * SALT is 32 hex digits, DIGEST the 64 of SHA-256 over "SALT:SECRET"; PRIORITY is the highest one,
 * 0..9; EBMA_PRIORITY_DEFAULT if it is left out.
 * @own ebmd_keys_close()
 * @err FORMAT, LIMIT with file:line; BAD_STATE: others may read the file; those of ebm_file_read */
EBM_MUST_CHECK ebm_status ebmd_keys_open(const char *path, ebmd_keys **out, ebm_error *err);
void ebmd_keys_close(ebmd_keys *k); /* NULL allowed */
/* Reads the file again and takes it whole, or keeps the old keys. What a key has used up of its
 * quota stays used. @thread any @err as ebmd_keys_open() */
EBM_MUST_CHECK ebm_status ebmd_keys_reload(ebmd_keys *k, ebm_error *err);
size_t ebmd_keys_count(ebmd_keys *k);

/* Judges an Authorization value (NULL: none) and takes one request from the key's quota. All
 * secrets are compared in the same time, and an id that does not exist costs the same.
 * @range scope: bits of which all are needed; 0: any key. now_ms: ebmd_clock_ms()
 * @thread any */
ebmd_verdict ebmd_keys_check(ebmd_keys *k, const char *authorization, unsigned scope, double now_ms,
                             ebmd_grant *out);
/* Takes work from a key's quota before it is accepted. A key whose quota is not used up may ask
 * for any amount; it then waits until the debt is paid at its rate.
 * @unit work: gradient evaluations
 * @err false: come back after *retry_after seconds (1..3600) */
EBM_MUST_CHECK bool ebmd_keys_spend(ebmd_keys *k, const char *owner, double work, double now_ms,
                                    int *retry_after);

/* Gives back what was spent on work that was not taken on after all. */
void ebmd_keys_refund(ebmd_keys *k, const char *owner, double work);

/* Makes a key for `ebmd --make-key`: the text for the client, and the line for the file.
 * @err ARG (id), IO (no randomness) */
EBM_MUST_CHECK ebm_status ebmd_keys_make(const char *id, char key[EBMD_KEY_TEXT_SIZE],
                                         char line[EBMD_KEY_TEXT_SIZE], ebm_error *err);

#endif
