/* Idempotency-Key, see idem_key.h. */
#include "routes/idem_key.h"

#include <string.h>

#include "ebm/io.h"
#include "ebm/memory.h"

#define IDEM_KEY_MAX 255

static bool key_ok(const char *key)
{
    size_t n = strlen(key);

    for (size_t i = 0; i < n; i++) {
        if (key[i] < '!' || key[i] > '~')
            return false;
    }
    return n >= 1 && n <= IDEM_KEY_MAX;
}

/* Digest of several words, each with its end marked. */
static bool digest_words(const char *const *words, size_t n, char out[EBMD_HEX_SIZE])
{
    size_t total = 0, at = 0;
    char *text;

    for (size_t i = 0; i < n; i++)
        total += strlen(words[i]) + 1;
    text = ebm_alloc(total, 1);
    if (!text)
        return false;
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(words[i]) + 1;

        memcpy(text + at, words[i], len);
        at += len;
    }
    ebm_sha256_hex(text, total, out);
    ebm_free(text);
    return true;
}

/* JSON counts in its canonical form: spelling and order of members do not matter. */
static ebm_status body_form(const ebmd_request *r, char **out)
{
    size_t size;
    char digest[EBMD_HEX_SIZE];

    if (ebma_body_canonical(r->body ? r->body : "", r->body_size, out, &size, NULL) == EBM_OK)
        return EBM_OK;
    ebm_sha256_hex(r->body ? r->body : "", r->body_size, digest);
    *out = ebm_alloc(1, sizeof(digest));
    if (!*out)
        return EBM_ERR_NOMEM;
    memcpy(*out, digest, sizeof(digest));
    return EBM_OK;
}

bool ebmd_idem_read(ebmd_request *r, const char *kind, const char *subject, ebmd_idem *out)
{
    const char *header = ebmd_request_header(r, "Idempotency-Key");
    const char *key_words[] = {r->grant.owner, header};
    const char *body_words[] = {kind, subject, NULL};
    char *canonical = NULL;
    bool ok;

    memset(out, 0, sizeof(*out));
    if (!header)
        return true;
    if (!key_ok(header)) {
        ebmd_reply_code(r, EBMA_BAD_IDEMPOTENCY_KEY);
        return false;
    }
    ok = body_form(r, &canonical) == EBM_OK;
    body_words[2] = canonical;
    ok = ok && digest_words(key_words, 2, out->key) && digest_words(body_words, 3, out->body);
    ebm_free(canonical);
    if (!ok)
        ebmd_reply_code(r, EBMA_OUT_OF_MEMORY);
    return ok;
}
