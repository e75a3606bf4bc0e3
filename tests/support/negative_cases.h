/* Hostile requests, generated: what is sent, what must come back. The letters are those of the
 * families: H framing, Q targets, J JSON, S parameters, M media types. */
#ifndef EBM_TEST_NEGATIVE_CASES_H
#define EBM_TEST_NEGATIVE_CASES_H

#include <stddef.h>

#define NEGATIVE_HOST "Host: t\r\n"
#define NEGATIVE_JSON "Content-Type: application/json\r\n"

/* What must come back: one status, or one of two where a rule leaves it open. */
typedef struct negative_want {
    int status, other;
} negative_want;

/* How many requests were sent to the port, and how many were not answered as they must be. */
typedef struct negative_score {
    int port, cases, bad;
} negative_score;
extern negative_score negative;

/* Sends bytes on their own connection; the reply must be the problem object of its status. */
void negative_bytes(const char *name, const char *bytes, size_t n, negative_want w);
/* method, path and further lines, without a body */
void negative_head(const char *name, const char *method, const char *path, const char *lines,
                   int status);
/* POST /v1/sample with a JSON body */
void negative_body(const char *name, const char *body, size_t size, negative_want w);
void negative_text(const char *name, const char *body, int status);
/* The same to another path. */
void negative_text_at(const char *path, const char *name, const char *body, int status);

/* The families. */
void negative_http_cases(void); /* H, Q, M */
void negative_json_cases(void); /* J, S */

#endif
