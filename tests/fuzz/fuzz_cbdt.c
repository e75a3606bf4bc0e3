/* Feeds bytes to the font parser and reads every glyph that it vouches for. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "data/cbdt.h"
#include "ebm/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned read_glyph(const uint8_t *cbdt, const ebmt__cbdt_glyph *g)
{
    size_t offset, n;
    unsigned sum = 0;
    if (ebmt__cbdt_png(cbdt + g->offset, g->size, g->format, &offset, &n, NULL) != EBM_OK) {
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        sum += cbdt[g->offset + offset + i];
    }
    return sum;
}

static void read_font(const uint8_t *data, const ebmt__sfnt_table *cblc,
                      const ebmt__sfnt_table *cbdt)
{
    static volatile unsigned kept;
    ebmt__cbdt_strike strike;
    ebm_error err = {EBM_OK, 0, "", ""};
    const ebm_status status =
        ebmt__cbdt_list(data + cblc->offset, cblc->size, cbdt->size, &strike, &err);
    if (status != err.status || (status == EBM_OK) != (strike.glyph != NULL)) {
        abort();
    }
    /* overlapping glyphs are legal: some are enough */
    for (size_t i = 0; i < strike.count && i < 64; i++) {
        kept = read_glyph(data + cbdt->offset, &strike.glyph[i]);
    }
    (void)kept;
    ebm_free(strike.glyph);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t n;
    ebmt__sfnt_table cblc, cbdt;
    if (size < EBMT_SFNT_HEADER || ebmt__sfnt_count(data, &n, NULL) != EBM_OK ||
        n * EBMT_SFNT_RECORD > size - EBMT_SFNT_HEADER) {
        return 0;
    }
    if (ebmt__sfnt_find(data + EBMT_SFNT_HEADER, n, "CBLC", size, &cblc, NULL) == EBM_OK &&
        ebmt__sfnt_find(data + EBMT_SFNT_HEADER, n, "CBDT", size, &cbdt, NULL) == EBM_OK) {
        read_font(data, &cblc, &cbdt);
    }
    return 0;
}
