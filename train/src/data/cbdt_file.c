/* The colour glyphs of a TrueType font as a source: the PNG files in its table CBDT, largest size.
 * Has never heard of text. */
#include <stdio.h>
#include <string.h>

#include "data/cbdt.h"
#include "data/input.h"
#include "data/picture.h"
#include "data/source.h"
#include "ebm/memory.h"

#define NAME_ROOM 256

typedef struct font {
    ebmt__input in;
    ebmt__sfnt_table cbdt;
    ebmt__cbdt_strike strike;
    char path[NAME_ROOM]; /* for errors; a very long one keeps its beginning */
} font;

static void font_free(void *self)
{
    font *f = self;
    ebmt__input_close(&f->in);
    ebm_free(f->strike.glyph);
    ebm_free(f);
}

/* --- opening ------------------------------------------------------------------------------- */

static ebm_status read_directory(font *f, ebmt__sfnt_table *cblc, ebm_error *err)
{
    unsigned char head[EBMT_SFNT_HEADER], records[EBMT_SFNT_MAX_TABLES * EBMT_SFNT_RECORD];
    size_t n = 0;
    if (f->in.size < sizeof head)
        return ebm_error_set(err, EBM_ERR_FORMAT, NULL, "font ends inside its header");
    ebm_status st = ebmt__input_read(&f->in, f->path, 0, head, sizeof head, err);
    if (st == EBM_OK)
        st = ebmt__sfnt_count(head, &n, err);
    if (st == EBM_OK && n * EBMT_SFNT_RECORD > f->in.size - sizeof head)
        st = ebm_error_set(err, EBM_ERR_FORMAT, NULL, "font ends inside its table directory");
    if (st == EBM_OK)
        st = ebmt__input_read(&f->in, f->path, sizeof head, records, n * EBMT_SFNT_RECORD, err);
    if (st == EBM_OK)
        st = ebmt__sfnt_find(records, n, "CBLC", f->in.size, cblc, err);
    if (st == EBM_OK)
        st = ebmt__sfnt_find(records, n, "CBDT", f->in.size, &f->cbdt, err);
    return st;
}

static ebm_status read_index(font *f, const ebmt__sfnt_table *cblc, ebm_error *err)
{
    if (cblc->size > EBMT_CBLC_MAX_BYTES)
        return ebm_error_set(err, EBM_ERR_LIMIT, NULL, "table CBLC has %zu bytes, limit %zu",
                             cblc->size, EBMT_CBLC_MAX_BYTES);
    unsigned char *bytes = ebm_alloc(cblc->size, 1);
    if (!bytes)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for the table CBLC");
    ebm_status st = ebmt__input_read(&f->in, f->path, cblc->offset, bytes, cblc->size, err);
    if (st == EBM_OK)
        st = ebmt__cbdt_list(bytes, cblc->size, f->cbdt.size, &f->strike, err);
    ebm_free(bytes);
    return st;
}

/* --- reading ------------------------------------------------------------------------------- */

static ebm_status decode(const ebmt__cbdt_glyph *g, const unsigned char *record, ebm_image *image,
                         ebm_error *err)
{
    size_t offset = 0, size = 0;
    ebm_status st = ebmt__cbdt_png(record, g->size, g->format, &offset, &size, err);
    return st == EBM_OK ? ebm_png_decode(record + offset, size, image, err) : st;
}

static ebm_status read_glyph(void *self, int64_t i, ebm_image *image, ebm_error *err)
{
    const font *f = self;
    const ebmt__cbdt_glyph *g = &f->strike.glyph[i];
    char name[32];
    unsigned char *record = NULL;
    ebm_error inner = {0};
    ebm_status st = EBM_OK;
    if (g->size > EBMT_PICTURE_MAX_BYTES)
        st = ebm_error_set(&inner, EBM_ERR_LIMIT, NULL, "glyph has %lu bytes, limit %zu",
                           (unsigned long)g->size, EBMT_PICTURE_MAX_BYTES);
    if (st == EBM_OK && !(record = ebm_alloc(g->size, 1)))
        st = ebm_error_set(&inner, EBM_ERR_NOMEM, NULL, "no memory for a glyph");
    if (st == EBM_OK)
        st = ebmt__input_read(&f->in, f->path, f->cbdt.offset + g->offset, record, g->size, &inner);
    if (st == EBM_OK)
        st = decode(g, record, image, &inner);
    ebm_free(record);
    (void)snprintf(name, sizeof name, "bitmap %lld", (long long)i);
    return ebmt__name_file(st, &inner, f->path, name, err);
}

ebm_status ebmt__cbdt_open(const char *path, ebmt_split split, ebmt__source *out, ebm_error *err)
{
    ebmt__sfnt_table cblc = {0, 0};
    ebm_error inner = {0};
    (void)split;
    font *f = ebm_alloc(1, sizeof *f);
    if (!f)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for a data set");
    const size_t n = strlen(path);
    memcpy(f->path, path, n < NAME_ROOM ? n : NAME_ROOM - 1);
    ebm_status st = ebmt__input_open(NULL, path, &f->in, &inner);
    if (st == EBM_OK)
        st = read_directory(f, &cblc, &inner);
    if (st == EBM_OK)
        st = read_index(f, &cblc, &inner);
    if (st != EBM_OK) {
        font_free(f);
        return ebmt__name_file(st, &inner, NULL, path, err);
    }
    *out = (ebmt__source){
        .count = (int64_t)f->strike.count, .self = f, .read = read_glyph, .close = font_free};
    return EBM_OK;
}
