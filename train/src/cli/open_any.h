/* Opens what a command is pointed at: a model directory, or a golden directory with reference
 * numbers. Knows files and models; of flags their names, for errors. */
#ifndef EBMT_CLI_OPEN_ANY_H
#define EBMT_CLI_OPEN_ANY_H

#include <stdbool.h>

#include "ebm/calibration.h"
#include "ebm/kernels.h"
#include "ebm/model.h"
#include "ebm/status.h"

/* Opens DIR as a model directory if it holds model.json, else as a golden directory with
 * config.json and model.safetensors.
 * @own *out: ebm_model_unref()
 * @err as ebm_model_open() */
EBM_MUST_CHECK ebm_status ebmt__open_any(const char *dir, const ebm_kernels *kernels,
                                         ebm_model **out, ebm_error *err);

/* As above, golden directories only. */
EBM_MUST_CHECK ebm_status ebmt__open_golden(const char *dir, const ebm_kernels *kernels,
                                            ebm_model **out, ebm_error *err);

/* Opens the model directory that a flag names, or the command's argument if flag is NULL.
 * @own *out: ebm_model_unref()
 * @err as ebm_model_open(), by ebmt__cli_blame() */
EBM_MUST_CHECK ebm_status ebmt__open_model(const char *flag, const char *dir,
                                           const ebm_kernels *kernels, ebm_model **out,
                                           ebm_error *err);

/* Reads the calibration beside a model, if there is one: else *out is left alone.
 * @own *out: ebm_calibration_clear()
 * @err as ebm_calibration_read() but for NOT_FOUND, by ebmt__cli_blame() */
EBM_MUST_CHECK ebm_status ebmt__open_calibration(const char *flag, const char *dir,
                                                 const ebm_calibrated *of, ebm_calibration *out,
                                                 ebm_error *err);

/* Whether DIR holds a model.json; one that cannot be read is one, too. */
bool ebmt__holds_model(const char *dir);

/* The last component of a path if it is a valid model id, else NULL.
 * @shape id [EBM_MODEL_ID_MAX+1], filled with it */
const char *ebmt__id_of_path(const char *path, char *id);

#endif
