/* The request guard: refuses every head that two HTTP parsers could read differently, before a
 * route or a body is looked at. The HTTP library accepts most of these.
 * A pure function of the head; knows no routes. */
#ifndef EBMD_GUARD_H
#define EBMD_GUARD_H

#include "http/request.h"

/* Returns EBMA_OK, or the problem to answer with before closing the connection. */
ebma_problem_code ebmd_guard_check(const ebmd_head *head);

/* Declared length of the body. @err false: none declared (or chunked) */
bool ebmd_guard_content_length(const ebmd_head *head, unsigned long long *length);

#endif
