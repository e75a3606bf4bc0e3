/* What is counted comes out: exact under threads, cumulative in histograms, bounded in labels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "ebm/memory.h"
#include "fail_alloc.h"
#include "base/metrics.h"

static const char *const routes[] = {"/a", "/b/{id}"};

/* The number behind a series, -1 if it is not there. */
static double value_of(const ebmd_metrics *m, const char *series)
{
    char *text = NULL, *at;
    size_t size;
    double value = -1;
    char line[200];

    assert_int_equal(ebmd_metrics_write(m, NULL, 0, &text, &size, NULL), EBM_OK);
    assert_int_equal(strlen(text), size);
    snprintf(line, sizeof(line), "\n%s ", series);
    at = strstr(text, line);
    if (at)
        value = strtod(at + strlen(line), NULL);
    ebm_free(text);
    return value;
}

static void requests(void **state)
{
    ebmd_metrics *m = ebmd_metrics_create(routes, 2);

    (void)state;
    assert_true(value_of(m, "ebm_http_requests_total{route=\"/a\",code=\"200\"}") == -1);
    ebmd_metrics_request(m, 0, 200, 0.002);
    ebmd_metrics_request(m, 0, 200, 5.0);
    ebmd_metrics_request(m, 1, 299, 1e12);
    ebmd_metrics_request(m, 2, 404, -1.0);
    ebmd_metrics_request(m, 99, 404, 0.0 / 0.0);
    assert_true(value_of(m, "ebm_http_requests_total{route=\"/a\",code=\"200\"}") == 2);
    assert_true(value_of(m, "ebm_http_requests_total{route=\"/b/{id}\",code=\"other\"}") == 1);
    assert_true(value_of(m, "ebm_http_requests_total{route=\"none\",code=\"404\"}") == 2);
    assert_true(value_of(m, "ebm_http_request_seconds_bucket{route=\"/a\",le=\"0.001\"}") == 0);
    assert_true(value_of(m, "ebm_http_request_seconds_bucket{route=\"/a\",le=\"0.003\"}") == 1);
    assert_true(value_of(m, "ebm_http_request_seconds_bucket{route=\"/a\",le=\"3\"}") == 1);
    assert_true(value_of(m, "ebm_http_request_seconds_bucket{route=\"/a\",le=\"10\"}") == 2);
    assert_true(value_of(m, "ebm_http_request_seconds_bucket{route=\"/a\",le=\"+Inf\"}") == 2);
    assert_true(value_of(m, "ebm_http_request_seconds_sum{route=\"/a\"}") == 5.002);
    assert_true(value_of(m, "ebm_http_request_seconds_bucket{route=\"none\",le=\"0.001\"}") == 2);
    assert_true(value_of(m, "ebm_http_request_seconds_count{route=\"/b/{id}\"}") == 1);
    ebmd_metrics_free(m);
}

static void the_rest(void **state)
{
    ebmd_metrics *m = ebmd_metrics_create(routes, 2);

    (void)state;
    ebmd_metrics_job_ended(m, EBMD_KIND_MCMC, EBMA_JOB_FAILED, EBMA_DIVERGED);
    ebmd_metrics_job_ended(m, EBMD_KINDS, EBMA_JOB_FAILED, EBMA_DIVERGED); /* counts nowhere */
    ebmd_metrics_job_ended(m, EBMD_KIND_CHAINS, EBMA_JOB_EXPIRED, EBMA_DEADLINE);
    ebmd_metrics_count(m, EBMD_COUNT_LANGEVIN_STEPS, 7);
    ebmd_metrics_observe(m, EBMD_BATCH_ROWS, 12);
    ebmd_metrics_set(m, EBMD_GAUGE_BACKLOG, 1.5);
    ebmd_metrics_set(m, EBMD_GAUGE_BACKLOG, 0.0 / 0.0); /* not a number: the old one stays */
    ebmd_metrics_move(m, EBMD_GAUGE_CONNECTIONS, 3);
    ebmd_metrics_move(m, EBMD_GAUGE_CONNECTIONS, -1);
    ebmd_metrics_client_gone(m, EBMD_GONE_WAITING);
    ebmd_metrics_denied(m, EBMD_DENIED_RATE);
    assert_true(
        value_of(m, "ebm_jobs_total{kind=\"mcmc\",status=\"failed\",reason=\"diverged\"}") == 1);
    assert_true(
        value_of(m, "ebm_jobs_total{kind=\"chains\",status=\"expired\",reason=\"deadline\"}") == 1);
    assert_true(value_of(m, "ebm_langevin_steps_total") == 7);
    assert_true(value_of(m, "ebm_batch_rows_bucket{le=\"8\"}") == 0);
    assert_true(value_of(m, "ebm_batch_rows_bucket{le=\"12\"}") == 1);
    assert_true(value_of(m, "ebm_backlog_work_seconds") == 1.5);
    assert_true(value_of(m, "ebm_http_connections") == 2);
    assert_true(value_of(m, "ebm_client_gone_total{phase=\"waiting\"}") == 1);
    assert_true(value_of(m, "ebm_denied_total{reason=\"rate\"}") == 1);
    assert_true(value_of(m, "ebm_store_seconds_count{op=\"get\"}") == 0);
    ebmd_metrics_free(m);
}

