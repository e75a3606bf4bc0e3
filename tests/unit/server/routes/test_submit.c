/* How a body becomes a job, without a listener: what goes wrong on the way costs nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sys/stat.h>

#include "fail_alloc.h"
#include "routes/submit.h"
#include "run_bench.h"
#include "tiny_model.h"

#define SALT   "000102030405060708090a0b0c0d0e0f"
#define DIGEST "355cdbe611519477dfe934e5707a13b91de04201300dc1c9507369164fa60839"

static run_bench b;
static ebmd_state phase = {.wake_fd = -1};
static ebmd_app app;

static int setup(void **state)
{
    static const char line[] = "a sample - 2 " SALT " " DIGEST "\n";
    char path[TEMP_PATH_MAX];

    (void)state;
    if (!run_bench_open(&b, 4, SIZE_MAX) || !temp_dir_write(b.dir, "keys", line, strlen(line)) ||
        !temp_dir_join(b.dir, "keys", path) || chmod(path, 0600) != 0)
        return -1;
    atomic_store(&phase.phase, EBMD_READY);
    app = (ebmd_app){.state = &phase,
                     .catalog = b.catalog,
                     .store = b.store,
                     .sched = b.sched,
                     .cors_origins = "",
                     .build = "b",
                     .request_work = 1000};
    return ebmd_keys_open(path, &app.keys, NULL) == EBM_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    ebmd_keys_close(app.keys);
    run_bench_close(&b);
    return 0;
}

/* A request of the key's for images later, or NULL without memory. */
static ebmd_request *make_request(const char *body)
{
    static const ebmd_header later = {"Prefer", 6, "respond-async", 13};
    ebm_arena *arena = ebm_arena_create(1u << 20);
    ebmd_request *r = arena ? ebm_arena_alloc(arena, 1, sizeof(*r)) : NULL;

    if (!r) {
        ebm_arena_free(arena);
        return NULL;
    }
    r->arena = arena;
    r->head = (ebmd_head){.method = "POST", .target = "/sample", .n_headers = 1, .header = {later}};
    r->grant = (ebmd_grant){.owner = "a", .scopes = EBMD_SCOPE_SAMPLE, .priority = 5};
    r->body_size = r->body_room = strlen(body);
    r->body = ebm_alloc(r->body_size, 1);
    if (r->body)
        memcpy(r->body, body, r->body_size);
    return r;
}

static size_t jobs(void)
{
    ebmd_stats stats;

    b.store->ops->stats(b.store, &stats);
    return stats.queued;
}

/* The key may ask for more work when it has no debt: it never has one while nothing is accepted. */
static void refusals_cost_nothing(void **state)
{
    size_t failed = 0;

    (void)state;
    FOR_EACH_ALLOC_FAILURE
    {
        ebmd_request *r = make_request("{}");

        if (r && r->body) {
            ebmd_submit(&app, r, &ebmd_kind_sample);
            assert_int_not_equal(r->reply.status, 429);
        }
        if (r)
            ebmd_request_free(r);
        if (jobs() > 0) {
            fail_alloc_reset();
            break;
        }
        failed++;
    }
    assert_true(failed > 0);
    assert_int_equal(jobs(), 1);
}

/* Each of four images of 1024x1024 pixels with four channels takes 32 MiB on its way. Three of them
 * fit one checkpoint, four do not, unless there are fewer workers to begin them. */
static void chains_that_could_not_be_saved(void **state)
{
    static const struct {
        const char *body;
        unsigned workers;
        int status;
    } cases[] = {
        {"{\"model\":\"wide\",\"n\":4}", 8, 422},
        {"{\"model\":\"wide\",\"n\":3}", 8, 202},
        {"{\"model\":\"wide\",\"n\":4}", 3, 202},
        {"{\"model\":\"wide\",\"from\":{\"seed\":1},\"to\":{\"seed\":2},\"frames\":4}", 4, 422}};
    static const tiny_model wide = {.id = "wide",
                                    .levels = 2,
                                    .steps = 1,
                                    .side = 1024,
                                    .channels = 4,
                                    .seed = 1,
                                    .step_scale = 1.0};

    (void)state;
    ebmd_keys_close(app.keys);
    app.keys = NULL;
    assert_true(tiny_model_write(b.dir, &wide));
    assert_int_equal(ebmd_catalog_load(b.catalog, "wide", NULL), EBM_OK);
    for (int i = 0; i < 4; i++) {
        ebmd_request *r = make_request(cases[i].body);

        assert_true(r && r->body);
        app.workers = cases[i].workers;
        ebmd_submit(&app, r, i < 3 ? &ebmd_kind_sample : &ebmd_kind_interpolate);
        if (r->reply.status != cases[i].status)
            fail_msg("%s: %d %s", cases[i].body, r->reply.status, r->reply.body);
        if (cases[i].status == 422) {
            assert_non_null(strstr(r->reply.body, i < 3 ? "\"/n\"" : "\"/frames\""));
            assert_non_null(strstr(r->reply.body, "\"state_too_large\""));
            assert_non_null(strstr(r->reply.body, "\"max\":3"));
        }
        ebmd_request_free(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(refusals_cost_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(chains_that_could_not_be_saved, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
