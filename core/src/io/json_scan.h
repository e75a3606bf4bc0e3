/* A look at JSON text before it is parsed: bounds what the parser will cost. Shared by the readers
 * of weights and manifests; knows nothing of keys or values. */
#ifndef EBM__JSON_SCAN_H
#define EBM__JSON_SCAN_H

#include <stddef.h>

#include "ebm/status.h"

struct json_t;

/* Parses a complete JSON object and nothing beside it: first byte '{', duplicate keys refused,
 * nesting at most `max_depth`, at most `max_tokens` brackets, commas and colons (the parser needs
 * up to 80 bytes for each).
 * @own *out: json_decref()
 * @err FORMAT (err->index = byte), LIMIT, NOMEM; `where` is copied into the error */
EBM_MUST_CHECK ebm_status ebm__json_parse(const char *text, size_t size, size_t max_depth,
                                          size_t max_tokens, const char *where, struct json_t **out,
                                          ebm_error *err);

#endif
