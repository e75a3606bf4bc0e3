/* What every HTML page of ours is made of: head, escaped text, images as data URIs. Pages have no
 * outside parts and no scripts. */
#ifndef EBMT_HTML_PAGE_H
#define EBMT_HTML_PAGE_H

#include <stddef.h>
#include <stdio.h>

#include "ebm/status.h"

/* Doctype, title, style and heading; a page ends with ebmt__html_end(). */
void ebmt__html_begin(FILE *f, const char *title);
void ebmt__html_end(FILE *f);

/* Text from outside: nothing in it becomes markup. @range text may be NULL */
void ebmt__html_text(FILE *f, const char *text);

/* An image. @err NOMEM */
EBM_MUST_CHECK ebm_status ebmt__html_png(FILE *f, const unsigned char *png, size_t size,
                                         ebm_error *err);

/* Writes a page into memory through `put`. @own *text: ebm_free(), zero-terminated @err NOMEM, and
 * what put returns */
EBM_MUST_CHECK ebm_status ebmt__html_build(ebm_status (*put)(FILE *f, const void *user,
                                                             ebm_error *err),
                                           const void *user, char **text, ebm_error *err);

#endif
