/* The request guard, see guard.h. */
#include "http/guard.h"

#include <string.h>
#include <strings.h>

/* How often the headers that decide about framing and routing occur. */
typedef struct census {
    int host, length, coding, authorization;
    bool chunked, expect_other, content_encoding, upgrade;
    bool length_zero;
} census;

static bool token_char(unsigned char c)
{
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
        return true;
    return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

static bool is_token(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!token_char((unsigned char)text[i]))
            return false;
    }
    return n > 0;
}

static bool value_clean(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];

        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static bool named(const ebmd_header *h, const char *name)
{
    return h->name_len == strlen(name) && strncasecmp(h->name, name, h->name_len) == 0;
}

static bool says(const ebmd_header *h, const char *word)
{
    return h->value_len == strlen(word) && strncasecmp(h->value, word, h->value_len) == 0;
}

static bool host_valid(const ebmd_header *h)
{
    for (size_t i = 0; i < h->value_len; i++) {
        unsigned char c = (unsigned char)h->value[i];
        bool word = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

        if (!word && !(c != '\0' && strchr("-._~:[]%", c)))
            return false;
    }
    return h->value_len <= 255;
}

static bool digits_only(const ebmd_header *h)
{
    for (size_t i = 0; i < h->value_len; i++) {
        if (h->value[i] < '0' || h->value[i] > '9')
            return false;
    }
    return h->value_len > 0;
}

static ebma_problem_code count_header(const ebmd_header *h, census *c)
{
    if (!is_token(h->name, h->name_len) || !value_clean(h->value, h->value_len))
        return EBMA_BAD_REQUEST;
    if (named(h, "Host")) {
        c->host++;
        return host_valid(h) ? EBMA_OK : EBMA_BAD_REQUEST;
    }
    if (named(h, "Content-Length")) {
        c->length++;
        c->length_zero = says(h, "0");
        return digits_only(h) ? EBMA_OK : EBMA_BAD_REQUEST;
    }
    if (named(h, "Transfer-Encoding")) {
        c->coding++;
        c->chunked = says(h, "chunked");
    } else if (named(h, "Authorization")) {
        c->authorization++; /* two of them: who is it? */
    } else if (named(h, "Expect")) {
        c->expect_other = c->expect_other || !says(h, "100-continue");
    } else if (named(h, "Content-Encoding")) {
        c->content_encoding = true;
    } else if (named(h, "Upgrade")) {
        c->upgrade = true;
    }
    return EBMA_OK;
}

static bool begins(const char *text, const char *escape)
{
    return strncasecmp(text, escape, strlen(escape)) == 0;
}

/* An encoded dot counts as a dot. Returns the bytes it takes, 0 if there is none. */
static size_t dot_at(const char *text)
{
    if (*text == '.')
        return 1;
    return begins(text, "%2e") ? 3 : 0;
}

static bool dot_segment(const char *text)
{
    size_t n = dot_at(text);

    if (n == 0)
        return false;
    text += n;
    text += dot_at(text);
    return *text == '/' || *text == '\\' || *text == '\0' || *text == '?' || begins(text, "%2f") ||
           begins(text, "%5c");
}

static ebma_problem_code check_path(const char *path)
{
    for (const char *c = path; *c && *c != '?'; c++) {
        if (begins(c, "%00"))
            return EBMA_BAD_TARGET;
        if (begins(c, "%2f") || begins(c, "%5c") || *c == '\\')
            return EBMA_NOT_FOUND;
        if (*c == '/' && (c[1] == '/' || dot_segment(c + 1)))
            return EBMA_NOT_FOUND;
    }
    return EBMA_OK;
}

static ebma_problem_code check_target(const char *target)
{
    if (strlen(target) > EBMD_TARGET_MAX)
        return EBMA_URI_TOO_LONG;
    if (target[0] != '/')
        return EBMA_BAD_TARGET;
    for (const char *c = target; *c; c++) {
        if ((unsigned char)*c <= 0x20 || (unsigned char)*c >= 0x7f || *c == '#')
            return EBMA_BAD_TARGET;
    }
    return check_path(target);
}

static ebma_problem_code check_framing(const ebmd_head *head, const census *c)
{
    bool old = strcmp(head->version, "HTTP/1.0") == 0;
    ebmd_method method = ebmd_method_of(head->method);
    bool bodiless = method == EBMD_GET || method == EBMD_HEAD ||
                    strcmp(head->method, "DELETE") == 0 || strcmp(head->method, "TRACE") == 0;

    if (c->host > 1 || (c->host == 0 && !old) || c->length > 1 || c->coding > 1 ||
        c->authorization > 1)
        return EBMA_BAD_REQUEST;
    if (c->coding > 0 && (c->length > 0 || old))
        return EBMA_BAD_REQUEST;
    if (c->coding > 0 && !c->chunked)
        return EBMA_UNSUPPORTED_TRANSFER_CODING;
    if (bodiless && (c->coding > 0 || (c->length > 0 && !c->length_zero)))
        return EBMA_UNEXPECTED_BODY;
    if (c->expect_other)
        return EBMA_EXPECTATION_FAILED;
    if (c->content_encoding)
        return EBMA_UNSUPPORTED_ENCODING;
    return c->upgrade ? EBMA_BAD_REQUEST : EBMA_OK;
}

/* "chunked, chunked" is a coding list that smells of smuggling: it is ambiguous, not unknown. */
static bool chunked_twice(const ebmd_header *h)
{
    return named(h, "Transfer-Encoding") && memchr(h->value, ',', h->value_len) != NULL;
}

ebma_problem_code ebmd_guard_check(const ebmd_head *head)
{
    census c = {0};
    ebma_problem_code code = check_target(head->target);

    if (code == EBMA_URI_TOO_LONG)
        return code;
    if (strcmp(head->version, "HTTP/1.1") != 0 && strcmp(head->version, "HTTP/1.0") != 0)
        return EBMA_BAD_VERSION;
    if (head->n_headers > EBMD_HEADERS_MAX || head->header_bytes > EBMD_HEADER_BYTES_MAX)
        return EBMA_HEADERS_TOO_LARGE;
    for (size_t i = 0; i < head->n_headers; i++) {
        ebma_problem_code one = count_header(&head->header[i], &c);

        if (one != EBMA_OK || chunked_twice(&head->header[i]))
            return EBMA_BAD_REQUEST;
    }
    return code != EBMA_OK ? code : check_framing(head, &c);
}

bool ebmd_guard_content_length(const ebmd_head *head, unsigned long long *length)
{
    size_t n = head->n_headers < EBMD_HEADERS_MAX ? head->n_headers : EBMD_HEADERS_MAX;

    for (size_t i = 0; i < n; i++) {
        const ebmd_header *h = &head->header[i];

        if (!named(h, "Content-Length") || !digits_only(h))
            continue;
        *length = 0;
        for (size_t k = 0; k < h->value_len; k++) {
            unsigned digit = (unsigned)(h->value[k] - '0');

            if (*length > (~0ull - digit) / 10)
                *length = ~0ull;
            else
                *length = *length * 10 + digit;
        }
        return true;
    }
    return false;
}
