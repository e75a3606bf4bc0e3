/* The metrics of a daemon, see daemon_metrics.h. */
#include "daemon_metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http_client.h"
#include "real_time.h"

/* @own http_reply_clear() */
static http_reply scrape(const daemon_process *d)
{
    http_reply r;

    assert_true(http_call(d->admin, "GET", "/metrics", "", NULL, &r));
    assert_int_equal(r.status, 200);
    return r;
}

/* The line behind this one, NULL behind the last. */
static const char *next_line(const char *line)
{
    const char *end = strchr(line, '\n');

    return end && end[1] ? end + 1 : NULL;
}

static size_t count_series(const char *text)
{
    size_t n = 0;

    for (const char *l = text; l; l = next_line(l))
        n += *l != '#' && *l != '\n' ? 1 : 0;
    return n;
}

bool daemon_metrics_clean(const daemon_process *d, size_t *series)
{
    http_reply r = scrape(d);
    bool ok = true;
#ifdef PROMTOOL
    FILE *f = popen(PROMTOOL " check metrics", "w");

    ok = f && fwrite(r.body, 1, r.size, f) == r.size;
    ok = f && pclose(f) == 0 && ok;
#endif
    if (series)
        *series = count_series(r.body);
    http_reply_clear(&r);
    return ok;
}

bool daemon_metrics_have(const daemon_process *d, const char *text)
{
    http_reply r = scrape(d);
    bool found = strstr(r.body, text) != NULL;

    http_reply_clear(&r);
    return found;
}

void daemon_metrics_wait(const daemon_process *d, const char *text)
{
    for (int i = 0; i < 20000 && !daemon_metrics_have(d, text); i++)
        real_sleep_ms(5);
    if (!daemon_metrics_have(d, text))
        fail_msg("no %s", text);
}

double daemon_metrics_sum(const daemon_process *d, const char *name)
{
    http_reply r = scrape(d);
    const size_t n = strlen(name);
    bool found = false;
    double sum = 0;

    for (const char *l = r.body; l; l = next_line(l)) {
        if (strncmp(l, name, n) == 0 && (l[n] == ' ' || l[n] == '{')) {
            sum += strtod(l + strcspn(l, " \n"), NULL);
            found = true;
        }
    }
    http_reply_clear(&r);
    return found ? sum : -1.0;
}
