/* The only file that includes curl/curl.h. */
#include <curl/curl.h>

#include <string.h>

#include "cli/http_get.h"

/* A health endpoint answers in a line; whoever sends more than this is not one. */
#define BODY_MAX 65536

static size_t discard(char *data, size_t size, size_t n, void *user)
{
    size_t *seen = user;
    (void)data;
    *seen += size * n;
    return *seen > BODY_MAX ? 0 : size * n;
}

static CURLcode perform(CURL *curl, const char *url, double timeout_seconds, size_t *seen)
{
    CURLcode rc = curl_easy_setopt(curl, CURLOPT_URL, url);
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)(timeout_seconds * 1000.0));
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    /* a probe asks this machine, whatever proxy the environment names */
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, discard);
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(curl, CURLOPT_WRITEDATA, seen);
    return rc == CURLE_OK ? curl_easy_perform(curl) : rc;
}

static ebm_status bad_url(ebm_error *err)
{
    return ebm_error_set(err, EBM_ERR_ARG, "--url", "not an http or https URL");
}

static ebm_status explain(CURLcode rc, const char *url, ebm_error *err)
{
    if (rc == CURLE_OUT_OF_MEMORY)
        return ebm_error_set(err, EBM_ERR_NOMEM, url, "no memory");
    if (rc == CURLE_URL_MALFORMAT)
        return bad_url(err);
    return ebm_error_set(err, EBM_ERR_UNSUPPORTED, url, "%s", curl_easy_strerror(rc));
}

ebm_status ebmt__http_get(const char *url, double timeout_seconds, long *status, ebm_error *err)
{
    ebm_status st = EBM_OK;
    size_t seen = 0;
    CURL *curl = NULL;
    *status = 0;
    /* checked here because curl says "unsupported protocol" of a foreign answer, too */
    if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
        return bad_url(err);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return ebm_error_set(err, EBM_ERR_NOMEM, url, "cannot set up the HTTP client");
    curl = curl_easy_init();
    if (!curl) {
        st = ebm_error_set(err, EBM_ERR_NOMEM, url, "cannot set up the HTTP client");
        goto out;
    }
    CURLcode rc = perform(curl, url, timeout_seconds, &seen);
    if (rc == CURLE_OK)
        rc = curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, status);
    if (rc != CURLE_OK)
        st = explain(rc, url, err);
out:
    curl_easy_cleanup(curl);
    curl_global_cleanup();
    return st;
}
