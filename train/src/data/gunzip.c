/* The only file that talks to zlib's inflate: gzip in, exactly so many bytes out.
 * Knows nothing of the format inside. */
#define ZLIB_CONST
#include <zlib.h>

#include <limits.h>
#include <string.h>

#include "data/gunzip.h"

/* Largest piece handed to zlib at once: its counters are 32 bits wide. */
#define PIECE ((size_t)1 << 30)
/* Window bits 15, plus 16: a gzip header is demanded, raw and zlib streams are refused. */
#define GZIP_ONLY (15 + 16)

bool ebmt__is_gzip(const unsigned char *in, size_t size)
{
    return size >= 2 && in[0] == 0x1f && in[1] == 0x8b;
}

static void refill(z_stream *z, const unsigned char *in, size_t size)
{
    size_t done = (size_t)(z->next_in - in);
    size_t left = size - done;
    if (z->avail_in == 0)
        z->avail_in = (uInt)(left < PIECE ? left : PIECE);
}

/* Inflates until `want` bytes are there or the member ends; *got receives how many. */
static int inflate_up_to(z_stream *z, const unsigned char *in, size_t size, unsigned char *out,
                         size_t want, size_t *got)
{
    int rc = Z_OK;
    *got = 0;
    while (rc == Z_OK && *got < want) {
        size_t room = want - *got < PIECE ? want - *got : PIECE;
        refill(z, in, size);
        z->next_out = out + *got;
        z->avail_out = (uInt)room;
        rc = inflate(z, Z_NO_FLUSH);
        *got += room - z->avail_out;
    }
    return rc;
}

/* One more byte than promised would be a lie of the header or a bomb: it has nowhere to go but
 * into `extra`, so memory stays flat. */
static ebm_status expect_end(z_stream *z, const unsigned char *in, size_t size, int rc,
                             ebm_error *err)
{
    unsigned char extra;
    size_t got = 0;
    if (rc == Z_OK)
        rc = inflate_up_to(z, in, size, &extra, 1, &got);
    if (got != 0)
        return ebm_error_set(err, EBM_ERR_FORMAT, NULL,
                             "the gzip data holds more bytes than its header promises");
    if (rc != Z_STREAM_END)
        return ebm_error_set(err, EBM_ERR_FORMAT, NULL, "the gzip data is damaged or cut short");
    if ((size_t)(z->next_in - in) != size)
        return ebm_error_set(err, EBM_ERR_FORMAT, NULL, "bytes follow the end of the gzip data");
    return EBM_OK;
}

ebm_status ebmt__gunzip(const unsigned char *in, size_t size, unsigned char *out, size_t want,
                        bool whole, ebm_error *err)
{
    ebm_status st = EBM_OK;
    z_stream z;
    size_t got = 0;
    memset(&z, 0, sizeof z);
    z.next_in = in;
    if (inflateInit2(&z, GZIP_ONLY) != Z_OK)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory to inflate");

    int rc = inflate_up_to(&z, in, size, out, want, &got);
    if (rc == Z_MEM_ERROR)
        st = ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory to inflate");
    else if (got < want)
        st = ebm_error_set(err, EBM_ERR_FORMAT, NULL,
                           "the gzip data is damaged or ends after %zu of %zu bytes", got, want);
    else if (whole)
        st = expect_end(&z, in, size, rc, err);
    (void)inflateEnd(&z);
    return st;
}
