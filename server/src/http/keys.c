/* The ring of keys and their quotas, see keys.h. */
#include "http/keys.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "ebm/io.h"
#include "ebm/memory.h"
#include "http/key_line.h"

#define FILE_BYTES_MAX  (1024u * 1024u)
#define LINE_BYTES_MAX  4096u
#define RETRY_AFTER_MAX 3600.0
#define MINUTE_MS       60e3

/* What is left, in requests or work; refilled by the clock up to one minute's worth. */
typedef struct bucket {
    double level, seen_ms;
    bool used;
} bucket;

typedef struct entry {
    ebmd__key key;
    bucket requests, work;
} entry;

/* Sorted by id. */
typedef struct ring {
    size_t n;
    entry *entry;
} ring;

struct ebmd_keys {
    pthread_mutex_t lock; /* the ring and its buckets */
    ring ring;
    char *path;
};

/* --- reading ------------------------------------------------------------------------------ */

static int by_id(const void *a, const void *b)
{
    return strcmp(((const entry *)a)->key.id, ((const entry *)b)->key.id);
}

static ebm_status bad_line(ebm_error *err, ebm_status st, const char *path, size_t line,
                           const char *what)
{
    char place[96];
    size_t n = strlen(path);

    snprintf(place, sizeof(place), "%.70s:%zu", n > 70 ? path + n - 70 : path, line);
    return ebm_error_set(err, st, place, "%s", what);
}

static ebm_status add_line(ring *r, const char *path, size_t number, const char *line, size_t n,
                           ebm_error *err)
{
    const char *wrong;

    if (n > 0 && line[n - 1] == '\r')
        n--;
    if (n > LINE_BYTES_MAX)
        return bad_line(err, EBM_ERR_LIMIT, path, number, "the line is too long");
    if (n == 0 || line[0] == '#' || strspn(line, " \t") >= n)
        return EBM_OK;
    if (r->n == EBMD_KEYS_MAX)
        return bad_line(err, EBM_ERR_LIMIT, path, number, "there are too many keys");
    wrong = ebmd__key_parse(line, n, &r->entry[r->n].key);
    if (wrong)
        return bad_line(err, EBM_ERR_FORMAT, path, number, wrong);
    r->n++;
    return EBM_OK;
}

static ebm_status check_ring(ring *r, const char *path, ebm_error *err)
{
    qsort(r->entry, r->n, sizeof(entry), by_id);
    for (size_t i = 1; i < r->n; i++) {
        if (strcmp(r->entry[i - 1].key.id, r->entry[i].key.id) == 0)
            return ebm_error_set(err, EBM_ERR_FORMAT, path, "two keys are called '%s'",
                                 r->entry[i].key.id);
    }
    if (r->n == 0)
        return ebm_error_set(err, EBM_ERR_FORMAT, path, "there is no key in it");
    return EBM_OK;
}

/* Secrets cannot be found from their digests, but who may write here may let himself in. */
static ebm_status check_mode(const char *path, ebm_error *err)
{
    struct stat st;

    if (stat(path, &st) == 0 && (st.st_mode & (S_IROTH | S_IWOTH)))
        return ebm_error_set(err, EBM_ERR_BAD_STATE, path,
                             "other users may read or write it; chmod o-rw");
    return EBM_OK;
}

static ebm_status read_ring(const char *path, ring *out, ebm_error *err)
{
    unsigned char *data = NULL;
    size_t size = 0, number = 0;
    ebm_status st = check_mode(path, err);

    *out = (ring){0};
    if (st == EBM_OK)
        st = ebm_file_read(NULL, path, FILE_BYTES_MAX, &data, &size, err);
    if (st != EBM_OK)
        return st;
    out->entry = ebm_alloc(EBMD_KEYS_MAX, sizeof(entry));
    if (!out->entry)
        st = ebm_error_set(err, EBM_ERR_NOMEM, path, "no memory");
    for (const char *at = (const char *)data, *end = at + size; at < end && st == EBM_OK;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t n = (size_t)((stop ? stop : end) - at);

        st = add_line(out, path, ++number, at, n, err);
        at += n + 1;
    }
    if (st == EBM_OK)
        st = check_ring(out, path, err);
    if (st != EBM_OK) {
        ebm_free(out->entry);
        *out = (ring){0};
    }
    ebm_free(data);
    return st;
}

