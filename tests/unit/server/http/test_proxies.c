/* Who the client is: networks, hops, and everything a stranger may write into X-Forwarded-For. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "http/proxies.h"

static void lists(void **state)
{
    static const struct {
        const char *text;
        int n; /* -1: refused */
    } rows[] = {{"", 0},
                {"127.0.0.1", 1},
                {"0.0.0.0/0", 1},
                {"10.0.0.0/8,172.16.0.0/12,::1,fd00::/8", 4},
                {",", -1},
                {"10.0.0.0/8,", -1},
                {",10.0.0.0/8", -1},
                {"10.0.0.0/8, ::1", -1},
                {"10.0.0.1/8", -1},
                {"fd00::1/8", -1},
                {"10.0.0.0/33", -1},
                {"::/129", -1},
                {"10.0.0.0/", -1},
                {"10.0.0.0/-1", -1},
                {"10.0.0.0/0008", -1},
                {"10.0.0/8", -1},
                {"10.0.0.0.0", -1},
                {"example.org", -1},
                {"*", -1},
                {"1,1,1", -1},
                {"::ffff:10.0.0.0/104", 1},
                {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", -1}};
    char many[33 * 4 + 1] = "";
    ebmd_proxies p;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool ok = ebmd_proxies_parse(rows[i].text, &p);

        if (ok != (rows[i].n >= 0) || (ok && p.n != (size_t)rows[i].n))
            fail_msg("%s: %d, %zu", rows[i].text, ok, p.n);
    }
    for (int i = 0; i < 33; i++)
        snprintf(many + strlen(many), sizeof(many) - strlen(many), i ? ",::%x" : "::%x", i % 16);
    assert_false(ebmd_proxies_parse(many, &p));
    many[strlen(many) - 4] = '\0';
    assert_true(ebmd_proxies_parse(many, &p));
}

static void client_of(const ebmd_proxies *p, const char *peer, const char *forwarded, char *out)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    struct sockaddr_in6 a6 = {.sin6_family = AF_INET6};

    if (inet_pton(AF_INET, peer, &a.sin_addr) == 1) {
        ebmd_proxies_client(p, (const struct sockaddr *)&a, forwarded, out);
    } else {
        assert_int_equal(inet_pton(AF_INET6, peer, &a6.sin6_addr), 1);
        ebmd_proxies_client(p, (const struct sockaddr *)&a6, forwarded, out);
    }
}

static void clients(void **state)
{
    static const struct {
        const char *peer, *forwarded, *want;
    } rows[] = {
        {"9.9.9.9", NULL, "9.9.9.9"},
        {"9.9.9.9", "1.2.3.4", "9.9.9.9"}, /* a stranger may write what it likes */
        {"10.0.0.1", NULL, "10.0.0.1"},
        {"10.0.0.1", "", "10.0.0.1"},
        {"10.0.0.1", "1.2.3.4", "1.2.3.4"},
        {"10.0.0.1", " 1.2.3.4 ", "1.2.3.4"},
        {"10.0.0.1", "6.6.6.6, 1.2.3.4", "1.2.3.4"},
        {"10.0.0.1", "6.6.6.6,1.2.3.4,10.2.3.4", "1.2.3.4"},
        {"10.0.0.1", "10.0.0.2, 10.0.0.3", "10.0.0.2"}, /* all of it trusted: the first one */
        {"10.0.0.1", "1.2.3.4, junk", "10.0.0.1"},
        {"10.0.0.1", "junk, 1.2.3.4", "1.2.3.4"},
        {"10.0.0.1", "1.2.3.4,", "10.0.0.1"},
        {"10.0.0.1", ",,,,", "10.0.0.1"},
        {"10.0.0.1", "1.2.3.4:80", "10.0.0.1"},
        {"10.0.0.1", "[::1]", "10.0.0.1"},
        {"10.0.0.1", "2001:db8::1", "2001:db8::1"},
        {"::ffff:10.0.0.1", "1.2.3.4", "1.2.3.4"},
        {"fd00::5", "1.2.3.4", "1.2.3.4"},
        {"fe00::5", "1.2.3.4", "fe00::5"},
        {"10.0.0.1",
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         "10.0.0.1"},
    };
    char long_list[100 * 10 + 16] = "1.2.3.4";
    char out[EBMD_PEER_SIZE];
    ebmd_proxies p;

    (void)state;
    assert_true(ebmd_proxies_parse("10.0.0.0/8,fd00::/8", &p));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        client_of(&p, rows[i].peer, rows[i].forwarded, out);
        if (strcmp(out, rows[i].want) != 0)
            fail_msg("%s, %s: %s", rows[i].peer, rows[i].forwarded, out);
    }
    for (int i = 0; i < 100; i++) /* A04: a hundred hops are not all walked */
        snprintf(long_list + strlen(long_list), 16, ",10.0.0.9");
    client_of(&p, "10.0.0.1", long_list, out);
    assert_string_equal(out, "10.0.0.9");
    ebmd_proxies_client(&p, NULL, "1.2.3.4", out);
    assert_string_equal(out, "-");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists),
        cmocka_unit_test(clients),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
