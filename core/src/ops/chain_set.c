/* Stopped chains of a run as one file: receipt, checkpoints, traces, SHA-256 of all before.
 * Knows lengths; a checkpoint's own codec checks what it holds. */
#include <string.h>

#include "ebm/io.h"
#include "ebm/memory.h"
#include "ebm/receipt.h"
#include "io/bytes.h"

#define MAGIC        "EBMCHSET"
#define VERSION      2  /* the first one had no flags */
#define HEAD_BYTES   28 /* magic, version, receipt bytes, chains, columns, flags */
#define FLAGS_AT     24
#define FORKED       1u
#define DIGEST_BYTES 64
#define MAX_ROWS     ((size_t)1 << 24)
#define MAX_COLUMNS  64

/* --- writing ------------------------------------------------------------------------------- */

static bool add_part(const ebm_chain_part *part, const ebm_trace *trace, size_t columns,
                     size_t *size)
{
    size_t scalars;
    return ebm_size_mul(trace->count, 8 * columns, &scalars) &&
           ebm_size_add(*size, 16 + part->checkpoint_bytes, size) &&
           ebm_size_add(*size, scalars, size);
}

static unsigned char *put_part(unsigned char *at, const ebm_chain_part *part,
                               const ebm_trace *trace, size_t columns)
{
    ebm__store_le64(at, part->checkpoint_bytes);
    ebm__store_le64(at + 8, trace->count);
    memcpy(at + 16, part->checkpoint, part->checkpoint_bytes);
    at += 16 + part->checkpoint_bytes;
    for (size_t i = 0; i < trace->count * columns; i++, at += 8)
        ebm__store_le64(at, ebm__bits_of_double(trace->scalars[i]));
    return at;
}

static void fill(const ebm_chain_set *set, const ebm_trace *traces, const char *text,
                 unsigned char *data)
{
    const size_t text_bytes = strlen(text);
    char hex[DIGEST_BYTES + 1];
    memcpy(data, MAGIC, 8);
    ebm__store_le32(data + 8, VERSION);
    ebm__store_le32(data + 12, (uint32_t)text_bytes);
    ebm__store_le32(data + 16, (uint32_t)set->n);
    ebm__store_le32(data + 20, (uint32_t)set->columns);
    ebm__store_le32(data + FLAGS_AT, set->forked ? FORKED : 0);
    memcpy(data + HEAD_BYTES, text, text_bytes);
    unsigned char *at = data + HEAD_BYTES + text_bytes;
    for (int32_t k = 0; k < set->n; k++)
        at = put_part(at, &set->chain[k], &traces[k], (size_t)set->columns);
    ebm_sha256_hex(data, (size_t)(at - data), hex);
    memcpy(at, hex, DIGEST_BYTES);
}

ebm_status ebm_chain_set_encode(const ebm_chain_set *set, const ebm_trace *traces,
                                unsigned char **data, size_t *size, ebm_error *err)
{
    char *text = NULL;
    bool fits = true;
    *data = NULL;
    *size = 0;
    ebm_status st = ebm_receipt_text(&set->run, &text, err);
    if (st != EBM_OK)
        return st;
    *size = HEAD_BYTES + strlen(text) + DIGEST_BYTES;
    for (int32_t k = 0; k < set->n && fits; k++)
        fits = add_part(&set->chain[k], &traces[k], (size_t)set->columns, size);
    if (!fits || *size > EBM_CHAIN_SET_MAX_BYTES) {
        st = ebm_error_set(err, EBM_ERR_LIMIT, "chains", "are too long to be stored: raise thin");
    } else {
        *data = ebm_alloc(*size, 1);
        if (*data)
            fill(set, traces, text, *data);
        else
            st = ebm_error_set(err, EBM_ERR_NOMEM, "chains", "no memory for %zu bytes", *size);
    }
    ebm_free(text);
    return st;
}

/* --- reading ------------------------------------------------------------------------------- */

static ebm_status broken(ebm_error *err)
{
    return ebm_error_set(err, EBM_ERR_FORMAT, "chains", "lengths do not fit the file");
}

