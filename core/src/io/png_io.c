/* PNG in and out; the only file that sees png.h. Decodes bytes that nobody vouches for.
 * Knows pixels; never what a picture is for. */
#include "ebm/io.h"

#include <setjmp.h>
#include <string.h>

#include <png.h>

#include "ebm/memory.h"
#include "io/bytes.h"

#define SIGNATURE_BYTES 8
#define IHDR_END        (SIGNATURE_BYTES + 8 + 13 + 4)
/* Beyond what any caller writes, far below where sizes could overflow. */
#define MAX_WRITE_SIDE 16384
#define MAX_TEXT_BYTES 65536
#define FIRST_BUFFER   4096

static const unsigned char signature[SIGNATURE_BYTES] = {137, 'P', 'N', 'G', 13, 10, 26, 10};

/* What libpng's callbacks work on. It lives in the caller of the function that calls setjmp, so
 * that no local of that function changes between setjmp and longjmp. */
typedef struct codec {
    png_structp png;
    png_infop info;
    /* reading: data[at..size); writing: buffer[0..at), `size` allocated */
    const unsigned char *data;
    unsigned char *buffer;
    size_t at, size;
    const char *stage; /* what was going on, for the error */
    bool no_memory;
    ebm_image image;
} codec;

/* libpng's own text is neither printed nor passed on: it may quote the file. */
static PNG_NORETURN void on_error(png_structp png, png_const_charp text)
{
    (void)text;
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

static png_voidp on_alloc(png_structp png, png_alloc_size_t size)
{
    codec *c = png_get_mem_ptr(png);
    void *block = ebm_alloc(1, size);
    c->no_memory |= block == NULL;
    return block;
}

static void on_free(png_structp png, png_voidp block)
{
    (void)png;
    ebm_free(block);
}

static ebm_status codec_error(const codec *c, ebm_error *err)
{
    if (c->no_memory || c->png == NULL || c->info == NULL) {
        return ebm_error_set(err, EBM_ERR_NOMEM, "png", "no memory");
    }
    return ebm_error_set(err, EBM_ERR_FORMAT, "png", "%s", c->stage);
}

/* --- reading ------------------------------------------------------------------------------ */

/* The size is looked at before libpng sees a byte: a hostile header costs nothing. */
static ebm_status check_header(const unsigned char *data, size_t size, ebm_error *err)
{
    if (size > EBM_PNG_MAX_BYTES) {
        return ebm_error_set(err, EBM_ERR_LIMIT, "png", "file has %zu bytes, at most %u", size,
                             EBM_PNG_MAX_BYTES);
    }
    if (size < SIGNATURE_BYTES || memcmp(data, signature, SIGNATURE_BYTES) != 0) {
        return ebm_error_set(err, EBM_ERR_FORMAT, "png", "not a PNG file");
    }
    if (size < IHDR_END || ebm__load_be32(data + 8) != 13 || memcmp(data + 12, "IHDR", 4) != 0) {
        return ebm_error_set(err, EBM_ERR_FORMAT, "png", "no image header");
    }
    const uint32_t width = ebm__load_be32(data + 16), height = ebm__load_be32(data + 20);
    if (width == 0 || height == 0) {
        return ebm_error_set(err, EBM_ERR_FORMAT, "png", "image is empty");
    }
    if (width > EBM_PNG_MAX_SIDE || height > EBM_PNG_MAX_SIDE) {
        return ebm_error_set(err, EBM_ERR_LIMIT, "png", "image is %ux%u, at most %dx%d",
                             (unsigned)width, (unsigned)height, EBM_PNG_MAX_SIDE, EBM_PNG_MAX_SIDE);
    }
    return EBM_OK;
}

static void on_read(png_structp png, png_bytep out, size_t n)
{
    codec *c = png_get_io_ptr(png);
    if (n > c->size - c->at) {
        c->stage = "file is truncated";
        png_error(png, "end of data");
    }
    memcpy(out, c->data + c->at, n);
    c->at += n;
}

/* Limits first, before the first byte is read. Everything that is only decoration is skipped
 * unread (-1: all ancillary chunks except tRNS), so a compressed text is never inflated. */
static void set_limits(png_structp png)
{
    png_set_user_limits(png, EBM_PNG_MAX_SIDE, EBM_PNG_MAX_SIDE);
    png_set_chunk_cache_max(png, 8);
    png_set_chunk_malloc_max(png, 65536);
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, 0);
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_set_crc_action(png, PNG_CRC_ERROR_QUIT, PNG_CRC_WARN_DISCARD);
    png_set_benign_errors(png, 0); /* e.g. a wrong zlib checksum is an error */
}

