/* What every format looks like to the data set: so many images, read by number. One driver per
 * format fills this in. Knows files; has never heard of tensors, batches or networks. */
#ifndef EBMT_DATA_SOURCE_H
#define EBMT_DATA_SOURCE_H

#include "ebm/io.h"
#include "ebmt/data.h"

typedef struct ebmt__source {
    int64_t count;
    int32_t channels, height, width; /* of all images, 0: they differ */
    int64_t ignored;                 /* entries that are no images */
    uint8_t *labels;                 /* [count] or NULL, ebm_free(): the data set takes them */
    void *self;
    /* Reads image i, 0..count-1. @own image->pixels: ebm_free()
     * @thread any number at the same time
     * @err FORMAT, LIMIT, SHAPE: this image is damaged; all others end the run. err->where names
     *      the file */
    ebm_status (*read)(void *self, int64_t i, ebm_image *image, ebm_error *err);
    void (*close)(void *self);
} ebmt__source;

/* Most images of one source: the order of samples counts with 31 bits. */
#define EBMT_SOURCE_MAX_COUNT ((int64_t)INT32_MAX)

/* The drivers. Each opens path (a directory or a file) and fills a zeroed source, or leaves it
 * closed. `split` is TRAIN for formats that have no parts.
 * @own out: ebmt__source_close() */
typedef ebm_status ebmt__source_opener(const char *path, ebmt_split split, ebmt__source *out,
                                       ebm_error *err);
EBM_MUST_CHECK ebmt__source_opener ebmt__idx_open;
EBM_MUST_CHECK ebmt__source_opener ebmt__cifar_open;
EBM_MUST_CHECK ebmt__source_opener ebmt__folder_open;
EBM_MUST_CHECK ebmt__source_opener ebmt__lmdb_open;
EBM_MUST_CHECK ebmt__source_opener ebmt__npy_open;
EBM_MUST_CHECK ebmt__source_opener ebmt__cbdt_open;

/* True if a folder of images has parts: train/ or test/. */
bool ebmt__folder_has_parts(const char *path);

/* Opens the format asked for, or finds out which one it is: by the names in a directory, by the
 * first bytes of a file. @err as ebmt_dataset_open() */
EBM_MUST_CHECK ebm_status ebmt__source_open(const ebmt_data_options *options, ebmt__source *out,
                                            ebm_error *err);
void ebmt__source_close(ebmt__source *source); /* safe on a zeroed struct */

/* Copies an error that a parser left without a place, naming DIR/NAME (dir may be NULL). */
ebm_status ebmt__name_file(ebm_status st, const ebm_error *inner, const char *dir, const char *name,
                           ebm_error *err);

#endif
