/* API keys: the file and everything wrong with it, who is let in, quotas by a clock that the test
 * holds, reloading, and that a wrong secret takes as long as another wrong one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <sys/stat.h>

#include "ebm/io.h"
#include "fail_alloc.h"
#include "http/key_line.h"
#include "http/keys.h"
#include "temp_dir.h"

#define SALT   "000102030405060708090a0b0c0d0e0f"
#define SECRET "0123456789abcdef0123456789abcdef"
/* printf '%s:%s' SALT SECRET | sha256sum, by coreutils */
#define DIGEST "355cdbe611519477dfe934e5707a13b91de04201300dc1c9507369164fa60839"
#define TAIL   " " SALT " " DIGEST "\n"

static char dir[TEMP_PATH_MAX], path[TEMP_PATH_MAX];

static int make_dir(void **state)
{
    (void)state;
    return temp_dir_make(dir) && temp_dir_join(dir, "keys", path) ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    temp_dir_remove(dir);
    return 0;
}

static void write_keys(const char *text)
{
    assert_true(temp_dir_write(dir, "keys", text, strlen(text)));
    assert_int_equal(chmod(path, 0640), 0);
}

static ebmd_keys *open_keys(const char *text)
{
    ebmd_keys *k = NULL;
    ebm_error err = {0};

    write_keys(text);
    if (ebmd_keys_open(path, &k, &err) != EBM_OK)
        fail_msg("%s: %s", err.where, err.text);
    return k;
}

static void bad_files(void **state)
{
    static const struct {
        const char *text, *where;
    } rows[] = {
        {"", "keys"},
        {"# nothing\n\n \t\n", "keys"},
        {"a sample - -" TAIL "b sample - -\n", "keys:2"},
        {"a sample - - " SALT " " DIGEST " x\n", "keys:1"},
        {"a sample - - " SALT " " DIGEST " -\n", "keys:1"},
        {"a sample - - " SALT " " DIGEST " -1\n", "keys:1"},
        {"a sample - - " SALT " " DIGEST " 10\n", "keys:1"},
        {"a sample - - " SALT " " DIGEST " 05\n", "keys:1"},
        {"a sample - - " SALT " " DIGEST " 5 5\n", "keys:1"},
        {"A sample - -" TAIL, "keys:1"},
        {"-a sample - -" TAIL, "keys:1"},
        {"a.b sample - -" TAIL, "keys:1"},
        {"0123456789012345678901234567890123456789012345678901234567890123x s - -" TAIL, "keys:1"},
        {"a nope - -" TAIL, "keys:1"},
        {"a sample, - -" TAIL, "keys:1"},
        {"a ,sample - -" TAIL, "keys:1"},
        {"a sample,sample - -" TAIL, "keys:1"},
        {"a SAMPLE - -" TAIL, "keys:1"},
        {"a sample 0 -" TAIL, "keys:1"},
        {"a sample -1 -" TAIL, "keys:1"},
        {"a sample 1.5 -" TAIL, "keys:1"},
        {"a sample 9999999999 -" TAIL, "keys:1"},
        {"a sample - 1k" TAIL, "keys:1"},
        {"a sample - - 00 " DIGEST "\n", "keys:1"},
        {"a sample - - 000102030405060708090A0B0C0D0E0F " DIGEST "\n", "keys:1"},
        {"a sample - - " SALT " " SALT "\n", "keys:1"},
        {"a sample - - " SALT " " DIGEST "00\n", "keys:1"},
        {"b sample - -" TAIL "a sample - -" TAIL "b jobs - -" TAIL, "keys"}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ebmd_keys *k = NULL;
        ebm_error err = {0};
        size_t n = strlen(rows[i].where);

        write_keys(rows[i].text);
        assert_int_not_equal(ebmd_keys_open(path, &k, &err), EBM_OK);
        assert_null(k);
        if (strlen(err.where) < n || strcmp(err.where + strlen(err.where) - n, rows[i].where) != 0)
            fail_msg("%zu: %s: %s", i, err.where, err.text);
    }
}

