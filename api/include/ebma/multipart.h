/* multipart/form-data (RFC 7578, boundaries of RFC 2046 5.1.1), read piece by piece within limits.
 * A pure function of the bytes: any way of cutting the body gives the same parts and the same
 * fault. Knows no sockets, no files and no fields. */
#ifndef EBMA_MULTIPART_H
#define EBMA_MULTIPART_H

#include <stdbool.h>
#include <stddef.h>

#include "ebm/status.h"
#include "ebma/api.h"

#define EBMA_MULTIPART_BOUNDARY_MAX 70   /* RFC 2046 */
#define EBMA_MULTIPART_NAME_MAX     64   /* bytes of a field's name */
#define EBMA_MULTIPART_HEADER_MAX   1024 /* bytes of all header lines of a part */

/* Why a body is refused. */
typedef enum ebma_multipart_fault {
    EBMA_MULTIPART_OK = 0,
    EBMA_MULTIPART_PREAMBLE,          /* the body does not begin with its boundary */
    EBMA_MULTIPART_DELIMITER,         /* a boundary runs on into other text */
    EBMA_MULTIPART_HEADER_SYNTAX,     /* bare line ends, folding, control bytes, no colon */
    EBMA_MULTIPART_HEADER_SIZE,       /* more header bytes than allowed */
    EBMA_MULTIPART_DISPOSITION,       /* not one form-data; name="..."; filename="..." */
    EBMA_MULTIPART_NAME,              /* empty, long, or not of A-Z a-z 0-9 . _ - */
    EBMA_MULTIPART_TRANSFER_ENCODING, /* RFC 7578 4.7: not for HTTP */
    EBMA_MULTIPART_NESTED,            /* a part that is multipart itself */
    EBMA_MULTIPART_PARTS,             /* more parts than allowed */
    EBMA_MULTIPART_PART_SIZE,         /* a part is larger than allowed */
    EBMA_MULTIPART_TOTAL_SIZE,        /* the body is larger than allowed */
    EBMA_MULTIPART_EPILOGUE,          /* bytes behind the closing boundary */
    EBMA_MULTIPART_TRUNCATED,         /* the closing boundary is missing */
    EBMA_MULTIPART_REFUSED,           /* a call-back said no */
    EBMA_MULTIPART_FAULTS             /* not a fault */
} ebma_multipart_fault;

/* The head of one part. @own valid during the call-back */
typedef struct ebma_multipart_part {
    const char *name; /* 1..EBMA_MULTIPART_NAME_MAX bytes */
    const char *type; /* Content-Type as sent, "" if absent */
    bool has_file;    /* a filename was given; it is checked for form and never passed on */
} ebma_multipart_part;

/* Receives the parts in order: begin, data as often as needed (never with 0 bytes), end. Each
 * returns false to refuse the body. */
typedef struct ebma_multipart_sink {
    bool (*begin)(void *arg, const ebma_multipart_part *part);
    bool (*data)(void *arg, const char *bytes, size_t n);
    bool (*end)(void *arg);
    void *arg;
} ebma_multipart_sink;

typedef struct ebma_multipart_limits {
    size_t parts;
    size_t header_bytes; /* of one part; @range 4..EBMA_MULTIPART_HEADER_MAX */
    size_t part_bytes;
    size_t total_bytes; /* of the whole body, boundaries included */
} ebma_multipart_limits;

/* The parser. Its members are its own; it lies where the caller puts it and allocates nothing. */
typedef struct ebma_multipart {
    ebma_multipart_limits limits;
    ebma_multipart_sink sink;
    ebma_multipart_fault fault;
    int state;
    char delimiter[EBMA_MULTIPART_BOUNDARY_MAX + 5]; /* CR LF "--" boundary */
    size_t delimiter_len;
    size_t matched; /* bytes of the delimiter seen last, not yet given to anyone */
    size_t padding;
    size_t parts, part_size, total;
    char header[EBMA_MULTIPART_HEADER_MAX];
    size_t header_len;
} ebma_multipart;

/* Takes the boundary out of a Content-Type value: multipart/form-data with exactly one boundary
 * of 1..70 characters of RFC 2046, as a token or quoted. NULL counts as "".
 * @err false: another type, or a boundary that breaks the rules */
EBM_API EBM_MUST_CHECK bool ebma_multipart_boundary(const char *content_type,
                                                    char out[EBMA_MULTIPART_BOUNDARY_MAX + 1]);

/* @range boundary is what ebma_multipart_boundary() gave */
EBM_API void ebma_multipart_init(ebma_multipart *p, const char *boundary,
                                 const ebma_multipart_limits *limits,
                                 const ebma_multipart_sink *sink);
/* Takes the next bytes, any number of them. After a fault nothing is read any more.
 * @thread one at a time for each parser
 * @err the first fault, also in every later call */
EBM_API EBM_MUST_CHECK ebma_multipart_fault ebma_multipart_feed(ebma_multipart *p,
                                                                const char *bytes, size_t n);
/* Call after the last byte. @err TRUNCATED, or the fault there was */
EBM_API EBM_MUST_CHECK ebma_multipart_fault ebma_multipart_finish(ebma_multipart *p);

/* One sentence for the client. @own static, never NULL */
EBM_API const char *ebma_multipart_reason(ebma_multipart_fault fault);
/* The problem to answer with: 400 for broken bodies, 413 beyond a limit. */
EBM_API ebma_problem_code ebma_multipart_problem(ebma_multipart_fault fault);

#endif
