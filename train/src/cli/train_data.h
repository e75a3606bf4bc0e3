/* The data of `ebm train`: files, or points of a known density, and what is told of them. */
#ifndef EBMT_CLI_TRAIN_DATA_H
#define EBMT_CLI_TRAIN_DATA_H

#include "ebmt/data.h"

/* Training images, and held-out ones if the data set has any and they are wanted. */
typedef struct ebmt_train_data {
    ebmt_dataset train, held_out;
} ebmt_train_data;

/* True if a path means points of a known density, toy:NAME, and no files. */
bool ebmt__train_data_is_toy(const char *path);

/* options->path may be toy:NAME. @own ebmt__train_data_clear(), also after an error
 * @err as ebmt_dataset_open() and ebmt_toy_find() */
EBM_MUST_CHECK ebm_status ebmt__train_data_open(const ebmt_data_options *options, bool held_out,
                                                ebmt_train_data *out, ebm_error *err);
void ebmt__train_data_clear(ebmt_train_data *data); /* safe on a zeroed struct */

/* A line for people on each of the two, on stderr, before a run; and after it, if there was damage.
 */
void ebmt__train_data_tell(const ebmt_train_data *images);
void ebmt__train_data_tell_damage(const ebmt_train_data *images);

#endif
