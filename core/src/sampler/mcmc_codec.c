/* Checkpoints of chains: fixed header, vectors as little-endian float32, digest of the levels,
 * SHA-256 of all before.
 * What is decoded is hostile until every field has passed its check. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "ebm/io.h"
#include "ebm/mcmc.h"
#include "ebm/memory.h"
#include "io/bytes.h"
#include "sampler/mcmc_internal.h"

#define MAGIC        "EBMCHAIN"
#define VERSION      2 /* 1 lacks the digest of the levels, and is still read */
#define DIGEST_BYTES 64
#define HEAD_BYTES   232
#define MAX_DIM      ((size_t)1 << 24)

/* --- the header: one list of fields for both directions ------------------------------------- */

/* Walks over header bytes, reading or writing. */
typedef struct cursor {
    unsigned char *at;
    bool reading;
} cursor;

static void field_u32(cursor *c, uint32_t *v)
{
    if (c->reading)
        *v = ebm__load_le32(c->at);
    else
        ebm__store_le32(c->at, *v);
    c->at += 4;
}

static void field_u64(cursor *c, uint64_t *v)
{
    if (c->reading)
        *v = ebm__load_le64(c->at);
    else
        ebm__store_le64(c->at, *v);
    c->at += 8;
}

static void field_i32(cursor *c, int32_t *v)
{
    uint32_t bits = (uint32_t)*v;
    field_u32(c, &bits);
    *v = (int32_t)bits;
}

static void field_i64(cursor *c, int64_t *v)
{
    uint64_t bits = (uint64_t)*v;
    field_u64(c, &bits);
    *v = (int64_t)bits;
}

static void field_f64(cursor *c, double *v)
{
    uint64_t bits = ebm__bits_of_double(*v);
    field_u64(c, &bits);
    *v = ebm__double_of_bits(bits);
}

static void field_text(cursor *c, char *text, size_t n)
{
    if (c->reading)
        memcpy(text, c->at, n);
    else
        memcpy(c->at, text, n);
    c->at += n;
}

typedef struct header {
    char magic[8], digest[DIGEST_BYTES];
    uint32_t version, knows; /* knows: 1 with image and mask */
    uint64_t dim;
    int32_t sampler, ladder, tether; /* ladder: 0, or 1 + where passes begin */
    ebm_mcmc_plan plan;
    ebm_mcmc chain;
} header;

static void walk_plan(cursor *c, header *h)
{
    field_i32(c, &h->sampler);
    field_i32(c, &h->ladder);
    field_i32(c, &h->tether);
    field_i32(c, &h->plan.leapfrog);
    field_i32(c, &h->plan.steps_per_level);
    field_i32(c, &h->plan.repeats);
    field_i32(c, &h->plan.polish);
    field_i64(c, &h->plan.steps);
    field_i64(c, &h->plan.burn_in);
    field_f64(c, &h->plan.step_scale);
    field_f64(c, &h->plan.noise_scale);
}

static void walk_chain(cursor *c, header *h)
{
    field_u64(c, &h->chain.noise.seed);
    field_u32(c, &h->chain.noise.index);
    field_u64(c, &h->chain.noise.seed_b);
    field_u32(c, &h->chain.noise.index_b);
    field_f64(c, &h->chain.noise.lambda);
    field_i32(c, &h->chain.level);
    field_i64(c, &h->chain.step);
    field_i64(c, &h->chain.total);
    field_f64(c, &h->chain.step_size);
    field_f64(c, &h->chain.running);
    field_i64(c, &h->chain.moves);
    field_f64(c, &h->chain.accept);
}

static void walk_header(unsigned char *bytes, bool reading, header *h)
{
    cursor c = {.at = bytes, .reading = reading};
    field_text(&c, h->magic, sizeof h->magic);
    field_u32(&c, &h->version);
    field_u32(&c, &h->knows);
    field_u64(&c, &h->dim);
    field_text(&c, h->digest, sizeof h->digest);
    walk_plan(&c, h);
    walk_chain(&c, h);
    assert((size_t)(c.at - bytes) == HEAD_BYTES);
}

/* --- encoding ------------------------------------------------------------------------------- */

static bool is_digest(const char *text)
{
    return strspn(text, "0123456789abcdef") == DIGEST_BYTES && text[DIGEST_BYTES] == '\0';
}

static unsigned char *put_floats(unsigned char *at, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ebm__store_le32(at + 4 * i, ebm__bits_of_float(x[i]));
    return at + 4 * n;
}

/* Where the vectors end. */
static size_t vectors_end(size_t dim, bool knows)
{
    return HEAD_BYTES + (size_t)(knows ? 16 : 8) * dim;
}

static size_t size_of(const header *h)
{
    return vectors_end((size_t)h->dim, h->knows) + (size_t)(h->version > 1 ? 2 : 1) * DIGEST_BYTES;
}