static entry *find(const ring *r, const char *id)
{
    entry wanted;

    snprintf(wanted.key.id, sizeof(wanted.key.id), "%s", id);
    return bsearch(&wanted, r->entry, r->n, sizeof(entry), by_id);
}

ebm_status ebmd_keys_open(const char *path, ebmd_keys **out, ebm_error *err)
{
    ebmd_keys *k = ebm_alloc(1, sizeof(*k));
    size_t n = strlen(path) + 1;
    ebm_status st = EBM_ERR_NOMEM;

    *out = NULL;
    if (k)
        k->path = ebm_alloc(n, 1);
    if (!k || !k->path || pthread_mutex_init(&k->lock, NULL) != 0) {
        ebm_error_set(err, EBM_ERR_NOMEM, path, "no memory");
        goto out;
    }
    memcpy(k->path, path, n);
    st = read_ring(path, &k->ring, err);
    if (st != EBM_OK) {
        pthread_mutex_destroy(&k->lock);
        goto out;
    }
    *out = k;
    return EBM_OK;
out:
    if (k)
        ebm_free(k->path);
    ebm_free(k);
    return st;
}

void ebmd_keys_close(ebmd_keys *k)
{
    if (!k)
        return;
    pthread_mutex_destroy(&k->lock);
    ebm_free(k->ring.entry);
    ebm_free(k->path);
    ebm_free(k);
}

ebm_status ebmd_keys_reload(ebmd_keys *k, ebm_error *err)
{
    ring fresh, old;
    ebm_status st = read_ring(k->path, &fresh, err);

    if (st != EBM_OK)
        return st;
    pthread_mutex_lock(&k->lock);
    for (size_t i = 0; i < fresh.n; i++) {
        const entry *before = find(&k->ring, fresh.entry[i].key.id);

        if (before) {
            fresh.entry[i].requests = before->requests;
            fresh.entry[i].work = before->work;
        }
    }
    old = k->ring;
    k->ring = fresh;
    pthread_mutex_unlock(&k->lock);
    ebm_free(old.entry);
    return EBM_OK;
}

size_t ebmd_keys_count(ebmd_keys *k)
{
    size_t n;

    pthread_mutex_lock(&k->lock);
    n = k->ring.n;
    pthread_mutex_unlock(&k->lock);
    return n;
}

/* --- quotas ------------------------------------------------------------------------------- */

static void refill(bucket *b, double per_minute, double now_ms)
{
    if (!b->used)
        *b = (bucket){.level = per_minute, .seen_ms = now_ms, .used = true};
    if (now_ms > b->seen_ms) {
        b->level += (now_ms - b->seen_ms) * per_minute / MINUTE_MS;
        b->seen_ms = now_ms;
    }
    if (b->level > per_minute)
        b->level = per_minute;
}

/* Takes `amount` if at least `least` is there. @err false: *retry_after is set */
static bool take(bucket *b, double per_minute, double amount, double least, double now_ms,
                 int *retry_after)
{
    double seconds;

    if (per_minute <= 0.0)
        return true;
    refill(b, per_minute, now_ms);
    if (b->level >= least) {
        b->level -= amount;
        return true;
    }
    seconds = ceil((least - b->level) * 60.0 / per_minute);
    *retry_after = (int)(seconds < 1.0               ? 1.0
                         : seconds > RETRY_AFTER_MAX ? RETRY_AFTER_MAX
                                                     : seconds);
    return false;
}

