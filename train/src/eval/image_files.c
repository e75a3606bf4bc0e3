/* Sets of images in files: .npy of bytes, and directories of PNG. What is read is hostile until
 * checked. Has never heard of models or classifiers. */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ebm/io.h"
#include "ebm/memory.h"
#include "ebmt/eval.h"
#include "eval/image_sets.h"

#define NPY_PREFIX 10 /* magic, version, length of the header */
#define MAX_SIDE   1024
#define MAX_FILES  1000000

/* --- .npy, written ------------------------------------------------------------------------- */

/* Version 1.0: the header is a Python dict, padded with spaces so that the data starts at a
 * multiple of 64 (NumPy's NEP 1). Returns the bytes before the data. @shape head [256] */
static size_t npy_header(const ebmt_dataset *set, unsigned char *head)
{
    char shape[96], *dict = (char *)head + NPY_PREFIX;
    if (set->channels == 1)
        (void)snprintf(shape, sizeof shape, "(%lld, %d, %d)", (long long)set->count, set->height,
                       set->width);
    else
        (void)snprintf(shape, sizeof shape, "(%lld, %d, %d, %d)", (long long)set->count,
                       set->height, set->width, set->channels);
    memset(head, ' ', 256);
    int n = snprintf(dict, 256 - NPY_PREFIX,
                     "{'descr': '|u1', 'fortran_order': False, 'shape': %s, }", shape);
    size_t total = (NPY_PREFIX + (size_t)n + 1 + 63) / 64 * 64;
    dict[n] = ' ';
    head[total - 1] = '\n';
    memcpy(head, "\x93NUMPY\x01\x00", 8);
    head[8] = (unsigned char)((total - NPY_PREFIX) & 255);
    head[9] = (unsigned char)((total - NPY_PREFIX) >> 8);
    return total;
}

ebm_status ebmt_images_write_npy(const char *path, const ebmt_dataset *images, ebm_error *err)
{
    unsigned char head[256];
    size_t header = npy_header(images, head), image = ebmt__image_bytes(images), total;
    if (!ebm_size_mul((size_t)images->count, image, &total) ||
        !ebm_size_add(total, header, &total) || total > EBMT_NPY_MAX_BYTES)
        return ebm_error_set(err, EBM_ERR_LIMIT, path, "too many images for a file");
    unsigned char *file = ebm_alloc(total, 1);
    if (!file)
        return ebm_error_set(err, EBM_ERR_NOMEM, path, "no memory for %zu bytes", total);
    memcpy(file, head, header);
    for (int64_t i = 0; i < images->count; i++)
        ebmt__image_to_hwc(images, i, file + header + (size_t)i * image);
    ebm_status st = ebm_file_write(path, file, total, err);
    ebm_free(file);
    return st;
}

/* --- .npy, read ---------------------------------------------------------------------------- */

static ebm_status bad_npy(const char *path, const char *rule, ebm_error *err)
{
    return ebm_error_set(err, EBM_ERR_FORMAT, path, "%s", rule);
}

/* Reads "(n, h, w)" or "(n, h, w, c)". Returns how many numbers there are, 0 for anything else. */
static int parse_shape(const char *at, int64_t dim[4])
{
    int n = 0;
    if (*at != '(')
        return 0;
    for (at++; n < 4; n++) {
        char *end;
        errno = 0;
        long long value = strtoll(at, &end, 10);
        if (errno != 0 || end == at || value < 1 || value > INT32_MAX)
            return 0;
        dim[n] = value;
        at = end + strspn(end, " ");
        if (*at == ')')
            return n + 1;
        if (*at != ',')
            return 0;
        at += 1 + strspn(at + 1, " ");
    }
    return 0;
}

/* @shape dict: the header's text, terminated */
static ebm_status parse_dict(const char *path, const char *dict, ebmt_dataset *like, ebm_error *err)
{
    int64_t dim[4] = {0, 0, 0, 1};
    const char *shape = strstr(dict, "'shape': ");
    if (!strstr(dict, "'descr': '|u1'"))
        return bad_npy(path, "the values must be unsigned bytes (|u1)", err);
    if (!strstr(dict, "'fortran_order': False"))
        return bad_npy(path, "the order must be C's", err);
    int rank = shape ? parse_shape(shape + strlen("'shape': "), dim) : 0;
    if (rank < 3)
        return bad_npy(path, "the shape must be (n, H, W) or (n, H, W, C)", err);
    if (dim[1] > MAX_SIDE || dim[2] > MAX_SIDE || dim[3] > 4)
        return ebm_error_set(err, EBM_ERR_LIMIT, path, "images over %d pixels or 4 channels",
                             MAX_SIDE);
    *like = (ebmt_dataset){.count = dim[0],
                           .height = (int32_t)dim[1],
                           .width = (int32_t)dim[2],
                           .channels = (int32_t)dim[3]};
    return EBM_OK;
}

