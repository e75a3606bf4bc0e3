/* Colour bitmaps in TrueType fonts: where the PNG files of the tables CBLC and CBDT lie.
 * Source: the OpenType specification, chapters CBLC, CBDT, EBLC, EBDT.
 * Knows bytes; has never heard of files or pixels. */
#ifndef EBMT_DATA_CBDT_H
#define EBMT_DATA_CBDT_H

#include <stddef.h>
#include <stdint.h>

#include "ebm/status.h"

#define EBMT_SFNT_HEADER     12
#define EBMT_SFNT_RECORD     16
#define EBMT_SFNT_MAX_TABLES 64
#define EBMT_CBLC_MAX_BYTES  ((size_t)4 << 20)
#define EBMT_CBDT_MAX_GLYPHS 65536

/* A table of a font. @unit bytes of the file */
typedef struct ebmt__sfnt_table {
    size_t offset, size;
} ebmt__sfnt_table;

/* A glyph's record in the table CBDT: metrics, length, PNG. @unit bytes of the table */
typedef struct ebmt__cbdt_glyph {
    uint32_t offset, size;
    uint16_t format; /* 17, 18 or 19 */
} ebmt__cbdt_glyph;

/* The glyphs of one size. @shape glyph [count] */
typedef struct ebmt__cbdt_strike {
    size_t count;
    ebmt__cbdt_glyph *glyph; /* ebm_free() */
} ebmt__cbdt_strike;

/* Tells how many tables a font's header announces.
 * @shape head [EBMT_SFNT_HEADER] @err FORMAT (not TrueType), LIMIT */
EBM_MUST_CHECK ebm_status ebmt__sfnt_count(const unsigned char *head, size_t *count,
                                           ebm_error *err);
/* Finds a table by its four letters in the table directory.
 * @shape records [count, EBMT_SFNT_RECORD]
 * @err NOT_FOUND, FORMAT (it does not lie in a file of file_size bytes) */
EBM_MUST_CHECK ebm_status ebmt__sfnt_find(const unsigned char *records, size_t count,
                                          const char *tag, size_t file_size, ebmt__sfnt_table *out,
                                          ebm_error *err);
/* Lists the glyphs of the largest strike in the order of their numbers; empty ones are left out.
 * @shape cblc [size]; cbdt_size: length of the table the offsets point into
 * @own out->glyph: ebm_free()
 * @err FORMAT (an offset that points outside, another version), UNSUPPORTED (index formats other
 *      than 1 and 3, bitmaps that are no PNG), LIMIT, NOMEM */
EBM_MUST_CHECK ebm_status ebmt__cbdt_list(const unsigned char *cblc, size_t size, size_t cbdt_size,
                                          ebmt__cbdt_strike *out, ebm_error *err);
/* Finds the PNG in a glyph's record. @shape record [size] @err FORMAT */
EBM_MUST_CHECK ebm_status ebmt__cbdt_png(const unsigned char *record, size_t size, uint16_t format,
                                         size_t *offset, size_t *png_size, ebm_error *err);

#endif