/* Asks libpng for 8-bit gray or RGB, with alpha where the file has it. */
static void set_conversions(png_structp png, png_infop info)
{
    const int type = png_get_color_type(png, info), depth = png_get_bit_depth(png, info);
    if (type == PNG_COLOR_TYPE_PALETTE) {
        png_set_palette_to_rgb(png);
    } else if (type == PNG_COLOR_TYPE_GRAY && depth < 8) {
        png_set_expand_gray_1_2_4_to_8(png);
    }
    if (png_get_valid(png, info, PNG_INFO_tRNS)) {
        png_set_tRNS_to_alpha(png);
    }
    if (depth == 16) {
        png_set_strip_16(png);
    }
}

static bool allocate_pixels(codec *c)
{
    const size_t width = png_get_image_width(c->png, c->info);
    const size_t height = png_get_image_height(c->png, c->info);
    const size_t channels = png_get_channels(c->png, c->info);
    if (png_get_bit_depth(c->png, c->info) != 8 || channels < 1 || channels > 4 ||
        png_get_rowbytes(c->png, c->info) != width * channels) {
        return false;
    }
    c->image = (ebm_image){.width = (int32_t)width,
                           .height = (int32_t)height,
                           .channels = (int32_t)channels,
                           .pixels = ebm_alloc(height, width * channels)};
    c->no_memory |= c->image.pixels == NULL;
    return !c->no_memory;
}

static void read_rows(codec *c, int passes)
{
    const size_t stride = (size_t)c->image.width * (size_t)c->image.channels;
    for (int pass = 0; pass < passes; pass++) {
        for (size_t y = 0; y < (size_t)c->image.height; y++) {
            png_read_row(c->png, c->image.pixels + y * stride, NULL);
        }
    }
}

/* Does only the decoding, because libpng jumps back here; returns false after an error. */
static bool run_decoder(codec *c)
{
    if (setjmp(png_jmpbuf(c->png))) {
        return false;
    }
    set_limits(c->png);
    png_set_read_fn(c->png, c, on_read);
    c->stage = "image header is damaged";
    png_read_info(c->png, c->info);
    set_conversions(c->png, c->info);
    const int passes = png_set_interlace_handling(c->png);
    png_read_update_info(c->png, c->info);
    if (!allocate_pixels(c)) {
        return false;
    }
    c->stage = "pixel data are damaged";
    read_rows(c, passes);
    c->stage = "end of the file is damaged";
    png_read_end(c->png, c->info); /* without info it would accept unknown critical chunks */
    c->stage = "bytes follow the end of the image";
    return c->at == c->size;
}

ebm_status ebm_png_decode(const unsigned char *data, size_t size, ebm_image *image, ebm_error *err)
{
    codec c = {.data = data, .size = size};
    *image = (ebm_image){.width = 0};
    ebm_status st = check_header(data, size, err);
    if (st != EBM_OK) {
        return st;
    }
    c.png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &c, on_error, on_warning, &c, on_alloc,
                                     on_free);
    c.info = c.png != NULL ? png_create_info_struct(c.png) : NULL;
    if (c.info != NULL && run_decoder(&c)) {
        *image = c.image;
    } else {
        st = codec_error(&c, err);
        ebm_free(c.image.pixels);
    }
    png_destroy_read_struct(&c.png, &c.info, NULL);
    return st;
}

/* --- writing ------------------------------------------------------------------------------ */

static void on_write(png_structp png, png_bytep bytes, size_t n)
{
    codec *c = png_get_io_ptr(png);
    if (n > c->size - c->at) {
        const size_t wanted = 2 * c->size + n + FIRST_BUFFER; /* both far below SIZE_MAX / 4 */
        unsigned char *larger = ebm_alloc(wanted, 1);
        if (larger == NULL) {
            c->no_memory = true;
            png_error(png, "no memory");
        }
        if (c->at > 0) {
            memcpy(larger, c->buffer, c->at);
        }
        ebm_free(c->buffer);
        c->buffer = larger;
        c->size = wanted;
    }
    memcpy(c->buffer + c->at, bytes, n);
    c->at += n;
}

static void on_flush(png_structp png)
{
    (void)png;
}

