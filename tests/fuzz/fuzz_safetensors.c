/* Feeds bytes to the safetensors reader and then uses everything that it let through. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ebm/io.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every byte that the reader vouches for is read, every name found again. */
static void use(const ebm_safetensors *st)
{
    for (size_t i = 0; i < ebm_safetensors_count(st); i++) {
        const ebm_st_tensor *t = ebm_safetensors_at(st, i);
        if (ebm_safetensors_find(st, t->name) != t || t->bytes == 0) {
            abort();
        }
        if (t->count > 100000) {
            continue;
        }
        double *values = malloc(t->count * sizeof(*values));
        if (values != NULL) {
            (void)(ebm_st_to_double(t, t->count, values, NULL) == EBM_OK);
        }
        free(values);
    }
    (void)ebm_safetensors_metadata(st, "format");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ebm_safetensors *st;
    ebm_error err = {EBM_OK, 0, "", ""};
    const ebm_status status = ebm_safetensors_parse(data, size, &st, &err);
    if (status != err.status || (status == EBM_OK) != (st != NULL)) {
        abort();
    }
    if (st != NULL) {
        use(st);
    }
    ebm_safetensors_free(st);
    return 0;
}
