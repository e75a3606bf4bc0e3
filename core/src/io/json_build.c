/* Builds parts of JSON documents, see json_build.h. */
#include "io/json_build.h"

#include <jansson.h>

json_t *ebm__json_reals(const double *values, size_t n)
{
    json_t *array = json_array();
    for (size_t i = 0; i < n; i++) {
        if (json_array_append_new(array, json_real(values[i])) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}
