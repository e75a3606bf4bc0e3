/* The playground: a page for trying out what a server can do, compiled in. It uses the public API
 * alone, and nothing from anywhere else. Knows files and their types; has never heard of routes. */
#ifndef EBMA_PLAYGROUND_H
#define EBMA_PLAYGROUND_H

#include <stddef.h>

typedef struct ebma_page {
    const char *name;       /* "app.js" */
    const char *media_type; /* "text/javascript; charset=utf-8" */
    const unsigned char *bytes;
    const size_t *size;
    const char *sha256; /* of the bytes, in hex */
} ebma_page;

/* The file by its name; NULL: there is none. The page itself is "index.html", and asks for the
 * others as "playground/NAME". @own static @thread any */
const ebma_page *ebma_playground(const char *name);

#endif