static void fill(const ebm_mcmc *chain, const header *filled, const char *levels,
                 unsigned char *data, size_t size)
{
    header h = *filled;
    const size_t dim = (size_t)h.dim;
    char hex[DIGEST_BYTES + 1];
    walk_header(data, false, &h);
    unsigned char *at = put_floats(data + HEAD_BYTES, chain->y, dim);
    at = put_floats(at, chain->anchor, dim);
    if (h.knows) {
        at = put_floats(at, chain->image, dim);
        at = put_floats(at, chain->mask, dim);
    }
    memcpy(at, levels, DIGEST_BYTES);
    ebm_sha256_hex(data, size - DIGEST_BYTES, hex);
    memcpy(at + DIGEST_BYTES, hex, DIGEST_BYTES);
}

ebm_status ebm_mcmc_encode(const ebm_mcmc *chain, const ebm_mcmc_setup *setup,
                           const char *model_digest, unsigned char **data, size_t *size,
                           ebm_error *err)
{
    const ebm_mcmc_plan *plan = setup->plan;
    header h = {.version = VERSION,
                .knows = chain->path ? 1 : 0,
                .dim = setup->density->dim,
                .sampler = (int32_t)plan->sampler,
                .ladder = plan->ladder ? 1 + (int32_t)plan->begin : 0,
                .tether = plan->tether,
                .plan = *plan,
                .chain = *chain};
    char levels[DIGEST_BYTES + 1];
    *data = NULL;
    *size = size_of(&h);
    if (!is_digest(model_digest))
        return ebm_error_set(err, EBM_ERR_ARG, "model_digest", "must be 64 hex digits");
    if (h.dim > MAX_DIM)
        return ebm_error_set(err, EBM_ERR_ARG, "dim", "too large for a checkpoint");
    memcpy(h.magic, MAGIC, sizeof h.magic);
    memcpy(h.digest, model_digest, DIGEST_BYTES);
    ebm_status st = ebm_levels_digest(setup->levels, levels, err);
    if (st != EBM_OK)
        return st;
    *data = ebm_alloc(*size, 1);
    if (!*data)
        return ebm_error_set(err, EBM_ERR_NOMEM, "checkpoint", "no memory for a checkpoint");
    fill(chain, &h, levels, *data, *size);
    return EBM_OK;
}

/* --- decoding ------------------------------------------------------------------------------- */

static ebm_status check_envelope(const unsigned char *data, size_t size, ebm_error *err)
{
    char hex[DIGEST_BYTES + 1];
    if (size < HEAD_BYTES + DIGEST_BYTES || memcmp(data, MAGIC, 8) != 0)
        return ebm_error_set(err, EBM_ERR_FORMAT, "checkpoint", "not a chain checkpoint");
    const uint32_t version = ebm__load_le32(data + 8);
    if (version < 1 || version > VERSION)
        return ebm_error_set(err, EBM_ERR_FORMAT, "version", "only 1..%d are known", VERSION);
    ebm_sha256_hex(data, size - DIGEST_BYTES, hex);
    if (memcmp(data + size - DIGEST_BYTES, hex, DIGEST_BYTES) != 0)
        return ebm_error_set(err, EBM_ERR_DIGEST, "checkpoint", "the checkpoint is damaged");
    return EBM_OK;
}

static ebm_status check_shape(const header *h, size_t size, const ebm_mcmc_room *room,
                              ebm_error *err)
{
    if (h->dim > MAX_DIM)
        return ebm_error_set(err, EBM_ERR_LIMIT, "dim", "larger than %zu", MAX_DIM);
    if (h->dim != room->dim)
        return ebm_error_set(err, EBM_ERR_SHAPE, "dim", "is %llu, the model needs %zu",
                             (unsigned long long)h->dim, room->dim);
    if (h->knows > 1 || size != size_of(h))
        return ebm_error_set(err, EBM_ERR_FORMAT, "size", "does not fit the header");
    if (!is_digest(room->model_digest) || memcmp(h->digest, room->model_digest, DIGEST_BYTES) != 0)
        return ebm_error_set(err, EBM_ERR_NOT_FOUND, "model_digest",
                             "the checkpoint belongs to another model");
    if (h->knows && !(room->image && room->mask && room->path))
        return ebm_error_set(err, EBM_ERR_ARG, "image", "no room for known pixels");
    return EBM_OK;
}

/* The same weights sample something else with other tables. */
static ebm_status check_levels(const unsigned char *data, const header *h,
                               const ebm_mcmc_room *room, ebm_error *err)
{
    char levels[DIGEST_BYTES + 1];
    if (h->version < 2)
        return EBM_OK;
    ebm_status st = ebm_levels_digest(room->levels, levels, err);
    if (st == EBM_OK && memcmp(data + vectors_end(room->dim, h->knows), levels, DIGEST_BYTES) != 0)
        st = ebm_error_set(err, EBM_ERR_NOT_FOUND, "levels",
                           "the checkpoint belongs to other noise levels or ways of sampling");
    return st;
}

