/* The flags that say how images are read from data, as every command with --data has them.
 * Knows flags; has never heard of what a command does with the images. */
#ifndef EBMT_CLI_DATA_ARGS_H
#define EBMT_CLI_DATA_ARGS_H

#include "cli/option_table.h"
#include "ebmt/data.h"

/* What the flags fill in; options.path is for the command's own row of --data. */
typedef struct ebmt__data_args {
    ebmt_data_options options;
    int32_t format, crop, channels; /* CHOICE */
    int64_t cache_mib;
} ebmt__data_args;

/* Rows of a table, for an ebmt__data_args at offset `at` of the command's struct. */
#define EBMT_DATA_AT(at, member) ((at) + offsetof(ebmt__data_args, member))
/* clang-format off */
#define EBMT_DATA_ROWS(at)                                                                         \
    {"--data-format", EBMT_OPT_CHOICE, EBMT_DATA_AT(at, format), 0, 0,                             \
     "auto|idx|cifar10|images|lmdb|npy|cbdt", "", "what --data holds; auto looks", false},         \
    {"--image-size", EBMT_OPT_INT, EBMT_DATA_AT(at, options.image_size), 0, EBMT_DATA_MAX_SIDE,    \
     NULL, "pixels", "width and height that images are brought to; 0: as they are", false},        \
    {"--channels", EBMT_OPT_CHOICE, EBMT_DATA_AT(at, channels), 0, 0, "auto|gray|rgb", "",         \
     "what images are converted to; auto: as they are", false},                                    \
    {"--crop", EBMT_OPT_CHOICE, EBMT_DATA_AT(at, crop), 0, 0, "center|none|celeba", "",            \
     "what is kept before resizing; celeba: 178x218 without 20 rows at top and bottom", false},    \
    {"--held-out", EBMT_OPT_INT64, EBMT_DATA_AT(at, options.held_out), 0, INT32_MAX, NULL,         \
     "images", "the last so many training images are test images instead; 0: those that the "      \
     "data have", false},                                                                          \
    {"--strict", EBMT_OPT_FLAG, EBMT_DATA_AT(at, options.strict), 0, 0, NULL, "",                  \
     "a damaged image is an error, not replaced by the next", false},                              \
    {"--cache-mib", EBMT_OPT_INT64, EBMT_DATA_AT(at, cache_mib), 0, 1 << 20, NULL, "MiB",          \
     "most memory for the images of a set: a larger one is read on demand by `ebm train`, with "   \
     "the same result, and refused by other commands", false}
/* clang-format on */

/* Images as they are, in memory up to EBMT_DATA_CACHE_DEFAULT. */
ebmt__data_args ebmt__data_args_default(void);
/* What the flags mean. @own borrows the path */
ebmt_data_options ebmt__data_options_of(const ebmt__data_args *args);

#endif
