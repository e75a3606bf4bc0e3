/* Operations that a daemon carries out: the same flags, a request from the same parameter table,
 * the same files and lines. Knows flags, tables and job objects; nothing of numerics. */
#ifndef EBMT_CLI_OP_REMOTE_H
#define EBMT_CLI_OP_REMOTE_H

#include <jansson.h>

#include "cli/op_args.h"

/* Parses like ebmt__op_args_parse(); with --server it also runs the operation there, and returns
 * false with its exit status in *code. */
bool ebmt__op_begin(const ebmt__op_command *command, int argc, char **argv, ebmt__op_args *args,
                    int *code);

/* Makes the JSON body of a request: the model, the seeds, and whatever differs from its default;
 * pictures are read from their files. @own *body: json_decref() @err of files; NOMEM */
EBM_MUST_CHECK ebm_status ebmt__op_request_body(const ebm_operation *op, const ebmt__op_args *args,
                                                json_t **body, ebm_error *err);

#endif
