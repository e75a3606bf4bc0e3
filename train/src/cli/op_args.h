/* Flags of the commands that run an operation: those all have, and those of the operation's table.
 * Knows tables; has never heard of what an operation does. */
#ifndef EBMT_CLI_OP_ARGS_H
#define EBMT_CLI_OP_ARGS_H

#include "cli/cli.h"
#include "ebm/params.h"

/* What was given. Which of the files a command takes is said by its flags. */
typedef struct ebmt__op_args {
    const char *models, *model, *kernels, *out, *grid, *sheet, *animation, *images, *calibrate;
    const char *traces, *checkpoint, *resume, *file;
    const char *server, *api_key_file; /* NULL: here */
    int32_t threads, delay_ms;
    int32_t part; /* CHOICE: ebmt_split */
    bool part_given;
    int64_t limit;
    ebm_op_params params;
} ebmt__op_args;

typedef struct ebmt__op_command {
    ebm_op_kind kind;
    const ebmt_option *files; /* rows of its own */
    size_t n_files;
    int64_t max_n; /* for `n`, which a request may set to fewer; 0: as the table says */
} ebmt__op_command;

/* Parses the words; on false *code is the exit status. A seed that was not given is drawn. Without
 * --server, --models and --model are required. */
bool ebmt__op_args_parse(const ebmt__op_command *command, int argc, char **argv,
                         ebmt__op_args *args, int *code);

#endif
