/* Well-formed UTF-8 after table 3-7 of the Unicode standard. */
#include "base/utf8.h"

#include <string.h>

static bool in_range(unsigned char byte, unsigned low, unsigned high)
{
    return byte >= low && byte <= high;
}

/* The lead byte fixes the length and narrows the second byte; that narrowing is what rules out
 * overlong forms (E0, F0), surrogates (ED) and values past U+10FFFF (F4). */
static size_t expected_length(unsigned char lead, unsigned *low, unsigned *high)
{
    *low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    *high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (lead < 0x80) {
        return 1;
    }
    if (in_range(lead, 0xC2, 0xDF)) {
        return 2;
    }
    if (in_range(lead, 0xE0, 0xEF)) {
        return 3;
    }
    return in_range(lead, 0xF0, 0xF4) ? 4 : 0;
}

size_t ebm__utf8_sequence(const char *text, size_t n)
{
    unsigned low, high;
    if (n == 0) {
        return 0;
    }
    const size_t length = expected_length((unsigned char)text[0], &low, &high);
    if (length == 0 || length > n) {
        return 0;
    }
    for (size_t i = 1; i < length; i++) {
        if (!in_range((unsigned char)text[i], low, high)) {
            return 0;
        }
        low = 0x80;
        high = 0xBF;
    }
    return length;
}

bool ebm__utf8_valid(const char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        const size_t step = ebm__utf8_sequence(text, left);
        if (step == 0) {
            return false;
        }
        text += step;
        left -= step;
    }
    return true;
}

bool ebm__is_control(char byte)
{
    const unsigned char b = (unsigned char)byte;
    return b < 0x20 || b == 0x7F;
}
