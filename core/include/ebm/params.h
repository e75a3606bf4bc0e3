/* Parameters of operations with their bounds: one table for each operation, from which JSON
 * validation, command-line flags, help texts, model descriptions and receipts are made. */
#ifndef EBM_PARAMS_H
#define EBM_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ebm/status.h"

typedef enum ebm_param_type {
    EBM_PARAM_INT,    /* int64_t: min..max, whole */
    EBM_PARAM_SEED,   /* int64_t: 0..2^53-1; absent, null or -1: drawn and echoed */
    EBM_PARAM_REAL,   /* double: min..max, finite */
    EBM_PARAM_CHOICE, /* int32_t: index into `choices`, separated by '|' */
    EBM_PARAM_MODEL,  /* a model id */
    EBM_PARAM_BOOL,   /* bool, false when absent */
    EBM_PARAM_IMAGE,  /* const char *: how the caller names a picture; NULL when absent. A file of a
                         command, base64 or a part of a request; core only carries it */
    EBM_PARAM_OBJECT  /* a JSON object of the caller's, which only a server hands back */
} ebm_param_type;

typedef struct ebm_param {
    const char *name; /* JSON field; a point leads into an object: "until.ess". As a flag with '-'
                         for '_' and for '.' */
    ebm_param_type type;
    double min, max;
    double preset;       /* default of numbers; below min: absent and null mean what help says */
    const char *choices; /* CHOICE; the first one is the default */
    const char *unit;    /* "", "steps" ... */
    const char *help;
    size_t offset; /* of the value in ebm_op_params */
} ebm_param;

#define EBM_SEED_MAX 9007199254740991.0 /* 2^53-1: the largest whole number JavaScript keeps */

#define EBM_STEPS_PER_LEVEL_MAX 2000 /* that may be asked for; a model may have more of its own */

/* The values of all parameters of all operations; an operation uses those of its rows. What they
 * mean is said by the rows' help. */
typedef struct ebm_op_params {
    int64_t n, seed, first_index, steps_per_level, start_level;
    int64_t repeats, polish;                                    /* inpaint */
    int64_t chains, steps, warmup, thin, level, leapfrog, keep; /* mcmc */
    int64_t seed_b, frames;                                     /* interpolate */
    int64_t draws;                                              /* energy */
    int64_t particles, temperatures, paths, moves;              /* likelihood */
    double noise_scale, step_scale, until_ess, until_rhat, until_max_seconds;
    int32_t sampler, mask_mode, fit, init, method, compose, begin;
    bool mask_soft, ensemble, ladder, gradient, progressive;
    const char *image, *mask, *image_b;
} ebm_op_params;

typedef enum ebm_fit { EBM_FIT_EXACT, EBM_FIT_RESIZE, EBM_FIT_CROP } ebm_fit;
typedef enum ebm_mask_mode { EBM_MASK_WHITE, EBM_MASK_BLACK, EBM_MASK_ALPHA } ebm_mask_mode;
typedef enum ebm_init { EBM_INIT_NOISE, EBM_INIT_SAMPLES, EBM_INIT_IMAGE } ebm_init;
typedef enum ebm_method { EBM_METHOD_BOTH, EBM_METHOD_AIS, EBM_METHOD_RECOVERY } ebm_method;

typedef enum ebm_op_kind {
    EBM_OP_SAMPLE,
    EBM_OP_INPAINT,
    EBM_OP_MCMC,
    EBM_OP_INTERPOLATE,
    EBM_OP_ENERGY,
    EBM_OP_LIKELIHOOD
} ebm_op_kind;

typedef struct ebm_operation {
    ebm_op_kind kind;
    const char *name;    /* of the command and of the route */
    const char *summary; /* one line */
    const ebm_param *params;
    size_t n_params;
} ebm_operation;

/* The table of an operation. @range kind as declared */
EBM_API const ebm_operation *ebm_operation_of(ebm_op_kind kind);
/* The same by name, or NULL. */
EBM_API const ebm_operation *ebm_operation_find(const char *name);

/* Fills every value with its row's default; numbers without one become row->preset. */
EBM_API void ebm_op_params_default(const ebm_operation *op, ebm_op_params *out);
/* Checks every value against its row, and those that bound one another: steps against warmup and
 * thin, the length of traces, the last index. A number below its row's minimum that equals its
 * preset counts as absent. @err RANGE, ARG; err->where is the row's name */
EBM_API EBM_MUST_CHECK ebm_status ebm_op_params_check(const ebm_operation *op,
                                                      const ebm_op_params *params, ebm_error *err);
/* Number of a row as double: INT, SEED, REAL, CHOICE, BOOL; else 0. */
EBM_API double ebm_param_number(const ebm_param *row, const ebm_op_params *params);
/* Stores a number that ebm_param_check() has passed. IMAGE and MODEL rows are left alone. */
EBM_API void ebm_param_store(const ebm_param *row, double value, ebm_op_params *params);

/* Finds a row by name; NULL if there is none. */
EBM_API const ebm_param *ebm_param_find(const ebm_param *table, size_t n, const char *name);

/* Checks a number against a row. @err RANGE with the bounds in the text */
EBM_API EBM_MUST_CHECK ebm_status ebm_param_check(const ebm_param *row, double value,
                                                  ebm_error *err);

#endif
