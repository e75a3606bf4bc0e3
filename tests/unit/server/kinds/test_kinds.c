/* Every kind of job: its parts may be cut into quanta anywhere, written down and taken up again by
 * somebody else, and give the same bytes; what nobody can have written down is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <nettle/base64.h>

#include "ebm/io.h"
#include "ebma/op_request.h"
#include "kinds/likelihood_tasks.h"
#include "run_bench.h"

enum { SIDE = 8 };

static run_bench b;
static char picture[1024], mask[1024]; /* base64 */

static int write_picture(bool half, char *text)
{
    uint8_t pixels[SIDE * SIDE];
    const ebm_image image = {SIDE, SIDE, 1, pixels};
    unsigned char *png;
    size_t size;

    for (int i = 0; i < SIDE * SIDE; i++)
        pixels[i] = half ? (i < SIDE * SIDE / 2 ? 0 : 255) : (uint8_t)(i * 37);
    if (ebm_png_encode(&image, NULL, 0, &png, &size, NULL) != EBM_OK)
        return -1;
    memset(text, 0, sizeof(picture));
    base64_encode_raw(text, size, png);
    ebm_free(png);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return run_bench_open(&b, 4, SIZE_MAX) && write_picture(false, picture) == 0 &&
                   write_picture(true, mask) == 0
               ? 0
               : -1;
}

static int teardown(void **state)
{
    (void)state;
    run_bench_close(&b);
    return 0;
}

/* In a body P stands for a picture, M for a mask. The longest quantum without a checkpoint is
 * `unit` evaluations: a move of the sampler. */
