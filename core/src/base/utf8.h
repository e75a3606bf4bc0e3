/* Recognises well-formed UTF-8, one sequence at a time. Knows nothing of what the text says. */
#ifndef EBM__UTF8_H
#define EBM__UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Length (1..4) of the well-formed UTF-8 sequence at the start of text[0..n), or 0 if there is
 * none: overlong forms, surrogates, values above U+10FFFF and cut sequences are not well-formed. */
size_t ebm__utf8_sequence(const char *text, size_t n);

/* True when the whole string is well-formed UTF-8. */
bool ebm__utf8_valid(const char *text);

/* True for a byte that must not reach a log line: C0 controls and DEL. */
bool ebm__is_control(char byte);

#endif