/* Written so that NaN fails it. */
static ebm_status check_between(const char *name, double value, double min, double max,
                                ebm_error *err)
{
    if (value >= min && value <= max)
        return EBM_OK;
    return ebm_error_set(err, EBM_ERR_RANGE, name, "must be %.17g..%.17g", min, max);
}

static ebm_status check_fields(header *h, const ebm_levels *levels, ebm_error *err)
{
    const ebm_mcmc *c = &h->chain;
    const struct {
        const char *name;
        double value, min, max;
    } rows[] = {
        {"ladder", h->ladder, 0, 1 + EBM_BEGIN_PREDICTED},
        {"tether", h->tether, 0, 1},
        {"sampler", h->sampler, EBM_SAMPLER_LANGEVIN, EBM_SAMPLER_HMC},
        {"lambda", c->noise.lambda, 0, 1},
        {"level", c->level, h->ladder ? -1 : 0, levels->count - 1},
        {"step", (double)c->step, 0, EBM_MCMC_MAX_STEPS},
        {"total", (double)c->total, (double)c->step, 1e15},
        {"step_size", c->step_size, 0, 1e9},
        {"running", c->running, 0, 1},
        {"moves", (double)c->moves, 0, (double)c->total},
        {"accept", c->accept, 0, (double)c->moves},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ebm_status st = check_between(rows[i].name, rows[i].value, rows[i].min, rows[i].max, err);
        if (st != EBM_OK)
            return st;
    }
    h->plan.sampler = (ebm_sampler_kind)h->sampler;
    h->plan.ladder = h->ladder > 0;
    h->plan.begin = h->ladder > 0 ? (ebm_begin)(h->ladder - 1) : EBM_BEGIN_MODEL;
    h->plan.tether = h->tether == 1;
    return ebm_mcmc_plan_check(&h->plan, err);
}

static ebm_status get_floats(const unsigned char *from, const char *name, size_t n, float *to,
                             ebm_error *err)
{
    for (size_t i = 0; i < n; i++) {
        to[i] = ebm__float_of_bits(ebm__load_le32(from + 4 * i));
        if (!isfinite(to[i])) {
            if (err)
                err->index = (int64_t)i;
            return ebm_error_set(err, EBM_ERR_RANGE, name, "value %zu is not finite", i);
        }
    }
    return EBM_OK;
}

static ebm_status get_vectors(const unsigned char *at, const header *h, const ebm_mcmc_room *room,
                              ebm_error *err)
{
    const size_t dim = room->dim;
    ebm_status st = get_floats(at, "y", dim, room->y, err);
    if (st == EBM_OK)
        st = get_floats(at + 4 * dim, "anchor", dim, room->anchor, err);
    if (st == EBM_OK && h->knows)
        st = get_floats(at + 8 * dim, "image", dim, room->image, err);
    if (st == EBM_OK && h->knows)
        st = get_floats(at + 12 * dim, "mask", dim, room->mask, err);
    return st;
}

/* Known pixels are set up again from image and mask: the path is a function of them. */
static ebm_status adopt(header *h, const ebm_mcmc_room *room, ebm_error *err)
{
    const ebm_density shape = {.dim = room->dim};
    const ebm_mcmc_setup setup = {.density = &shape, .levels = room->levels, .plan = &h->plan};
    h->chain.y = room->y;
    h->chain.anchor = room->anchor;
    if (!h->knows)
        return EBM_OK;
    return ebm_mcmc_know(&h->chain, &setup, room->image, room->mask, true, room->path, err);
}

ebm_status ebm_mcmc_decode(const unsigned char *data, size_t size, const ebm_mcmc_room *room,
                           ebm_mcmc *chain, ebm_mcmc_plan *plan, ebm_error *err)
{
    unsigned char head[HEAD_BYTES];
    header h = {0};
    ebm_status st = check_envelope(data, size, err);
    if (st != EBM_OK)
        return st;
    memcpy(head, data, HEAD_BYTES);
    walk_header(head, true, &h);
    st = check_shape(&h, size, room, err);
    if (st == EBM_OK)
        st = check_levels(data, &h, room, err);
    if (st == EBM_OK)
        st = check_fields(&h, room->levels, err);
    if (st == EBM_OK)
        st = get_vectors(data + HEAD_BYTES, &h, room, err);
    if (st == EBM_OK)
        st = adopt(&h, room, err);
    if (st != EBM_OK)
        return st;
    *chain = h.chain;
    *plan = h.plan;
    return EBM_OK;
}
