/* Status names and the error record. What is stored here may end up in a log line or in JSON, and
 * may hold bytes from a hostile file, so it is made clean here once. */
#include "ebm/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

/* Makes one line of well-formed UTF-8: control characters and stray bytes become '?'. A sequence
 * cut by truncation is stray bytes too, so no character is ever left half. */
static void make_clean(char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        size_t step = ebm__utf8_sequence(text, left);
        if (step == 0 || ebm__is_control(text[0])) {
            text[0] = '?';
            step = 1;
        }
        text += step;
        left -= step;
    }
}

ebm_status ebm_error_set(ebm_error *err, ebm_status status, const char *where, const char *fmt, ...)
{
    if (err == NULL || err->status != EBM_OK) {
        return status;
    }
    err->status = status;
    (void)snprintf(err->where, sizeof(err->where), "%s", where != NULL ? where : "");
    va_list args;
    va_start(args, fmt);
    if (vsnprintf(err->text, sizeof(err->text), fmt, args) < 0) {
        err->text[0] = '\0';
    }
    va_end(args);
    make_clean(err->where);
    make_clean(err->text);
    return status;
}

const char *ebm_status_name(ebm_status status)
{
    switch (status) {
    case EBM_OK:
        return "ok";
    case EBM_ERR_ARG:
        return "bad_argument";
    case EBM_ERR_RANGE:
        return "out_of_range";
    case EBM_ERR_SHAPE:
        return "shape_mismatch";
    case EBM_ERR_NOT_FOUND:
        return "not_found";
    case EBM_ERR_BAD_STATE:
        return "bad_state";
    case EBM_ERR_FORMAT:
        return "bad_format";
    case EBM_ERR_LIMIT:
        return "too_large";
    case EBM_ERR_DIGEST:
        return "digest_mismatch";
    case EBM_ERR_IO:
        return "io_error";
    case EBM_ERR_NOMEM:
        return "out_of_memory";
    case EBM_ERR_UNSUPPORTED:
        return "unsupported";
    case EBM_ERR_DIVERGED:
        return "diverged";
    case EBM_ERR_CANCELLED:
        return "cancelled";
    case EBM_ERR_INTERNAL:
        return "internal_error";
    }
    return "unknown";
}
