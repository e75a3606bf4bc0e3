/* The manifest of a model directory, model.json: text to struct and back. Internal to core.
 * Knows fields and their bounds; never what an architecture does with them. */
#ifndef EBM__MANIFEST_H
#define EBM__MANIFEST_H

#include <stddef.h>

#include "ebm/levels.h"
#include "ebm/model.h"
#include "ebm/status.h"

/* The tables of EBM_MAX_LEVELS levels take 120 KiB, four doubles of up to 24 characters a level;
 * the rest is left to the facts. */
#define EBM__MANIFEST_MAX_BYTES ((size_t)256 << 10)
#define EBM__MANIFEST_FORMAT    1

typedef struct ebm__manifest {
    char id[EBM_MODEL_ID_MAX + 1];
    char version[32];
    char title[128];
    char licence[64];
    char sha256[65];
    int32_t n_experts; /* 1 if the text says nothing of experts */
    int32_t expert_from[EBM_MAX_EXPERTS];
    ebm_network_config network;
    ebm_levels levels;
} ebm__manifest;

/* Reads a manifest. Every field is bounded and unknown ones are refused, except inside "training"
 * and "quality", which are facts for people. abar and sbar are computed from a.
 * @own out->levels: ebm_levels_clear(); zeroed on error
 * @err FORMAT, RANGE, LIMIT, NOMEM; err->where is a JSON pointer such as /levels/step2/3 */
EBM_MUST_CHECK ebm_status ebm__manifest_parse(const char *json, size_t size, ebm__manifest *out,
                                              ebm_error *err);

/* Writes a manifest that ebm__manifest_parse() reads back to the same numbers: fixed order of
 * keys, 17 significant digits, tables on one line each, a newline at the end. training_json and
 * quality_json are texts of JSON objects, or NULL.
 * @own *json: ebm_free(); a zero follows the text
 * @err ARG (a text is not UTF-8), FORMAT (facts are no JSON object), RANGE, LIMIT, NOMEM */
EBM_MUST_CHECK ebm_status ebm__manifest_build(const ebm__manifest *m, const char *training_json,
                                              const char *quality_json, char **json, size_t *size,
                                              ebm_error *err);

#endif
