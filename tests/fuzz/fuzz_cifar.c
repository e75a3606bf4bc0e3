/* Feeds bytes to the CIFAR-10 parser and uses every label that it lets through. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "data/cifar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t count;
    ebm_error err = {EBM_OK, 0, "", ""};
    if (ebmt__cifar_count(size, &count, &err) != EBM_OK) {
        return 0;
    }
    uint8_t *labels = malloc((size_t)count);
    if (labels == NULL) {
        return 0;
    }
    const ebm_status status = ebmt__cifar_labels(data, (size_t)count, labels, &err);
    for (int64_t i = 0; i < count && status == EBM_OK; i++) {
        if (labels[i] > EBMT_CIFAR_LABEL_MAX || labels[i] != data[i * EBMT_CIFAR_RECORD]) {
            abort();
        }
    }
    if (status != err.status || err.index >= count) {
        abort();
    }
    free(labels);
    return 0;
}
