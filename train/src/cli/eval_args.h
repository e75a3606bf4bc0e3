/* The flags of `ebm eval`, checked as far as a command line can be. Knows flags; opens nothing. */
#ifndef EBMT_CLI_EVAL_ARGS_H
#define EBMT_CLI_EVAL_ARGS_H

#include "cli/real_images.h"
#include "ebmt/eval.h"

/* What was given; checked by ebmt__eval_args_parse(). */
typedef struct ebmt__eval_args {
    ebmt__real_args real;
    const char *model, *classifier, *samples, *save_samples, *json, *html, *kernels, *ood;
    const char *inception, *long_checkpoint, *long_images;
    int32_t n, first_index, steps_per_level, threads, likelihood, ais_particles, ais_temperatures;
    int32_t input, sampler, begin; /* CHOICE: ebmt_inception_input, ebm_sampler_kind, ebm_begin */
    int32_t long_chains, long_steps, long_leapfrog, long_burn_in;
    int64_t seed;
    double noise_scale;
    bool distance_only, fresh_floors;
} ebmt__eval_args;

/* Returns true when the command should go on; otherwise help or the error is printed and *code is
 * the exit status. */
bool ebmt__eval_args_parse(int argc, char **argv, ebmt__eval_args *out, int *code);

#endif
