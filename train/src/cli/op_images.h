/* The images that energy and likelihood are asked about: one PNG file, or a data set.
 * Knows files and shapes; has never heard of scores. */
#ifndef EBMT_CLI_OP_IMAGES_H
#define EBMT_CLI_OP_IMAGES_H

#include "cli/op_run.h"
#include "ebmt/data.h"

typedef struct ebmt__op_images {
    ebmt_dataset data; /* or, when it is empty, */
    float *one;        /* [dim] a single picture */
    int64_t count, of; /* of > 0: they are spread evenly over so many */
    size_t dim;
    const char *part; /* of the data, static; NULL: they have none */
} ebmt__op_images;

/* The flag that says which part, as a row of a command's own. */
#define EBMT_OP_PART_ROW                                                                           \
    {                                                                                              \
        "--part", EBMT_OPT_CHOICE, offsetof(ebmt__op_args, part), 0, 0, "train|test", "",          \
            "of data that have parts, the one that is taken", false                                \
    }

/* Which ones of the data. */
typedef struct ebmt__op_pick {
    int64_t first;  /* so many from the beginning; 0: */
    int64_t spread; /* so many, evenly spread over all; 0: all */
} ebmt__op_pick;

/* Opens what a flag names, for models of the run's shape, with the rule of --fit, of data that have
 * parts the one of --part. @own ebmt__op_images_clear()
 * @err those of ebmt_dataset_open(), SHAPE, ARG (--part was given, and there are none) */
EBM_MUST_CHECK ebm_status ebmt__op_images_open(const ebmt__op_run *run, const char *flag,
                                               const char *path, ebmt__op_pick pick,
                                               ebmt__op_images *out, ebm_error *err);
void ebmt__op_images_clear(ebmt__op_images *images);

/* @shape x [dim] @thread any number at the same time */
EBM_MUST_CHECK ebm_status ebmt__op_images_get(const ebmt__op_images *images, int64_t index,
                                              float *x, ebm_error *err);

/* Prints ,"part":"NAME" inside an object; nothing if there are no parts. */
void ebmt__op_print_part(const ebmt__op_images *images);

#endif
