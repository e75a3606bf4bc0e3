/* The models this daemon serves, read from one directory at start and held until the end.
 * Knows ids and directories; not what is asked of a model. */
#ifndef EBMD_ENGINE_H
#define EBMD_ENGINE_H

#include <stdbool.h>
#include <stddef.h>

#include "ebm/calibration.h"
#include "ebm/model.h"

#define EBMD_MODELS_MAX 64

typedef struct ebmd_engine ebmd_engine;

/* Opens every sub-directory of dir that has a model.json; its name must be the model's id.
 * @own ebmd_engine_close()
 * @err NOT_FOUND: no such directory, or no model in it; else what ebm_model_open() says, with
 *      the model's directory at the start of err->where */
EBM_MUST_CHECK ebm_status ebmd_engine_open(const char *dir, const ebm_kernels *kernels,
                                           ebmd_engine **out, ebm_error *err);
void ebmd_engine_close(ebmd_engine *e); /* NULL allowed */

/* Models are ordered by id; number 0 is the default. */
size_t ebmd_engine_count(const ebmd_engine *e);
/* @own borrowed: take a reference to keep it */
ebm_model *ebmd_engine_at(const ebmd_engine *e, size_t i);
/* The calibration beside model i, or NULL. @own the engine's */
const ebm_calibration *ebmd_engine_calibration(const ebmd_engine *e, size_t i);
/* Finds a model by id; NULL is the default. @err false: there is none */
bool ebmd_engine_find(const ebmd_engine *e, const char *id, size_t *index);

#endif
