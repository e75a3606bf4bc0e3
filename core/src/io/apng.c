/* Animated PNG: every frame is encoded alone, and its pixel data are put together under the
 * animation's chunks. Knows chunks; libpng made the pixel data. */
#include <string.h>

#include "ebm/io.h"
#include "ebm/memory.h"
#include "io/bytes.h"
#include "io/png_chunks.h"

#define IHDR_BYTES 13
#define FCTL_BYTES 26

/* A frame as a complete PNG. */
typedef struct still {
    unsigned char *data;
    size_t size;
} still;

typedef struct writer {
    unsigned char *out;
    size_t at;
    uint32_t sequence; /* of fcTL and fdAT, counted together */
} writer;

static void put(writer *w, const char *type, const unsigned char *data, uint32_t size)
{
    w->at += ebm__png_put(w->out + w->at, type, data, size);
}

/* Whole frames, shown one after the other: offset 0, nothing disposed of, nothing blended. */
static void put_control(writer *w, const ebm_image *frame, int32_t delay_ms)
{
    unsigned char c[FCTL_BYTES] = {0};
    ebm__store_be32(c, w->sequence++);
    ebm__store_be32(c + 4, (uint32_t)frame->width);
    ebm__store_be32(c + 8, (uint32_t)frame->height);
    c[20] = (unsigned char)(delay_ms >> 8);
    c[21] = (unsigned char)delay_ms;
    c[22] = 1000 >> 8;
    c[23] = (unsigned char)(1000 & 255);
    put(w, "fcTL", c, sizeof c);
}

/* The pixel data of a frame: IDAT in the first one, fdAT with a number in front in the others. */
static void put_pixels(writer *w, const still *s, bool first)
{
    size_t at = EBM__PNG_SIGNATURE;
    ebm__png_chunk c;
    while (ebm__png_next(s->data, s->size, &at, &c)) {
        if (!ebm__png_is(&c, "IDAT"))
            continue;
        if (first) {
            put(w, "IDAT", c.data, c.size);
            continue;
        }
        unsigned char *room = w->out + w->at + 8;
        ebm__store_be32(room, w->sequence++);
        memcpy(room + 4, c.data, c.size);
        put(w, "fdAT", room, c.size + 4);
    }
}

static void join(writer *w, const ebm_image *frames, const still *stills, size_t n,
                 int32_t delay_ms)
{
    unsigned char control[8] = {0};
    memcpy(w->out, stills[0].data, EBM__PNG_SIGNATURE);
    w->at = EBM__PNG_SIGNATURE;
    put(w, "IHDR", stills[0].data + EBM__PNG_SIGNATURE + 8, IHDR_BYTES);
    ebm__store_be32(control, (uint32_t)n); /* number of plays 0: for ever */
    put(w, "acTL", control, sizeof control);
    for (size_t i = 0; i < n; i++) {
        put_control(w, &frames[i], delay_ms);
        put_pixels(w, &stills[i], i == 0);
    }
    put(w, "IEND", NULL, 0);
}

static ebm_status check(const ebm_image *frames, size_t n, int32_t delay_ms, ebm_error *err)
{
    if (n < 1 || n > EBM_APNG_MAX_FRAMES || delay_ms < 1 || delay_ms > 65535)
        return ebm_error_set(err, EBM_ERR_ARG, "apng", "no animation of %zu frames, %d ms each", n,
                             (int)delay_ms);
    for (size_t i = 1; i < n; i++)
        if (frames[i].width != frames[0].width || frames[i].height != frames[0].height ||
            frames[i].channels != frames[0].channels)
            return ebm_error_set(err, EBM_ERR_ARG, "apng", "frame %zu has another shape", i);
    return EBM_OK;
}

/* The file is never larger than its stills with these chunks for each: every IDAT grows by the 4
 * bytes of its number, and there are at most size / 12 of them. */
static ebm_status make_room(const still *stills, size_t n, writer *w, ebm_error *err)
{
    size_t room = 64;
    for (size_t i = 0; i < n; i++)
        room += stills[i].size + stills[i].size / 3 + FCTL_BYTES + EBM__PNG_CHUNK_EXTRA;
    w->out = ebm_alloc(room, 1);
    return w->out ? EBM_OK
                  : ebm_error_set(err, EBM_ERR_NOMEM, "apng", "no memory for %zu bytes", room);
}

ebm_status ebm_apng_encode(const ebm_image *frames, size_t n, int32_t delay_ms,
                           unsigned char **data, size_t *size, ebm_error *err)
{
    writer w = {0};
    still *stills = NULL;
    *data = NULL;
    *size = 0;
    ebm_status st = check(frames, n, delay_ms, err);
    if (st != EBM_OK)
        return st;
    stills = ebm_alloc(n, sizeof *stills);
    if (!stills)
        return ebm_error_set(err, EBM_ERR_NOMEM, "apng", "no memory for %zu frames", n);
    for (size_t i = 0; i < n && st == EBM_OK; i++)
        st = ebm_png_encode(&frames[i], NULL, 0, &stills[i].data, &stills[i].size, err);
    if (st == EBM_OK)
        st = make_room(stills, n, &w, err);
    if (st == EBM_OK) {
        join(&w, frames, stills, n, delay_ms);
        *data = w.out;
        *size = w.at;
    }
    for (size_t i = 0; i < n; i++)
        ebm_free(stills[i].data);
    ebm_free(stills);
    return st;
}
