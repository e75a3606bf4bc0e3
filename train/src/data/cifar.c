/* Parses CIFAR-10 batches; nothing in them is trusted. See cifar.h. */
#include "data/cifar.h"

ebm_status ebmt__cifar_count(size_t size, int64_t *count, ebm_error *err)
{
    *count = 0;
    if (size == 0 || size % EBMT_CIFAR_RECORD != 0)
        return ebm_error_set(err, EBM_ERR_FORMAT, NULL,
                             "CIFAR batch has %zu bytes, no whole number of records of %d", size,
                             EBMT_CIFAR_RECORD);
    if (size / EBMT_CIFAR_RECORD > EBMT_CIFAR_MAX_COUNT)
        return ebm_error_set(err, EBM_ERR_LIMIT, NULL, "CIFAR batch has %zu records, limit %d",
                             size / EBMT_CIFAR_RECORD, EBMT_CIFAR_MAX_COUNT);
    *count = (int64_t)(size / EBMT_CIFAR_RECORD);
    return EBM_OK;
}

ebm_status ebmt__cifar_labels(const unsigned char *records, size_t n, uint8_t *labels,
                              ebm_error *err)
{
    for (size_t i = 0; i < n; i++) {
        labels[i] = records[i * EBMT_CIFAR_RECORD];
        if (labels[i] > EBMT_CIFAR_LABEL_MAX) {
            if (err && err->status == EBM_OK)
                err->index = (int64_t)i;
            return ebm_error_set(err, EBM_ERR_FORMAT, NULL, "label is %d, limit %d", labels[i],
                                 EBMT_CIFAR_LABEL_MAX);
        }
    }
    return EBM_OK;
}
