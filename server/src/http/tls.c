/* Reading certificate and key, see tls.h. */
#include "http/tls.h"

#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "ebm/io.h"
#include "ebm/memory.h"

#define PEM_BYTES_MAX (256u * 1024u)

static ebm_status read_pem(const char *path, const char *kind, char **out, ebm_error *err)
{
    unsigned char *data = NULL;
    size_t size = 0;
    ebm_status st = ebm_file_read(NULL, path, PEM_BYTES_MAX, &data, &size, err);
    const char *text = (const char *)data; /* a zero follows the data */

    if (st != EBM_OK)
        return st;
    if (strlen(text) != size || !strstr(text, "-----BEGIN ") || !strstr(text, kind)) {
        ebm_free(data);
        return ebm_error_set(err, EBM_ERR_FORMAT, path, "there is no %s in PEM in it", kind);
    }
    *out = (char *)data;
    return EBM_OK;
}

static ebm_status check_mode(const char *path, ebm_error *err)
{
    struct stat st;

    if (stat(path, &st) == 0 && (st.st_mode & (S_IRWXG | S_IRWXO)))
        return ebm_error_set(err, EBM_ERR_BAD_STATE, path,
                             "a private key is for its owner alone; chmod 0400");
    return EBM_OK;
}

ebm_status ebmd_tls_read(const char *cert, const char *key, ebmd_tls *out, ebm_error *err)
{
    ebm_status st = check_mode(key, err);

    *out = (ebmd_tls){NULL, NULL};
    if (st == EBM_OK)
        st = read_pem(cert, "CERTIFICATE-----", &out->cert, err);
    if (st == EBM_OK)
        st = read_pem(key, "PRIVATE KEY-----", &out->key, err);
    if (st != EBM_OK)
        ebmd_tls_clear(out);
    return st;
}

void ebmd_tls_clear(ebmd_tls *tls)
{
    if (tls->key) {
        volatile char *p = tls->key; /* volatile: the last writes must happen */

        while (*p)
            *p++ = '\0';
    }
    ebm_free(tls->key);
    ebm_free(tls->cert);
    *tls = (ebmd_tls){NULL, NULL};
}
