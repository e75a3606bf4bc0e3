/* The query of a target, read against the parameters that a route takes. Knows spelling: names,
 * values, escapes; what a value means is said by the route's rows. */
#ifndef EBMD_QUERY_H
#define EBMD_QUERY_H

#include "http/request.h"

#define EBMD_QUERY_VALUE_MAX 256

/* One parameter; it may be left out, and be given once. */
typedef struct ebmd_query_row {
    const char *name;
    const char *allowed; /* "must be 1..100": what a client with a wrong value is told */
    bool (*take)(const char *value, void *out); /* false: not an allowed value */
    void *out;
} ebmd_query_row;

/* Reads all parameters. @err false: answered 422, with every wrong parameter named */
EBM_MUST_CHECK bool ebmd_query_read(ebmd_request *r, const ebmd_query_row *rows, size_t n);

/* Reads a whole number without sign. @err false: anything else, or more than `most` */
EBM_MUST_CHECK bool ebmd_query_whole(const char *value, int64_t most, int64_t *out);

#endif
