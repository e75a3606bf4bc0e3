/* Lines of a key file and the making of new ones, see key_line.h. */
#include "http/key_line.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "ebm/io.h"
#include "ebma/op_request.h"

#define FIELDS_MIN 6
#define FIELDS     7

typedef struct field {
    const char *at;
    size_t n;
} field;

bool ebmd__key_id_valid(const char *id, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool word = (id[i] >= 'a' && id[i] <= 'z') || (id[i] >= '0' && id[i] <= '9');

        if (!word && (i == 0 || (id[i] != '-' && id[i] != '_')))
            return false;
    }
    return n >= 1 && n < EBMD_KEY_ID_SIZE;
}

static bool take_hex(field f, size_t digits, char *out)
{
    for (size_t i = 0; i < f.n; i++) {
        if (!((f.at[i] >= '0' && f.at[i] <= '9') || (f.at[i] >= 'a' && f.at[i] <= 'f')))
            return false;
    }
    if (f.n != digits)
        return false;
    memcpy(out, f.at, digits);
    out[digits] = '\0';
    return true;
}

static bool take_scopes(field f, unsigned *out)
{
    static const struct {
        const char *name;
        unsigned bit;
    } known[] = {
        {"sample", EBMD_SCOPE_SAMPLE}, {"jobs", EBMD_SCOPE_JOBS}, {"admin", EBMD_SCOPE_ADMIN}};

    *out = 0;
    for (const char *at = f.at, *end = f.at + f.n; at <= end;) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        size_t n = (size_t)((comma ? comma : end) - at);
        unsigned bit = 0;

        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
            if (strlen(known[i].name) == n && memcmp(known[i].name, at, n) == 0)
                bit = known[i].bit;
        }
        if (bit == 0 || (*out & bit))
            return false;
        *out |= bit;
        at += n + 1;
    }
    return true;
}

/* "-" or 1..999999999 */
static bool take_rate(field f, double *out)
{
    double v = 0;

    *out = 0;
    if (f.n == 1 && *f.at == '-')
        return true;
    for (size_t i = 0; i < f.n; i++) {
        if (f.at[i] < '0' || f.at[i] > '9')
            return false;
        v = v * 10 + (f.at[i] - '0');
    }
    *out = v;
    return f.n <= 9 && v >= 1;
}

static bool take_priority(field f, int32_t *out)
{
    *out = *f.at - '0';
    return f.n == 1 && *out >= 0 && *out <= 9;
}

static size_t split(const char *line, size_t n, field out[FIELDS + 1])
{
    size_t count = 0;

    for (size_t i = 0; i < n && count <= FIELDS;) {
        size_t start;

        while (i < n && (line[i] == ' ' || line[i] == '\t'))
            i++;
        start = i;
        while (i < n && line[i] != ' ' && line[i] != '\t')
            i++;
        if (i > start)
            out[count++] = (field){line + start, i - start};
    }
    return count;
}

const char *ebmd__key_parse(const char *line, size_t n, ebmd__key *out)
{
    field f[FIELDS + 1];
    size_t fields = split(line, n, f);

    memset(out, 0, sizeof(*out));
    out->priority = EBMA_PRIORITY_DEFAULT;
    if (fields < FIELDS_MIN || fields > FIELDS)
        return "expected: ID SCOPES REQUESTS WORK SALT DIGEST [PRIORITY]";
    if (!ebmd__key_id_valid(f[0].at, f[0].n))
        return "an id is 1..64 of a-z 0-9 _ -";
    memcpy(out->id, f[0].at, f[0].n);
    if (!take_scopes(f[1], &out->scopes))
        return "scopes are a list of sample, jobs, admin, each once";
    if (!take_rate(f[2], &out->requests) || !take_rate(f[3], &out->work))
        return "rates are 1..999999999 a minute, or -";
    if (!take_hex(f[4], EBMD__SALT_SIZE - 1, out->salt))
        return "a salt is 32 digits of 0-9 a-f";
    if (!take_hex(f[5], EBMD__DIGEST_SIZE - 1, out->digest))
        return "a digest is 64 digits of 0-9 a-f";
    if (fields == FIELDS && !take_priority(f[FIELDS_MIN], &out->priority))
        return "a priority is 0..9";
    return NULL;
}

void ebmd__key_digest(const char *salt, const char *secret, size_t n, char out[EBMD__DIGEST_SIZE])
{
    char text[EBMD__SALT_SIZE + EBMD__SECRET_MAX];

    memcpy(text, salt, EBMD__SALT_SIZE - 1);
    text[EBMD__SALT_SIZE - 1] = ':';
    memcpy(text + EBMD__SALT_SIZE, secret, n);
    ebm_sha256_hex(text, EBMD__SALT_SIZE + n, out);
}

static bool random_hex(char *out, size_t bytes)
{
    unsigned char raw[32];
    ssize_t got;

    do {
        got = getrandom(raw, bytes, 0);
    } while (got < 0 && errno == EINTR);
    if (got != (ssize_t)bytes)
        return false;
    for (size_t i = 0; i < bytes; i++)
        snprintf(out + 2 * i, 3, "%02x", raw[i]);
    return true;
}

ebm_status ebmd_keys_make(const char *id, char key[EBMD_KEY_TEXT_SIZE],
                          char line[EBMD_KEY_TEXT_SIZE], ebm_error *err)
{
    char secret[65], salt[EBMD__SALT_SIZE], digest[EBMD__DIGEST_SIZE];

    if (!ebmd__key_id_valid(id, strlen(id)))
        return ebm_error_set(err, EBM_ERR_ARG, "--make-key", "an id is 1..64 of a-z 0-9 _ -");
    if (!random_hex(secret, 32) || !random_hex(salt, 16))
        return ebm_error_set(err, EBM_ERR_IO, NULL, "the kernel gave no randomness");
    ebmd__key_digest(salt, secret, 64, digest);
    snprintf(key, EBMD_KEY_TEXT_SIZE, "%s.%s", id, secret);
    snprintf(line, EBMD_KEY_TEXT_SIZE, "%s sample,jobs 60 - %s %s", id, salt, digest);
    return EBM_OK;
}
