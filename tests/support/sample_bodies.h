/* Bodies for POST /v1/sample and what must be answered: one table for the codec's test and for
 * the test over the wire. Rows are named after the tables of hostile inputs in docs/. */
#ifndef EBM_TEST_SAMPLE_BODIES_H
#define EBM_TEST_SAMPLE_BODIES_H

#include <stddef.h>

typedef struct sample_body {
    const char *name;
    const char *body;
    size_t size;         /* bytes of body; 0: strlen(body) */
    int status;          /* 200: accepted */
    const char *pointer; /* the first field error's pointer, or NULL */
    const char *code;    /* problem code, or the first field error's code if there is a pointer */
} sample_body;

/* @own static table */
const sample_body *sample_bodies(size_t *n);

#endif
