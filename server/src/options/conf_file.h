/* The form of a configuration file: `key = value` lines, `#` comments. Knows no key. */
#ifndef EBMD_CONF_FILE_H
#define EBMD_CONF_FILE_H

#include <stddef.h>

#include "ebm/status.h"

#define EBMD_CONF_BYTES_MAX 65536
#define EBMD_CONF_LINE_MAX  4608 /* a path, a key and some blanks */

/* One setting. @own the strings lie in the text that is parsed */
typedef struct ebmd_conf_line {
    const char *key, *value;
    const char *place; /* "ebmd.conf:12" */
} ebmd_conf_line;

typedef ebm_status (*ebmd_conf_fn)(void *arg, const ebmd_conf_line *line, ebm_error *err);

/* Calls fn for each setting, in order, until it fails. The text is cut up in place and
 * needs one writable byte behind it; name is the file's, for messages. @err FORMAT, LIMIT with
 * name:line in err->where, or what fn returned */
EBM_MUST_CHECK ebm_status ebmd_conf_parse(const char *name, char *text, size_t size,
                                          ebmd_conf_fn fn, void *arg, ebm_error *err);
/* Reads a regular file of at most EBMD_CONF_BYTES_MAX bytes and parses it.
 * @err as above, or those of ebm_file_read() */
EBM_MUST_CHECK ebm_status ebmd_conf_read(const char *path, ebmd_conf_fn fn, void *arg,
                                         ebm_error *err);

#endif
