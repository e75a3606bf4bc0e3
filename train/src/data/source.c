/* The table of formats and how to tell them apart. See source.h. */
#include "data/source.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "data/input.h"
#include "ebm/memory.h"

typedef struct format_row {
    const char *name;
    ebmt__source_opener *open;
    bool parts;  /* has a training and a test part */
    bool labels; /* images may have them */
} format_row;

static const format_row formats[] = {
    [EBMT_FORMAT_AUTO] = {"auto", NULL, true, true},
    [EBMT_FORMAT_IDX] = {"idx", ebmt__idx_open, true, true},
    [EBMT_FORMAT_CIFAR10] = {"cifar10", ebmt__cifar_open, true, true},
    [EBMT_FORMAT_IMAGES] = {"images", ebmt__folder_open, true, false},
    [EBMT_FORMAT_LMDB] = {"lmdb", ebmt__lmdb_open, false, false},
    [EBMT_FORMAT_NPY] = {"npy", ebmt__npy_open, false, false},
    [EBMT_FORMAT_CBDT] = {"cbdt", ebmt__cbdt_open, false, false},
};
#define N_FORMATS (sizeof formats / sizeof formats[0])

/* A directory with one of these names in it is of that format; any other holds images. */
static const struct {
    const char *name;
    ebmt_format format;
} marks[] = {
    {"train-images-idx3-ubyte", EBMT_FORMAT_IDX},
    {"train-images-idx3-ubyte.gz", EBMT_FORMAT_IDX},
    {"t10k-images-idx3-ubyte", EBMT_FORMAT_IDX},
    {"t10k-images-idx3-ubyte.gz", EBMT_FORMAT_IDX},
    {"data_batch_1.bin", EBMT_FORMAT_CIFAR10},
    {"test_batch.bin", EBMT_FORMAT_CIFAR10},
    {"data.mdb", EBMT_FORMAT_LMDB},
};

const char *ebmt_format_name(ebmt_format format)
{
    return (size_t)format < N_FORMATS ? formats[format].name : NULL;
}

bool ebmt_format_labelled(ebmt_format format)
{
    return formats[format].labels;
}

ebm_status ebmt__name_file(ebm_status st, const ebm_error *inner, const char *dir, const char *name,
                           ebm_error *err)
{
    char where[sizeof inner->where];
    if (st == EBM_OK)
        return st;
    (void)snprintf(where, sizeof where, "%s%s%s", dir ? dir : "", dir ? "/" : "", name);
    if (err && err->status == EBM_OK)
        err->index = inner->index;
    return ebm_error_set(err, st, where, "%s", inner->text);
}

static ebmt_format format_of_directory(const char *path)
{
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        if (ebmt__input_exists(path, marks[i].name))
            return marks[i].format;
    }
    return EBMT_FORMAT_IMAGES;
}

static ebm_status format_of_file(const char *path, ebmt_format *out, ebm_error *err)
{
    ebmt__input in;
    unsigned char head[6];
    ebm_status st = ebmt__input_open(NULL, path, &in, err);
    if (st != EBM_OK)
        return st;
    st = in.size < sizeof head ? EBM_ERR_FORMAT
                               : ebmt__input_read(&in, path, 0, head, sizeof head, err);
    if (st == EBM_OK && memcmp(head, "\x93NUMPY", 6) == 0)
        *out = EBMT_FORMAT_NPY;
    else if (st == EBM_OK && memcmp(head, "\0\1\0\0", 4) == 0)
        *out = EBMT_FORMAT_CBDT;
    else if (st == EBM_OK || st == EBM_ERR_FORMAT)
        st = ebm_error_set(err, EBM_ERR_FORMAT, path, "neither a NumPy array nor a TrueType font");
    ebmt__input_close(&in);
    return st;
}

static ebm_status detect(const char *path, ebmt_format *out, ebm_error *err)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return ebm_error_set(err, EBM_ERR_NOT_FOUND, path, "no such file or directory");
    if (!S_ISDIR(info.st_mode))
        return format_of_file(path, out, err);
    *out = format_of_directory(path);
    return EBM_OK;
}

ebm_status ebmt_data_format(const ebmt_data_options *options, ebmt_format *out, ebm_error *err)
{
    *out = options->format;
    if ((size_t)*out >= N_FORMATS)
        return ebm_error_set(err, EBM_ERR_RANGE, "format", "no such format");
    return *out == EBMT_FORMAT_AUTO ? detect(options->path, out, err) : EBM_OK;
}

ebm_status ebmt_data_has_parts(const ebmt_data_options *options, bool *out, ebm_error *err)
{
    ebmt_format format;
    ebm_status st = ebmt_data_format(options, &format, err);
    *out = st == EBM_OK && formats[format].parts &&
           (format != EBMT_FORMAT_IMAGES || ebmt__folder_has_parts(options->path));
    return st;
}

ebm_status ebmt__source_open(const ebmt_data_options *options, ebmt__source *out, ebm_error *err)
{
    ebmt_format format;
    memset(out, 0, sizeof *out);
    ebm_status st = ebmt_data_format(options, &format, err);
    if (st != EBM_OK)
        return st;
    if (options->split != EBMT_TRAIN && !formats[format].parts)
        return ebm_error_set(err, EBM_ERR_NOT_FOUND, options->path,
                             "data of the format %s have no test part", formats[format].name);
    st = formats[format].open(options->path, options->split, out, err);
    if (st != EBM_OK)
        ebmt__source_close(out);
    return st;
}

void ebmt__source_close(ebmt__source *source)
{
    if (source->close)
        source->close(source->self);
    ebm_free(source->labels);
    memset(source, 0, sizeof *source);
}
