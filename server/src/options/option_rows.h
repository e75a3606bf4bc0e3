/* The rows of the option table, for options.c and option_docs.c. */
#ifndef EBMD_OPTION_ROWS_H
#define EBMD_OPTION_ROWS_H

#include <stddef.h>

#include "options/options.h"

/* One option. `set` stores the text and returns NULL, or returns what it should have been. */
typedef struct ebmd_option {
    const char *flag; /* "--queue"; in a file the same without its dashes */
    const char *env, *arg, *preset, *help;
    const char *(*set)(const struct ebmd_option *o, const char *text, void *field);
    size_t offset;
    unsigned min, max; /* numbers; texts: max is the room */
} ebmd_option;

/* The first row is --config, the only one that a file cannot set. @own static */
const ebmd_option *ebmd__option_rows(size_t *n);
/* Stores a value; `name` is where it came from, for the error.
 * @err RANGE, ARG with name in err->where */
ebm_status ebmd__option_apply(const ebmd_option *o, const char *name, const char *text,
                              ebmd_options *out, ebm_error *err);

#endif
