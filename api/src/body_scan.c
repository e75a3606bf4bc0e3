/* The look at a JSON body before it is parsed: length, depth, number of members.
 * Knows brackets and quotes, no field names. */
#include "api_internal.h"

#define ALL_MAX (EBMA_UPLOAD_MAX / 3u * 4u + EBMA_BODY_MAX) /* forms grow to base64 */
#define LONG_STRING                                                                                \
    256u /* longer ones are pictures, or rubbish that costs no more than they do                   \
          */

static size_t skip_string(const char *json, size_t len, size_t i)
{
    for (i++; i < len && json[i] != '"'; i++) {
        if (json[i] == '\\')
            i++;
    }
    return i;
}

ebma__scan ebma__json_scan(const char *json, size_t len)
{
    size_t depth = 0;
    size_t keys = 0;
    size_t in_long = 0;

    if (len == 0)
        return EBMA__SCAN_EMPTY;
    if (len > ALL_MAX)
        return EBMA__SCAN_TOO_LONG;
    for (size_t i = 0; i < len; i++) {
        char c = json[i];

        if (c == '"') {
            size_t end = skip_string(json, len, i);

            in_long += end - i > LONG_STRING ? (end < len ? end : len) - i : 0;
            i = end;
        } else if ((c == '{' || c == '[') && ++depth > EBMA_DEPTH_MAX) {
            return EBMA__SCAN_TOO_DEEP;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        } else if (c == ':' && ++keys > EBMA_KEYS_MAX) {
            return EBMA__SCAN_TOO_MANY_KEYS;
        }
    }
    return len - in_long > EBMA_BODY_MAX ? EBMA__SCAN_TOO_LONG : EBMA__SCAN_OK;
}