/* X04: a file that others may read or write is refused. */
static void modes(void **state)
{
    static const struct {
        mode_t mode;
        ebm_status status;
    } rows[] = {
        {0600, EBM_OK}, {0440, EBM_OK}, {0644, EBM_ERR_BAD_STATE}, {0602, EBM_ERR_BAD_STATE}};

    (void)state;
    write_keys("a sample - -" TAIL);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ebmd_keys *k = NULL;

        assert_int_equal(chmod(path, rows[i].mode), 0);
        assert_int_equal(ebmd_keys_open(path, &k, NULL), rows[i].status);
        ebmd_keys_close(k);
    }
}

static void too_many(void **state)
{
    static char text[(EBMD_KEYS_MAX + 1) * 128 + 1];
    size_t n = 0;
    ebmd_keys *k = NULL;

    (void)state;
    for (int i = 0; i <= EBMD_KEYS_MAX; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "k%d sample - -" TAIL, i);
    write_keys(text);
    assert_int_equal(ebmd_keys_open(path, &k, NULL), EBM_ERR_LIMIT);
    text[strlen(text) - 1] = '\0';
    *strrchr(text, '\n') = '\0'; /* one line less */
    k = open_keys(text);
    assert_int_equal(ebmd_keys_count(k), EBMD_KEYS_MAX);
    ebmd_keys_close(k);
}

#define A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void verdicts(void **state)
{
    static const struct {
        const char *authorization;
        unsigned scope;
        ebmd_verdict want;
    } rows[] = {
        {NULL, 0, EBMD_KEY_MISSING},
        {"", 0, EBMD_KEY_UNKNOWN},
        {"Bearer a." SECRET, 0, EBMD_KEY_GOOD},
        {"bearer a." SECRET, EBMD_SCOPE_SAMPLE, EBMD_KEY_GOOD},
        {"Bearer a." SECRET, EBMD_SCOPE_JOBS, EBMD_KEY_SCOPE},
        {"Bearer j." SECRET, EBMD_SCOPE_JOBS, EBMD_KEY_GOOD},
        {"Bearer j." SECRET, EBMD_SCOPE_SAMPLE | EBMD_SCOPE_JOBS, EBMD_KEY_SCOPE},
        {"Bearer root." SECRET, EBMD_SCOPE_SAMPLE | EBMD_SCOPE_JOBS, EBMD_KEY_GOOD},
        {"Bearer b." SECRET, 0, EBMD_KEY_UNKNOWN},
        {"Bearer A." SECRET, 0, EBMD_KEY_UNKNOWN},
        {"Bearer a." SECRET "0", 0, EBMD_KEY_UNKNOWN},
        {"Bearer a." SECRET " ", 0, EBMD_KEY_UNKNOWN},
        {"Bearer a.0123456789abcdef0123456789abcdee", 0, EBMD_KEY_UNKNOWN},
        {"Bearer a.0123456789abcdef0123456789abcde", 0, EBMD_KEY_UNKNOWN},
        {"Bearer a.", 0, EBMD_KEY_UNKNOWN},
        {"Bearer a", 0, EBMD_KEY_UNKNOWN},
        {"Bearer ." SECRET, 0, EBMD_KEY_UNKNOWN},
        {"Bearer " SECRET, 0, EBMD_KEY_UNKNOWN},
        {"Bearer  a." SECRET, 0, EBMD_KEY_UNKNOWN},
        {"Bearer", 0, EBMD_KEY_UNKNOWN},
        {"Basic YTpi", 0, EBMD_KEY_UNKNOWN},
        {"a." SECRET, 0, EBMD_KEY_UNKNOWN},
        {"Bearer a." A50 A50 A50, 0, EBMD_KEY_UNKNOWN},
        {"Bearer " A50 A50 "." SECRET, 0, EBMD_KEY_UNKNOWN},
        {"Bearer a." DIGEST, 0, EBMD_KEY_UNKNOWN}, /* who has read the file is not in */
        {"Bearer a.\x1b[31m\xff\xfe" SECRET, 0, EBMD_KEY_UNKNOWN},
    };
    ebmd_keys *k = open_keys("root admin - -" TAIL "# x\r\n\n"
                             "a sample - -" TAIL "j\tjobs  -\t-" TAIL);
    ebmd_grant g;

    (void)state;
    assert_int_equal(ebmd_keys_count(k), 3);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ebmd_verdict v = ebmd_keys_check(k, rows[i].authorization, rows[i].scope, 1.0, &g);

        if (v != rows[i].want)
            fail_msg("%s: %d", rows[i].authorization, v);
        assert_true((v == EBMD_KEY_GOOD || v == EBMD_KEY_SCOPE) == (g.owner[0] != '\0'));
    }
    assert_int_equal(ebmd_keys_check(k, "Bearer root." SECRET, 0, 1.0, &g), EBMD_KEY_GOOD);
    assert_string_equal(g.owner, "root");
    assert_int_equal(g.scopes, EBMD_SCOPE_ADMIN);
    ebmd_keys_close(k);
}

