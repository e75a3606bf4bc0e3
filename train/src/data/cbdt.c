/* Parses sfnt, CBLC and CBDT; every offset is checked before it is used. See cbdt.h. */
#include "data/cbdt.h"

#include <stdbool.h>
#include <string.h>

#include "ebm/memory.h"

#define TRUETYPE       0x00010000u
#define CBLC_HEADER    8
#define STRIKE_BYTES   48 /* BitmapSize, with ... */
#define PPEM_Y         45
#define BIT_DEPTH      46
#define MAX_STRIKES    64
#define SUBTABLE_ENTRY 8 /* first and last glyph, offset */
#define SUBTABLE_HEAD  8 /* index format, image format, offset into CBDT */

/* A part of the table CBLC; all reading goes through its bounds. */
typedef struct view {
    const unsigned char *data;
    size_t size;
} view;

static uint32_t be16(const unsigned char *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t be32(const unsigned char *p)
{
    return be16(p) << 16 | be16(p + 2);
}

static bool fits(const view *v, size_t offset, size_t n)
{
    return offset <= v->size && n <= v->size - offset;
}

static ebm_status outside(const char *what, ebm_error *err)
{
    return ebm_error_set(err, EBM_ERR_FORMAT, NULL, "%s points outside its table", what);
}

/* --- the table directory ------------------------------------------------------------------- */

ebm_status ebmt__sfnt_count(const unsigned char *head, size_t *count, ebm_error *err)
{
    *count = be16(head + 4);
    if (be32(head) != TRUETYPE)
        return ebm_error_set(err, EBM_ERR_FORMAT, NULL, "not a TrueType font");
    if (*count > EBMT_SFNT_MAX_TABLES)
        return ebm_error_set(err, EBM_ERR_LIMIT, NULL, "font has %zu tables, limit %d", *count,
                             EBMT_SFNT_MAX_TABLES);
    return EBM_OK;
}

ebm_status ebmt__sfnt_find(const unsigned char *records, size_t count, const char *tag,
                           size_t file_size, ebmt__sfnt_table *out, ebm_error *err)
{
    for (size_t i = 0; i < count; i++) {
        const unsigned char *r = records + i * EBMT_SFNT_RECORD;
        if (memcmp(r, tag, 4) != 0)
            continue;
        *out = (ebmt__sfnt_table){.offset = be32(r + 8), .size = be32(r + 12)};
        if (out->offset > file_size || out->size > file_size - out->offset)
            return ebm_error_set(err, EBM_ERR_FORMAT, NULL, "table %s lies outside the font", tag);
        return EBM_OK;
    }
    return ebm_error_set(err, EBM_ERR_NOT_FOUND, NULL, "font has no table %s", tag);
}

/* --- CBLC ---------------------------------------------------------------------------------- */

/* Where the glyphs of one range of numbers lie. */
typedef struct subtable {
    uint32_t glyphs; /* in the range */
    uint16_t format;
    size_t base;    /* of their records in CBDT */
    size_t offsets; /* in CBLC: one more than there are glyphs */
    size_t width;   /* bytes of one offset */
} subtable;

static uint32_t offset_at(const view *cblc, const subtable *s, uint32_t i)
{
    const unsigned char *p = cblc->data + s->offsets + i * s->width;
    return s->width == 4 ? be32(p) : be16(p);
}

/* Reads entry i of the array at `array`. */
static ebm_status read_subtable(const view *cblc, size_t array, size_t i, subtable *out,
                                ebm_error *err)
{
    const unsigned char *entry = cblc->data + array + i * SUBTABLE_ENTRY;
    const uint32_t first = be16(entry), last = be16(entry + 2);
    size_t at, bytes;
    if (last < first)
        return ebm_error_set(err, EBM_ERR_FORMAT, NULL, "glyphs %u to %u of a range",
                             (unsigned)first, (unsigned)last);
    if (!ebm_size_add(array, be32(entry + 4), &at) || !fits(cblc, at, SUBTABLE_HEAD))
        return outside("an index subtable", err);
    const unsigned char *head = cblc->data + at;
    const uint32_t index_format = be16(head);
    if (index_format != 1 && index_format != 3)
        return ebm_error_set(err, EBM_ERR_UNSUPPORTED, NULL, "index format %u, known 1 and 3",
                             (unsigned)index_format);
    *out = (subtable){.glyphs = last - first + 1,
                      .format = (uint16_t)be16(head + 2),
                      .base = be32(head + 4),
                      .offsets = at + SUBTABLE_HEAD,
                      .width = index_format == 1 ? 4 : 2};
    if (out->format < 17 || out->format > 19)
        return ebm_error_set(err, EBM_ERR_UNSUPPORTED, NULL, "image format %u, known 17 to 19",
                             (unsigned)out->format);
    if (!ebm_size_mul((size_t)out->glyphs + 1, out->width, &bytes) ||
        !fits(cblc, out->offsets, bytes))
        return outside("an array of glyph offsets", err);
    return EBM_OK;
}

/* Appends the glyphs of a range that are not empty. */
static ebm_status add_glyphs(const view *cblc, const subtable *s, size_t cbdt_size,
                             ebmt__cbdt_strike *out, ebm_error *err)
{
    for (uint32_t i = 0; i < s->glyphs; i++) {
        const uint32_t from = offset_at(cblc, s, i), to = offset_at(cblc, s, i + 1);
        size_t end;
        if (to == from)
            continue;
        if (to < from || !ebm_size_add(s->base, to, &end) || end > cbdt_size || end > UINT32_MAX)
            return outside("a glyph", err);
        out->glyph[out->count++] = (ebmt__cbdt_glyph){
            .offset = (uint32_t)(s->base + from), .size = to - from, .format = s->format};
    }
    return EBM_OK;
}

/* Finds the strike with the most pixels to the em. */
static ebm_status choose_strike(const view *cblc, size_t *out, ebm_error *err)
{
    if (!fits(cblc, 0, CBLC_HEADER) || be16(cblc->data) != 3)
        return ebm_error_set(err, EBM_ERR_FORMAT, NULL, "table CBLC is not of version 3");
    const uint32_t n = be32(cblc->data + 4);
    if (n == 0 || n > MAX_STRIKES || !fits(cblc, CBLC_HEADER, (size_t)n * STRIKE_BYTES))
        return ebm_error_set(err, EBM_ERR_FORMAT, NULL, "table CBLC announces %lu sizes",
                             (unsigned long)n);
    *out = CBLC_HEADER;
    for (size_t i = 1; i < n; i++) {
        const size_t s = CBLC_HEADER + i * STRIKE_BYTES;
        if (cblc->data[s + PPEM_Y] > cblc->data[*out + PPEM_Y])
            *out = s;
    }
    const int depth = cblc->data[*out + BIT_DEPTH];
    if (depth != 32)
        return ebm_error_set(err, EBM_ERR_UNSUPPORTED, NULL, "bitmaps of %d bits, known 32", depth);
    return EBM_OK;
}

/* Checks every range of a strike and makes room for their glyphs. */
static ebm_status make_room(const view *cblc, size_t array, uint32_t n, ebmt__cbdt_strike *out,
                            ebm_error *err)
{
    size_t total = 0;
    for (uint32_t i = 0; i < n; i++) {
        subtable s = {0};
        ebm_status st = read_subtable(cblc, array, i, &s, err);
        if (st != EBM_OK)
            return st;
        total += s.glyphs;
        if (total > EBMT_CBDT_MAX_GLYPHS)
            return ebm_error_set(err, EBM_ERR_LIMIT, NULL, "over %d glyphs", EBMT_CBDT_MAX_GLYPHS);
    }
    out->glyph = ebm_alloc(total, sizeof *out->glyph);
    if (!out->glyph)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for a list of glyphs");
    return EBM_OK;
}

static ebm_status list_strike(const view *cblc, size_t strike, size_t cbdt_size,
                              ebmt__cbdt_strike *out, ebm_error *err)
{
    const size_t array = be32(cblc->data + strike);
    const uint32_t n = be32(cblc->data + strike + 8);
    size_t bytes;
    if (!ebm_size_mul(n, SUBTABLE_ENTRY, &bytes) || !fits(cblc, array, bytes))
        return outside("the array of index subtables", err);
    ebm_status st = make_room(cblc, array, n, out, err);
    for (uint32_t i = 0; i < n && st == EBM_OK; i++) {
        subtable s = {0};
        st = read_subtable(cblc, array, i, &s, err);
        if (st == EBM_OK)
            st = add_glyphs(cblc, &s, cbdt_size, out, err);
    }
    return st;
}

ebm_status ebmt__cbdt_list(const unsigned char *cblc, size_t size, size_t cbdt_size,
                           ebmt__cbdt_strike *out, ebm_error *err)
{
    const view v = {cblc, size};
    size_t strike = 0;
    *out = (ebmt__cbdt_strike){0};
    ebm_status st = choose_strike(&v, &strike, err);
    if (st != EBM_OK)
        return st;
    st = list_strike(&v, strike, cbdt_size, out, err);
    if (st != EBM_OK) {
        ebm_free(out->glyph);
        *out = (ebmt__cbdt_strike){0};
    }
    return st;
}

/* --- CBDT ---------------------------------------------------------------------------------- */

ebm_status ebmt__cbdt_png(const unsigned char *record, size_t size, uint16_t format, size_t *offset,
                          size_t *png_size, ebm_error *err)
{
    const size_t metrics = format == 17 ? 5 : format == 18 ? 8 : 0;
    if (size < metrics + 4 || be32(record + metrics) > size - metrics - 4)
        return ebm_error_set(err, EBM_ERR_FORMAT, NULL, "a glyph's PNG is longer than its record");
    *offset = metrics + 4;
    *png_size = be32(record + metrics);
    return EBM_OK;
}
