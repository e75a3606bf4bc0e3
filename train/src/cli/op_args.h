/* Flags of the commands that run an operation: those all have, and those of the operation's table.
 * Knows tables; has never heard of what an operation does. */
#ifndef EBMT_CLI_OP_ARGS_H
#define EBMT_CLI_OP_ARGS_H

#include "cli/cli.h"
#include "ebm/params.h"

#define EBMT__OP_FLAG_MAX 32 /* bytes of a flag, with its end */

/* What was given. Which of the files a command takes is said by its flags. */
typedef struct ebmt__op_args {
    const char *models, *model, *kernels, *out, *grid, *sheet, *animation, *images, *calibrate;
    const char *traces, *checkpoint, *resume, *file;
    const char *server, *api_key_file; /* NULL: here */
    int32_t threads, delay_ms;
    int32_t part; /* CHOICE: ebmt_split */
    bool part_given;
    bool given[EBMT_OPTIONS_MAX]; /* row i of the operation's table was given */
    int64_t limit;
    ebm_op_params params;
} ebmt__op_args;

typedef struct ebmt__op_command {
    ebm_op_kind kind;
    const ebmt_option *files; /* rows of its own */
    size_t n_files;
    int64_t max_n; /* for `n`, which a request may set to fewer; 0: as the table says */
} ebmt__op_command;

/* The flag of a row of an operation's table: "until.max_seconds" is --until-max-seconds. */
void ebmt__op_flag(const char *name, char flag[EBMT__OP_FLAG_MAX]);

/* Passes on an error of an operation's parameters, with the flag in place of the row's name.
 * @err that of `why`, which is returned */
EBM_MUST_CHECK ebm_status ebmt__op_blame(const ebm_operation *op, const ebm_error *why,
                                         ebm_error *err);

/* The parameters as a request may have them: a command may make more images than one, and their
 * number decides none of them. */
ebm_op_params ebmt__op_params_of(const ebm_operation *op, const ebmt__op_args *args);

/* Parses the words; on false *code is the exit status. A seed that was not given is drawn. Without
 * --server, --models and --model are required. */
bool ebmt__op_args_parse(const ebmt__op_command *command, int argc, char **argv,
                         ebmt__op_args *args, int *code);

#endif
