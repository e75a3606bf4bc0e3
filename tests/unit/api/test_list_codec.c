/* Lists of jobs, and times as they are written and read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <jansson.h>

#include "ebma/api.h"
#include "fail_alloc.h"

static const ebma_job_brief briefs[2] = {
    {.id = "job_1",
     .kind = "sample",
     .model = "m",
     .status = EBMA_JOB_RUNNING,
     .cancel_requested = true,
     .created_ms = 1767323045678,
     .started_ms = 1767323045679,
     .priority = 5},
    {.id = "job_2",
     .kind = "sample",
     .model = "",
     .owner = "alice",
     .status = EBMA_JOB_EXPIRED,
     .created_ms = 1,
     .completed_ms = 2,
     .error = EBMA_DEADLINE},
};

static void a_page(void **state)
{
    static const char expected[] =
        "{\"object\":\"list\",\"data\":["
        "{\"id\":\"job_1\",\"object\":\"job\",\"kind\":\"sample\",\"model\":\"m\","
        "\"status\":\"running\",\"cancel_requested\":true,\"priority\":5,"
        "\"created_at\":\"2026-01-02T03:04:05.678Z\",\"started_at\":\"2026-01-02T03:04:05.679Z\","
        "\"completed_at\":null,\"error\":null},"
        "{\"id\":\"job_2\",\"object\":\"job\",\"kind\":\"sample\",\"model\":\"\","
        "\"owner\":\"alice\",\"status\":\"expired\",\"priority\":0,"
        "\"created_at\":\"1970-01-01T00:00:00.001Z\",\"started_at\":null,"
        "\"completed_at\":\"1970-01-01T00:00:00.002Z\",\"error\":\"deadline\"}],"
        "\"has_more\":true,\"next_cursor\":\"7\"}";
    const ebma_job_page page = {.jobs = briefs, .n = 2, .next_cursor = "7"}, empty = {.n = 0};
    char *text;
    size_t size;

    (void)state;
    assert_int_equal(ebma_job_list_encode(&page, &text, &size, NULL), EBM_OK);
    assert_string_equal(text, expected);
    assert_int_equal(size, sizeof(expected) - 1);
    ebm_free(text);
    assert_int_equal(ebma_job_list_encode(&empty, &text, &size, NULL), EBM_OK);
    assert_string_equal(
        text, "{\"object\":\"list\",\"data\":[],\"has_more\":false,\"next_cursor\":null}");
    ebm_free(text);
}

static const ebma_slot one_slot = {.job = "job_1",
                                   .kind = "mcmc",
                                   .owner = "",
                                   .priority = 5,
                                   .parts = 4,
                                   .busy = 2,
                                   .progress = {0.25, 1, 3, 6, 12, 30}};

static void slots(void **state)
{
    static const char expected[] =
        "{\"object\":\"list\",\"slots\":64,\"workers\":2,\"data\":["
        "{\"job\":\"job_1\",\"kind\":\"mcmc\",\"owner\":\"\",\"priority\":5,\"parts\":4,"
        "\"parts_done\":1,\"busy\":2,\"fraction\":0.25,\"level\":3,\"levels\":6,\"step\":12,"
        "\"steps\":30}]}";
    const ebma_slots all = {.slot = &one_slot, .n = 1, .slots = 64, .workers = 2};

    (void)state;
    FOR_EACH_ALLOC_FAILURE
    {
        char *text = NULL;
        size_t size;
        ebm_status st = ebma_slots_encode(&all, &text, &size, NULL);

        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        if (st == EBM_OK)
            assert_string_equal(text, expected);
        ebm_free(text);
    }
}

static void without_memory(void **state)
{
    const ebma_job_page page = {.jobs = briefs, .n = 2, .next_cursor = "7"};

    (void)state;
    FOR_EACH_ALLOC_FAILURE
    {
        char *text = NULL;
        size_t size;
        ebm_status st = ebma_job_list_encode(&page, &text, &size, NULL);

        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        ebm_free(text);
    }
}

/* What is written is read back, whatever the day; known moments are what they are. */
static void times(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } rows[] = {{"1970-01-01T00:00:00Z", 0},
                {"1970-01-01T00:00:00.001Z", 1},
                {"2000-02-29T12:00:00Z", INT64_C(951825600000)},
                {"2026-01-02T03:04:05.678Z", INT64_C(1767323045678)},
                {"9999-12-31T23:59:59.999Z", INT64_C(253402300799999)}};
    static const char *const bad[] = {"",
                                      "2026-01-02",
                                      "2026-01-02T03:04:05",
                                      "2026-01-02T03:04:05+00:00",
                                      "2026-01-02 03:04:05Z",
                                      "2026-01-02T03:04:05.6Z",
                                      "2026-01-02T03:04:05.6789Z",
                                      "2026-01-02T03:04:05ZZ",
                                      "2026-13-02T03:04:05Z",
                                      "2026-00-02T03:04:05Z",
                                      "2026-01-00T03:04:05Z",
                                      "2026-02-29T03:04:05Z",
                                      "2100-02-29T03:04:05Z",
                                      "2026-01-02T24:00:00Z",
                                      "2026-01-02T03:60:00Z",
                                      "2026-01-02T03:04:60Z",
                                      "1969-12-31T23:59:59Z",
                                      "-026-01-02T03:04:05Z"};
    char text[EBMA_TIME_SIZE];
    int64_t ms;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_true(ebma_time_parse(rows[i].text, &ms));
        assert_int_equal(ms, rows[i].ms);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (ebma_time_parse(bad[i], &ms))
            fail_msg("%s", bad[i]);
    }
    for (int64_t t = 0; t < INT64_C(253402300799999); t += INT64_C(86400001) * 97) {
        ebma_time_format(t, text);
        assert_true(ebma_time_parse(text, &ms));
        assert_int_equal(ms, t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page),
        cmocka_unit_test(slots),
        cmocka_unit_test(without_memory),
        cmocka_unit_test(times),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
