/* See picture_maker.h. */
#include "picture_maker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <lmdb.h>
#include <webp/encode.h>

#include "ebm/memory.h"

ebm_image picture_make(int32_t width, int32_t height, int32_t channels, int seed)
{
    ebm_image image = {.width = width, .height = height, .channels = channels};
    image.pixels = malloc((size_t)(width * height * channels));
    for (int32_t i = 0; image.pixels && i < width * height; i++) {
        const int32_t x = i % width, y = i / width;
        for (int32_t k = 0; k < channels; k++)
            image.pixels[i * channels + k] =
                (uint8_t)((x * (3 + k) + y * (5 - k) + 37 * seed + 60 * k) & 255);
    }
    return image;
}

static made_file copy_of(const void *bytes, size_t size)
{
    made_file f = {malloc(size ? size : 1), size};
    if (f.bytes)
        memcpy(f.bytes, bytes, size);
    return f;
}

made_file picture_png(const ebm_image *image)
{
    unsigned char *bytes = NULL;
    size_t size = 0;
    if (ebm_png_encode(image, NULL, 0, &bytes, &size, NULL) != EBM_OK)
        return (made_file){NULL, 0};
    made_file f = copy_of(bytes, size);
    ebm_free(bytes);
    return f;
}

made_file picture_jpeg(const ebm_image *image, int quality, bool progressive)
{
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr errors;
    unsigned char *bytes = NULL;
    unsigned long size = 0;
    c.err = jpeg_std_error(&errors);
    jpeg_create_compress(&c);
    jpeg_mem_dest(&c, &bytes, &size);
    c.image_width = (JDIMENSION)image->width;
    c.image_height = (JDIMENSION)image->height;
    c.input_components = image->channels;
    c.in_color_space = image->channels == 1   ? JCS_GRAYSCALE
                       : image->channels == 4 ? JCS_CMYK
                                              : JCS_RGB;
    jpeg_set_defaults(&c);
    jpeg_set_quality(&c, quality, TRUE);
    if (progressive)
        jpeg_simple_progression(&c);
    jpeg_start_compress(&c, TRUE);
    while (c.next_scanline < c.image_height) {
        JSAMPROW row =
            image->pixels + c.next_scanline * (size_t)image->width * (size_t)image->channels;
        (void)jpeg_write_scanlines(&c, &row, 1);
    }
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    return (made_file){bytes, size};
}

made_file picture_webp(const ebm_image *image)
{
    uint8_t *bytes = NULL;
    const int stride = image->width * image->channels;
    const size_t size =
        image->channels == 4
            ? WebPEncodeLosslessRGBA(image->pixels, image->width, image->height, stride, &bytes)
            : WebPEncodeLosslessRGB(image->pixels, image->width, image->height, stride, &bytes);
    made_file f = copy_of(bytes, size);
    WebPFree(bytes);
    return f;
}

made_file npy_make(int version, const char *dictionary, const void *data, size_t size)
{
    const size_t prefix = version == 1 ? 10 : 12, text = strlen(dictionary);
    const size_t header = (prefix + text + 1 + 63) / 64 * 64, n = header - prefix;
    made_file f = {malloc(header + size), header + size};
    if (!f.bytes)
        return f;
    memset(f.bytes, ' ', header);
    memcpy(f.bytes, "\x93NUMPY", 6);
    f.bytes[6] = (unsigned char)version;
    f.bytes[7] = 0;
    for (size_t i = 8; i < prefix; i++)
        f.bytes[i] = (unsigned char)(n >> (8 * (i - 8)));
    memcpy(f.bytes + prefix, dictionary, text);
    f.bytes[header - 1] = '\n';
    if (size > 0)
        memcpy(f.bytes + header, data, size);
    return f;
}

/* --- fonts --------------------------------------------------------------------------------- */

static void put16(unsigned char *p, unsigned v)
{
    p[0] = (unsigned char)(v >> 8);
    p[1] = (unsigned char)v;
}

static void put32(unsigned char *p, unsigned long v)
{
    put16(p, (unsigned)(v >> 16) & 0xffff);
    put16(p + 2, (unsigned)v & 0xffff);
}

