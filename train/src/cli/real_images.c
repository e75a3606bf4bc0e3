/* See real_images.h. */
#include "cli/real_images.h"

#include <stdio.h>

static void tell(const char *path, const ebmt_dataset *data)
{
    if (data->damaged > 0 || data->ignored > 0)
        (void)fprintf(stderr, "%s: %lld damaged images replaced, %lld other entries ignored\n",
                      path, (long long)data->damaged, (long long)data->ignored);
}

static ebm_status open_whole(const ebmt_data_options *options, ebmt_dataset *out, ebm_error *err)
{
    ebm_status st = ebmt_dataset_open_whole(options, out, err);
    if (st == EBM_OK)
        tell(options->path, out);
    return st;
}

static ebm_status pass_on(ebm_status st, const ebm_error *inner, ebm_error *err)
{
    if (st != EBM_OK && err && err->status == EBM_OK)
        *err = *inner;
    return st;
}

/* The test part of another set, or all of it if it has none. */
static ebm_status open_other(ebmt_data_options options, ebmt_dataset *out, ebm_error *err)
{
    ebm_error inner = {0};
    options.format = EBMT_FORMAT_AUTO;
    options.held_out = 0;
    options.split = EBMT_TEST;
    ebm_status st = open_whole(&options, out, &inner);
    if (st != EBM_ERR_NOT_FOUND)
        return pass_on(st, &inner, err);
    options.split = EBMT_TRAIN;
    return open_whole(&options, out, err);
}

ebm_status ebmt__real_train(const ebmt__real_args *args, ebmt_dataset *out, ebm_error *err)
{
    const ebmt_data_options options = ebmt__data_options_of(&args->data);
    return open_whole(&options, out, err);
}

/* A path that is not there is another mistake than a part that is not there. */
static ebm_status open_own(ebmt_data_options options, ebmt_dataset *out, ebm_error *err)
{
    ebmt_format format;
    ebm_error inner = {0};
    ebm_status st = ebmt_data_format(&options, &format, err);
    if (st != EBM_OK)
        return st;
    options.split = EBMT_TEST;
    st = open_whole(&options, out, &inner);
    if (st != EBM_ERR_NOT_FOUND)
        return pass_on(st, &inner, err);
    return ebm_error_set(err, st, inner.where,
                         "%.80s; give --test-data, or --held-out N for the last N images",
                         inner.text);
}

ebm_status ebmt__real_test(const ebmt__real_args *args, ebmt_dataset *out, ebm_error *err)
{
    ebmt_data_options options = ebmt__data_options_of(&args->data);
    if (!args->test_data)
        return open_own(options, out, err);
    options.path = args->test_data;
    return open_other(options, out, err);
}

ebm_status ebmt__real_foreign(const ebmt__real_args *args, const char *path,
                              const ebmt_dataset *like, ebmt_dataset *out, ebm_error *err)
{
    ebmt_data_options options = ebmt__data_options_of(&args->data);
    ebm_error inner = {0};
    options.path = path;
    if (options.crop == EBMT_CROP_CELEBA)
        options.crop = EBMT_CROP_CENTER;
    ebm_status st = open_other(options, out, &inner);
    if (st != EBM_ERR_ARG || like->width != like->height)
        return pass_on(st, &inner, err);
    options.image_size = like->width;
    options.channels = like->channels;
    return open_other(options, out, err);
}

void ebmt__real_test_from(const ebmt__real_args *args, char *text, size_t size)
{
    if (args->test_data)
        (void)snprintf(text, size, "%s", args->test_data);
    else if (args->data.options.held_out > 0)
        (void)snprintf(text, size, "the last %lld of the training images, held out",
                       (long long)args->data.options.held_out);
    else
        (void)snprintf(text, size, "the test part of the data");
}
