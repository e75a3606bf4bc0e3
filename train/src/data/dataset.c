/* The data set: samples of one shape by number, in memory or on demand, whatever the format.
 * Decides what damage means. Has never heard of batches or networks. */
#include <assert.h>
#include <stdatomic.h>
#include <string.h>

#include "data/frame.h"
#include "data/source.h"
#include "ebm/memory.h"
#include "ebmt/data.h"

/* So many damaged images in a row are no accident: it is the wrong path, or a broken copy. */
#define MAX_DAMAGED_RUN 1000

/* Found damaged: saves reading it again. */
typedef struct flag {
    atomic_bool set;
} flag;

struct ebmt_stream {
    ebmt__source source;
    int64_t first, count; /* which of the source's images are samples */
    ebmt__frame frame;
    bool strict;
    flag *bad; /* [count] */
    atomic_llong n_bad;
};

static void stream_free(ebmt_stream *s)
{
    if (!s)
        return;
    ebmt__source_close(&s->source);
    ebm_free(s->bad);
    ebm_free(s);
}

/* --- one sample ---------------------------------------------------------------------------- */

static bool is_damage(ebm_status st)
{
    return st == EBM_ERR_FORMAT || st == EBM_ERR_LIMIT || st == EBM_ERR_SHAPE;
}

static ebm_status read_framed(const ebmt_stream *s, int64_t i, uint8_t *out, ebm_error *err)
{
    ebm_image image = {0};
    ebm_status st = s->source.read(s->source.self, s->first + i, &image, err);
    if (st == EBM_OK)
        st = ebmt__frame_apply(&s->frame, &image, out, err);
    ebm_free(image.pixels);
    return st;
}

static void mark_bad(ebmt_stream *s, int64_t i)
{
    if (!atomic_exchange(&s->bad[i].set, true))
        (void)atomic_fetch_add(&s->n_bad, 1);
}

/* Sample i, or the next sound one: a function of the files alone, so that cache, order and threads
 * change nothing; and of the same part, so that nothing held out is trained on. The first damage
 * met is what an error tells of. */
static ebm_status read_sample(ebmt_stream *s, int64_t i, uint8_t *out, ebm_error *err)
{
    const int64_t n = s->count, tries = n < MAX_DAMAGED_RUN ? n : MAX_DAMAGED_RUN;
    ebm_error first = {0};
    for (int64_t k = 0; k < tries; k++) {
        const int64_t j = (i + k) % n;
        ebm_error why = {0};
        if (!s->strict && atomic_load(&s->bad[j].set))
            continue;
        ebm_status st = read_framed(s, j, out, &why);
        if (!is_damage(st)) {
            if (st != EBM_OK && err && err->status == EBM_OK)
                *err = why;
            return st;
        }
        mark_bad(s, j);
        if (first.status == EBM_OK)
            first = why;
        if (s->strict)
            break;
    }
    if (s->strict && first.status != EBM_OK)
        return ebm_error_set(err, first.status, first.where, "%s", first.text);
    return ebm_error_set(err, EBM_ERR_FORMAT, first.where, "%lld damaged images in a row%s%s",
                         (long long)tries, first.text[0] ? ", first " : "", first.text);
}

/* --- opening ------------------------------------------------------------------------------- */

static ebm_status check_options(const ebmt_data_options *o, ebm_error *err)
{
    if (o->image_size < 0 || o->image_size > EBMT_DATA_MAX_SIDE)
        return ebm_error_set(err, EBM_ERR_RANGE, "image_size", "%d, allowed 0..%d", o->image_size,
                             EBMT_DATA_MAX_SIDE);
    if (o->channels < 0 || o->channels > 4)
        return ebm_error_set(err, EBM_ERR_RANGE, "channels", "%d, allowed 0..4", o->channels);
    return EBM_OK;
}

/* Pictures of folders and databases are colour unless told otherwise, arrays what they are. */
static int32_t frame_channels(const ebmt_data_options *o, const ebmt__source *source)
{
    if (o->channels != 0)
        return o->channels;
    return source->channels == 1 || source->channels == 2 ? 1 : 3;
}

static ebm_status make_frame(const ebmt_data_options *o, const ebmt__source *source,
                             ebmt__frame *out, ebm_error *err)
{
    *out = (ebmt__frame){.crop = o->crop, .channels = frame_channels(o, source)};
    if (out->channels % 2 == 0 && out->channels != source->channels)
        return ebm_error_set(err, EBM_ERR_SHAPE, "channels",
                             "images are not converted to %d channels", out->channels);
    out->width = o->image_size ? o->image_size : source->width;
    out->height = o->image_size ? o->image_size : source->height;
    if (out->width == 0 || out->height == 0)
        return ebm_error_set(err, EBM_ERR_ARG, "image_size",
                             "is needed: these images have no common size");
    return EBM_OK;
}

static ebm_status check_source(const ebmt_data_options *o, const ebmt__source *source,
                               ebm_error *err)
{
    if (source->count < (o->single ? 1 : 2))
        return ebm_error_set(err, EBM_ERR_FORMAT, o->path, "a data set of %s",
                             source->count ? "one sample" : "no images");
    if (source->count > EBMT_SOURCE_MAX_COUNT)
        return ebm_error_set(err, EBM_ERR_LIMIT, o->path, "%lld images, limit %lld",
                             (long long)source->count, (long long)EBMT_SOURCE_MAX_COUNT);
    if (o->strict && source->ignored > 0)
        return ebm_error_set(err, EBM_ERR_FORMAT, o->path, "%lld entries are no images",
                             (long long)source->ignored);
    return EBM_OK;
}

