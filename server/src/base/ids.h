/* Identifiers that sort by time: 48 bits of milliseconds and 80 random bits, as 26 characters of
 * Crockford's base 32. Knows their spelling, not what they name. */
#ifndef EBMD_IDS_H
#define EBMD_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EBMD_ID_SIZE         32 /* "job_" + 26 characters + zero */
#define EBMD_REQUEST_ID_SIZE 65

/* Writes prefix + 26 characters. @range prefix at most 5 characters
 * @err false: the kernel gave no randomness */
bool ebmd_id_make(const char *prefix, int64_t unix_ms, char out[EBMD_ID_SIZE]);
/* True for "job_" and 26 characters of the alphabet, the first one 0..7. */
bool ebmd_id_is_job(const char *text, size_t n);
/* True for ^[A-Za-z0-9._-]{1,64}$: what a client may name its request. */
bool ebmd_id_is_request(const char *text, size_t n);

#endif