static ebm_status parse_header(const char *path, const unsigned char *data, size_t size,
                               ebmt_dataset *like, size_t *header, ebm_error *err)
{
    char dict[1024];
    if (size < NPY_PREFIX || memcmp(data, "\x93NUMPY\x01\x00", 8) != 0)
        return bad_npy(path, "not a .npy file of version 1.0", err);
    size_t n = (size_t)data[8] | (size_t)data[9] << 8;
    if (n >= sizeof dict || NPY_PREFIX + n > size || memchr(data + NPY_PREFIX, 0, n))
        return bad_npy(path, "the header is damaged", err);
    memcpy(dict, data + NPY_PREFIX, n);
    dict[n] = '\0';
    *header = NPY_PREFIX + n;
    return parse_dict(path, dict, like, err);
}

static ebm_status parse_npy(const char *path, const unsigned char *data, size_t size,
                            ebmt_dataset *out, ebm_error *err)
{
    ebmt_dataset like = {0};
    size_t header = 0, total;
    ebm_status st = parse_header(path, data, size, &like, &header, err);
    if (st != EBM_OK)
        return st;
    size_t image = ebmt__image_bytes(&like);
    if (!ebm_size_mul((size_t)like.count, image, &total) || total != size - header)
        return bad_npy(path, "the shape does not fit the file's size", err);
    st = ebmt__images_init(&like, like.count, out, err);
    for (int64_t i = 0; i < like.count && st == EBM_OK; i++)
        ebmt__image_from_hwc(data + header + (size_t)i * image, out, i);
    return st;
}

static ebm_status read_npy(const char *path, ebmt_dataset *out, ebm_error *err)
{
    unsigned char *data = NULL;
    size_t size = 0;
    ebm_status st = ebm_file_read(NULL, path, EBMT_NPY_MAX_BYTES, &data, &size, err);
    if (st == EBM_OK)
        st = parse_npy(path, data, size, out, err);
    ebm_free(data);
    return st;
}

/* --- a directory of PNG -------------------------------------------------------------------- */

static int is_png(const struct dirent *entry)
{
    size_t n = strlen(entry->d_name);
    return n > 4 && entry->d_name[0] != '.' && strcmp(entry->d_name + n - 4, ".png") == 0;
}

static ebm_status add_png(const char *dir, const char *name, int64_t index, int64_t count,
                          ebmt_dataset *out, ebm_error *err)
{
    unsigned char *data = NULL;
    size_t size = 0;
    ebm_image image = {0};
    ebm_error inner = {0};
    ebm_status st = ebm_file_read(dir, name, EBM_PNG_MAX_BYTES, &data, &size, &inner);
    if (st == EBM_OK)
        st = ebm_png_decode(data, size, &image, &inner);
    const ebmt_dataset like = {
        .channels = image.channels, .height = image.height, .width = image.width};
    if (st == EBM_OK && index == 0)
        st = ebmt__images_init(&like, count, out, &inner);
    if (st == EBM_OK &&
        (like.channels != out->channels || like.height != out->height || like.width != out->width))
        st = ebm_error_set(&inner, EBM_ERR_SHAPE, name, "another size than the first image's");
    if (st == EBM_OK)
        ebmt__image_from_hwc(image.pixels, out, index);
    ebm_free(image.pixels);
    ebm_free(data);
    return st == EBM_OK ? EBM_OK : ebm_error_set(err, st, name, "%s", inner.text);
}

static ebm_status read_pngs(const char *dir, ebmt_dataset *out, ebm_error *err)
{
    struct dirent **names = NULL;
    int n = scandir(dir, &names, is_png, alphasort);
    ebm_status st = EBM_OK;
    if (n < 0)
        return ebm_error_set(err, EBM_ERR_IO, dir, "%s", strerror(errno));
    if (n == 0)
        st = ebm_error_set(err, EBM_ERR_NOT_FOUND, dir, "holds no *.png");
    if (n > MAX_FILES)
        st = ebm_error_set(err, EBM_ERR_LIMIT, dir, "over %d files", MAX_FILES);
    for (int i = 0; i < n && st == EBM_OK; i++)
        st = add_png(dir, names[i]->d_name, i, n, out, err);
    for (int i = 0; i < n; i++)
        free(names[i]);
    free(names);
    return st;
}

ebm_status ebmt_images_read(const char *path, ebmt_dataset *out, ebm_error *err)
{
    struct stat what;
    memset(out, 0, sizeof *out);
    if (stat(path, &what) != 0)
        return ebm_error_set(err, errno == ENOENT ? EBM_ERR_NOT_FOUND : EBM_ERR_IO, path, "%s",
                             strerror(errno));
    ebm_status st = S_ISDIR(what.st_mode) ? read_pngs(path, out, err) : read_npy(path, out, err);
    if (st != EBM_OK)
        ebmt_dataset_clear(out);
    return st;
}