bool ebmd_keys_spend(ebmd_keys *k, const char *owner, double work, double now_ms, int *retry_after)
{
    bool ok = true;
    entry *e;

    pthread_mutex_lock(&k->lock);
    e = find(&k->ring, owner);
    if (e) /* a key that was taken away meanwhile has no quota to guard */
        ok = take(&e->work, e->key.work, work, 1.0, now_ms, retry_after);
    pthread_mutex_unlock(&k->lock);
    return ok;
}

void ebmd_keys_refund(ebmd_keys *k, const char *owner, double work)
{
    entry *e;

    pthread_mutex_lock(&k->lock);
    e = find(&k->ring, owner);
    if (e && e->work.used)
        e->work.level += work; /* what is beyond a minute's worth goes with the next refill */
    pthread_mutex_unlock(&k->lock);
}

/* --- judging ------------------------------------------------------------------------------ */

/* A bearer token in its two parts. */
typedef struct token {
    char id[EBMD_KEY_ID_SIZE];
    const char *secret;
    size_t secret_len;
} token;

static bool parse_token(const char *authorization, token *out)
{
    static const char scheme[] = "Bearer ";
    size_t skip = sizeof(scheme) - 1, n;
    const char *dot;

    if (strncasecmp(authorization, scheme, skip) != 0)
        return false;
    authorization += skip;
    n = strnlen(authorization, EBMD_KEY_ID_SIZE + EBMD__SECRET_MAX + 1);
    dot = memchr(authorization, '.', n);
    if (!dot || !ebmd__key_id_valid(authorization, (size_t)(dot - authorization)))
        return false;
    memcpy(out->id, authorization, (size_t)(dot - authorization));
    out->id[dot - authorization] = '\0';
    out->secret = dot + 1;
    out->secret_len = n - (size_t)(dot - authorization) - 1;
    return out->secret_len >= EBMD__SECRET_MIN && out->secret_len <= EBMD__SECRET_MAX;
}

/* The same time for every digest: no early end at the first difference. */
static bool same_digest(const char *a, const char *b)
{
    unsigned char different = 0;

    for (size_t i = 0; i < EBMD__DIGEST_SIZE - 1; i++)
        different |= (unsigned char)(a[i] ^ b[i]);
    return different == 0;
}

/* An id that nobody has is hashed against a digest that nothing has. */
static entry *authenticate(const ring *r, const token *t)
{
    static const ebmd__key nobody = {.salt = "00000000000000000000000000000000"};
    entry *e = find(r, t->id);
    const ebmd__key *key = e ? &e->key : &nobody;
    char digest[EBMD__DIGEST_SIZE];

    ebmd__key_digest(key->salt, t->secret, t->secret_len, digest);
    return same_digest(digest, key->digest) ? e : NULL;
}

static ebmd_verdict judge(ebmd_keys *k, const token *t, unsigned scope, double now_ms,
                          ebmd_grant *out)
{
    entry *e = authenticate(&k->ring, t);

    if (!e)
        return EBMD_KEY_UNKNOWN;
    memcpy(out->owner, e->key.id, sizeof(out->owner));
    out->scopes = e->key.scopes;
    out->priority = e->key.priority;
    if (!(e->key.scopes & EBMD_SCOPE_ADMIN) && (e->key.scopes & scope) != scope)
        return EBMD_KEY_SCOPE;
    return take(&e->requests, e->key.requests, 1.0, 1.0, now_ms, &out->retry_after) ? EBMD_KEY_GOOD
                                                                                    : EBMD_KEY_RATE;
}

ebmd_verdict ebmd_keys_check(ebmd_keys *k, const char *authorization, unsigned scope, double now_ms,
                             ebmd_grant *out)
{
    ebmd_verdict verdict;
    token t;

    memset(out, 0, sizeof(*out));
    if (!authorization)
        return EBMD_KEY_MISSING;
    if (!parse_token(authorization, &t))
        return EBMD_KEY_UNKNOWN;
    pthread_mutex_lock(&k->lock);
    verdict = judge(k, &t, scope, now_ms, out);
    pthread_mutex_unlock(&k->lock);
    return verdict;
}
