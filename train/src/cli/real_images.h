/* The real images of commands that compare with them or learn their classes: training and test
 * images of any kind of data, whole in memory. Knows data sets; has never heard of models. */
#ifndef EBMT_CLI_REAL_IMAGES_H
#define EBMT_CLI_REAL_IMAGES_H

#include "cli/data_args.h"

/* What the flags fill in, with a row of --data for data.options.path. */
typedef struct ebmt__real_args {
    ebmt__data_args data;
    const char *test_data; /* NULL: the test part of --data */
} ebmt__real_args;

#define EBMT_REAL_AT(at, member) ((at) + offsetof(ebmt__real_args, member))
/* Rows of a table, for an ebmt__real_args at offset `at` of the command's struct. */
/* clang-format off */
#define EBMT_REAL_ROWS(at)                                                                         \
    {"--test-data", EBMT_OPT_STRING, EBMT_REAL_AT(at, test_data), 0, 0, NULL, "PATH",              \
     "other data whose test part, or all of which, are the test images; absent: the test part "    \
     "of --data, see --held-out", false},                                                          \
    EBMT_DATA_ROWS(EBMT_REAL_AT(at, data))
/* clang-format on */

/* Opens the images that were trained on, and those that were not. What was damaged or ignored is
 * told on stderr.
 * @own *out: ebmt_dataset_clear()
 * @err as ebmt_dataset_open(), LIMIT when they take more than --cache-mib; NOT_FOUND also when
 *      there are no test images, with the flags that help */
EBM_MUST_CHECK ebm_status ebmt__real_train(const ebmt__real_args *args, ebmt_dataset *out,
                                           ebm_error *err);
EBM_MUST_CHECK ebm_status ebmt__real_test(const ebmt__real_args *args, ebmt_dataset *out,
                                          ebm_error *err);
/* Opens images that are none of these, cut and resized by the same flags, but for --crop celeba;
 * those without a common size are brought to that of `like`. @own, @err as above */
EBM_MUST_CHECK ebm_status ebmt__real_foreign(const ebmt__real_args *args, const char *path,
                                             const ebmt_dataset *like, ebmt_dataset *out,
                                             ebm_error *err);

/* Says in words where ebmt__real_test() takes its images. @shape text [size] */
void ebmt__real_test_from(const ebmt__real_args *args, char *text, size_t size);

#endif
