/* Options from a JSON file: the names and bounds of the command line. See option_table.h. */
#ifndef EBMT_CLI_OPTION_FILE_H
#define EBMT_CLI_OPTION_FILE_H

#include "cli/option_table.h"

#define EBMT_OPTION_FILE_MAX ((size_t)64 << 10) /* bytes */

/* Fills in from the file what parsed->seen does not name, and adds it there. Keys are flags without
 * the dashes; values are JSON's numbers, strings and truth values, lists for EBMT_OPT_INTS.
 * @own strings in `values` point into parsed->file, see ebmt__options_clear()
 * @err NOT_FOUND, IO, LIMIT, FORMAT (no JSON object, a key twice), ARG (unknown key, wrong type or
 *      value), RANGE, NOMEM; err->where names the file, the text the key */
EBM_MUST_CHECK ebm_status ebmt__options_read(const ebmt_command *command, const char *path,
                                             void *values, ebmt_parsed *parsed, ebm_error *err);

/* A file that is in memory already. */
typedef struct ebmt_option_text {
    const unsigned char *bytes;
    size_t size;
} ebmt_option_text;

/* The same from memory; only parsed->file keeps anything. @err as above, err->where is empty */
EBM_MUST_CHECK ebm_status ebmt__options_read_text(const ebmt_command *command,
                                                  const ebmt_option_text *from, void *values,
                                                  ebmt_parsed *parsed, ebm_error *err);

/* Frees what ebmt__options_read() keeps. */
void ebmt__option_file_free(void *file);

#endif
