/* Preferences, see prefer.h. */
#include "http/prefer.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

static bool is(const char *text, size_t n, const char *word)
{
    return n == strlen(word) && strncasecmp(text, word, n) == 0;
}

/* Seconds of `5` or `"5"`; -1: neither. */
static int seconds_of(const char *text, size_t n)
{
    int v = 0;

    if (n >= 2 && text[0] == '"' && text[n - 1] == '"') {
        text++;
        n -= 2;
    }
    for (size_t i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        v = v * 10 + (text[i] - '0');
        if (v > EBMD_WAIT_MAX_S)
            v = EBMD_WAIT_MAX_S;
    }
    return n > 0 ? v : -1;
}

ebmd_prefer ebmd_prefer_read(const char *header)
{
    ebmd_prefer out = {.wait_s = -1};

    while (header && *header) {
        size_t n;

        header += strspn(header, " \t,");
        n = strcspn(header, " \t,;");
        if (is(header, n, "respond-async"))
            out.async = true;
        else if (n > 5 && strncasecmp(header, "wait=", 5) == 0 && out.wait_s < 0)
            out.wait_s = seconds_of(header + 5, n - 5); /* the first one counts */
        header += n + strcspn(header + n, ",");
    }
    return out;
}
