/* See train_data.h. */
#include "cli/train_data.h"

#include <stdio.h>
#include <string.h>

#include "ebmt/toy2d.h"

/* The data of toys are not part of a run's randomness: --seed leaves them alone. */
#define TOY_PREFIX   "toy:"
#define TOY_BESIDE   15 /* points of an image: with the padding of a row, one vector of 16 */
#define TOY_IMAGES   100000
#define TOY_HELD_OUT 1000
#define TOY_SEED     1

bool ebmt__train_data_is_toy(const char *path)
{
    return strncmp(path, TOY_PREFIX, strlen(TOY_PREFIX)) == 0;
}

/* "toy:NAME": points of a known density, as many as anyone needs to learn it. */
static ebm_status draw_points(const ebmt_data_options *options, ebmt_train_data *out,
                              ebm_error *err)
{
    const char *name = options->path + strlen(TOY_PREFIX);
    ebmt_toy toy;
    if (options->held_out > 0)
        return ebm_error_set(err, EBM_ERR_ARG, "--held-out",
                             "points have held-out ones of their own");
    ebm_status st = ebmt_toy_find(name, &toy, err);
    if (st == EBM_OK)
        st = ebmt_toy_dataset(toy, TOY_IMAGES, TOY_BESIDE, TOY_SEED, &out->train, err);
    if (st == EBM_OK)
        st = ebmt_toy_dataset(toy, TOY_HELD_OUT, TOY_BESIDE, TOY_SEED + 1, &out->held_out, err);
    return st;
}

ebm_status ebmt__train_data_open(const ebmt_data_options *options, bool held_out,
                                 ebmt_train_data *out, ebm_error *err)
{
    if (ebmt__train_data_is_toy(options->path))
        return draw_points(options, out, err);
    ebm_error none = {0};
    ebmt_data_options test = *options;
    ebm_status st = ebmt_dataset_open(options, &out->train, err);
    if (st != EBM_OK || !held_out)
        return st;
    test.split = EBMT_TEST;
    st = ebmt_dataset_open(&test, &out->held_out, &none);
    if (st != EBM_OK && st != EBM_ERR_NOT_FOUND)
        return ebm_error_set(err, st, none.where, "held-out images: %.150s", none.text);
    return EBM_OK;
}

void ebmt__train_data_clear(ebmt_train_data *data)
{
    ebmt_dataset_clear(&data->train);
    ebmt_dataset_clear(&data->held_out);
}

static void tell(const char *what, const ebmt_dataset *data)
{
    if (data->count == 0)
        return;
    fprintf(stderr, "%s: %lld images of %dx%dx%d, %s", what, (long long)data->count, data->channels,
            data->height, data->width, data->stream ? "read on demand" : "in memory");
    if (!data->stream)
        fprintf(stderr, ", %lld damaged", (long long)ebmt_dataset_damaged(data));
    fprintf(stderr, ", %lld other entries ignored\n", (long long)data->ignored);
}

void ebmt__train_data_tell(const ebmt_train_data *images)
{
    tell("data", &images->train);
    tell("held-out", &images->held_out);
}

/* How many there are of a set read on demand is known at the end. */
static void tell_damage(const char *what, const ebmt_dataset *data)
{
    if (data->stream && ebmt_dataset_damaged(data) > 0)
        fprintf(stderr, "%s: %lld damaged images met and replaced\n", what,
                (long long)ebmt_dataset_damaged(data));
}

void ebmt__train_data_tell_damage(const ebmt_train_data *images)
{
    tell_damage("data", &images->train);
    tell_damage("held-out", &images->held_out);
}
