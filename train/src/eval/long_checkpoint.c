/* See long_checkpoint.h. Header, then for each chain a flag, ebm_mcmc_encode()'s bytes and its
 * image, then a SHA-256 of all before; numbers are little-endian, 64 bits each. */
#include "eval/long_checkpoint.h"

#include <math.h>
#include <string.h>

#include "ebm/io.h"
#include "ebm/memory.h"

#define MAGIC      "EBMLONG1"
#define KEY_BYTES  64
#define WORDS_MARK 16
#define WORDS_HEAD (8 + EBMT_LONG_MARKS * WORDS_MARK)
#define HEAD_BYTES (8 + KEY_BYTES + 8 * WORDS_HEAD)
#define MAX_BYTES  ((size_t)4 << 30)

static const char where[] = "long checkpoint";

/* --- words: one list of fields for both directions ------------------------------------------ */

typedef struct cursor {
    unsigned char *at;
    bool reading;
} cursor;

static void word(cursor *c, uint64_t *v)
{
    uint64_t read = 0;
    for (int i = 0; i < 8; i++) {
        if (!c->reading)
            c->at[i] = (unsigned char)(*v >> 8 * i);
        read |= (uint64_t)c->at[i] << 8 * i;
    }
    *v = read;
    c->at += 8;
}

static void whole(cursor *c, int64_t *v)
{
    uint64_t bits = (uint64_t)*v;
    word(c, &bits);
    *v = (int64_t)bits;
}

static void real(cursor *c, double *v)
{
    uint64_t bits;
    memcpy(&bits, v, sizeof bits);
    word(c, &bits);
    memcpy(v, &bits, sizeof bits);
}

static void number(cursor *c, ebmt_number *v)
{
    real(c, &v->value);
    real(c, &v->se);
    whole(c, &v->n);
}

/* WORDS_MARK words. */
static void mark(cursor *c, ebmt_long_mark *m)
{
    whole(c, &m->steps);
    number(c, &m->frechet);
    number(c, &m->frechet_unbiased);
    number(c, &m->log_density);
    real(c, &m->log_density_sd);
    number(c, &m->inside);
    real(c, &m->acceptance);
    whole(c, &m->diverged);
}

/* The header's words, WORDS_HEAD of them. */
typedef struct header {
    int64_t n, blob, n_marks, reached;
    double accept, moves;
    ebm_band band;
    ebmt_long_mark mark[EBMT_LONG_MARKS];
} header;

static void words(cursor *c, header *h)
{
    whole(c, &h->n);
    whole(c, &h->blob);
    whole(c, &h->n_marks);
    whole(c, &h->reached);
    real(c, &h->accept);
    real(c, &h->moves);
    real(c, &h->band.low);
    real(c, &h->band.high);
    for (int i = 0; i < EBMT_LONG_MARKS; i++)
        mark(c, &h->mark[i]);
}

/* False: more than a file may have. */
static bool file_size(const ebmt__long_state *s, size_t blob, size_t *out)
{
    size_t record;
    return ebm_size_add(8 + blob, s->dim, &record) && ebm_size_mul((size_t)s->n, record, out) &&
           ebm_size_add(*out, HEAD_BYTES + KEY_BYTES, out) && *out <= MAX_BYTES;
}

/* --- writing ------------------------------------------------------------------------------- */

static void put_head(const ebmt__long_state *s, size_t blob, unsigned char *data)
{
    const ebmt_long_report *r = s->report;
    cursor c = {.at = data + 8 + KEY_BYTES};
    header h = {.n = s->n,
                .blob = (int64_t)blob,
                .n_marks = r->n_marks,
                .reached = s->reached,
                .accept = s->accept,
                .moves = s->moves,
                .band = r->band};
    memcpy(h.mark, r->mark, sizeof h.mark);
    memcpy(data, MAGIC, 8);
    memcpy(data + 8, s->key, KEY_BYTES);
    words(&c, &h);
}

static ebm_status encode(const ebmt__long_state *s, int64_t k, unsigned char **blob, size_t *size,
                         ebm_error *err)
{
    const ebm_density shape = {.dim = s->dim};
    const ebm_mcmc_setup setup = {&shape, s->levels, s->plan};
    ebm_mcmc chain = s->chains[k].mcmc;
    chain.anchor = s->anchor;
    return ebm_mcmc_encode(&chain, &setup, s->model_sha256, blob, size, err);
}

/* All blobs of a run have one size, that of the first, which decides the file's. */
static ebm_status begin(const ebmt__long_state *s, size_t blob, unsigned char **data, size_t *size,
                        ebm_error *err)
{
    if (!file_size(s, blob, size))
        return ebm_error_set(err, EBM_ERR_LIMIT, where, "the chains do not fit in a file");
    *data = ebm_alloc(*size, 1);
    if (!*data)
        return ebm_error_set(err, EBM_ERR_NOMEM, where, "no memory");
    put_head(s, blob, *data);
    return EBM_OK;
}

/* @own *data: ebm_free(), also after an error */
static ebm_status build(const ebmt__long_state *s, unsigned char **data, size_t *size,
                        ebm_error *err)
{
    cursor c = {0};
    ebm_status st = EBM_OK;
    for (int64_t k = 0; k < s->n && st == EBM_OK; k++) {
        unsigned char *blob = NULL;
        size_t bytes = 0;
        st = encode(s, k, &blob, &bytes, err);
        if (st == EBM_OK && k == 0) {
            st = begin(s, bytes, data, size, err);
            c.at = st == EBM_OK ? *data + HEAD_BYTES : NULL;
        }
        if (st == EBM_OK) {
            word(&c, &(uint64_t){s->chains[k].diverged});
            memcpy(c.at, blob, bytes);
            memcpy(c.at + bytes, s->images + (size_t)k * s->dim, s->dim);
            c.at += bytes + s->dim;
        }
        ebm_free(blob);
    }
    return st;
}

