/* Feeds bytes as forms to every operation; what becomes JSON must be JSON that the codec can judge.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "ebm/memory.h"
#include "ebma/op_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const ebma_form form = {"multipart/form-data; boundary=b", (const char *)data, size};
    static ebma_op_request request;

    for (int k = EBM_OP_SAMPLE; k <= EBM_OP_LIKELIHOOD; k++) {
        const ebm_operation *op = ebm_operation_of((ebm_op_kind)k);
        ebm_arena *arena = ebm_arena_create(16u << 20);
        ebma_problem problem;
        char *json = NULL;
        size_t n = 0;

        if (arena && ebma_form_decode(op, &form, arena, &json, &n, &problem) == EBM_OK &&
            ebma_op_decode(op, json, n, arena, &request, &problem) != EBM_OK &&
            problem.code == EBMA_MALFORMED_JSON)
            abort();
        ebm_free(json);
        ebm_arena_free(arena);
    }
    return 0;
}
