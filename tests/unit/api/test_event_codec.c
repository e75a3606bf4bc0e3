/* What events say, member by member; and without memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ebma/api.h"
#include "fail_alloc.h"

static const ebma_progress at_work = {.fraction = 0.25,
                                      .parts_done = 1,
                                      .level = 3,
                                      .levels = 6,
                                      .step = 12,
                                      .steps = 30,
                                      .has_logp = true,
                                      .has_accept = true,
                                      .logp = -12.5,
                                      .accept_rate = 0.5714};

static const struct {
    ebma_event event;
    const char *json;
} rows[] = {
    {{.type = EBMA_EVENT_QUEUED, .id = "job_1", .position = 2, .eta_s = 1.26},
     "{\"id\":\"job_1\",\"position\":2,\"eta_s\":1.3}"},
    {{.type = EBMA_EVENT_STARTED, .id = "job_1", .kind = "sample", .model = "m"},
     "{\"id\":\"job_1\",\"kind\":\"sample\",\"model\":\"m\"}"},
    {{.type = EBMA_EVENT_PROGRESS, .progress = {.fraction = 0.5, .parts_done = 1}, .eta_s = 2.0},
     "{\"fraction\":0.5,\"images_done\":1,\"eta_s\":2.0}"},
    /* an energy is minus a log density */
    {{.type = EBMA_EVENT_PROGRESS, .progress = at_work, .eta_s = 2.0},
     "{\"fraction\":0.25,\"level\":3,\"levels\":6,\"step\":12,\"steps\":30,\"energy_mean\":12.5,"
     "\"accept_rate\":0.571,\"images_done\":1,\"eta_s\":2.0}"},
    {{.type = EBMA_EVENT_PREVIEW,
      .index = 1,
      .progress = {.level = 3, .step = 4},
      .png = "png",
      .png_size = 3},
     "{\"index\":1,\"level\":3,\"step\":4,\"b64_json\":\"cG5n\"}"},
    {{.type = EBMA_EVENT_IMAGE, .index = 1, .seed = INT64_MAX, .png = "png", .png_size = 3},
     "{\"index\":1,\"seed\":9223372036854775807,\"b64_json\":\"cG5n\"}"},
    {{.type = EBMA_EVENT_IMAGE,
      .index = 1,
      .seed = 7,
      .weighed = true,
      .logp = 3.5,
      .png = "png",
      .png_size = 3},
     "{\"index\":1,\"seed\":7,\"energy\":-3.5,\"b64_json\":\"cG5n\"}"},
    {{.type = EBMA_EVENT_DRAINING, .retry_ms = 3000}, "{\"retry_ms\":3000}"},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static void members(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        char *json;
        size_t size;

        assert_int_equal(ebma_event_encode(&rows[i].event, &json, &size, NULL), EBM_OK);
        assert_string_equal(json, rows[i].json);
        ebm_free(json);
    }
}

static void without_memory(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        FOR_EACH_ALLOC_FAILURE
        {
            char *json = NULL;
            size_t size;
            ebm_status st = ebma_event_encode(&rows[i].event, &json, &size, NULL);

            assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
            if (st == EBM_OK)
                assert_string_equal(json, rows[i].json);
            ebm_free(json);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members),
        cmocka_unit_test(without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
