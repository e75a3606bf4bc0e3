/* Command-line flags from a table: parsing, checking and --help all read the same rows.
 * Knows strings and numbers; has never heard of what a command does. */
#ifndef EBMT_CLI_OPTION_TABLE_H
#define EBMT_CLI_OPTION_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "ebm/status.h"

typedef enum ebmt_option_kind {
    EBMT_OPT_INT,    /* int32_t, min..max */
    EBMT_OPT_INT64,  /* int64_t, min..max */
    EBMT_OPT_SEED,   /* int64_t, 0..2^53-1, or -1: to be drawn */
    EBMT_OPT_REAL,   /* double, finite, min..max */
    EBMT_OPT_STRING, /* const char *, points into argv */
    EBMT_OPT_FLAG,   /* bool, set by the flag alone; "--flag=false" takes back a file's true */
    EBMT_OPT_CHOICE, /* int32_t, index into choices */
    EBMT_OPT_INTS,   /* ebmt_int_list, each min..max, separated by commas */
    EBMT_OPT_GROUP   /* no flag but a heading in --help: EBMT_GROUP("Network") */
} ebmt_option_kind;

#define EBMT_INT_LIST_MAX 8
typedef struct ebmt_int_list {
    int32_t n;
    int32_t item[EBMT_INT_LIST_MAX];
} ebmt_int_list;

/* One flag. The value found in the command's struct before parsing is the default. */
typedef struct ebmt_option {
    const char *flag; /* "--lr" */
    ebmt_option_kind kind;
    size_t offset; /* of the value in the command's struct */
    double min, max;
    const char *choices; /* CHOICE: names separated by '|' */
    const char *unit;    /* "", "seconds" ...; STRING: what the value is, e.g. "DIR" */
    const char *help;
    bool required;
} ebmt_option;

#define EBMT_GROUP(title)                                                                          \
    {                                                                                              \
        title, EBMT_OPT_GROUP, 0, 0, 0, NULL, "", "", false                                        \
    }

#define EBMT_OPTIONS_MAX 128

/* A command: its flags and, if it takes one, its positional argument. */
typedef struct ebmt_command {
    const char *name;    /* "train" */
    const char *summary; /* one line */
    const ebmt_option *options;
    size_t n_options;
    const char *config;     /* STRING flag that names a file of options, or NULL */
    const char *argument;   /* name of a required positional argument, e.g. "DIR", or NULL */
    size_t argument_offset; /* const char *, like STRING */
} ebmt_command;

/* What was given. */
typedef struct ebmt_parsed {
    bool help;                   /* --help or -h: nothing else was checked */
    bool seen[EBMT_OPTIONS_MAX]; /* row i of the table was given, as a flag or in the file */
    void *file;                  /* the file of options; strings in the values point into it */
} ebmt_parsed;

/* Parses argv[0..argc) (without program and command name) into `values`, then what the file of
 * command->config says beside it.
 * Accepts "--flag value" and "--flag=value"; "--" ends the flags.
 * @own strings in `values` point into argv and parsed->file: ebmt__options_clear(), on errors too
 * @err ARG (unknown flag, missing or malformed value, flag given twice, missing required flag,
 *      wrong number of arguments), RANGE; err->where names the flag */
EBM_MUST_CHECK ebm_status ebmt__options_parse(const ebmt_command *command, int argc, char **argv,
                                              void *values, ebmt_parsed *parsed, ebm_error *err);

/* Frees what parsing left; strings that came from a file end with it. */
void ebmt__options_clear(ebmt_parsed *parsed);

/* Writes one value into `values`, checked as its row says. @err ARG, RANGE */
EBM_MUST_CHECK ebm_status ebmt__option_set(const ebmt_option *row, const char *text, void *values,
                                           ebm_error *err);

/* True if the flag was given. */
bool ebmt__option_given(const ebmt_command *command, const ebmt_parsed *parsed, const char *flag);

/* Prints usage and one entry per row; defaults come from `values`. */
void ebmt__options_help(const ebmt_command *command, const void *values, FILE *out);

#endif
