/* A command with an option of every kind and a file of options, for the test and the fuzz target of
 * such files. Knows the table of options; not what is written in a file. */
#ifndef EBM_TEST_DEMO_OPTIONS_H
#define EBM_TEST_DEMO_OPTIONS_H

#include "cli/option_table.h"

typedef struct demo_values {
    int32_t batch, mode; /* 1 to 100; slow or fast */
    int64_t iterations, seed;
    double lr; /* 0 to 1 */
    const char *config, *out;
    bool flip;
    ebmt_int_list mult; /* of 1 to 9 */
} demo_values;

/* Reads demo_values. --out is required, --config names the file. */
extern const ebmt_command demo_command;

#endif
