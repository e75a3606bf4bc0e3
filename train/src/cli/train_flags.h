/* The flags of `ebm train`: one table, and what becomes of the values before anything runs. */
#ifndef EBMT_CLI_TRAIN_FLAGS_H
#define EBMT_CLI_TRAIN_FLAGS_H

#include "cli/data_args.h"
#include "ebmt/train.h"

/* What the flags fill in; `config` and `out` are complete after ebmt__train_flags_parse().
 */
typedef struct ebmt_train_args {
    ebmt_config config;
    char *out_path; /* what `out` points to */
    ebmt_parsed parsed;
    ebmt_int_list ch_mult;
    int32_t architecture, activation, schedule, step_rule, objective,
        lr_decay; /* CHOICE: indices into the names below */
    double leaky_slope;
    int64_t seed;
    bool seed_drawn; /* --seed -1 */
    ebmt__data_args data;
    const char *config_file, *out, *init_from, *kernels, *title, *licence;
    bool resume;
    int64_t checkpoint_every, samples_every, validation_every;
    int32_t threads;
} ebmt_train_args;

extern const ebmt_command ebmt__train_command;

/* Parses, checks and completes. Returns true when the command should go on; otherwise help or the
 * error is printed and *code is the exit status.
 * @own ebmt__train_flags_clear(), in every case */
bool ebmt__train_flags_parse(int argc, char **argv, ebmt_train_args *out, int *code);
void ebmt__train_flags_clear(ebmt_train_args *args);

#endif
