/* See html_page.h. */
#include "html_page.h"

#include <nettle/base64.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ebm/memory.h"

static const char style[] =
    "<style>body{font:15px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#222}"
    "table{border-collapse:collapse;margin:1em 0}th,td{padding:.25em .8em;text-align:right;"
    "border-bottom:1px solid #ddd}th:first-child,td:first-child{text-align:left}"
    "img{image-rendering:pixelated;max-width:100%}small{color:#777}"
    "pre{white-space:pre-wrap;overflow-wrap:anywhere}</style>\n";

void ebmt__html_begin(FILE *f, const char *title)
{
    (void)fputs("<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>", f);
    ebmt__html_text(f, title);
    (void)fprintf(f, "</title>\n%s<h1>", style);
    ebmt__html_text(f, title);
    (void)fputs("</h1>\n", f);
}

void ebmt__html_end(FILE *f)
{
    (void)fputs("</html>\n", f);
}

void ebmt__html_text(FILE *f, const char *text)
{
    for (; text && *text; text++) {
        if (*text == '<' || *text == '>' || *text == '&' || *text == '"' || *text == '\'')
            (void)fprintf(f, "&#%d;", *text);
        else
            (void)fputc(*text, f);
    }
}

static ebm_status no_memory(ebm_error *err)
{
    return ebm_error_set(err, EBM_ERR_NOMEM, "report", "no memory");
}

ebm_status ebmt__html_png(FILE *f, const unsigned char *png, size_t size, ebm_error *err)
{
    char *text = ebm_alloc(BASE64_ENCODE_RAW_LENGTH(size) + 1, 1);
    if (!text)
        return no_memory(err);
    base64_encode_raw(text, size, png);
    (void)fprintf(f, "<img src=\"data:image/png;base64,%s\" alt=\"images\">\n", text);
    ebm_free(text);
    return EBM_OK;
}

ebm_status ebmt__html_build(ebm_status (*put)(FILE *f, const void *user, ebm_error *err),
                            const void *user, char **text, ebm_error *err)
{
    char *page = NULL;
    size_t size = 0;
    *text = NULL;
    FILE *f = open_memstream(&page, &size);
    if (!f)
        return no_memory(err);
    ebm_status st = put(f, user, err);
    bool whole = ferror(f) == 0;
    if ((fclose(f) != 0 || !whole) && st == EBM_OK)
        st = no_memory(err);
    if (st == EBM_OK) {
        /* callers free with ebm_free(), the stream's block is the C library's */
        *text = ebm_alloc(size + 1, 1);
        if (*text)
            memcpy(*text, page, size);
        else
            st = no_memory(err);
    }
    free(page);
    return st;
}
