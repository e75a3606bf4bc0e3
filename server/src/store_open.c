/* From a store's name on the command line to its driver. Knows the names, no driver's inside. */
#include <string.h>

#include "store.h"

#define SQLITE_PREFIX "sqlite:"

bool ebmd_store_spec_valid(const char *spec)
{
    size_t n = strlen(SQLITE_PREFIX);

    if (strcmp(spec, "memory") == 0)
        return true;
    return strncmp(spec, SQLITE_PREFIX, n) == 0 && spec[n] != '\0' && strlen(spec) < 4096;
}

ebm_status ebmd_store_open(const char *spec, const ebmd_store_limits *limits, ebmd_store **out,
                           ebm_error *err)
{
    *out = NULL;
    if (!ebmd_store_spec_valid(spec))
        return ebm_error_set(err, EBM_ERR_ARG, "--store", "must be memory or sqlite:FILE");
    if (strcmp(spec, "memory") == 0)
        return ebmd_store_memory_open(limits, out, err);
    return ebmd_store_sqlite_open(spec + strlen(SQLITE_PREFIX), limits, out, err);
}
