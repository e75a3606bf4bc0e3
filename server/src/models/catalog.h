/* Which models are served now. Changing them replaces the set as a whole: who has taken the old one
 * goes on with it, and it is freed soon after the last one lets go. A change that fails changes
 * nothing. Knows sets of models and their directory; not who asks for a change, nor jobs.
 * @thread every call from any thread; changes follow one another */
#ifndef EBMD_CATALOG_H
#define EBMD_CATALOG_H

#include "models/engine.h"

typedef struct ebmd_catalog ebmd_catalog;

/* Opens all models of a directory. @own ebmd_catalog_close(); dir is copied, *kernels must outlive
 * it @err as ebmd_engine_open() */
EBM_MUST_CHECK ebm_status ebmd_catalog_open(const char *dir, const ebm_kernels *kernels,
                                            ebmd_catalog **out, ebm_error *err);
void ebmd_catalog_close(ebmd_catalog *c); /* NULL allowed */

/* The set that is served now, for as long as one asks of it. @own ebmd_engine_unref() */
ebmd_engine *ebmd_catalog_take(ebmd_catalog *c);
/* True while this very model is in the set that is served; also for NULL, which nobody replaces. */
bool ebmd_catalog_serves(ebmd_catalog *c, const ebm_model *model);

/* Reads one model's directory, whether it is served already or not, and serves it.
 * @err NOT_FOUND: no such directory, nor is the model served; LIMIT; NOMEM; else what is wrong with
 *      it, FORMAT if it has gone */
EBM_MUST_CHECK ebm_status ebmd_catalog_load(ebmd_catalog *c, const char *id, ebm_error *err);
/* Serves a model no more. @err NOT_FOUND: it is not served; BAD_STATE: it is the last one; NOMEM */
EBM_MUST_CHECK ebm_status ebmd_catalog_unload(ebmd_catalog *c, const char *id, ebm_error *err);

/* Lets go of replaced and unloaded models that nobody works with any more, and counts those that
 * somebody does. @note of the 64 last ones; call often */
size_t ebmd_catalog_prune(ebmd_catalog *c);

/* Told of each model that is new or was read again, and of each that could not be (*err says why,
 * id is "" for the directory as a whole). */
typedef void (*ebmd_catalog_report)(void *arg, const char *id, const ebm_error *err);
/* Reads those models of the directory whose files are new or have changed. What is served and has
 * gone from the directory stays. */
void ebmd_catalog_refresh(ebmd_catalog *c, ebmd_catalog_report report, void *arg);

#endif
