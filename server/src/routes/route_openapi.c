/* GET /openapi.json: the document that says what all the other routes do. */
#include <string.h>

#include "ebm/memory.h"
#include "routes/router.h"

void ebmd_route_openapi(const ebmd_app *app, ebmd_request *r)
{
    size_t size;
    const char *text = ebma_openapi(&size);
    char *copy = ebm_alloc(size, 1);

    (void)app;
    if (!copy) {
        ebmd_reply_code(r, EBMA_OUT_OF_MEMORY);
        return;
    }
    memcpy(copy, text, size);
    ebmd_reply_body(r, 200, "application/json", copy, size);
}