/* Images held out are the last ones of the training part; without them a part is the source. */
static ebm_status take_part(const ebmt_data_options *o, ebmt_stream *s, ebm_error *err)
{
    const int64_t n = s->source.count, held_out = o->held_out;
    s->count = n;
    if (held_out == 0)
        return EBM_OK;
    if (held_out < 2 || held_out > n - 2)
        return ebm_error_set(err, EBM_ERR_RANGE, "held_out",
                             "%lld of %lld images: both parts need at least two",
                             (long long)held_out, (long long)n);
    s->count = o->split == EBMT_TEST ? held_out : n - held_out;
    s->first = o->split == EBMT_TEST ? n - held_out : 0;
    return EBM_OK;
}

static ebm_status stream_open(const ebmt_data_options *o, ebmt_stream *s, ebm_error *err)
{
    ebmt_data_options whole = *o;
    if (o->held_out != 0)
        whole.split = EBMT_TRAIN;
    ebm_status st = ebmt__source_open(&whole, &s->source, err);
    if (st == EBM_OK)
        st = check_source(o, &s->source, err);
    if (st == EBM_OK)
        st = take_part(o, s, err);
    if (st == EBM_OK)
        st = make_frame(o, &s->source, &s->frame, err);
    if (st != EBM_OK)
        return st;
    s->strict = o->strict;
    s->bad = ebm_alloc((size_t)s->count, sizeof *s->bad);
    if (!s->bad)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for %lld flags",
                             (long long)s->count);
    return EBM_OK;
}

/* Decodes everything once; the files are then no longer needed. */
static ebm_status fill_cache(ebmt_stream *s, size_t total, ebmt_dataset *out, ebm_error *err)
{
    const size_t bytes = ebmt__frame_bytes(&s->frame);
    out->pixels = ebm_alloc(total, 1);
    if (!out->pixels)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for %zu bytes of images", total);
    ebm_status st = EBM_OK;
    for (int64_t i = 0; i < out->count && st == EBM_OK; i++)
        st = read_sample(s, i, out->pixels + (size_t)i * bytes, err);
    out->damaged = (int64_t)atomic_load(&s->n_bad);
    return st;
}

static void describe(ebmt_stream *s, ebmt_dataset *out)
{
    out->count = s->count;
    out->channels = s->frame.channels;
    out->height = s->frame.height;
    out->width = s->frame.width;
    out->ignored = s->source.ignored;
    out->labels = s->source.labels;
    s->source.labels = NULL;
    if (out->labels)
        memmove(out->labels, out->labels + s->first, (size_t)s->count);
}

ebm_status ebmt_dataset_open(const ebmt_data_options *options, ebmt_dataset *out, ebm_error *err)
{
    size_t total = 0;
    memset(out, 0, sizeof *out);
    ebm_status st = check_options(options, err);
    if (st != EBM_OK)
        return st;
    ebmt_stream *s = ebm_alloc(1, sizeof *s);
    if (!s)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for a data set");
    st = stream_open(options, s, err);
    if (st != EBM_OK) {
        stream_free(s);
        return st;
    }
    describe(s, out);
    out->stream = s;
    if (ebm_size_mul((size_t)out->count, ebmt__frame_bytes(&s->frame), &total) &&
        total <= options->cache_bytes) {
        st = fill_cache(s, total, out, err);
        stream_free(s);
        out->stream = NULL;
    }
    if (st != EBM_OK)
        ebmt_dataset_clear(out);
    return st;
}

ebm_status ebmt_dataset_open_whole(const ebmt_data_options *options, ebmt_dataset *out,
                                   ebm_error *err)
{
    ebm_status st = ebmt_dataset_open(options, out, err);
    if (st != EBM_OK || out->pixels)
        return st;
    const long long count = out->count;
    const int32_t w = out->width, h = out->height, c = out->channels;
    ebmt_dataset_clear(out);
    return ebm_error_set(err, EBM_ERR_LIMIT, options->path,
                         "%lld images of %dx%dx%d are over the %zu MiB of memory they may take",
                         count, w, h, c, options->cache_bytes >> 20);
}

void ebmt_dataset_clear(ebmt_dataset *data)
{
    stream_free(data->stream);
    ebm_free(data->pixels);
    ebm_free(data->labels);
    memset(data, 0, sizeof *data);
}

int64_t ebmt_dataset_damaged(const ebmt_dataset *data)
{
    return data->stream ? (int64_t)atomic_load(&data->stream->n_bad) : data->damaged;
}

/* --- samples as tensors -------------------------------------------------------------------- */

static void to_tensor(const ebmt_dataset *data, const uint8_t *pixel, int flip, float *x)
{
    const size_t w = (size_t)data->width;
    const size_t rows = (size_t)data->channels * (size_t)data->height;
    for (size_t row = 0; row < rows; row++, pixel += w, x += w) {
        for (size_t j = 0; j < w; j++)
            x[j] = (float)pixel[flip ? w - 1 - j : j] / 127.5f - 1.0f;
    }
}

ebm_status ebmt_dataset_get(const ebmt_dataset *data, int64_t index, int flip, float *x,
                            ebm_error *err)
{
    const size_t bytes = (size_t)data->channels * (size_t)data->height * (size_t)data->width;
    assert(index >= 0 && index < data->count);
    if (data->pixels) {
        to_tensor(data, data->pixels + (size_t)index * bytes, flip, x);
        return EBM_OK;
    }
    uint8_t *pixel = ebm_alloc(bytes, 1);
    if (!pixel)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for an image");
    ebm_status st = read_sample(data->stream, index, pixel, err);
    if (st == EBM_OK)
        to_tensor(data, pixel, flip, x);
    ebm_free(pixel);
    return st;
}
