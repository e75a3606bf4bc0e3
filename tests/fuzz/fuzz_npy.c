/* Feeds bytes to the .npy header parser; what it accepts must keep its own promises. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "data/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const ebmt__npy *array, size_t header)
{
    if (array->header != header || array->rank < 0 || array->rank > EBMT_NPY_MAX_RANK) {
        abort();
    }
    for (int32_t i = 0; i < array->rank; i++) {
        if (array->dim[i] < 0 || array->dim[i] > INT32_MAX) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t header = 0;
    ebmt__npy array;
    ebm_error err = {EBM_OK, 0, "", ""};
    if (size < 12 || ebmt__npy_length(data, &header, &err) != EBM_OK || header < 12 ||
        header > size) {
        return 0;
    }
    /* a copy of exactly that size, so that the sanitizer sees a step too far */
    uint8_t *copy = malloc(header);
    if (copy != NULL) {
        memcpy(copy, data, header);
        const ebm_status status = ebmt__npy_parse(copy, header, &array, &err);
        if (status != err.status) {
            abort();
        }
        if (status == EBM_OK) {
            check(&array, header);
        }
    }
    free(copy);
    return 0;
}
