/* Parameters of requests and commands with their bounds: one table, from which JSON validation,
 * command-line flags, help texts and model descriptions are made. */
#ifndef EBM_PARAMS_H
#define EBM_PARAMS_H

#include <stddef.h>
#include <stdint.h>

#include "ebm/status.h"

typedef enum ebm_param_type {
    EBM_PARAM_INT,    /* min..max, whole */
    EBM_PARAM_SEED,   /* 0..2^53-1; absent, null or -1: drawn and echoed */
    EBM_PARAM_REAL,   /* min..max, finite */
    EBM_PARAM_CHOICE, /* one of `choices`, separated by '|' */
    EBM_PARAM_MODEL   /* a model id */
} ebm_param_type;

typedef struct ebm_param {
    const char *name; /* JSON field; --flag with '-' for '_' */
    ebm_param_type type;
    double min, max;
    double preset;       /* default of numbers; below min: absent and null mean what help says */
    const char *choices; /* CHOICE; the first one is the default */
    const char *unit;    /* "", "steps" ... */
    const char *help;
} ebm_param;

#define EBM_SEED_MAX 9007199254740991.0 /* 2^53-1: the largest whole number JavaScript keeps */

/* The parameters of sampling, in the order in which help shows them; *n receives their number. */
EBM_API const ebm_param *ebm_sample_params(size_t *n);

/* Finds a row by name; NULL if there is none. */
EBM_API const ebm_param *ebm_param_find(const ebm_param *table, size_t n, const char *name);

/* Checks a number against a row. @err RANGE with the bounds in the text */
EBM_API EBM_MUST_CHECK ebm_status ebm_param_check(const ebm_param *row, double value,
                                                  ebm_error *err);

#endif
