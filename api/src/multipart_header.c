/* Header lines of a part and the boundary parameter, see multipart_header.h: a strict reading of
 * the grammar, since whatever two readers could understand differently is refused. Knows text. */
#include "multipart_header.h"

#include <string.h>
#include <strings.h>

/* A piece of text that is being eaten from the front. */
typedef struct span {
    const char *at;
    size_t n;
} span;

static bool alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static bool token_char(char c)
{
    return alnum(c) || one_of(c, "!#$%&'*+-.^_`|~");
}

static bool is(span s, const char *word)
{
    return s.n == strlen(word) && strncasecmp(s.at, word, s.n) == 0;
}

static span advance(span s, size_t n)
{
    return (span){s.at + n, s.n - n};
}

static span skip_blanks(span s)
{
    while (s.n > 0 && (*s.at == ' ' || *s.at == '\t'))
        s = advance(s, 1);
    return s;
}

static span trim(span s)
{
    s = skip_blanks(s);
    while (s.n > 0 && (s.at[s.n - 1] == ' ' || s.at[s.n - 1] == '\t'))
        s.n--;
    return s;
}

static span take_token(span *s)
{
    span token = {s->at, 0};

    while (token.n < s->n && token_char(s->at[token.n]))
        token.n++;
    *s = advance(*s, token.n);
    return token;
}

/* A quoted string without its quotes. A backslash before a quote ends the string for one reader
 * and not for another, so it is refused; other backslashes are what some browsers put in paths. */
static bool take_quoted(span *s, span *value)
{
    const char *end = memchr(s->at + 1, '"', s->n - 1);

    if (!end || end[-1] == '\\')
        return false;
    *value = (span){s->at + 1, (size_t)(end - s->at) - 1};
    *s = advance(*s, value->n + 2);
    return true;
}

/* Takes one `; name=value` off the front. @err false: malformed */
static bool take_parameter(span *s, span *name, span *value)
{
    *s = skip_blanks(*s);
    if (s->n == 0 || *s->at != ';')
        return false;
    *s = skip_blanks(advance(*s, 1));
    *name = take_token(s);
    if (name->n == 0 || s->n == 0 || *s->at != '=')
        return false;
    *s = advance(*s, 1);
    if (s->n > 0 && *s->at == '"')
        return take_quoted(s, value);
    *value = take_token(s);
    return value->n > 0;
}

/* --- the boundary ------------------------------------------------------------------------- */

static bool boundary_valid(span b)
{
    for (size_t i = 0; i < b.n; i++) {
        if (!alnum(b.at[i]) && !one_of(b.at[i], "'()+_,-./:=? "))
            return false;
    }
    return b.n >= 1 && b.n <= EBMA_MULTIPART_BOUNDARY_MAX && b.at[b.n - 1] != ' ';
}

bool ebma_multipart_boundary(const char *content_type, char out[EBMA_MULTIPART_BOUNDARY_MAX + 1])
{
    span s =
        trim((span){content_type ? content_type : "", content_type ? strlen(content_type) : 0});
    span boundary = {NULL, 0};
    size_t type_len = strcspn(s.at, "; \t");
    span name, value;

    if (!is((span){s.at, type_len < s.n ? type_len : s.n}, "multipart/form-data"))
        return false;
    for (s = advance(s, type_len); s.n > 0;) {
        if (!take_parameter(&s, &name, &value))
            return false;
        if (!is(name, "boundary"))
            continue;
        if (boundary.at || !boundary_valid(value))
            return false;
        boundary = value;
    }
    if (!boundary.at)
        return false;
    memcpy(out, boundary.at, boundary.n);
    out[boundary.n] = '\0';
    return true;
}

/* --- header lines ------------------------------------------------------------------------- */

/* What has been seen of a part's header so far. */
typedef struct found {
    span name, type;
    bool disposition, has_type, has_file;
} found;

