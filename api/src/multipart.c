/* The multipart state machine, see ebma/multipart.h. Reads byte by byte outside of contents, so
 * that no cut can matter; what a part's header lines mean is multipart_header.c's business. */
#include "ebma/multipart.h"

#include <string.h>

#include "multipart_header.h"

/* RFC 2046 lets gateways pad a boundary line; none that we know of does, so little is allowed. */
#define PADDING_MAX 64

enum state {
    AT_START,   /* inside the first delimiter */
    AFTER_MARK, /* behind a delimiter: "--", padding or the line's end */
    PADDING,    /* blanks behind a delimiter */
    MARK_LF,    /* the line feed of a delimiter's line */
    CLOSING,    /* the second '-' of the last delimiter */
    CLOSED,     /* behind the last delimiter */
    CLOSED_LF,  /* the line feed behind it */
    AT_END,     /* nothing may follow */
    IN_HEADER,  /* header lines of a part, up to the empty one */
    IN_PART     /* contents of a part */
};

static const char *const reasons[EBMA_MULTIPART_FAULTS] = {
    [EBMA_MULTIPART_OK] = "nothing is wrong",
    [EBMA_MULTIPART_PREAMBLE] = "the body does not begin with its boundary",
    [EBMA_MULTIPART_DELIMITER] = "a boundary is followed by something else than a line end",
    [EBMA_MULTIPART_HEADER_SYNTAX] = "a header line of a part is malformed",
    [EBMA_MULTIPART_HEADER_SIZE] = "the header lines of a part are too long",
    [EBMA_MULTIPART_DISPOSITION] =
        "a part needs exactly one Content-Disposition: form-data; name=\"...\"",
    [EBMA_MULTIPART_NAME] = "the name of a part must be 1..64 of A-Z a-z 0-9 . _ -",
    [EBMA_MULTIPART_TRANSFER_ENCODING] = "Content-Transfer-Encoding is not accepted",
    [EBMA_MULTIPART_NESTED] = "a part must not be multipart itself",
    [EBMA_MULTIPART_PARTS] = "there are too many parts",
    [EBMA_MULTIPART_PART_SIZE] = "a part is too large",
    [EBMA_MULTIPART_TOTAL_SIZE] = "the body is too large",
    [EBMA_MULTIPART_EPILOGUE] = "bytes follow the closing boundary",
    [EBMA_MULTIPART_TRUNCATED] = "the closing boundary is missing",
    [EBMA_MULTIPART_REFUSED] = "a part is not expected here",
};

const char *ebma_multipart_reason(ebma_multipart_fault fault)
{
    return (unsigned)fault < EBMA_MULTIPART_FAULTS ? reasons[fault] : reasons[EBMA_MULTIPART_OK];
}

ebma_problem_code ebma_multipart_problem(ebma_multipart_fault fault)
{
    switch (fault) {
    case EBMA_MULTIPART_OK:
        return EBMA_OK;
    case EBMA_MULTIPART_PARTS:
    case EBMA_MULTIPART_PART_SIZE:
    case EBMA_MULTIPART_TOTAL_SIZE:
        return EBMA_PAYLOAD_TOO_LARGE;
    default:
        return EBMA_MALFORMED_MULTIPART;
    }
}

void ebma_multipart_init(ebma_multipart *p, const char *boundary,
                         const ebma_multipart_limits *limits, const ebma_multipart_sink *sink)
{
    size_t n = strnlen(boundary, EBMA_MULTIPART_BOUNDARY_MAX);

    memset(p, 0, sizeof(*p));
    p->limits = *limits;
    if (p->limits.header_bytes > EBMA_MULTIPART_HEADER_MAX)
        p->limits.header_bytes = EBMA_MULTIPART_HEADER_MAX;
    p->sink = *sink;
    memcpy(p->delimiter, "\r\n--", 4);
    memcpy(p->delimiter + 4, boundary, n);
    p->delimiter_len = n + 4;
    p->matched = 2; /* the first delimiter has no line end before it */
    p->state = AT_START;
}

static ebma_multipart_fault begin_part(ebma_multipart *p)
{
    if (p->parts == p->limits.parts)
        return EBMA_MULTIPART_PARTS;
    p->parts++;
    p->part_size = 0;
    p->header_len = 0;
    p->state = IN_HEADER;
    return EBMA_MULTIPART_OK;
}

static ebma_multipart_fault at_start(ebma_multipart *p, char c)
{
    if (c != p->delimiter[p->matched])
        return EBMA_MULTIPART_PREAMBLE;
    if (++p->matched == p->delimiter_len)
        p->state = AFTER_MARK;
    return EBMA_MULTIPART_OK;
}

/* Blanks and the CR that ends a delimiter's line. */
static ebma_multipart_fault line_rest(ebma_multipart *p, char c, enum state next,
                                      ebma_multipart_fault fault)
{
    if (c == '\r') {
        p->padding = 0;
        p->state = (int)next;
        return EBMA_MULTIPART_OK;
    }
    if ((c != ' ' && c != '\t') || ++p->padding > PADDING_MAX)
        return fault;
    return EBMA_MULTIPART_OK;
}

static ebma_multipart_fault after_mark(ebma_multipart *p, char c)
{
    p->state = c == '-' ? CLOSING : PADDING;
    return c == '-' ? EBMA_MULTIPART_OK : line_rest(p, c, MARK_LF, EBMA_MULTIPART_DELIMITER);
}

