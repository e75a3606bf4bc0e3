/* The allow-list of origins, see cors.h. */
#include "http/cors.h"

#include <stddef.h>
#include <string.h>

bool ebmd_cors_allows(const char *list, const char *origin)
{
    size_t len = strlen(origin);

    if (len == 0 || strcmp(origin, "null") == 0)
        return false;
    while (*list) {
        size_t n = strcspn(list, ",");

        if (n == len && memcmp(list, origin, n) == 0)
            return true;
        list += n + (list[n] == ',');
    }
    return false;
}

static bool host_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c != '\0' && strchr("-._:[]", c));
}

static bool entry_valid(const char *entry, size_t n)
{
    static const char *const schemes[] = {"https://", "http://"};

    for (size_t s = 0; s < 2; s++) {
        size_t skip = strlen(schemes[s]);

        if (n <= skip || n > 255 || strncmp(entry, schemes[s], skip) != 0)
            continue;
        for (size_t i = skip; i < n; i++) {
            if (!host_char(entry[i]))
                return false;
        }
        return true;
    }
    return false;
}

bool ebmd_cors_list_valid(const char *list)
{
    while (*list) {
        size_t n = strcspn(list, ",");

        if (!entry_valid(list, n) || (list[n] == ',' && list[n + 1] == '\0'))
            return false;
        list += n + (list[n] == ',');
    }
    return true;
}
