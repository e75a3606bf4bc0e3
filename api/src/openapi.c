/* The OpenAPI document, which the build puts into the library. */
#include "ebma/api.h"

extern const unsigned char ebma__openapi[];
extern const size_t ebma__openapi_size;

const char *ebma_openapi(size_t *size)
{
    *size = ebma__openapi_size;
    return (const char *)ebma__openapi;
}