static ebma_multipart_fault expect(ebma_multipart *p, bool right, enum state next,
                                   ebma_multipart_fault fault)
{
    p->state = (int)next;
    return right ? EBMA_MULTIPART_OK : fault;
}

static ebma_multipart_fault in_header(ebma_multipart *p, char c)
{
    ebma_multipart_part part;
    ebma_multipart_fault fault;

    if (p->header_len == p->limits.header_bytes)
        return EBMA_MULTIPART_HEADER_SIZE;
    p->header[p->header_len++] = c;
    if (!ebma__multipart_header_ends(p->header, p->header_len))
        return EBMA_MULTIPART_OK;
    fault = ebma__multipart_header_parse(p->header, p->header_len, &part);
    if (fault != EBMA_MULTIPART_OK)
        return fault;
    /* the empty line is the line end that a delimiter needs before it: a part may be empty */
    p->matched = 2;
    p->state = IN_PART;
    return p->sink.begin(p->sink.arg, &part) ? EBMA_MULTIPART_OK : EBMA_MULTIPART_REFUSED;
}

static ebma_multipart_fault emit(ebma_multipart *p, const char *bytes, size_t n)
{
    if (n == 0)
        return EBMA_MULTIPART_OK;
    if (n > p->limits.part_bytes - p->part_size)
        return EBMA_MULTIPART_PART_SIZE;
    p->part_size += n;
    return p->sink.data(p->sink.arg, bytes, n) ? EBMA_MULTIPART_OK : EBMA_MULTIPART_REFUSED;
}

/* What was held back because it looked like a delimiter. Directly behind the header its first two
 * bytes are the empty line's and belong to nobody. */
static ebma_multipart_fault release(ebma_multipart *p, bool borrowed)
{
    size_t skip = borrowed ? 2 : 0;
    size_t n = p->matched;

    p->matched = 0;
    return emit(p, p->delimiter + skip, n - skip);
}

/* CR stands in a delimiter at its first place only, so a failed match can go on nowhere else. */
static ebma_multipart_fault in_part(ebma_multipart *p, char c)
{
    bool borrowed = p->header_len > 0; /* no content byte has been given out yet */
    ebma_multipart_fault fault = EBMA_MULTIPART_OK;

    if (c == p->delimiter[p->matched]) {
        if (++p->matched < p->delimiter_len)
            return EBMA_MULTIPART_OK;
        p->matched = 0;
        p->state = AFTER_MARK;
        return p->sink.end(p->sink.arg) ? EBMA_MULTIPART_OK : EBMA_MULTIPART_REFUSED;
    }
    if (p->matched > 0)
        fault = release(p, borrowed);
    p->header_len = 0;
    if (fault != EBMA_MULTIPART_OK)
        return fault;
    if (c == '\r') {
        p->matched = 1;
        return EBMA_MULTIPART_OK;
    }
    return emit(p, &c, 1);
}

static ebma_multipart_fault step(ebma_multipart *p, char c)
{
    switch ((enum state)p->state) {
    case AT_START:
        return at_start(p, c);
    case AFTER_MARK:
        return after_mark(p, c);
    case PADDING:
        return line_rest(p, c, MARK_LF, EBMA_MULTIPART_DELIMITER);
    case MARK_LF:
        return c == '\n' ? begin_part(p) : EBMA_MULTIPART_DELIMITER;
    case CLOSING:
        return expect(p, c == '-', CLOSED, EBMA_MULTIPART_DELIMITER);
    case CLOSED:
        return line_rest(p, c, CLOSED_LF, EBMA_MULTIPART_EPILOGUE);
    case CLOSED_LF:
        return expect(p, c == '\n', AT_END, EBMA_MULTIPART_EPILOGUE);
    case AT_END:
        return EBMA_MULTIPART_EPILOGUE;
    case IN_HEADER:
        return in_header(p, c);
    case IN_PART:
        return in_part(p, c);
    }
    return EBMA_MULTIPART_DELIMITER;
}

/* Bytes of contents up to the next CR go out in one piece. */
static size_t plain_run(const ebma_multipart *p, const char *bytes, size_t n)
{
    const char *cr;

    if (p->state != IN_PART || p->matched > 0)
        return 0;
    cr = memchr(bytes, '\r', n);
    return cr ? (size_t)(cr - bytes) : n;
}

static void consume(ebma_multipart *p, const char *bytes, size_t n)
{
    while (n > 0 && p->fault == EBMA_MULTIPART_OK) {
        size_t run = plain_run(p, bytes, n);

        p->fault = run > 0 ? emit(p, bytes, run) : step(p, *bytes);
        run = run > 0 ? run : 1;
        bytes += run;
        n -= run;
    }
}

ebma_multipart_fault ebma_multipart_feed(ebma_multipart *p, const char *bytes, size_t n)
{
    size_t room = p->limits.total_bytes - p->total;
    size_t take = n < room ? n : room;

    /* up to the limit first: which fault comes first must not depend on the pieces */
    consume(p, bytes, take);
    p->total += take;
    if (p->fault == EBMA_MULTIPART_OK && n > room)
        p->fault = EBMA_MULTIPART_TOTAL_SIZE;
    return p->fault;
}

ebma_multipart_fault ebma_multipart_finish(ebma_multipart *p)
{
    if (p->fault == EBMA_MULTIPART_OK && p->state != CLOSED && p->state != AT_END)
        p->fault = EBMA_MULTIPART_TRUNCATED;
    return p->fault;
}
