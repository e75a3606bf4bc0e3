/* Feeds bytes to the reader of option files. What is accepted must be within the bounds of its row.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/option_file.h"
#include "demo_options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_within_bounds(const demo_values *v)
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
    demo_values v = {.batch = 1, .mult = {1, {1}}};
    ebmt_parsed parsed;
    ebm_error err = {0};
    memset(&parsed, 0, sizeof parsed);
    ebm_status st = ebmt__options_read_text(&demo_command, &from, &v, &parsed, &err);
    if (!is_within_bounds(&v) || (st != EBM_OK && err.text[0] == '\0'))
        abort();
    ebmt__options_clear(&parsed);
    return 0;
}