static const struct {
    const char *kind, *body;
    int64_t unit;
} rows[] = {
    {"sample", "{\"n\":2,\"seed\":4,\"progressive\":true}", 1},
    {"inpaint", "{\"n\":2,\"seed\":4,\"image\":\"P\",\"mask\":\"M\",\"polish\":5}", 1},
    {"interpolate", "{\"from\":{\"seed\":4},\"to\":{\"seed\":5},\"frames\":3}", 1},
    {"energy", "{\"images\":[\"P\",\"M\"],\"seed\":4,\"draws\":3,\"gradient\":true}", 1},
    {"mcmc", "{\"chains\":2,\"steps\":18,\"warmup\":9,\"seed\":4,\"sampler\":\"langevin\"}", 1},
    {"mcmc", "{\"chains\":2,\"steps\":18,\"warmup\":9,\"seed\":4,\"sampler\":\"mala\"}", 2},
    {"mcmc", "{\"chains\":2,\"steps\":18,\"warmup\":9,\"seed\":4,\"sampler\":\"hmc\",\"keep\":2}",
     3},
    {"mcmc", "{\"chains\":3,\"steps\":18,\"seed\":4,\"sampler\":\"hmc\",\"until\":{\"rhat\":1.01}}",
     3},
    {"mcmc",
     "{\"chains\":3,\"steps\":18,\"seed\":4,\"init\":\"samples\",\"until\":{\"rhat\":1.01}}", 1},
    {"likelihood",
     "{\"images\":[\"P\",\"M\"],\"seed\":4,\"particles\":2,\"temperatures\":3,\"moves\":2,"
     "\"warmup\":3,\"paths\":2}",
     4},
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

enum { BODY = 16384, DEPTH = 13 /* below the body, metadata and a list */ };

typedef struct job {
    const ebmd_kind *kind;
    ebm_arena *arena;
    ebmd_engine *engine;
    ebmd_plan plan;
    ebmd_tools tools;
} job;

static void put_pictures(const char *body, char *out, size_t size)
{
    char before = '\0';
    size_t n = 0;

    for (; *body && n < size; before = *body++) {
        const bool named = body[0] != '"' && before == '"' && body[1] == '"';
        const char *text = named && *body == 'P' ? picture : named && *body == 'M' ? mask : NULL;

        n += (size_t)(text ? snprintf(out + n, size - n, "%s", text)
                           : snprintf(out + n, size - n, "%c", *body));
    }
    assert_true(n < size);
}

static void job_open(job *j, size_t row)
{
    char body[BODY];
    ebma_problem problem;
    ebmd_tools_order order = {.bench = {&b.bench}, .weight = {1.0}, .n = 1};

    put_pictures(rows[row].body, body, sizeof(body));
    memset(j, 0, sizeof(*j));
    j->kind = ebmd_kind_find(rows[row].kind);
    j->arena = ebm_arena_create(EBMD_PLAN_ARENA);
    j->engine = ebmd_catalog_take(b.catalog);
    j->plan.kind = j->kind;
    assert_int_equal(j->kind->parse(j->engine, body, strlen(body), j->arena, &j->plan, &problem),
                     EBM_OK);
    j->plan.kind = j->kind;
    order.work = j->plan.work;
    assert_int_equal(ebmd_tools_aim(&j->tools, &order, NULL), EBM_OK);
}

static void job_close(job *j)
{
    ebmd_tools_clear(&j->tools);
    ebm_arena_free(j->arena);
    ebmd_engine_unref(j->engine);
}

/* --- stored requests ------------------------------------------------------------------------ */

/* Many members side by side, as clients write them. */
static void flat_metadata(char *out)
{
    int n = sprintf(out, "{");

    for (int i = 0; i < 240; i++)
        n += sprintf(out + n, "%s\"k%d\":%d", i ? "," : "", i, i % 10);
    sprintf(out + n, "}");
}

/* The most members that its bytes have room for, as deep as a body may be. */
static void dense_metadata(char *out)
{
    size_t n = (size_t)sprintf(out, "{\"\":["), start = n;
    const size_t chain = DEPTH * strlen("{\"\":}") + strlen("1,");

    while (n + chain + 1 < EBMA_METADATA_MAX) {
        n += (size_t)sprintf(out + n, "%s", n > start ? "," : "");
        for (int i = 0; i < DEPTH; i++)
            n += (size_t)sprintf(out + n, "{\"\":");
        n += (size_t)sprintf(out + n, "1}}}}}}}}}}}}}");
    }
    sprintf(out + n, "]}");
}

static void assert_read_again(const char *kind, const char *body)
{
    ebm_arena *arena = ebm_arena_create(EBMD_PLAN_ARENA);
    ebmd_engine *engine = ebmd_catalog_take(b.catalog);
    ebmd_plan plan = {.kind = ebmd_kind_find(kind)}, again = {.kind = plan.kind};
    char *stored = NULL, *twice = NULL;
    size_t size, twice_size;
    ebma_problem problem;

    if (plan.kind->parse(engine, body, strlen(body), arena, &plan, &problem) != EBM_OK)
        fail_msg("%s: not accepted: %s", kind, problem.first ? problem.first->code : "");
    assert_int_equal(plan.kind->canon(&plan, &stored, &size, NULL), EBM_OK);
    if (again.kind->parse(engine, stored, size, arena, &again, &problem) != EBM_OK)
        fail_msg("%s: stored and not read: %s", kind, problem.first ? problem.first->code : "");
    assert_int_equal(again.kind->canon(&again, &twice, &twice_size, NULL), EBM_OK);
    assert_string_equal(stored, twice);
    ebm_free(stored);
    ebm_free(twice);
    ebm_arena_free(arena);
    ebmd_engine_unref(engine);
}

/* What is accepted can be read when its turn comes, though all rows are written then. */
static void stored_requests(void **state)
{
    char metadata[2][EBMA_METADATA_MAX + 1], body[BODY], head[BODY];

    (void)state;
    flat_metadata(metadata[0]);
    dense_metadata(metadata[1]);
    for (size_t row = 0; row < 2 * ROWS; row++) {
        put_pictures(rows[row / 2].body + 1, body, sizeof(body));
        assert_true((size_t)snprintf(head, sizeof(head), "{\"metadata\":%s,%s", metadata[row % 2],
                                     body) < sizeof(head));
        assert_read_again(rows[row / 2].kind, head);
    }
}

/* --- quanta --------------------------------------------------------------------------------- */

/* Digests of all that a part gives. */
static void collect(job *j, int32_t part, void *state, char digests[][65])
{
    ebmd_result r = {.output = ebm_alloc((size_t)j->plan.outputs, sizeof(*r.output))};

    memset(r.output, 0, (size_t)j->plan.outputs * sizeof(*r.output));
    assert_int_equal(j->kind->collect(&j->plan, part, state, &j->tools, &r, NULL), EBM_OK);
    for (int32_t i = 0; i < j->plan.outputs; i++) {
        ebm_sha256_hex(r.output[i].data, r.output[i].size, digests[i]);
        ebm_free(r.output[i].data);
    }
    ebm_free(r.output);
}

static void undivided(job *j, int32_t part, void *state, char digests[][65])
{
    ebmd_quantum q = {.max_evals = INT64_MAX};

    memset(state, 0, j->plan.state_size);
    j->kind->start(&j->plan, part, state);
    while (!q.finished)
        assert_int_equal(j->kind->advance(&j->plan, part, state, &j->tools, &q, NULL), EBM_OK);
    collect(j, part, state, digests);
}

/* Quanta of 1 to 9 evaluations; after each the state goes through its bytes to another place, and
 * scratch is poisoned, as it is when another process goes on. Returns the longest quantum. */
static int64_t divided(job *j, int32_t part, void *state, char digests[][65])
{
    unsigned char *bytes = ebm_alloc(j->plan.state_size, 1);
    uint32_t shuffle = (uint32_t)part;
    int64_t longest = 0;
    ebmd_quantum q = {0};

    memset(state, 0, j->plan.state_size);
    j->kind->start(&j->plan, part, state);
    while (!q.finished) {
        shuffle = shuffle * 1664525u + 1013904223u;
        q = (ebmd_quantum){.max_evals = 1 + (shuffle >> 16) % 9};
        memset(j->tools.work, 0xff, j->plan.work * sizeof(float));
        assert_int_equal(j->kind->advance(&j->plan, part, state, &j->tools, &q, NULL), EBM_OK);
        longest = q.evals - q.max_evals > longest ? q.evals - q.max_evals : longest;
        j->kind->checkpoint(&j->plan, part, state, bytes);
        memset(state, 0x55, j->plan.state_size);
        assert_int_equal(j->kind->restore(&j->plan, part, bytes, state), EBM_OK);
    }
    collect(j, part, state, digests);
    ebm_free(bytes);
    return longest;
}

static void going_on_anywhere(void **state)
{
    (void)state;
    for (size_t row = 0; row < ROWS; row++) {
        job j;

        job_open(&j, row);
        for (int32_t part = 0; part < j.plan.parts; part++) {
            char whole[16][65] = {{0}}, pieces[16][65] = {{0}};
            void *room = ebm_alloc(j.plan.state_size, 1);
            int64_t beyond;

            assert_true(j.plan.outputs <= 16);
            undivided(&j, part, room, whole);
            beyond = divided(&j, part, room, pieces);
            if (memcmp(whole, pieces, sizeof(whole)) != 0)
                fail_msg("%s, part %d: other bytes", rows[row].body, (int)part);
            if (beyond >= rows[row].unit)
                fail_msg("%s: %d evaluations too many", rows[row].body, (int)beyond);
            ebm_free(room);
        }
        job_close(&j);
    }
}

/* A state whose bytes were changed anywhere is refused, or can be gone on with in safety. */
static void changed_bytes(void **state)
{
    (void)state;
    for (size_t row = 0; row < ROWS; row++) {
        job j;
        unsigned char *bytes, *room;

        job_open(&j, row);
        bytes = ebm_alloc(j.plan.state_size, 1);
        room = ebm_alloc(j.plan.state_size, 1);
        for (size_t at = 0; at < j.plan.state_size;
             at += at < 256 ? 17 : 1 + j.plan.state_size / 16) {
            ebmd_quantum first = {.max_evals = 5}, more = {.max_evals = 12};

            memset(room, 0, j.plan.state_size);
            j.kind->start(&j.plan, 0, room);
            assert_int_equal(j.kind->advance(&j.plan, 0, room, &j.tools, &first, NULL), EBM_OK);
            j.kind->checkpoint(&j.plan, 0, room, bytes);
            bytes[at] ^= 0xff;
            if (j.kind->restore(&j.plan, 0, bytes, room) == EBM_OK && !first.finished)
                (void)!j.kind->advance(&j.plan, 0, room, &j.tools, &more, NULL);
        }
        ebm_free(bytes);
        ebm_free(room);
        job_close(&j);
    }
}

/* Counts that no run comes to are refused, and before anything is added to them. */
static void counts_beyond_all(void **state)
{
    static const struct {
        size_t at;
        int64_t value;
    } forged[] = {{offsetof(ebmd_likelihood_state, done), INT64_MAX},
                  {offsetof(ebmd_likelihood_state, done), INT64_MIN},
                  {offsetof(ebmd_likelihood_state, spent), INT64_MAX},
                  {offsetof(ebmd_likelihood_state, spent), -1},
                  {offsetof(ebmd_likelihood_state, origin.step), INT64_MAX},
                  {offsetof(ebmd_likelihood_state, origin.total), INT64_MAX}};
    unsigned char *bytes, *room;
    job j;

    (void)state;
    job_open(&j, ROWS - 1);
    bytes = ebm_alloc(j.plan.state_size, 1);
    room = ebm_alloc(j.plan.state_size, 1);
    for (size_t i = 0; i < sizeof(forged) / sizeof(forged[0]); i++) {
        ebmd_quantum q = {.max_evals = 1}; /* in the middle of the first draw */

        memset(room, 0, j.plan.state_size);
        j.kind->start(&j.plan, 0, room);
        assert_int_equal(j.kind->advance(&j.plan, 0, room, &j.tools, &q, NULL), EBM_OK);
        j.kind->checkpoint(&j.plan, 0, room, bytes);
        assert_int_equal(j.kind->restore(&j.plan, 0, bytes, room), EBM_OK);
        memcpy(bytes + forged[i].at, &forged[i].value, sizeof(forged[i].value));
        assert_int_equal(j.kind->restore(&j.plan, 0, bytes, room), EBM_ERR_FORMAT);
    }
    ebm_free(bytes);
    ebm_free(room);
    job_close(&j);
}

/* Chains that have come less than half as far as the farthest are left out of what they say, and
 * nothing is said before one has begun. */
static void said_on_the_way(void **state)
{
    static const struct {
        int64_t evals[2]; /* of a run of 18; thin 1 */
        size_t chains, draws;
    } steps[] = {{{0, 0}, 0, 0},   {{0, 12}, 1, 3}, {{5, 12}, 1, 3},  {{6, 12}, 2, 0},
                 {{12, 12}, 2, 3}, {{18, 9}, 2, 0}, {{18, 11}, 2, 2}, {{18, 18}, 2, 9}};
    const size_t mala = 5;

    (void)state;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        ebmd_standing parts[2] = {{NULL, NULL}, {NULL, NULL}};
        ebm_chains_report report;
        ebm_status st;
        job j;

        job_open(&j, mala);
        for (int32_t k = 0; k < 2; k++) {
            ebmd_quantum q = {.max_evals = steps[i].evals[k]};

            if (q.max_evals == 0)
                continue;
            parts[k].state = ebm_alloc(j.plan.state_size, 1);
            j.kind->start(&j.plan, k, parts[k].state);
            assert_int_equal(j.kind->advance(&j.plan, k, parts[k].state, &j.tools, &q, NULL),
                             EBM_OK);
        }
        st = j.kind->diagnose(&j.plan, parts, &report, NULL);
        assert_int_equal(st, steps[i].chains > 0 ? EBM_OK : EBM_ERR_NOT_FOUND);
        assert_int_equal(st == EBM_OK ? report.chains : 0, steps[i].chains);
        assert_int_equal(st == EBM_OK ? report.draws : 0, steps[i].draws);
        for (int k = 0; k < 2; k++)
            ebm_free(parts[k].state);
        job_close(&j);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stored_requests), cmocka_unit_test(going_on_anywhere),
        cmocka_unit_test(changed_bytes),   cmocka_unit_test(counts_beyond_all),
        cmocka_unit_test(said_on_the_way),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