/* Key and text go behind the header, before the pixels, so that a reader of the first bytes finds
 * them. Written as a plain chunk: png_set_text would keep a copy of everything. */
static void write_text(png_structp png, const ebm_png_text *text)
{
    const size_t key_bytes = strlen(text->key) + 1, text_bytes = strlen(text->text);
    const png_byte name[5] = "tEXt";
    png_write_chunk_start(png, name, (png_uint_32)(key_bytes + text_bytes));
    png_write_chunk_data(png, (png_const_bytep)text->key, key_bytes);
    png_write_chunk_data(png, (png_const_bytep)text->text, text_bytes);
    png_write_chunk_end(png);
}

/* Everything that decides the bytes is fixed here and no time is stored. */
static void write_header(codec *c, const ebm_image *image)
{
    static const int types[] = {PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB,
                                PNG_COLOR_TYPE_RGB_ALPHA};
    png_set_compression_level(c->png, 6);
    png_set_compression_mem_level(c->png, 8);
    png_set_filter(c->png, PNG_FILTER_TYPE_BASE, PNG_FILTER_PAETH);
    png_set_IHDR(c->png, c->info, (png_uint_32)image->width, (png_uint_32)image->height, 8,
                 types[image->channels - 1], PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_BASE,
                 PNG_FILTER_TYPE_BASE);
    png_write_info(c->png, c->info);
}

static bool run_encoder(codec *c, const ebm_image *image, const ebm_png_text *texts, size_t n_texts)
{
    const size_t stride = (size_t)image->width * (size_t)image->channels;
    if (setjmp(png_jmpbuf(c->png))) {
        return false;
    }
    png_set_write_fn(c->png, c, on_write, on_flush);
    write_header(c, image);
    for (size_t i = 0; i < n_texts; i++) {
        write_text(c->png, &texts[i]);
    }
    for (size_t y = 0; y < (size_t)image->height; y++) {
        png_write_row(c->png, image->pixels + y * stride);
    }
    png_write_end(c->png, NULL);
    return true;
}

static bool is_printable(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((*text < ' ' || *text > '~') && *text != '\n') {
            return false;
        }
    }
    return true;
}

/* A key by the rules of PNG (1..79 characters, no odd spaces), both in ASCII, which Latin-1, the
 * format's encoding, shares with UTF-8. */
static bool text_is_valid(const ebm_png_text *t)
{
    if (t->key == NULL || t->text == NULL) {
        return false;
    }
    const size_t n = strlen(t->key);
    return n >= 1 && n <= 79 && is_printable(t->key) && strchr(t->key, '\n') == NULL &&
           t->key[0] != ' ' && t->key[n - 1] != ' ' && strstr(t->key, "  ") == NULL &&
           strlen(t->text) <= MAX_TEXT_BYTES && is_printable(t->text);
}

static ebm_status check_input(const ebm_image *image, const ebm_png_text *texts, size_t n_texts,
                              ebm_error *err)
{
    if (image->pixels == NULL || image->width < 1 || image->width > MAX_WRITE_SIDE ||
        image->height < 1 || image->height > MAX_WRITE_SIDE || image->channels < 1 ||
        image->channels > 4) {
        return ebm_error_set(err, EBM_ERR_ARG, "png", "cannot encode %dx%d with %d channels",
                             (int)image->width, (int)image->height, (int)image->channels);
    }
    for (size_t i = 0; i < n_texts; i++) {
        if (!text_is_valid(&texts[i])) {
            return ebm_error_set(err, EBM_ERR_ARG, "png", "text %zu cannot be stored", i);
        }
    }
    return EBM_OK;
}

ebm_status ebm_png_encode(const ebm_image *image, const ebm_png_text *texts, size_t n_texts,
                          unsigned char **data, size_t *size, ebm_error *err)
{
    codec c = {.stage = "libpng refused the image"};
    *data = NULL;
    *size = 0;
    ebm_status st = check_input(image, texts, n_texts, err);
    if (st != EBM_OK) {
        return st;
    }
    c.png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, &c, on_error, on_warning, &c, on_alloc,
                                      on_free);
    c.info = c.png != NULL ? png_create_info_struct(c.png) : NULL;
    if (c.info != NULL && run_encoder(&c, image, texts, n_texts)) {
        *data = c.buffer;
        *size = c.at;
    } else {
        st = codec_error(&c, err);
        ebm_free(c.buffer);
    }
    png_destroy_write_struct(&c.png, &c.info);
    return st;
}
