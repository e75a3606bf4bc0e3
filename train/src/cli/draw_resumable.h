/* Drawing many images with progress on stderr, and going on where an earlier call stopped.
 * Knows a model and one file; has never heard of what the images are for. */
#ifndef EBMT_CLI_DRAW_RESUMABLE_H
#define EBMT_CLI_DRAW_RESUMABLE_H

#include "ebmt/eval.h"

/* Draws what `how` says. With a file (.npy) the images go there piece by piece, and a file that an
 * earlier call with the same settings began is continued; `FILE.json` beside it holds the settings.
 * @own   *out: ebmt_dataset_clear()
 * @err   ARG (the file holds images of other settings), and those of ebmt_draw_images() and files
 */
EBM_MUST_CHECK ebm_status ebmt__draw_resumable(ebm_model *m, const ebmt_draw *how, ebmt_pool *pool,
                                               const char *file, ebmt_dataset *out, ebm_error *err);

#endif