/* Reads one part at *at, of which `end` is not passed. */
static ebm_status take_part(const unsigned char *data, size_t end, size_t columns, size_t *at,
                            ebm_chain_part *out, ebm_error *err)
{
    if (end - *at < 16)
        return broken(err);
    const uint64_t bytes = ebm__load_le64(data + *at), rows = ebm__load_le64(data + *at + 8);
    *at += 16;
    if (bytes > end - *at)
        return broken(err);
    *out = (ebm_chain_part){.checkpoint = data + *at, .checkpoint_bytes = (size_t)bytes};
    *at += (size_t)bytes;
    if (rows > MAX_ROWS || rows * columns * 8 > end - *at)
        return broken(err);
    out->scalars = data + *at;
    out->rows = (size_t)rows;
    *at += (size_t)rows * columns * 8;
    return EBM_OK;
}

static ebm_status check_envelope(const unsigned char *data, size_t size, ebm_error *err)
{
    char hex[DIGEST_BYTES + 1];
    if (size > EBM_CHAIN_SET_MAX_BYTES)
        return ebm_error_set(err, EBM_ERR_LIMIT, "chains", "file is over 512 MiB");
    if (size < HEAD_BYTES + DIGEST_BYTES || memcmp(data, MAGIC, 8) != 0)
        return ebm_error_set(err, EBM_ERR_FORMAT, "chains", "not a file of chains");
    const uint32_t version = ebm__load_le32(data + 8);
    if (version < 1 || version > VERSION)
        return ebm_error_set(err, EBM_ERR_FORMAT, "version", "only 1..%d are known", VERSION);
    ebm_sha256_hex(data, size - DIGEST_BYTES, hex);
    if (memcmp(data + size - DIGEST_BYTES, hex, DIGEST_BYTES) != 0)
        return ebm_error_set(err, EBM_ERR_DIGEST, "chains", "the file is damaged");
    return EBM_OK;
}

/* Reads the flags. Returns where the receipt begins. */
static size_t take_flags(const unsigned char *data, ebm_chain_set *out, ebm_status *st,
                         ebm_error *err)
{
    if (ebm__load_le32(data + 8) == 1)
        return FLAGS_AT;
    const uint32_t flags = ebm__load_le32(data + FLAGS_AT);
    if (flags & ~FORKED)
        *st = ebm_error_set(err, EBM_ERR_FORMAT, "flags", "are not all known");
    out->forked = flags & FORKED;
    return HEAD_BYTES;
}

ebm_status ebm_chain_set_decode(const unsigned char *data, size_t size, ebm_chain_set *out,
                                ebm_error *err)
{
    memset(out, 0, sizeof *out);
    ebm_status st = check_envelope(data, size, err);
    if (st != EBM_OK)
        return st;
    const size_t end = size - DIGEST_BYTES, text = ebm__load_le32(data + 12);
    const uint32_t n = ebm__load_le32(data + 16), columns = ebm__load_le32(data + 20);
    const size_t head = take_flags(data, out, &st, err);
    if (st != EBM_OK)
        return st;
    size_t at = head + text;
    if (n < 1 || n > EBM_CHAIN_SET_MAX || columns < 2 || columns > MAX_COLUMNS || at > end)
        return broken(err);
    st = ebm_receipt_parse((const char *)data + head, text, &out->run, err);
    for (uint32_t k = 0; k < n && st == EBM_OK; k++)
        st = take_part(data, end, columns, &at, &out->chain[k], err);
    if (st == EBM_OK && at != end)
        st = broken(err);
    if (st == EBM_OK && (out->run.operation->kind != EBM_OP_MCMC || out->run.params.chains != n))
        st =
            ebm_error_set(err, EBM_ERR_FORMAT, "chains", "the receipt is not that of %u chains", n);
    out->n = (int32_t)n;
    out->columns = (int32_t)columns;
    return st;
}

ebm_status ebm_chain_set_trace(const ebm_chain_set *set, int32_t k, ebm_trace *trace,
                               ebm_error *err)
{
    const ebm_chain_part *part = &set->chain[k];
    if (set->columns != 2 + trace->n_directions)
        return ebm_error_set(err, EBM_ERR_FORMAT, "chains", "traces of other scalars");
    if (part->rows > trace->room)
        return ebm_error_set(err, EBM_ERR_LIMIT, "chains", "a trace longer than its chain");
    for (size_t i = 0; i < part->rows * (size_t)set->columns; i++)
        trace->scalars[i] = ebm__double_of_bits(ebm__load_le64(part->scalars + 8 * i));
    trace->count = part->rows;
    return EBM_OK;
}