static bool name_valid(span name)
{
    for (size_t i = 0; i < name.n; i++) {
        if (!alnum(name.at[i]) && !one_of(name.at[i], "._-"))
            return false;
    }
    return name.n >= 1 && name.n <= EBMA_MULTIPART_NAME_MAX;
}

static ebma_multipart_fault take_disposition(span value, found *f)
{
    span type = take_token(&value);
    bool has_name = false;
    span name, text;

    if (f->disposition || !is(type, "form-data"))
        return EBMA_MULTIPART_DISPOSITION;
    f->disposition = true;
    while (value.n > 0) {
        bool again;

        if (!take_parameter(&value, &name, &text))
            return EBMA_MULTIPART_DISPOSITION;
        if (!is(name, "name") && !is(name, "filename")) /* RFC 7578 4.2: filename* is forbidden */
            return EBMA_MULTIPART_DISPOSITION;
        again = is(name, "name") ? has_name : f->has_file;
        if (again)
            return EBMA_MULTIPART_DISPOSITION;
        if (is(name, "filename")) {
            f->has_file = true;
            continue;
        }
        has_name = true;
        f->name = text;
    }
    if (!has_name)
        return EBMA_MULTIPART_DISPOSITION;
    return name_valid(f->name) ? EBMA_MULTIPART_OK : EBMA_MULTIPART_NAME;
}

static ebma_multipart_fault take_type(span value, found *f)
{
    static const char multi[] = "multipart/";

    if (f->has_type)
        return EBMA_MULTIPART_HEADER_SYNTAX;
    f->has_type = true;
    f->type = value;
    if (value.n >= strlen(multi) && strncasecmp(value.at, multi, strlen(multi)) == 0)
        return EBMA_MULTIPART_NESTED;
    return EBMA_MULTIPART_OK;
}

static ebma_multipart_fault take_line(span line, found *f)
{
    span name = take_token(&line);

    if (name.n == 0 || line.n == 0 || *line.at != ':')
        return EBMA_MULTIPART_HEADER_SYNTAX; /* a folded line begins with a blank: no token */
    line = trim(advance(line, 1));
    if (is(name, "Content-Disposition"))
        return take_disposition(line, f);
    if (is(name, "Content-Type"))
        return take_type(line, f);
    if (is(name, "Content-Transfer-Encoding"))
        return EBMA_MULTIPART_TRANSFER_ENCODING;
    return EBMA_MULTIPART_OK;
}

bool ebma__multipart_header_ends(const char *block, size_t n)
{
    if (n == 2)
        return memcmp(block, "\r\n", 2) == 0;
    return n >= 4 && memcmp(block + n - 4, "\r\n\r\n", 4) == 0;
}

/* Control bytes stand nowhere but in pairs of CR LF at the end of lines. */
static bool bytes_clean(const char *block, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)block[i];

        if (c == '\r' && i + 1 < n && block[i + 1] == '\n')
            i++;
        else if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

/* The byte behind a span is a quote, a semicolon, a blank or CR that nobody reads any more. */
static const char *terminate(char *block, span s)
{
    if (!s.at)
        return "";
    block[(size_t)(s.at - block) + s.n] = '\0';
    return s.at;
}

ebma_multipart_fault ebma__multipart_header_parse(char *block, size_t n, ebma_multipart_part *out)
{
    span rest = {block, n};
    found f = {0};

    if (!bytes_clean(block, n))
        return EBMA_MULTIPART_HEADER_SYNTAX;
    while (rest.n > 2) {
        size_t len = (size_t)((const char *)memchr(rest.at, '\r', rest.n) - rest.at);
        ebma_multipart_fault fault = take_line((span){rest.at, len}, &f);

        if (fault != EBMA_MULTIPART_OK)
            return fault;
        rest = advance(rest, len + 2);
    }
    if (!f.disposition)
        return EBMA_MULTIPART_DISPOSITION;
    out->name = terminate(block, f.name);
    out->type = terminate(block, f.type);
    out->has_file = f.has_file;
    return EBMA_MULTIPART_OK;
}
