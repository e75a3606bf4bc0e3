/* A command with an option of every kind, see demo_options.h. */
#include "demo_options.h"

#include <stddef.h>

#define AT(member) offsetof(demo_values, member)

static const ebmt_option rows[] = {
    EBMT_GROUP("All"),
    {"--config", EBMT_OPT_STRING, AT(config), 0, 0, NULL, "FILE", "a file", false},
    {"--batch", EBMT_OPT_INT, AT(batch), 1, 100, NULL, "", "size", false},
    {"--iterations", EBMT_OPT_INT64, AT(iterations), 0, 1e12, NULL, "", "n", false},
    {"--seed", EBMT_OPT_SEED, AT(seed), 0, 0, NULL, "", "seed", false},
    {"--lr", EBMT_OPT_REAL, AT(lr), 0, 1, NULL, "", "step", false},
    {"--out", EBMT_OPT_STRING, AT(out), 0, 0, NULL, "DIR", "where to", true},
    {"--flip", EBMT_OPT_FLAG, AT(flip), 0, 0, NULL, "", "mirror", false},
    {"--mode", EBMT_OPT_CHOICE, AT(mode), 0, 0, "slow|fast", "", "mode", false},
    {"--mult", EBMT_OPT_INTS, AT(mult), 1, 9, NULL, "", "widths", false},
};

const ebmt_command demo_command = {.name = "demo",
                                   .summary = "Does nothing.",
                                   .options = rows,
                                   .n_options = sizeof rows / sizeof rows[0],
                                   .config = "--config"};
