/* Feeds bytes to the reader of receipts; one that it accepts must be written back and read again as
 * the same text. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ebm/memory.h"
#include "ebm/receipt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ebm_receipt receipt, again;
    char *text = NULL, *second = NULL;

    if (ebm_receipt_parse((const char *)data, size, &receipt, NULL) != EBM_OK)
        return 0;
    if (ebm_receipt_text(&receipt, &text, NULL) != EBM_OK ||
        ebm_receipt_parse(text, strlen(text), &again, NULL) != EBM_OK ||
        ebm_receipt_text(&again, &second, NULL) != EBM_OK || strcmp(text, second) != 0)
        abort();
    ebm_free(text);
    ebm_free(second);
    return 0;
}
