/* Feeds bytes to the reader of option files. What is accepted must be within the bounds of its row.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/option_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct values {
    int32_t batch, mode;
    int64_t iterations, seed;
    double lr;
    const char *config, *out;
    bool flip;
    ebmt_int_list mult;
} values;

static const ebmt_option rows[] = {
    EBMT_GROUP("All"),
    {"--config", EBMT_OPT_STRING, offsetof(values, config), 0, 0, NULL, "FILE", "", false},
    {"--batch", EBMT_OPT_INT, offsetof(values, batch), 1, 100, NULL, "", "", false},
    {"--iterations", EBMT_OPT_INT64, offsetof(values, iterations), 0, 1e12, NULL, "", "", false},
    {"--seed", EBMT_OPT_SEED, offsetof(values, seed), 0, 0, NULL, "", "", false},
    {"--lr", EBMT_OPT_REAL, offsetof(values, lr), 0, 1, NULL, "", "", false},
    {"--out", EBMT_OPT_STRING, offsetof(values, out), 0, 0, NULL, "DIR", "", false},
    {"--flip", EBMT_OPT_FLAG, offsetof(values, flip), 0, 0, NULL, "", "", false},
    {"--mode", EBMT_OPT_CHOICE, offsetof(values, mode), 0, 0, "slow|fast", "", "", false},
    {"--mult", EBMT_OPT_INTS, offsetof(values, mult), 1, 9, NULL, "", "", false},
};

static const ebmt_command command = {.name = "demo",
                                     .summary = "",
                                     .options = rows,
                                     .n_options = sizeof rows / sizeof rows[0],
                                     .config = "--config"};

static bool is_within_bounds(const values *v)
{
    for (int32_t i = 0; i < v->mult.n; i++)
        if (v->mult.item[i] < 1 || v->mult.item[i] > 9)
            return false;
    return v->batch >= 1 && v->batch <= 100 && v->mode >= 0 && v->mode <= 1 && v->iterations >= 0 &&
           v->iterations <= 1000000000000 && v->seed >= -1 && v->lr >= 0.0 && v->lr <= 1.0 &&
           v->mult.n >= 1 && v->mult.n <= EBMT_INT_LIST_MAX && !v->config &&
           (!v->out || strlen(v->out) > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const ebmt_option_text from = {data, size};
    values v = {.batch = 1, .mult = {1, {1}}};
    ebmt_parsed parsed;
    ebm_error err = {0};
    memset(&parsed, 0, sizeof parsed);
    ebm_status st = ebmt__options_read_text(&command, &from, &v, &parsed, &err);
    if (!is_within_bounds(&v) || (st != EBM_OK && err.text[0] == '\0'))
        abort();
    ebmt__options_clear(&parsed);
    return 0;
}
