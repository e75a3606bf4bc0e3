/* Entity tags of what does not change any more, and the client's If-None-Match. Knows the rules of
 * RFC 9110, section 8.8; not what is tagged. */
#ifndef EBMD_ETAG_H
#define EBMD_ETAG_H

#include "http/request.h"

#define EBMD_ETAG_SIZE 67 /* a digest in quotes */

/* Makes a strong tag of a SHA-256 in hex. */
void ebmd_etag_make(const char digest[65], char tag[EBMD_ETAG_SIZE]);
/* Adds the tag to the reply; if the client has what it stands for, answers 304 and returns true. */
bool ebmd_etag_reply(ebmd_request *r, const char tag[EBMD_ETAG_SIZE]);

#endif
