/* What a run tells the manifest beside weights and levels. Knows texts and JSON; has never heard of
 * training. */
#ifndef EBMT_MANIFEST_FACTS_H
#define EBMT_MANIFEST_FACTS_H

#include <stddef.h>
#include <stdint.h>

#include "ebm/status.h"

#define EBMT_COMMAND_MAX ((size_t)16 << 10) /* bytes of a command line that are recorded */

/* Checks a title or a licence by the rules of the manifest's reader, so that a run doesn't meet
 * them at its end: UTF-8 without control characters in fewer than `room` bytes; NULL is fine.
 * @err ARG; err->where is `where` */
EBM_MUST_CHECK ebm_status ebmt__manifest_text_check(const char *where, const char *text,
                                                    size_t room, ebm_error *err);

/* A command line or a path as text that JSON can hold: bytes that are not UTF-8 and control
 * characters become \xNN, and what is beyond EBMT_COMMAND_MAX is left out. */
void ebmt__text_plain(const char *text, char out[EBMT_COMMAND_MAX + 1]);

/* The facts about a run as JSON: {"command": ..., "iterations": ..., "config": {...}}. The command
 * line may hold any bytes, see above. @own *json: ebm_free() @err NOMEM */
EBM_MUST_CHECK ebm_status ebmt__manifest_facts(const char *command, int64_t iterations,
                                               const char *config_json, char **json,
                                               ebm_error *err);

#endif
