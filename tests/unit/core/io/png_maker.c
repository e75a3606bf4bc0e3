/* The hand-made encoder behind png_maker.h: filter 0, any colour type, depth and interlacing. */
#include "png_maker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

enum { GRAY = 0, RGB = 2, PALETTE = 3, GRAY_ALPHA = 4, RGB_ALPHA = 6 };

static void put32(unsigned char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++) {
        p[i] = (unsigned char)(v >> (24 - 8 * i));
    }
}

void png_begin(png_file *f)
{
    f->bytes = malloc(PNG_MAKER_ROOM);
    assert_non_null(f->bytes);
    f->size = 0;
    png_bytes(f, "\x89PNG\r\n\x1a\n", 8);
}

void png_bytes(png_file *f, const void *data, size_t size)
{
    assert_true(size <= PNG_MAKER_ROOM - f->size);
    if (size > 0) {
        memcpy(f->bytes + f->size, data, size);
    }
    f->size += size;
}

void png_chunk(png_file *f, const char *type, const void *data, size_t size)
{
    unsigned char number[4];
    put32(number, (uint32_t)size);
    png_bytes(f, number, 4);
    const size_t start = f->size;
    png_bytes(f, type, 4);
    png_bytes(f, data, size);
    put32(number, (uint32_t)crc32(0, f->bytes + start, (uInt)(size + 4)));
    png_bytes(f, number, 4);
}

void png_clear(png_file *f)
{
    free(f->bytes);
    *f = (png_file){NULL, 0};
}

/* --- what is drawn ------------------------------------------------------------------------ */

static int samples_of(int type)
{
    return type == RGB ? 3 : type == GRAY_ALPHA ? 2 : type == RGB_ALPHA ? 4 : 1;
}

/* Any fixed pattern that reaches all values and differs between neighbours. */
static unsigned sample(const png_spec *s, uint32_t x, uint32_t y, int c)
{
    uint32_t h = x * 2654435761u ^ y * 2246822519u ^ (uint32_t)c * 3266489917u;
    h ^= h >> 15;
    h *= 2246822519u;
    h ^= h >> 13;
    return s->type == PALETTE ? h % (unsigned)s->palette : h & ((1u << s->depth) - 1);
}

static uint8_t palette_value(int index, int c)
{
    return (uint8_t)(index * 7 + c * 50 + 3);
}

static uint8_t palette_alpha(int index)
{
    return (uint8_t)(255 - index * 5);
}

/* The colour that tRNS makes transparent: the pixel at (0,0). */
static bool is_key(const png_spec *s, uint32_t x, uint32_t y)
{
    for (int c = 0; c < samples_of(s->type); c++) {
        if (sample(s, x, y, c) != sample(s, 0, 0, c)) {
            return false;
        }
    }
    return true;
}

static uint8_t to_8_bits(const png_spec *s, unsigned v)
{
    return (uint8_t)(s->depth == 16 ? v >> 8 : v * 255 / ((1u << s->depth) - 1));
}

int png_expected(const png_spec *s, uint32_t x, uint32_t y, uint8_t out[4])
{
    int n = samples_of(s->type);
    if (s->type == PALETTE) {
        const int index = (int)sample(s, x, y, 0);
        for (int c = 0; c < 3; c++) {
            out[c] = palette_value(index, c);
        }
        out[3] = palette_alpha(index);
        return s->transparent ? 4 : 3;
    }
    for (int c = 0; c < n; c++) {
        out[c] = to_8_bits(s, sample(s, x, y, c));
    }
    if (s->transparent) {
        out[n++] = is_key(s, x, y) ? 0 : 255;
    }
    return n;
}

/* --- chunks ------------------------------------------------------------------------------- */

static void put_transparency(png_file *f, const png_spec *s)
{
    unsigned char data[256] = {0};
    size_t n = 0;
    if (s->type == PALETTE) {
        for (; n < (size_t)s->palette; n++) {
            data[n] = palette_alpha((int)n);
        }
    } else {
        for (int c = 0; c < samples_of(s->type); c++) {
            const unsigned v = sample(s, 0, 0, c);
            data[n++] = (unsigned char)(v >> 8);
            data[n++] = (unsigned char)v;
        }
    }
    png_chunk(f, "tRNS", data, n);
}

void png_header(png_file *f, const png_spec *s)
{
    unsigned char ihdr[13] = {0}, palette[768];
    put32(ihdr, s->width);
    put32(ihdr + 4, s->height);
    ihdr[8] = (unsigned char)s->depth;
    ihdr[9] = (unsigned char)s->type;
    ihdr[12] = s->interlaced;
    png_chunk(f, "IHDR", ihdr, sizeof(ihdr));
    for (int i = 0; i < 3 * s->palette; i++) {
        palette[i] = palette_value(i / 3, i % 3);
    }
    if (s->palette > 0) {
        png_chunk(f, "PLTE", palette, 3 * (size_t)s->palette);
    }
    if (s->transparent) {
        put_transparency(f, s);
    }
}

/* Appends the rows of the pixels (x0 + i*dx, y0 + j*dy). */
static size_t put_pass(const png_spec *s, const uint32_t p[4], unsigned char *out)
{
    size_t bit = 0;
    for (uint32_t y = p[1]; y < s->height; y += p[3]) {
        if (p[0] >= s->width) {
            break;
        }
        bit = (bit + 7) / 8 * 8 + 8; /* a new row: filter byte 0 */
        for (uint32_t x = p[0]; x < s->width; x += p[2]) {
            for (int c = 0; c < samples_of(s->type); c++) {
                const unsigned v = sample(s, x, y, c);
                for (int b = s->depth; b-- > 0; bit++) {
                    out[bit / 8] |= (unsigned char)((v >> b & 1) << (7 - bit % 8));
                }
            }
        }
    }
    return (bit + 7) / 8;
}

unsigned char *png_rows(const png_spec *s, size_t *size)
{
    static const uint32_t whole[4] = {0, 0, 1, 1};
    static const uint32_t adam7[7][4] = {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4},
                                         {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}};
    unsigned char *rows = calloc((size_t)s->height * (s->width * 8 + 8) + 64, 1);
    assert_non_null(rows);
    *size = s->interlaced ? 0 : put_pass(s, whole, rows);
    for (size_t i = 0; s->interlaced && i < 7; i++) {
        *size += put_pass(s, adam7[i], rows + *size);
    }
    return rows;
}

void png_image_data(png_file *f, const png_spec *s)
{
    size_t size;
    unsigned char *rows = png_rows(s, &size);
    uLongf packed = compressBound(size);
    unsigned char *data = malloc(packed);
    assert_non_null(data);
    assert_int_equal(compress2(data, &packed, rows, size, 9), Z_OK);
    png_chunk(f, "IDAT", data, packed);
    free(data);
    free(rows);
}

void png_whole(png_file *f, const png_spec *s)
{
    png_begin(f);
    png_header(f, s);
    png_image_data(f, s);
    png_chunk(f, "IEND", NULL, 0);
}