/* Three a minute: three at once, then one every 20 s; never more than three saved up. */
static void the_rate(void **state)
{
    static const struct {
        double s;
        ebmd_verdict want;
        int retry_after;
    } rows[] = {{100, EBMD_KEY_GOOD, 0},  {100, EBMD_KEY_GOOD, 0},  {100, EBMD_KEY_GOOD, 0},
                {100, EBMD_KEY_RATE, 20}, {110, EBMD_KEY_RATE, 10}, {119.5, EBMD_KEY_RATE, 1},
                {120, EBMD_KEY_GOOD, 0},  {120, EBMD_KEY_RATE, 20}, {90, EBMD_KEY_RATE, 20},
                {900, EBMD_KEY_GOOD, 0},  {900, EBMD_KEY_GOOD, 0},  {900, EBMD_KEY_GOOD, 0},
                {900, EBMD_KEY_RATE, 20}};
    ebmd_keys *k = open_keys("a sample 3 -" TAIL "b sample 1 -" TAIL);
    ebmd_grant g;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ebmd_verdict v = ebmd_keys_check(k, "Bearer a." SECRET, 0, rows[i].s * 1e3, &g);

        if (v != rows[i].want || g.retry_after != rows[i].retry_after)
            fail_msg("%zu: %d, %d s", i, v, g.retry_after);
        /* who lacks a scope or a secret takes nothing from the quota */
        assert_int_equal(ebmd_keys_check(k, "Bearer a." SECRET, EBMD_SCOPE_JOBS, 0, &g),
                         EBMD_KEY_SCOPE);
    }
    assert_int_equal(ebmd_keys_check(k, "Bearer b." SECRET, 0, 900e3, &g), EBMD_KEY_GOOD);
    ebmd_keys_close(k);
}

/* 600 units a minute: a debt is paid off at ten a second. */
static void the_work(void **state)
{
    ebmd_keys *k = open_keys("a sample - 600" TAIL "b sample - -" TAIL);
    int wait = 0;

    (void)state;
    assert_true(ebmd_keys_spend(k, "a", 1200, 0, &wait)); /* 600 left, 1200 taken */
    assert_false(ebmd_keys_spend(k, "a", 1, 0, &wait));
    assert_int_equal(wait, 61); /* until one unit is there again */
    assert_false(ebmd_keys_spend(k, "a", 1, 60e3, &wait));
    assert_int_equal(wait, 1);
    assert_true(ebmd_keys_spend(k, "a", 1e9, 61e3, &wait));
    assert_false(ebmd_keys_spend(k, "a", 1, 62e3, &wait));
    assert_int_equal(wait, 3600);
    assert_true(ebmd_keys_spend(k, "b", 1e12, 0, &wait));
    assert_true(ebmd_keys_spend(k, "gone", 1e12, 0, &wait));
    /* what is given back can be spent again, but never more than a minute's worth is there */
    assert_false(ebmd_keys_spend(k, "a", 1, 62e3, &wait));
    ebmd_keys_refund(k, "a", 1e9);
    assert_true(ebmd_keys_spend(k, "a", 1, 62e3, &wait));
    ebmd_keys_refund(k, "a", 1e12);
    assert_true(ebmd_keys_spend(k, "a", 2e6, 62e3, &wait));
    assert_false(ebmd_keys_spend(k, "a", 1, 62e3, &wait));
    ebmd_keys_refund(k, "gone", 1.0);
    ebmd_keys_close(k);
}

