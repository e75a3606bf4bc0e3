/* Reading certificate and key: what is not PEM, and no memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sys/stat.h>

#include "fail_alloc.h"
#include "temp_dir.h"
#include "http/tls.h"

#define CERT "-----BEGIN CERTIFICATE-----\n"
#define KEY  "-----BEGIN PRIVATE KEY-----\n"

static char dir[TEMP_PATH_MAX], cert[TEMP_PATH_MAX], key[TEMP_PATH_MAX];

static int make_dir(void **state)
{
    (void)state;
    return temp_dir_make(dir) && temp_dir_join(dir, "cert", cert) && temp_dir_join(dir, "key", key)
               ? 0
               : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    temp_dir_remove(dir);
    return 0;
}

static void write_pair(const char *c, size_t c_size, const char *k)
{
    assert_true(temp_dir_write(dir, "cert", c, c_size));
    assert_true(temp_dir_write(dir, "key", k, strlen(k)));
    assert_int_equal(chmod(key, 0400), 0);
}

static void contents(void **state)
{
    static const struct {
        const char *cert;
        size_t size;
        const char *key;
        ebm_status status;
    } rows[] = {{CERT, sizeof(CERT) - 1, KEY, EBM_OK},
                {"", 0, KEY, EBM_ERR_FORMAT},
                {CERT "\0x", sizeof(CERT) + 1, KEY, EBM_ERR_FORMAT},
                {KEY, sizeof(KEY) - 1, KEY, EBM_ERR_FORMAT},
                {CERT, sizeof(CERT) - 1, CERT, EBM_ERR_FORMAT},
                {CERT, sizeof(CERT) - 1, "", EBM_ERR_FORMAT}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ebmd_tls tls;

        write_pair(rows[i].cert, rows[i].size, rows[i].key);
        assert_int_equal(ebmd_tls_read(cert, key, &tls, NULL), rows[i].status);
        assert_true((tls.cert != NULL) == (rows[i].status == EBM_OK));
        assert_true((tls.key != NULL) == (rows[i].status == EBM_OK));
        ebmd_tls_clear(&tls);
    }
}

static void failures(void **state)
{
    (void)state;
    write_pair(CERT, sizeof(CERT) - 1, KEY);
    FOR_EACH_ALLOC_FAILURE
    {
        ebmd_tls tls;
        ebm_status st = ebmd_tls_read(cert, key, &tls, NULL);

        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        ebmd_tls_clear(&tls);
        assert_null(tls.cert);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contents),
        cmocka_unit_test(failures),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
