/* Parts of JSON documents that are written here. Shared by the writers of manifests and
 * calibrations; knows nothing of keys. */
#ifndef EBM__JSON_BUILD_H
#define EBM__JSON_BUILD_H

#include <stddef.h>

struct json_t;

/* Makes an array of numbers. @range finite values; JSON has no others
 * @own json_decref(), or whom it is given to @err NULL: no memory, or a value that is not finite */
struct json_t *ebm__json_reals(const double *values, size_t n);

#endif