#define THREADS 4
#define EACH    20000

static void *record(void *arg)
{
    for (int i = 0; i < EACH; i++) {
        ebmd_metrics_request(arg, 1, 200, 0.5);
        ebmd_metrics_move(arg, EBMD_GAUGE_IN_FLIGHT, i % 2 ? 1 : -1);
    }
    return NULL;
}

/* Nothing is lost between threads, and a reader may look at any time. */
static void threads(void **state)
{
    ebmd_metrics *m = ebmd_metrics_create(routes, 2);
    pthread_t thread[THREADS];

    (void)state;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, record, m), 0);
    for (int i = 0; i < 20; i++)
        assert_true(value_of(m, "ebm_http_requests_in_flight") >= -THREADS);
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    assert_true(value_of(m, "ebm_http_requests_total{route=\"/b/{id}\",code=\"200\"}") ==
                THREADS * EACH);
    assert_true(value_of(m, "ebm_http_request_seconds_sum{route=\"/b/{id}\"}") ==
                THREADS * EACH * 0.5);
    assert_true(value_of(m, "ebm_http_requests_in_flight") == 0);
    ebmd_metrics_free(m);
}

static void infos_are_escaped(void **state)
{
    const ebmd_info info[] = {{"x_info", "X.", {"a", "b"}, {"1\"\\\n{}", ""}},
                              {"x_info", "X.", {"a", NULL}, {"2", NULL}}};
    ebmd_metrics *m = ebmd_metrics_create(routes, 2);
    char *text;
    size_t size;

    (void)state;
    assert_int_equal(ebmd_metrics_write(m, info, 2, &text, &size, NULL), EBM_OK);
    assert_int_equal(strncmp(text,
                             "# HELP x_info X.\n# TYPE x_info gauge\n"
                             "x_info{a=\"1\\\"\\\\\\n{}\",b=\"\"} 1\nx_info{a=\"2\"} 1\n",
                             79),
                     0);
    ebm_free(text);
    ebmd_metrics_free(m);
}

static void failures(void **state)
{
    static const char *many[EBMD_METRICS_ROUTES_MAX + 1];

    (void)state;
    FOR_EACH_ALLOC_FAILURE
    {
        ebmd_metrics *m = ebmd_metrics_create(routes, 2);
        char *text = NULL;
        size_t size;
        ebm_status st = m ? ebmd_metrics_write(m, NULL, 0, &text, &size, NULL) : EBM_ERR_NOMEM;

        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        ebm_free(text);
        ebmd_metrics_free(m);
    }
    for (size_t i = 0; i <= EBMD_METRICS_ROUTES_MAX; i++)
        many[i] = "/x";
    assert_null(ebmd_metrics_create(many, EBMD_METRICS_ROUTES_MAX + 1));
    ebmd_metrics_request(NULL, 0, 200, 0.0); /* nobody counts */
    ebmd_metrics_set(NULL, EBMD_GAUGE_BACKLOG, 1.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests),          cmocka_unit_test(the_rest), cmocka_unit_test(threads),
        cmocka_unit_test(infos_are_escaped), cmocka_unit_test(failures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
