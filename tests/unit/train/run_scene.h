/* Small training runs on images with a bar, for the tests of runs. Knows trainers; not what is
 * tested with them. */
#ifndef EBM_TEST_RUN_SCENE_H
#define EBM_TEST_RUN_SCENE_H

#include "ebmt/train.h"
#include "trainer.h"

enum { RUN_IMAGES = 40, RUN_SIDE = 8, RUN_DIM = RUN_SIDE * RUN_SIDE };

/* Fills pixels with small images with a bright bar that moves: enough to learn something from.
 * @shape pixels [RUN_IMAGES * RUN_DIM] @own the data set refers to pixels */
ebmt_dataset run_bars(uint8_t *pixels);

/* Eight iterations on six levels, of which three are the warm start. */
ebmt_config run_config(ebmt_objective objective);

/* A trainer with the kernels `blas`. @own ebmt__trainer_free() @err those of ebmt__trainer_create()
 */
ebm_status run_trainer(const ebmt_config *c, const ebmt_dataset *data, int32_t threads,
                       ebmt__trainer **out, ebm_error *err);

#endif
