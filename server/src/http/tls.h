/* Certificate and key of the main listener, as the HTTP library wants them: PEM texts in memory.
 * Knows files; the protocol is the library's business. */
#ifndef EBMD_TLS_H
#define EBMD_TLS_H

#include "ebm/status.h"

typedef struct ebmd_tls {
    char *cert, *key; /* PEM, terminated */
} ebmd_tls;

/* Reads both files. @own ebmd_tls_clear()
 * @err FORMAT (not PEM of that kind), BAD_STATE (a key that not only its owner can read), those of
 *      ebm_file_read() */
EBM_MUST_CHECK ebm_status ebmd_tls_read(const char *cert, const char *key, ebmd_tls *out,
                                        ebm_error *err);
void ebmd_tls_clear(ebmd_tls *tls); /* forgets the key, too */

#endif
