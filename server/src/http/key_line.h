/* One line of a key file, for keys.c: its grammar, and how a secret is hashed. */
#ifndef EBMD_KEY_LINE_H
#define EBMD_KEY_LINE_H

#include "http/keys.h"

#define EBMD__SECRET_MIN  32
#define EBMD__SECRET_MAX  128
#define EBMD__SALT_SIZE   33
#define EBMD__DIGEST_SIZE 65

typedef struct ebmd__key {
    char id[EBMD_KEY_ID_SIZE];
    char salt[EBMD__SALT_SIZE];
    char digest[EBMD__DIGEST_SIZE];
    unsigned scopes;
    double requests, work; /* per minute; 0: no limit */
    int32_t priority;
} ebmd__key;

/* @range line without its end; n <= 4096
 * @err NULL: *out is filled; else what is wrong, in words */
const char *ebmd__key_parse(const char *line, size_t n, ebmd__key *out);
bool ebmd__key_id_valid(const char *id, size_t n);
/* @range n: at most EBMD__SECRET_MAX */
void ebmd__key_digest(const char *salt, const char *secret, size_t n, char out[EBMD__DIGEST_SIZE]);

#endif