/* A key that is given no priority of its own may ask for what requests have anyway. */
static void priorities(void **state)
{
    ebmd_keys *k = open_keys("a sample - -" TAIL "b sample - - " SALT " " DIGEST " 0\n"
                             "c admin - - " SALT " " DIGEST "\t9\r\n");
    ebmd_grant g;

    (void)state;
    assert_int_equal(ebmd_keys_check(k, "Bearer a." SECRET, 0, 0, &g), EBMD_KEY_GOOD);
    assert_int_equal(g.priority, 5);
    assert_int_equal(ebmd_keys_check(k, "Bearer b." SECRET, 0, 0, &g), EBMD_KEY_GOOD);
    assert_int_equal(g.priority, 0);
    assert_int_equal(ebmd_keys_check(k, "Bearer c." SECRET, 0, 0, &g), EBMD_KEY_GOOD);
    assert_int_equal(g.priority, 9);
    ebmd_keys_close(k);
}

/* A reload brings new keys and takes old ones away; a bad file changes nothing; quotas stay used.
 */
static void reloading(void **state)
{
    ebmd_keys *k = open_keys("a sample 1 -" TAIL);
    ebm_error err = {0};
    ebmd_grant g;

    (void)state;
    assert_int_equal(ebmd_keys_check(k, "Bearer a." SECRET, 0, 0, &g), EBMD_KEY_GOOD);
    write_keys("a sample 1 -" TAIL "b sample - -" TAIL);
    assert_int_equal(ebmd_keys_reload(k, &err), EBM_OK);
    assert_int_equal(ebmd_keys_check(k, "Bearer a." SECRET, 0, 0, &g), EBMD_KEY_RATE);
    assert_int_equal(ebmd_keys_check(k, "Bearer b." SECRET, 0, 0, &g), EBMD_KEY_GOOD);
    write_keys("b sample - -" TAIL "c\n");
    assert_int_equal(ebmd_keys_reload(k, &err), EBM_ERR_FORMAT);
    assert_non_null(strstr(err.where, "keys:2"));
    assert_int_equal(ebmd_keys_check(k, "Bearer b." SECRET, 0, 0, &g), EBMD_KEY_GOOD);
    assert_int_equal(remove(path), 0);
    assert_int_equal(ebmd_keys_reload(k, NULL), EBM_ERR_NOT_FOUND);
    assert_int_equal(ebmd_keys_count(k), 2);
    write_keys("b sample - -" TAIL);
    assert_int_equal(ebmd_keys_reload(k, NULL), EBM_OK);
    assert_int_equal(ebmd_keys_check(k, "Bearer a." SECRET, 0, 0, &g), EBMD_KEY_UNKNOWN);
    ebmd_keys_close(k);
}

static void making(void **state)
{
    char key[EBMD_KEY_TEXT_SIZE], line[EBMD_KEY_TEXT_SIZE], again[EBMD_KEY_TEXT_SIZE];
    char bearer[EBMD_KEY_TEXT_SIZE + 8];
    ebmd_keys *k;
    ebmd_grant g;

    (void)state;
    assert_int_equal(ebmd_keys_make("shop-1", key, line, NULL), EBM_OK);
    k = open_keys(line);
    snprintf(bearer, sizeof(bearer), "Bearer %s", key);
    assert_int_equal(ebmd_keys_check(k, bearer, EBMD_SCOPE_SAMPLE, 0, &g), EBMD_KEY_GOOD);
    assert_int_equal(ebmd_keys_make("shop-1", again, line, NULL), EBM_OK);
    assert_string_not_equal(key, again);
    assert_int_equal(ebmd_keys_make("", key, line, NULL), EBM_ERR_ARG);
    assert_int_equal(ebmd_keys_make("a b", key, line, NULL), EBM_ERR_ARG);
    ebmd_keys_close(k);
}

static void failures(void **state)
{
    (void)state;
    write_keys("a sample - -" TAIL);
    FOR_EACH_ALLOC_FAILURE
    {
        ebmd_keys *k = NULL;
        ebm_status st = ebmd_keys_open(path, &k, NULL);

        if (st == EBM_OK)
            st = ebmd_keys_reload(k, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        ebmd_keys_close(k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_files),  cmocka_unit_test(modes),     cmocka_unit_test(too_many),
        cmocka_unit_test(verdicts),   cmocka_unit_test(the_rate),  cmocka_unit_test(the_work),
        cmocka_unit_test(priorities), cmocka_unit_test(reloading), cmocka_unit_test(making),
        cmocka_unit_test(failures),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
