/* Hostile requests by the hundred (support/negative_cases.h): every one gets the status it must
 * get, as problem+json, and leaves no job, no descriptor, no memory and no broken log line behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <jansson.h>
#include <signal.h>
#include <unistd.h>

#include "daemon_metrics.h"
#include "daemon_models.h"
#include "http_client.h"
#include "negative_cases.h"
#include "real_time.h"

static daemon_process d;

static int setup(void **state)
{
    (void)state;
    if (!daemon_prepare_tiny(&d) || !daemon_start(&d, NULL))
        return -1;
    negative.port = d.port;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    daemon_clean(&d);
    return 0;
}

static int open_files(void)
{
    char path[64];
    int n = 0;
    DIR *dir;

    snprintf(path, sizeof(path), "/proc/%ld/fd", (long)d.pid);
    dir = opendir(path);
    assert_non_null(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

static void the_table(void)
{
    negative_http_cases();
    negative_json_cases();
}

static void wait_for_files(int wanted)
{
    for (int i = 0; i < 1000 && open_files() > wanted; i++)
        real_sleep_ms(10);
    assert_true(open_files() <= wanted);
}

static void every_case(void **state)
{
    int files, cases;
    long before;

    (void)state;
    assert_true(daemon_draws(&d));
    (void)daemon_metrics_have(&d, "x"); /* both listeners have been used once */
    files = open_files();
    the_table();
    assert_true(daemon_draws(&d));
    cases = negative.cases;
    before = daemon_resident_kib(&d);
    the_table(); /* once more: what the first round left would be left again */
    assert_true(daemon_draws(&d));
    print_message("%d cases, twice; %ld KiB more after the second time\n", cases,
                  daemon_resident_kib(&d) - before);
    assert_int_equal(negative.bad, 0);
    assert_true(cases >= 500);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* they keep freed memory */
    assert_true(daemon_resident_kib(&d) - before < 1024);
#endif
    wait_for_files(files);
    /* the three good requests, and nothing else, became jobs */
    assert_true(daemon_metrics_sum(&d, "ebm_jobs_total") == 3);
    assert_true(daemon_metrics_sum(&d, "ebm_queue_depth") == 0);
    assert_true(daemon_metrics_sum(&d, "ebm_http_requests_in_flight") == 1); /* the scrape itself */
    assert_true(daemon_metrics_sum(&d, "ebm_http_requests_total") >= 2 * cases);
}

/* After all that: every line of the log is one JSON object, and none is an error. */
static void the_log(void **state)
{
    char path[TEMP_PATH_MAX];
    static char line[8192];
    int lines = 0;
    FILE *f;

    (void)state;
    assert_int_equal(daemon_stop(&d, SIGTERM, 10000), 0);
    assert_true(temp_dir_join(d.dir, "log", path));
    f = fopen(path, "r");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        json_t *o = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        const char *level = json_string_value(json_object_get(o, "level"));

        if (!level || strcmp(level, "error") == 0)
            fail_msg("%s", line);
        json_decref(o);
        lines++;
    }
    fclose(f);
    assert_true(lines >= 2 * 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case),
        cmocka_unit_test(the_log),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
