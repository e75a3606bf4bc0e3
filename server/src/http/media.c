/* Media types in headers, see media.h. */
#include "http/media.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

typedef struct span {
    const char *text;
    size_t n;
} span;

static span trimmed(const char *text, size_t n)
{
    while (n > 0 && (*text == ' ' || *text == '\t')) {
        text++;
        n--;
    }
    while (n > 0 && (text[n - 1] == ' ' || text[n - 1] == '\t'))
        n--;
    return (span){text, n};
}

/* Cuts the part before `sep` off the front of *rest; false when nothing is left. */
static bool cut(span *rest, char sep, span *part)
{
    const char *at;
    size_t n;

    if (!rest->text)
        return false;
    at = memchr(rest->text, sep, rest->n);
    n = at ? (size_t)(at - rest->text) : rest->n;
    *part = trimmed(rest->text, n);
    if (at)
        *rest = (span){at + 1, rest->n - n - 1};
    else
        *rest = (span){NULL, 0};
    return true;
}

static bool is(span s, const char *word)
{
    return s.n == strlen(word) && strncasecmp(s.text, word, s.n) == 0;
}

bool ebmd_media_is_json(const char *content_type)
{
    span rest = {content_type, content_type ? strlen(content_type) : 0};
    span part;

    if (!cut(&rest, ';', &part) || !is(part, "application/json"))
        return false;
    while (cut(&rest, ';', &part)) {
        if (!is(part, "charset=utf-8") && !is(part, "charset=\"utf-8\""))
            return false;
    }
    return true;
}

bool ebmd_media_is_form(const char *content_type)
{
    span rest = {content_type, content_type ? strlen(content_type) : 0};
    span part;

    return cut(&rest, ';', &part) && is(part, "multipart/form-data");
}

bool ebmd_media_is_bytes(const char *content_type)
{
    span rest = {content_type, content_type ? strlen(content_type) : 0};
    span part;

    return cut(&rest, ';', &part) && is(part, "application/octet-stream") && !rest.text;
}

/* q in thousandths; a q that breaks the grammar counts as 0, so it never wins. */
static int parse_q(span s)
{
    static const int weight[] = {100, 10, 1};
    int q;

    if (s.n < 1 || s.n > 5 || (s.text[0] != '0' && s.text[0] != '1'))
        return 0;
    q = (s.text[0] - '0') * 1000;
    if (s.n > 1 && s.text[1] != '.')
        return 0;
    for (size_t i = 2; i < s.n; i++) {
        if (s.text[i] < '0' || s.text[i] > '9')
            return 0;
        q += (s.text[i] - '0') * weight[i - 2];
    }
    return q <= 1000 ? q : 0;
}

static int q_of(span params)
{
    span part;

    while (cut(&params, ';', &part)) {
        if (part.n > 2 && (part.text[0] == 'q' || part.text[0] == 'Q') && part.text[1] == '=')
            return parse_q((span){part.text + 2, part.n - 2});
    }
    return 1000;
}

static ebmd_media media_of(span name)
{
    if (is(name, "image/png") || is(name, "image/*"))
        return EBMD_MEDIA_PNG;
    if (is(name, "application/json") || is(name, "application/*") || is(name, "*/*"))
        return EBMD_MEDIA_JSON;
    if (is(name, "text/event-stream")) /* not any text: a stream has to be meant */
        return EBMD_MEDIA_EVENTS;
    return EBMD_MEDIA_NONE;
}

ebmd_media ebmd_media_accept(const char *accept)
{
    span rest = {accept, accept ? strlen(accept) : 0};
    ebmd_media best = EBMD_MEDIA_NONE;
    int best_q = 0;
    span range, name;

    if (trimmed(accept ? accept : "", rest.n).n == 0)
        return EBMD_MEDIA_JSON;
    while (cut(&rest, ',', &range)) {
        ebmd_media m;
        int q;

        if (!cut(&range, ';', &name))
            continue;
        m = media_of(name);
        q = q_of(range);
        if (m != EBMD_MEDIA_NONE && q > best_q) {
            best = m;
            best_q = q;
        }
    }
    return best;
}
