/* The main listener with TLS: who gets in, who does not, and keys that must not be used. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <curl/curl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon_models.h"
#include "http_client.h"

static daemon_process d;
static char key[TEMP_PATH_MAX];

/* The files of a repository are readable by everybody; a key must not be. */
static void copy_key(const char *name, mode_t mode)
{
    char path[128], text[4096];
    size_t n;
    FILE *f;

    snprintf(path, sizeof(path), "tests/fixtures/tls/%s", name);
    f = fopen(path, "r");
    assert_non_null(f);
    n = fread(text, 1, sizeof(text), f);
    fclose(f);
    assert_true(temp_dir_write(d.dir, "key.pem", text, n));
    assert_int_equal(chmod(key, mode), 0);
}

static int setup(void **state)
{
    (void)state;
    return daemon_prepare_tiny(&d) && temp_dir_join(d.dir, "key.pem", key) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    daemon_clean(&d);
    return 0;
}

static size_t discard(char *data, size_t size, size_t n, void *arg)
{
    (void)data;
    (void)arg;
    return size * n;
}

/* Status of a GET over TLS of at most this version, 0 for none. */
static long https_get(long max_version)
{
    char url[64];
    long status = 0;
    CURL *c = curl_easy_init();

    assert_non_null(c);
    snprintf(url, sizeof(url), "https://127.0.0.1:%d/healthz", d.port);
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_CAINFO, "tests/fixtures/tls/cert.pem");
    curl_easy_setopt(c, CURLOPT_SSLVERSION, max_version);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, discard);
    curl_easy_setopt(c, CURLOPT_TIMEOUT, 10L);
    if (curl_easy_perform(c) == CURLE_OK)
        curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(c);
    return status;
}

static void conversation(void **state)
{
    const char *more[] = {"--tls-cert", "tests/fixtures/tls/cert.pem", "--tls-key", key, NULL};
    http_reply r;

    (void)state;
    copy_key("key.pem", 0400);
    assert_true(daemon_start_tls(&d, more));
    assert_int_equal(https_get(CURL_SSLVERSION_MAX_DEFAULT), 200);
    assert_int_equal(https_get(CURL_SSLVERSION_MAX_TLSv1_2), 200);
    assert_int_equal(https_get(CURL_SSLVERSION_MAX_TLSv1_1), 0);
    /* H32: plain HTTP gets no reply, and the next one is served */
    assert_false(http_call(d.port, "GET", "/healthz", "", NULL, &r));
    http_reply_clear(&r);
    assert_int_equal(https_get(CURL_SSLVERSION_MAX_DEFAULT), 200);
    assert_int_equal(daemon_stop(&d, SIGTERM, 10000), 0);
}

/* X04 and everything else that makes a pair unusable. */
static void bad_pairs(void **state)
{
    static const struct {
        const char *cert, *key;
        mode_t mode;
        const char *hint;
    } rows[] = {
        {"tests/fixtures/tls/cert.pem", "key.pem", 0440, "key.pem: a private key"},
        {"tests/fixtures/tls/cert.pem", "key.pem", 0404, "key.pem: a private key"},
        {"tests/fixtures/tls/cert.pem", "cert.pem", 0400, "PRIVATE KEY"},
        {"tests/fixtures/tls/README.md", "key.pem", 0400, "CERTIFICATE"},
        {"tests/fixtures/tls", "key.pem", 0400, "tls"},
        {"/nonexistent", "key.pem", 0400, "/nonexistent"},
        {"tests/fixtures/tls/cert.pem", "other-key.pem", 0400, "do not belong together"},
    };
    char line[1024];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *more[] = {"--tls-cert", rows[i].cert, "--tls-key", key, NULL};
        int code;

        unlink(key);
        copy_key(rows[i].key, rows[i].mode);
        code = daemon_try(&d, more, line, sizeof(line));
        if (code != 78 || !strstr(line, rows[i].hint))
            fail_msg("%zu: %d, %s", i, code, line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(conversation, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_pairs, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
