/* A file that stays open and is read in pieces by any number of threads; pread, never mmap, so
 * that a file cut short meanwhile is an error and no signal. Never knows what is in it. */
#ifndef EBMT_DATA_INPUT_H
#define EBMT_DATA_INPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "ebm/status.h"

typedef struct ebmt__input {
    int fd; /* -1: none */
    size_t size;
} ebmt__input;

/* Opens the regular file DIR/NAME (dir may be NULL). @own ebmt__input_close()
 * @err NOT_FOUND, FORMAT (no regular file), IO, LIMIT (path too long) */
EBM_MUST_CHECK ebm_status ebmt__input_open(const char *dir, const char *name, ebmt__input *out,
                                           ebm_error *err);
/* Reads exactly n bytes from `offset`; `where` is for the error.
 * @thread any number at the same time @err IO: the file ends before that, or reading failed */
EBM_MUST_CHECK ebm_status ebmt__input_read(const ebmt__input *in, const char *where, size_t offset,
                                           void *out, size_t n, ebm_error *err);
void ebmt__input_close(ebmt__input *in); /* also of one whose opening failed */

/* True if DIR/NAME is there. */
bool ebmt__input_exists(const char *dir, const char *name);

#endif
