/* What the commands of `ebm` share: parsing with the usual replies, exit statuses, the clock.
 * Knows options and statuses; has never heard of what a command does. */
#ifndef EBMT_CLI_H
#define EBMT_CLI_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/option_table.h"
#include "ebm/kernels.h"
#include "ebm/status.h"

/* Exit statuses, as sysexits.h has them. */
enum {
    EBMT_EXIT_OK = 0,
    EBMT_EXIT_FAILED = 1, /* the command ran and its answer is no */
    EBMT_EXIT_USAGE = 64,
    EBMT_EXIT_DATA = 65,
    EBMT_EXIT_NO_INPUT = 66,
    EBMT_EXIT_UNAVAILABLE = 69,
    EBMT_EXIT_INTERNAL = 70,
    EBMT_EXIT_OS = 71,
    EBMT_EXIT_CANNOT_CREATE = 73,
    EBMT_EXIT_IO = 74,
    EBMT_EXIT_TEMP_FAIL = 75 /* another process is at it: later it may work */
};

/* Parses into `values`. Returns true when the command should go on; otherwise help or the error
 * is printed and *code is the exit status. */
bool ebmt__cli_parse(const ebmt_command *command, int argc, char **argv, void *values,
                     ebmt_parsed *parsed, int *code);

/* Prints the error, or what is worth a word and ends nothing, as one line on stderr. */
void ebmt__cli_say(const char *command, const ebm_error *err);
/* Prints the error and returns the exit status that fits it. */
int ebmt__cli_fail(const char *command, const ebm_error *err);
/* Passes on what is wrong with a file or directory that was given, as "flag: path: where: text".
 * @range flag NULL: the path is the command's argument
 * @err   that of `why`, which is returned */
EBM_MUST_CHECK ebm_status ebmt__cli_blame(const char *flag, const char *path, const ebm_error *why,
                                          ebm_error *err);
/* Prints the error with a pointer to --help and returns 64. */
int ebmt__cli_usage(const char *command, const ebm_error *err);

/* Chooses a kernel set: the flag's value, else the environment's EBM_KERNELS, else the best.
 * @err as ebm_kernels_select(); err->where names the flag */
EBM_MUST_CHECK ebm_status ebmt__cli_kernels(const char *flag, const ebm_kernels **out,
                                            ebm_error *err);

/* Draws a seed 0..2^53-1 from the system. @err UNSUPPORTED */
EBM_MUST_CHECK ebm_status ebmt__cli_draw_seed(int64_t *seed, ebm_error *err);

double ebmt__cli_now(void);         /* seconds of a monotonic clock */
int32_t ebmt__cli_processors(void); /* 1..256 */

/* The commands. Each gets the words after its name and returns the exit status. */
int ebmt__cmd_train(int argc, char **argv);
int ebmt__cmd_train_classifier(int argc, char **argv);
int ebmt__cmd_eval(int argc, char **argv);
int ebmt__cmd_sample(int argc, char **argv);
int ebmt__cmd_inpaint(int argc, char **argv);
int ebmt__cmd_mcmc(int argc, char **argv);
int ebmt__cmd_interpolate(int argc, char **argv);
int ebmt__cmd_energy(int argc, char **argv);
int ebmt__cmd_likelihood(int argc, char **argv);
int ebmt__cmd_verify(int argc, char **argv);
int ebmt__cmd_check(int argc, char **argv);
int ebmt__cmd_bench(int argc, char **argv);
int ebmt__cmd_eval2d(int argc, char **argv);
int ebmt__cmd_inspect(int argc, char **argv);
int ebmt__cmd_join(int argc, char **argv);
int ebmt__cmd_jobs(int argc, char **argv);
int ebmt__cmd_probe(int argc, char **argv);

#endif