static size_t record_size(const font_spec *spec, int i)
{
    const size_t metrics = spec->image_format == 17 ? 5 : spec->image_format == 18 ? 8 : 0;
    return metrics + 4 + spec->png[i].size;
}

#define FONT_CBLC 64 /* behind the header and two table records */

/* Header, one strike, one range of glyphs, their offsets. */
static size_t put_cblc(const font_spec *spec, unsigned char *p)
{
    const size_t width = spec->index_format == 1 ? 4 : 2;
    unsigned char *strike = p + 8, *entry = p + 56, *head = p + 64, *offset = p + 72;
    size_t at = 0;
    put16(p, 3);
    put32(p + 4, 1);
    put32(strike, 56);
    put32(strike + 4, 16);
    put32(strike + 8, 1);
    strike[44] = strike[45] = 109;
    strike[46] = 32;
    put16(entry, 4);
    put16(entry + 2, (unsigned)(4 + spec->n - 1));
    put32(entry + 4, 8);
    put16(head, (unsigned)spec->index_format);
    put16(head + 2, (unsigned)spec->image_format);
    put32(head + 4, 4);
    for (int i = 0; i <= spec->n; i++) {
        if (width == 4)
            put32(offset + 4 * i, at);
        else
            put16(offset + 2 * i, (unsigned)at);
        at += i < spec->n ? record_size(spec, i) : 0;
    }
    return 72 + width * ((size_t)spec->n + 1);
}

static size_t put_cbdt(const font_spec *spec, unsigned char *p)
{
    size_t at = 4;
    put16(p, 3);
    for (int i = 0; i < spec->n; i++) {
        at += record_size(spec, i);
        put32(p + at - spec->png[i].size - 4, spec->png[i].size);
        memcpy(p + at - spec->png[i].size, spec->png[i].bytes, spec->png[i].size);
    }
    return at;
}

static void put_table(unsigned char *record, const char *tag, size_t offset, size_t size)
{
    memcpy(record, tag, 4);
    put32(record + 8, offset);
    put32(record + 12, size);
}

made_file font_make(const font_spec *spec)
{
    size_t room = FONT_CBLC + 128 + 4 * ((size_t)spec->n + 1);
    for (int i = 0; i < spec->n; i++)
        room += record_size(spec, i);
    made_file f = {calloc(1, room), 0};
    if (!f.bytes)
        return f;
    put32(f.bytes, 0x00010000);
    put16(f.bytes + 4, 2);
    const size_t cblc = put_cblc(spec, f.bytes + FONT_CBLC);
    const size_t cbdt = put_cbdt(spec, f.bytes + FONT_CBLC + cblc);
    put_table(f.bytes + 12, "CBDT", FONT_CBLC + cblc, cbdt);
    put_table(f.bytes + 28, "CBLC", FONT_CBLC, cblc);
    f.size = FONT_CBLC + cblc + cbdt;
    return f;
}

/* --- LMDB ---------------------------------------------------------------------------------- */

static int put_values(MDB_txn *txn, int n, const made_file *values, int n_values)
{
    MDB_dbi dbi;
    int rc = mdb_dbi_open(txn, NULL, 0, &dbi);
    for (int i = 0; i < n && rc == 0; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "%08d", i);
        MDB_val key = {8, name};
        MDB_val value = {values[i % n_values].size, values[i % n_values].bytes};
        rc = mdb_put(txn, dbi, &key, &value, MDB_APPEND);
    }
    return rc;
}

bool lmdb_make(const char *dir, int n, const made_file *values, int n_values)
{
    MDB_env *env = NULL;
    MDB_txn *txn = NULL;
    int rc = mdb_env_create(&env);
    if (rc == 0)
        rc = mdb_env_set_mapsize(env, (size_t)64 << 20);
    if (rc == 0)
        rc = mdb_env_open(env, dir, MDB_NOSYNC, 0600);
    if (rc == 0)
        rc = mdb_txn_begin(env, NULL, 0, &txn);
    if (rc == 0)
        rc = put_values(txn, n, values, n_values);
    if (rc == 0)
        rc = mdb_txn_commit(txn);
    mdb_env_close(env);
    return rc == 0;
}
