/* The header Idempotency-Key: which requests are one. Knows headers and bodies; not jobs. */
#ifndef EBMD_IDEM_KEY_H
#define EBMD_IDEM_KEY_H

#include "store/jobrow.h"
#include "http/request.h"

typedef struct ebmd_idem {
    char key[EBMD_HEX_SIZE], body[EBMD_HEX_SIZE]; /* digests; "" without the header */
} ebmd_idem;

/* Reads the header of a request for a kind of job; `subject` is what the body is about besides
 * itself.
 * @err false: answered */
bool ebmd_idem_read(ebmd_request *r, const char *kind, const char *subject, ebmd_idem *out);

#endif
