/* The only file that sees jpeglib.h: decodes JPEG that nobody vouches for. */
#include "data/picture.h"

#include <setjmp.h>
#include <stdio.h>

#include <jpeglib.h>

#include "ebm/memory.h"

/* A progressive file may ask for any number of passes over the whole picture; encoders make about
 * ten. */
#define MAX_SCANS 64
/* What libjpeg may keep of coefficients: 3 components of 16 bits for the largest picture. */
#define MAX_MEMORY (EBMT_PICTURE_MAX_AREA * 3 * 2 + (4 << 20))

/* What libjpeg's call-backs work on; both managers come first of their kind, so that the pointer
 * libjpeg hands back leads here. It lives in the caller of the function that calls setjmp. */
typedef struct decoder {
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    struct jpeg_decompress_struct jpeg;
    jmp_buf jump;
    ebm_image image;
    ebm_status status; /* of ebmt__picture_allocate() */
    ebm_error *err;
} decoder;

static void on_error(j_common_ptr c)
{
    decoder *d = c->client_data;
    longjmp(d->jump, 1);
}

/* A warning means that pixels were made up for data that were missing or wrong. */
static void on_message(j_common_ptr c, int level)
{
    if (level < 0)
        on_error(c);
}

static void on_progress(j_common_ptr c)
{
    const decoder *d = c->client_data;
    if (d->jpeg.input_scan_number > MAX_SCANS)
        on_error(c);
}

static void set_up(decoder *d)
{
    d->jpeg.err = jpeg_std_error(&d->errors);
    d->errors.error_exit = on_error;
    d->errors.emit_message = on_message;
    d->jpeg.client_data = d;
    d->progress.progress_monitor = on_progress;
}

/* Colours come out as RGB, gray stays gray; CMYK has no conversion that fits all files. */
static bool choose_colours(struct jpeg_decompress_struct *jpeg)
{
    if (jpeg->jpeg_color_space == JCS_GRAYSCALE)
        jpeg->out_color_space = JCS_GRAYSCALE;
    else if (jpeg->jpeg_color_space == JCS_YCbCr || jpeg->jpeg_color_space == JCS_RGB)
        jpeg->out_color_space = JCS_RGB;
    else
        return false;
    jpeg->dct_method = JDCT_ISLOW; /* the one whose bits all builds agree on */
    return true;
}

static void read_rows(decoder *d)
{
    const size_t stride = (size_t)d->image.width * (size_t)d->image.channels;
    while (d->jpeg.output_scanline < d->jpeg.output_height) {
        JSAMPROW row = d->image.pixels + d->jpeg.output_scanline * stride;
        (void)jpeg_read_scanlines(&d->jpeg, &row, 1);
    }
}

/* Does only the decoding, because libjpeg jumps back here; returns false after an error. */
static bool run(decoder *d, const unsigned char *data, size_t size)
{
    if (setjmp(d->jump))
        return false;
    jpeg_create_decompress(&d->jpeg);
    d->jpeg.progress = &d->progress;
    d->jpeg.mem->max_memory_to_use = (long)MAX_MEMORY;
    jpeg_mem_src(&d->jpeg, data, (unsigned long)size);
    if (jpeg_read_header(&d->jpeg, TRUE) != JPEG_HEADER_OK || !choose_colours(&d->jpeg))
        return false;
    d->status =
        ebmt__picture_allocate(d->jpeg.image_width, d->jpeg.image_height,
                               d->jpeg.out_color_space == JCS_RGB ? 3 : 1, &d->image, d->err);
    if (d->status != EBM_OK)
        return false;
    (void)jpeg_start_decompress(&d->jpeg);
    read_rows(d);
    (void)jpeg_finish_decompress(&d->jpeg);
    return true;
}

ebm_status ebmt__jpeg_decode(const unsigned char *data, size_t size, ebm_image *image,
                             ebm_error *err)
{
    decoder d = {.status = EBM_OK, .err = err};
    *image = (ebm_image){0};
    set_up(&d);
    const bool sound = run(&d, data, size);
    jpeg_destroy_decompress(&d.jpeg);
    if (sound) {
        *image = d.image;
        return EBM_OK;
    }
    ebm_free(d.image.pixels);
    if (d.status != EBM_OK)
        return d.status;
    return ebm_error_set(err, EBM_ERR_FORMAT, NULL,
                         "JPEG data are damaged, cut short or of a kind that is not read");
}
