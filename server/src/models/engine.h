/* A set of models as it is served at one moment: immutable, reference-counted, ordered by id. What
 * changes is which set is the current one (catalog.h). Knows ids and directories; not what is asked
 * of a model. */
#ifndef EBMD_ENGINE_H
#define EBMD_ENGINE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ebm/calibration.h"
#include "ebm/model.h"

#define EBMD_MODELS_MAX  64
#define EBMD_SESSION_MAX ((size_t)4 << 30) /* bytes that a model may take in each worker */

typedef struct ebmd_engine ebmd_engine;

/* Which files a model was read from: equal stamps, equal files. */
typedef struct ebmd_stamp {
    int64_t field[15];
} ebmd_stamp;

/* The calibration beside a model, shared like it. */
typedef struct ebmd_standard {
    atomic_int refs;
    ebm_calibration calibration;
} ebmd_standard;

typedef struct ebmd_loaded {
    ebm_model *model;        /* one reference */
    ebmd_standard *standard; /* one reference; NULL: there is none */
    ebmd_stamp stamp;
} ebmd_loaded;

typedef struct ebmd_names {
    size_t n;
    char name[EBMD_MODELS_MAX][EBM_MODEL_ID_MAX + 1];
} ebmd_names;

/* --- directories -------------------------------------------------------------------------- */

/* Lists the sub-directories of dir that have a model.json, in order.
 * @err NOT_FOUND: no such directory, or no model in it; FORMAT: a name that is no model id; LIMIT
 */
EBM_MUST_CHECK ebm_status ebmd_engine_list(const char *dir, ebmd_names *out, ebm_error *err);
/* @range id: valid (ebm_model_id_valid()) @err false: dir has no such model */
bool ebmd_engine_stamp(const char *dir, const char *id, ebmd_stamp *out);
void ebmd_loaded_clear(ebmd_loaded *one); /* zeroed allowed */
/* Reads the model in dir/id with its calibration; its manifest must give that id.
 * @own ebmd_loaded_clear()
 * @err NOT_FOUND: no such model; LIMIT: over EBMD_SESSION_MAX; else what ebmm_model_open() says,
 * but FORMAT for a file that is missing; err->where begins with the model's directory */
EBM_MUST_CHECK ebm_status ebmd_engine_read(const char *dir, const char *id,
                                           const ebm_kernels *kernels, ebmd_loaded *out,
                                           ebm_error *err);

/* --- sets --------------------------------------------------------------------------------- */

/* Reads every model that ebmd_engine_list() finds.
 * @own one reference @err as ebmd_engine_list() and ebmd_engine_read() */
EBM_MUST_CHECK ebm_status ebmd_engine_open(const char *dir, const ebm_kernels *kernels,
                                           ebmd_engine **out, ebm_error *err);
/* The set with this model added, or in the place of the one that has its id.
 * @own *out: one reference; takes a reference on the model @err NOMEM, LIMIT: too many models */
EBM_MUST_CHECK ebm_status ebmd_engine_with(const ebmd_engine *e, const ebmd_loaded *one,
                                           ebmd_engine **out, ebm_error *err);
/* The set without number i. @own *out: one reference @err NOMEM */
EBM_MUST_CHECK ebm_status ebmd_engine_without(const ebmd_engine *e, size_t i, ebmd_engine **out,
                                              ebm_error *err);
ebmd_engine *ebmd_engine_ref(ebmd_engine *e); /* returns e; thread-safe */
void ebmd_engine_unref(ebmd_engine *e);       /* NULL allowed; thread-safe */

/* Models are ordered by id; number 0 is the default. */
size_t ebmd_engine_count(const ebmd_engine *e);
/* @own borrowed: take a reference to keep it */
ebm_model *ebmd_engine_at(const ebmd_engine *e, size_t i);
/* The calibration beside model i, or NULL. @own the engine's */
const ebm_calibration *ebmd_engine_calibration(const ebmd_engine *e, size_t i);
/* Finds a model by id; NULL is the default. @err false: there is none */
bool ebmd_engine_find(const ebmd_engine *e, const char *id, size_t *index);
/* True if number i was read from files with this stamp. */
bool ebmd_engine_is_from(const ebmd_engine *e, size_t i, const ebmd_stamp *stamp);

#endif
