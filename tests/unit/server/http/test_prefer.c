/* Preferences of clients: what is understood, and that the rest is ignored. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "http/prefer.h"

static void headers(void **state)
{
    static const struct {
        const char *header;
        bool async;
        int wait_s;
    } rows[] = {{NULL, false, -1},
                {"", false, -1},
                {"respond-async", true, -1},
                {"Respond-Async", true, -1},
                {"respond-asyncs", false, -1},
                {"respond-async; foo=bar", true, -1},
                {"wait=10", false, 10},
                {"wait=\"10\"", false, 10},
                {"wait=0", false, 0},
                {" , respond-async ,\twait=7", true, 7},
                {"handling=lenient, wait=5;x=y, respond-async", true, 5},
                {"wait=5, wait=9", false, 5}, /* the first one counts */
                {"wait=601", false, EBMD_WAIT_MAX_S},
                {"wait=99999999999999999999", false, EBMD_WAIT_MAX_S},
                {"wait=", false, -1},
                {"wait=-1", false, -1},
                {"wait=1.5", false, -1},
                {"wait=\"", false, -1},
                {"waits=1", false, -1},
                {",,,;;;,", false, -1}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ebmd_prefer p = ebmd_prefer_read(rows[i].header);

        if (p.async != rows[i].async || p.wait_s != rows[i].wait_s)
            fail_msg("%s: %d %d", rows[i].header, p.async, p.wait_s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(headers)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
