/* Header lines of one part, as multipart.c has collected them. Not for other rooms. */
#ifndef EBMA_MULTIPART_HEADER_H
#define EBMA_MULTIPART_HEADER_H

#include "ebma/multipart.h"

/* True if the block ends with its empty line (or is nothing but it). */
bool ebma__multipart_header_ends(const char *block, size_t n);
/* Checks a whole block, empty line included, and takes out what matters. The strings of *out lie
 * in the block, which is cut up for them. */
ebma_multipart_fault ebma__multipart_header_parse(char *block, size_t n, ebma_multipart_part *out);

#endif
