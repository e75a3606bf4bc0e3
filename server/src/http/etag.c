/* Entity tags, see etag.h. */
#include "http/etag.h"

#include <string.h>

void ebmd_etag_make(const char digest[65], char tag[EBMD_ETAG_SIZE])
{
    tag[0] = '"';
    memcpy(tag + 1, digest, 64);
    memcpy(tag + 65, "\"", 2);
}

/* True if a list of entity tags has this one; weak ones count as well (RFC 9110, 13.1.2). */
static bool lists_tag(const char *list, const char *tag)
{
    if (strcmp(list, "*") == 0)
        return true;
    while (*list) {
        list += strspn(list, " \t,");
        if (strncmp(list, "W/", 2) == 0)
            list += 2;
        if (strncmp(list, tag, EBMD_ETAG_SIZE - 1) == 0)
            return true;
        list += strcspn(list, ",");
    }
    return false;
}

bool ebmd_etag_reply(ebmd_request *r, const char tag[EBMD_ETAG_SIZE])
{
    const char *known = ebmd_request_list(r, "If-None-Match");
    bool has = known && lists_tag(known, tag);

    if (has)
        ebmd_reply_empty(r, 304);
    ebmd_reply_add(r, "ETag", tag);
    return has;
}
