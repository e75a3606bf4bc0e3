/* The header Prefer (RFC 7240): how long a client is willing to wait. Knows its spelling. */
#ifndef EBMD_PREFER_H
#define EBMD_PREFER_H

#include <stdbool.h>

#define EBMD_WAIT_MAX_S 600 /* longest wait that a client can ask for, here and by ?wait= */

typedef struct ebmd_prefer {
    bool async; /* respond-async */
    int wait_s; /* wait=N, at most EBMD_WAIT_MAX_S; -1: not said */
} ebmd_prefer;

/* Preferences that are unknown or malformed are ignored, as the RFC wants. header may be NULL. */
ebmd_prefer ebmd_prefer_read(const char *header);

#endif