ebm_status ebmt__long_save(const ebmt__long_state *s, ebm_error *err)
{
    unsigned char *data = NULL;
    char hex[KEY_BYTES + 1];
    size_t size = 0;
    ebm_status st = build(s, &data, &size, err);
    if (st == EBM_OK) {
        ebm_sha256_hex(data, size - KEY_BYTES, hex);
        memcpy(data + size - KEY_BYTES, hex, KEY_BYTES);
        st = ebm_file_write(s->path, data, size, err);
    }
    ebm_free(data);
    return st;
}

/* --- reading ------------------------------------------------------------------------------- */

static ebm_status check_head(const ebmt__long_state *s, const header *h, size_t size,
                             ebm_error *err)
{
    size_t want;
    if (h->n != s->n || h->blob < 0 || h->blob > (int64_t)size ||
        !file_size(s, (size_t)h->blob, &want) || want != size)
        return ebm_error_set(err, EBM_ERR_FORMAT, where, "the size does not fit the chains");
    if (h->n_marks < 1 || h->n_marks > EBMT_LONG_MARKS || h->reached < 0 ||
        h->reached > s->plan->steps || !(h->band.low <= h->band.high))
        return ebm_error_set(err, EBM_ERR_RANGE, where, "marks or steps out of range");
    for (int64_t i = 0; i < h->n_marks; i++)
        if (h->mark[i].steps < -s->plan->burn_in ||
            h->mark[i].steps > h->reached - s->plan->burn_in)
            return ebm_error_set(err, EBM_ERR_RANGE, where, "mark %lld is out of range",
                                 (long long)i);
    return EBM_OK;
}

static ebm_status open_file(const ebmt__long_state *s, unsigned char *data, size_t size, header *h,
                            ebm_error *err)
{
    char hex[KEY_BYTES + 1];
    cursor c = {.at = data + 8 + KEY_BYTES, .reading = true};
    if (size < HEAD_BYTES + KEY_BYTES || memcmp(data, MAGIC, 8) != 0)
        return ebm_error_set(err, EBM_ERR_FORMAT, where, "not a checkpoint of long chains");
    ebm_sha256_hex(data, size - KEY_BYTES, hex);
    if (memcmp(hex, data + size - KEY_BYTES, KEY_BYTES) != 0)
        return ebm_error_set(err, EBM_ERR_DIGEST, where, "the file is damaged");
    if (memcmp(data + 8, s->key, KEY_BYTES) != 0)
        return ebm_error_set(err, EBM_ERR_ARG, where,
                             "holds chains of another model, of other data or settings");
    words(&c, h);
    return check_head(s, h, size, err);
}

static ebm_status take_chain(ebmt__long_state *s, int64_t k, int64_t reached,
                             const unsigned char *blob, size_t bytes, ebm_error *err)
{
    ebm_mcmc *own = &s->chains[k].mcmc;
    const ebm_mcmc_room room = {.dim = s->dim,
                                .levels = s->levels,
                                .model_digest = s->model_sha256,
                                .y = own->y,
                                .anchor = s->anchor};
    ebm_mcmc chain = {0};
    ebm_mcmc_plan plan;
    ebm_status st = ebm_mcmc_decode(blob, bytes, &room, &chain, &plan, err);
    if (st != EBM_OK)
        return st;
    if (chain.level != 0 || chain.step != chain.total || chain.noise.seed != own->noise.seed ||
        chain.noise.index != own->noise.index ||
        (s->chains[k].diverged ? chain.total > reached : chain.total != reached))
        return ebm_error_set(err, EBM_ERR_RANGE, where, "chain %lld is not of this run",
                             (long long)k);
    *own = chain;
    return EBM_OK;
}

ebm_status ebmt__long_load(ebmt__long_state *s, ebm_error *err)
{
    unsigned char *data = NULL;
    size_t size = 0;
    header h;
    ebm_status st = ebm_file_read(NULL, s->path, MAX_BYTES, &data, &size, err);
    if (st == EBM_OK)
        st = open_file(s, data, size, &h, err);
    cursor c = {.at = st == EBM_OK ? data + HEAD_BYTES : NULL, .reading = true};
    for (int64_t k = 0; k < s->n && st == EBM_OK; k++) {
        uint64_t diverged = 0;
        word(&c, &diverged);
        s->chains[k].diverged = diverged != 0;
        s->chains[k].logp = NAN; /* of others it is looked at again */
        st = take_chain(s, k, h.reached, c.at, (size_t)h.blob, err);
        memcpy(s->images + (size_t)k * s->dim, c.at + h.blob, s->dim);
        c.at += (size_t)h.blob + s->dim;
    }
    if (st == EBM_OK) {
        s->report->n_marks = (int32_t)h.n_marks;
        s->report->band = h.band;
        memcpy(s->report->mark, h.mark, sizeof h.mark);
        s->accept = h.accept;
        s->moves = h.moves;
        s->reached = h.reached;
    }
    ebm_free(data);
    return st;
}
