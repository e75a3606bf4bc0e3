/* Identifiers, see ids.h. */
#include "base/ids.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

bool ebmd_id_make(const char *prefix, int64_t unix_ms, char out[EBMD_ID_SIZE])
{
    unsigned char random[16]; /* one byte for each of the 16 random characters; 5 bits are used */
    char text[27];

    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return false;
    for (int i = 0; i < 10; i++)
        text[i] = alphabet[((uint64_t)unix_ms >> (5 * (9 - i))) & (i == 0 ? 7u : 31u)];
    for (int i = 0; i < 16; i++)
        text[10 + i] = alphabet[random[i] & 31u];
    text[26] = '\0';
    return snprintf(out, EBMD_ID_SIZE, "%s%s", prefix, text) < EBMD_ID_SIZE;
}

bool ebmd_id_is_job(const char *text, size_t n)
{
    if (n != 30 || memcmp(text, "job_", 4) != 0 || text[4] > '7')
        return false;
    for (size_t i = 4; i < n; i++) {
        if (text[i] == '\0' || !strchr(alphabet, text[i]))
            return false;
    }
    return true;
}

bool ebmd_id_is_request(const char *text, size_t n)
{
    if (n < 1 || n > 64)
        return false;
    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        bool word = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');

        if (!word && c != '.' && c != '_' && c != '-')
            return false;
    }
    return true;
}
