/* The conformance suite of stores: the same cases on every driver, and the names of stores. Time
 * is the tests': nothing here waits. What time does to jobs is in test_store_time.c, what only a
 * file can do in test_store_sqlite.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#include "fail_alloc.h"
#include "store_bench.h"

/* --- every store -------------------------------------------------------------------------- */

static void life_of_a_job(void **state)
{
    store_bench *f = *state;
    ebmd_lease lease;
    ebmd_view v;

    assert_false(bench_exists(f, 1));
    bench_accept(f, 1);
    bench_expect_state(f, 1, EBMD_JOB_QUEUED, "");
    bench_expect_blob(f, 1, EBMD_BLOB_REQUEST, 0, "{\"r\":1}", 7);
    lease = bench_claim(f, 1);
    bench_claim_none(f);
    bench_expect_state(f, 1, EBMD_JOB_RUNNING, "");
    assert_int_equal(bench_finish(f, &lease), EBM_OK);
    assert_int_equal(f->ended, 1);
    v = bench_view_of(f, 1);
    assert_int_equal(v.row.state, EBMD_JOB_SUCCEEDED);
    assert_true(v.row.timings.queue_ms == 1.5 && v.row.timings.encode_ms == 0.5);
    bench_expect_blob(f, 1, EBMD_BLOB_DOCUMENT, 0, "{\"done\":1}", 10);
    bench_expect_blob(f, 1, EBMD_BLOB_PART, 1, "PNG1\0\xff", 6);
    bench_expect_blob(f, 1, EBMD_BLOB_PART, 2, NULL, 0);
    bench_expect_blob(f, 1, EBMD_BLOB_REQUEST, 0, NULL, 0);
    assert_int_equal(bench_finish(f, &lease), EBM_ERR_BAD_STATE);
}

/* What is too long to be kept is refused, the job goes on without, and the store is as sound as it
 * was. */
static void a_blob_that_is_too_long(void **state)
{
    static char bytes[EBMD_BLOB_MAX + 1];
    const ebmd_blob blob = {EBMD_BLOB_CHECKPOINT, 0, bytes, sizeof(bytes)};
    const ebmd_save save = {.blobs = &blob, .n_blobs = 1};
    store_bench *f = *state;
    ebm_error err = {0};
    ebmd_lease lease;

    bench_accept(f, 1);
    lease = bench_claim(f, 1);
    assert_int_equal(bench_save(f, &lease, "here", false), EBM_OK);
    assert_int_equal(f->store->ops->save(f->store, &lease, &save, &err), EBM_ERR_LIMIT);
    assert_true(err.text[0] != '\0');
    bench_expect_blob(f, 1, EBMD_BLOB_CHECKPOINT, 0, "here", 4);
    bench_accept(f, 2);
    assert_int_equal(bench_save(f, &lease, "there", false), EBM_OK);
    assert_int_equal(bench_finish(f, &lease), EBM_OK);
}

static void ids_and_owners(void **state)
{
    store_bench *f = *state;
    ebmd_spec spec = bench_spec_of(bench_id_of(1));
    ebmd_submit_outcome how;
    char id[EBMD_ID_SIZE];
    ebmd_view v;

    spec.owner = "alice";
    assert_int_equal(bench_submit(f, &spec), EBMD_SUBMIT_ACCEPTED);
    assert_int_equal(f->store->ops->submit(f->store, &spec, &how, id, NULL), EBM_ERR_BAD_STATE);
    assert_int_equal(f->store->ops->get(f->store, bench_id_of(1), "alice", &v), EBM_OK);
    assert_int_equal(f->store->ops->get(f->store, bench_id_of(1), "bob", &v), EBM_ERR_NOT_FOUND);
    assert_int_equal(f->store->ops->cancel(f->store, bench_id_of(1), "bob", &v, NULL),
                     EBM_ERR_NOT_FOUND);
    spec = bench_spec_of("job_'; DROP TABLE jobs; --xxxx");
    assert_int_equal(f->store->ops->submit(f->store, &spec, &how, id, NULL), EBM_ERR_ARG);
    spec = bench_spec_of(bench_id_of(2));
    spec.priority = 10;
    assert_int_equal(f->store->ops->submit(f->store, &spec, &how, id, NULL), EBM_ERR_ARG);
}

static void one_key_one_job(void **state)
{
    store_bench *f = *state;
    char key[EBMD_HEX_SIZE], body[EBMD_HEX_SIZE], other[EBMD_HEX_SIZE], id[EBMD_ID_SIZE];
    ebmd_spec first = bench_spec_of(bench_id_of(1)), again = bench_spec_of(bench_id_of(2));
    ebmd_submit_outcome how;

    snprintf(key, sizeof(key), "%064x", 1);
    snprintf(body, sizeof(body), "%064x", 2);
    snprintf(other, sizeof(other), "%064x", 3);
    first.idem = again.idem = key;
    first.digest = again.digest = body;
    assert_int_equal(bench_submit(f, &first), EBMD_SUBMIT_ACCEPTED);
    assert_int_equal(f->store->ops->submit(f->store, &again, &how, id, NULL), EBM_OK);
    assert_int_equal(how, EBMD_SUBMIT_REPLAYED);
    assert_string_equal(id, bench_id_of(1));
    again.digest = other;
    assert_int_equal(bench_submit(f, &again), EBMD_SUBMIT_CONFLICT);
    again.digest = body;
    f->mono += f->limits.idem_ttl_ms; /* I06: the key is forgotten, a new job is made */
    assert_int_equal(bench_submit(f, &again), EBMD_SUBMIT_ACCEPTED);
}

static void bounds_of_an_owner(void **state)
{
    store_bench *f = *state;
    ebmd_spec spec = bench_spec_of(bench_id_of(3));

    f->limits.owner_live = 2;
    bench_reopen(f);
    bench_accept(f, 1);
    bench_accept(f, 2);
    assert_int_equal(bench_submit(f, &spec), EBMD_SUBMIT_OWNER_FULL);
    bench_claim(f, 1); /* running ones count, too */
    assert_int_equal(bench_submit(f, &spec), EBMD_SUBMIT_OWNER_FULL);
    spec.owner = "another";
    assert_int_equal(bench_submit(f, &spec), EBMD_SUBMIT_ACCEPTED);
}

static void bounds_of_the_queue(void **state)
{
    store_bench *f = *state;
    ebmd_spec spec = bench_spec_of(bench_id_of(9));

    f->limits.queued = 3;
    f->limits.queued_work = 250;
    bench_reopen(f);
    spec.work = 1000; /* larger than all that may wait: runs alone */
    assert_int_equal(bench_submit(f, &spec), EBMD_SUBMIT_ACCEPTED);
    spec = bench_spec_of(bench_id_of(1));
    assert_int_equal(bench_submit(f, &spec), EBMD_SUBMIT_FULL);
    bench_claim(f, 9);
    bench_accept(f, 1); /* 100 of 250 */
    bench_accept(f, 2);
    spec = bench_spec_of(bench_id_of(3));
    assert_int_equal(bench_submit(f, &spec), EBMD_SUBMIT_FULL); /* by work */
    spec.work = 50;
    assert_int_equal(bench_submit(f, &spec), EBMD_SUBMIT_ACCEPTED);
    spec = bench_spec_of(bench_id_of(4));
    spec.work = 0;
    assert_int_equal(bench_submit(f, &spec), EBMD_SUBMIT_FULL); /* by number */
    bench_claim(f, 1);
    assert_int_equal(bench_submit(f, &spec), EBMD_SUBMIT_ACCEPTED);
}

/* What jobs bring along and their checkpoints count until they end. */
static void bounds_of_the_bytes(void **state)
{
    static const char chains[600];
    store_bench *f = *state;
    ebmd_spec large = bench_spec_of(bench_id_of(1)), small = bench_spec_of(bench_id_of(2));
    ebmd_stats before, after;
    ebmd_lease lease;

    f->limits.live_bytes = 500;
    bench_reopen(f);
    large.checkpoint = chains;
    large.checkpoint_size = sizeof(chains);
    assert_int_equal(bench_submit(f, &large), EBMD_SUBMIT_ACCEPTED); /* alone: or it never could */
    f->store->ops->stats(f->store, &before);
    assert_true(before.live_bytes > 600 && before.live_bytes == before.bytes);
    assert_int_equal(bench_submit(f, &small), EBMD_SUBMIT_FULL);
    lease = bench_claim(f, 1);
    assert_int_equal(bench_submit(f, &small), EBMD_SUBMIT_FULL);       /* running ones count, too */
    assert_int_equal(bench_save(f, &lease, "further", false), EBM_OK); /* and never are refused */
    assert_int_equal(bench_submit(f, &small), EBMD_SUBMIT_ACCEPTED);
    assert_int_equal(bench_finish(f, &lease), EBM_OK);
    f->store->ops->stats(f->store, &after);
    assert_true(after.live_bytes < after.bytes && after.live_bytes < 100);
}

/* Two owners, one with many jobs: shares are equal by work, and priority beats both. */
static void fair_shares(void **state)
{
    static const int order[] = {20, 1, 10, 2, 11, 12, 3, 4};
    store_bench *f = *state;

    for (int i = 1; i <= 4; i++) {
        ebmd_spec spec = bench_spec_of(bench_id_of(i));

        spec.owner = "many";
        assert_int_equal(bench_submit(f, &spec), EBMD_SUBMIT_ACCEPTED);
    }
    for (int i = 10; i <= 12; i++) {
        ebmd_spec spec = bench_spec_of(bench_id_of(i));

        spec.owner = "few";
        spec.work = i == 10 ? 100 : 50;
        assert_int_equal(bench_submit(f, &spec), EBMD_SUBMIT_ACCEPTED);
    }
    {
        ebmd_spec spec = bench_spec_of(bench_id_of(20));

        spec.owner = "many";
        spec.priority = 9;
        assert_int_equal(bench_submit(f, &spec), EBMD_SUBMIT_ACCEPTED);
    }
    assert_int_equal(bench_view_of(f, 20).position, 0);
    assert_int_equal(bench_view_of(f, 4).position, 7);
    assert_int_equal(bench_view_of(f, 4).work_left, 100 + 4 * 100 + 200);
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
        bench_claim(f, order[i]);
}

/* The place in line of a new job of one owner: virtual time at which its work of 100 begins. */
static double place_of(store_bench *f, int i)
{
    ebmd_spec spec = bench_spec_of(bench_id_of(i));

    spec.owner = "one";
    assert_int_equal(bench_submit(f, &spec), EBMD_SUBMIT_ACCEPTED);
    return bench_view_of(f, i).row.vtime;
}

static ebm_status end_early(store_bench *f, const ebmd_lease *lease, int64_t work_left)
{
    const ebmd_outcome o = {.state = EBMD_JOB_SUCCEEDED, .code = "", .work_left = work_left};

    return f->store->ops->finish(f->store, lease, &o, NULL);
}

/* Owners are charged for work that was done. */
static void shares_given_back(void **state)
{
    const ebmd_progress quarter = {.fraction = 0.25};
    store_bench *f = *state;
    ebmd_lease lease;
    ebmd_view v;

    assert_true(place_of(f, 1) == 0.0);
    assert_int_equal(f->store->ops->cancel(f->store, bench_id_of(1), NULL, &v, NULL), EBM_OK);
    assert_true(place_of(f, 2) == 0.0); /* as if the first had never been */
    assert_true(place_of(f, 3) == 100.0);
    lease = bench_claim(f, 2);
    assert_int_equal(f->store->ops->heartbeat(f->store, &lease, &quarter), EBMD_KEEP);
    assert_int_equal(f->store->ops->forget(f->store, bench_id_of(2), NULL, NULL), EBM_OK);
    assert_true(place_of(f, 4) == 200.0); /* not before its job that waits */
    lease = bench_claim(f, 3);
    assert_int_equal(end_early(f, &lease, 101), EBM_ERR_ARG);
    assert_int_equal(end_early(f, &lease, 100), EBM_OK);
    lease = bench_claim(f, 4);
    assert_int_equal(end_early(f, &lease, 60), EBM_OK);
    assert_true(place_of(f, 5) == 240.0);
}

/* A job that could not be written down costs nothing either. */
static void shares_of_jobs_that_were_not_taken(void **state)
{
    store_bench *f = *state;
    ebmd_spec spec = bench_spec_of(bench_id_of(1));
    ebmd_submit_outcome how;
    char id[EBMD_ID_SIZE];

    spec.owner = "one";
    for (size_t k = 1; k <= 3; k++) { /* its place in the table, that of its owner, its bytes */
        fail_alloc_at(k, false);
        assert_int_equal(f->store->ops->submit(f->store, &spec, &how, id, NULL), EBM_ERR_NOMEM);
        fail_alloc_reset();
    }
    assert_true(place_of(f, 2) == 0.0);
}

static void wishes(void **state)
{
    store_bench *f = *state;
    ebmd_wish wish = {.above_priority = 5, .below_work = 100};
    ebmd_spec spec;
    ebmd_lease lease;

    bench_accept(f, 1); /* priority 5, work 100 */
    assert_int_equal(f->store->ops->claim(f->store, &wish, &lease, NULL), EBM_ERR_NOT_FOUND);
    spec = bench_spec_of(bench_id_of(2));
    spec.work = 99;
    assert_int_equal(bench_submit(f, &spec), EBMD_SUBMIT_ACCEPTED);
    assert_int_equal(f->store->ops->claim(f->store, &wish, &lease, NULL), EBM_OK);
    assert_string_equal(lease.id, bench_id_of(2));
    spec = bench_spec_of(bench_id_of(3));
    spec.priority = 6;
    spec.work = 1000000;
    assert_int_equal(bench_submit(f, &spec), EBMD_SUBMIT_ACCEPTED);
    assert_int_equal(f->store->ops->claim(f->store, &wish, &lease, NULL), EBM_OK);
    assert_string_equal(lease.id, bench_id_of(3));
}

static void count_one(void *arg, const ebmd_row *row)
{
    (void)row;
    ++*(int *)arg;
}

static void cancel_in_every_state(void **state)
{
    store_bench *f = *state;
    ebmd_lease lease;
    ebmd_view v;

    bench_accept(f, 1);
    assert_int_equal(f->store->ops->cancel(f->store, bench_id_of(1), NULL, &v, NULL), EBM_OK);
    assert_int_equal(v.row.state, EBMD_JOB_CANCELED);
    bench_expect_state(f, 1, EBMD_JOB_CANCELED, "canceled");
    assert_int_equal(f->store->ops->cancel(f->store, bench_id_of(1), NULL, &v, NULL), EBM_OK);
    bench_accept(f, 2);
    lease = bench_claim(f, 2);
    for (int i = 0; i < 2; i++) { /* asking twice is asking once */
        assert_int_equal(f->store->ops->cancel(f->store, bench_id_of(2), NULL, &v, NULL), EBM_OK);
        assert_true(v.row.state == EBMD_JOB_RUNNING && v.row.cancel_requested);
    }
    assert_int_equal(f->asked, 1);
    assert_int_equal(f->store->ops->heartbeat(f->store, &lease, &v.progress), EBMD_STOP);
    assert_int_equal(bench_save(f, &lease, NULL, true), EBM_OK); /* given back: that ends it */
    bench_expect_state(f, 2, EBMD_JOB_CANCELED, "canceled");
    bench_accept(f, 3);
    lease = bench_claim(f, 3);
    assert_int_equal(bench_finish(f, &lease), EBM_OK);
    assert_int_equal(f->store->ops->cancel(f->store, bench_id_of(3), NULL, &v, NULL), EBM_OK);
    assert_int_equal(v.row.state, EBMD_JOB_SUCCEEDED); /* too late changes nothing */
    assert_int_equal(f->store->ops->cancel(f->store, bench_id_of(4), NULL, &v, NULL),
                     EBM_ERR_NOT_FOUND);
}

/* What it has come to is kept by whoever claims it next, before anything else and with any wish. */
static void canceled_with_a_checkpoint(void **state)
{
    static const ebmd_wish nothing = {.above_priority = INT32_MAX, .below_work = 0};
    static const ebmd_save later = {.release = true, .pause_ms = 1000};
    store_bench *f = *state;
    ebmd_spec spec = bench_spec_of(bench_id_of(2));
    ebmd_lease lease;
    ebmd_view v;

    bench_accept(f, 1);
    lease = bench_claim(f, 1);
    assert_int_equal(bench_save(f, &lease, "here", true), EBM_OK);
    assert_int_equal(f->store->ops->claim(f->store, &nothing, &lease, NULL), EBM_ERR_NOT_FOUND);
    assert_int_equal(f->store->ops->cancel(f->store, bench_id_of(1), NULL, &v, NULL), EBM_OK);
    assert_true(v.row.state == EBMD_JOB_QUEUED && v.row.cancel_requested);
    assert_int_equal(f->asked, 1);
    spec.priority = 9;
    assert_int_equal(bench_submit(f, &spec), EBMD_SUBMIT_ACCEPTED);
    lease = bench_claim(f, 1);
    assert_true(lease.cancel_requested && lease.has_checkpoint);
    assert_int_equal(f->store->ops->save(f->store, &lease, &later, NULL), EBM_OK);
    bench_expect_blob(f, 1, EBMD_BLOB_CHECKPOINT, 0, "here", 4);
    assert_int_equal(f->store->ops->claim(f->store, &nothing, &lease, NULL), EBM_ERR_NOT_FOUND);
    f->mono += later.pause_ms; /* it could not be taken up: not again at once */
    f->asked = 0;
    bench_sweep(f);
    assert_int_equal(f->asked, 1); /* told until somebody has claimed it */
    assert_int_equal(f->store->ops->claim(f->store, &nothing, &lease, NULL), EBM_OK);
    assert_string_equal(lease.id, bench_id_of(1));
    f->mono += f->limits.lease_ms; /* and a dead worker */
    bench_sweep(f);
    lease = bench_claim(f, 1);
    assert_int_equal(bench_finish(f, &lease), EBM_OK);
    lease = bench_claim(f, 2);
    assert_false(lease.cancel_requested);
}

/* Whatever its state: it has ended, nothing is kept of it, and late workers change nothing. */
static void forgetting(void **state)
{
    store_bench *f = *state;
    ebmd_filter all = {.limit = 9};
    ebmd_store *s = f->store;
    ebmd_lease lease;
    int seen = 0;

    assert_int_equal(s->ops->forget(s, bench_id_of(1), NULL, NULL), EBM_ERR_NOT_FOUND);
    bench_accept(f, 1); /* will have succeeded */
    lease = bench_claim(f, 1);
    assert_int_equal(bench_finish(f, &lease), EBM_OK);
    bench_accept(f, 2); /* will be running, with a checkpoint */
    lease = bench_claim(f, 2);
    assert_int_equal(bench_save(f, &lease, "here", false), EBM_OK);
    bench_accept(f, 3); /* waits */
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(s->ops->forget(s, bench_id_of(i), "bob", NULL), EBM_ERR_NOT_FOUND);
        for (int again = 0; again < 2; again++)
            assert_int_equal(s->ops->forget(s, bench_id_of(i), "", NULL), EBM_OK);
        assert_true(bench_view_of(f, i).row.purged);
        for (int t = 0; t < EBMD_BLOB_TYPES; t++)
            bench_expect_blob(f, i, (ebmd_blob_type)t, 0, NULL, 0);
    }
    assert_int_equal(f->ended, 3);
    assert_int_equal(bench_finish(f, &lease), EBM_ERR_BAD_STATE);
    bench_expect_state(f, 1, EBMD_JOB_SUCCEEDED, ""); /* one that had ended stays what it was */
    bench_expect_state(f, 2, EBMD_JOB_CANCELED, "canceled");
    bench_expect_state(f, 3, EBMD_JOB_CANCELED, "canceled");
    bench_claim_none(f);
    s->ops->list(s, &all, count_one, &seen);
    assert_int_equal(seen, 0);
    f->mono += f->limits.tombstone_ttl_ms;
    bench_sweep(f);
    assert_false(bench_exists(f, 2));
}

typedef struct listing {
    int n;
    int64_t seq[16];
} listing;

static void take(void *arg, const ebmd_row *row)
{
    listing *l = arg;

    l->seq[l->n++] = row->seq;
}

static void pages(void **state)
{
    store_bench *f = *state;
    ebmd_filter filter = {.limit = 3};
    listing l = {0};
    ebmd_stats stats;

    for (int i = 1; i <= 5; i++)
        bench_accept(f, i);
    bench_claim(f, 1);
    f->store->ops->list(f->store, &filter, take, &l);
    assert_int_equal(l.n, 3);
    assert_int_equal(l.seq[0], l.seq[2] + 2); /* newest first */
    filter.before = l.seq[2];
    f->store->ops->list(f->store, &filter, take, &l);
    assert_int_equal(l.n, 5);
    filter = (ebmd_filter){.limit = 9, .states = 1u << EBMD_JOB_RUNNING, .kind = "sample"};
    f->store->ops->list(f->store, &filter, take, &l);
    assert_int_equal(l.n, 6);
    filter = (ebmd_filter){.limit = 9, .owner = "nobody"};
    f->store->ops->list(f->store, &filter, take, &l);
    assert_int_equal(l.n, 6);
    filter = (ebmd_filter){.limit = 9, .model = "m"};
    f->store->ops->list(f->store, &filter, take, &l);
    assert_int_equal(l.n, 6 + 5);
    filter = (ebmd_filter){.limit = 9, .model = "n"};
    f->store->ops->list(f->store, &filter, take, &l);
    filter = (ebmd_filter){.limit = 9, .since = bench_view_of(f, 1).row.created_ms + 1};
    f->store->ops->list(f->store, &filter, take, &l);
    assert_int_equal(l.n, 11);
    f->mono += 700;
    f->store->ops->stats(f->store, &stats);
    assert_true(stats.queued == 4 && stats.running == 1 && stats.queued_work == 400);
    assert_int_equal(stats.oldest_wait_ms, 700);
}

/* One failed allocation anywhere: the call says so or does without, and the store still works. */
static void allocations_that_fail(void **state)
{
    store_bench *f = *state;
    int i = 0;

    FOR_EACH_ALLOC_FAILURE
    {
        ebmd_spec spec = bench_spec_of(bench_id_of(++i));
        ebmd_submit_outcome how;
        char id[EBMD_ID_SIZE];
        ebm_status st = f->store->ops->submit(f->store, &spec, &how, id, NULL);

        assert_true(st == EBM_OK || st == EBM_ERR_NOMEM);
        assert_int_equal(bench_exists(f, i), st == EBM_OK);
    }
    bench_accept(f, i + 1);
    assert_true(i > 1);
}

/* --- names -------------------------------------------------------------------------------- */

static void names_of_stores(void **state)
{
    static const char *const bad[] = {"", "memory:", "sqlite", "sqlite:", "redis:x", "Memory"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(ebmd_store_spec_valid(bad[i]));
    assert_true(ebmd_store_spec_valid("memory"));
    assert_true(ebmd_store_spec_valid("auto"));
    assert_true(ebmd_store_spec_valid("sqlite:a"));
}

static const char *const *variables; /* name, value, name, value, NULL */

static char *lookup(const char *name)
{
    for (const char *const *v = variables; *v; v += 2) {
        if (strcmp(v[0], name) == 0)
            return (char *)(uintptr_t)v[1];
    }
    return NULL;
}

static void the_default_path(void **state)
{
    static const struct {
        const char *variables[7];
        const char *path; /* NULL: refused */
    } rows[] = {
        {{"STATE_DIRECTORY", "/var/lib/ebmd", "HOME", "/root"}, "/var/lib/ebmd/jobs.db"},
        {{"XDG_STATE_HOME", "/x", "HOME", "/root"}, "/x/ebmd/jobs.db"},
        {{"XDG_STATE_HOME", "relative", "HOME", "/root"}, "/root/.local/state/ebmd/jobs.db"},
        {{"HOME", ""}, NULL},
        {{NULL}, NULL}};
    char path[64];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        variables = rows[i].variables;
        assert_int_equal(ebmd_store_default_path(lookup, path, sizeof(path), NULL) == EBM_OK,
                         rows[i].path != NULL);
        if (rows[i].path)
            assert_string_equal(path, rows[i].path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_BOTH(life_of_a_job),
        BENCH_BOTH(a_blob_that_is_too_long),
        BENCH_BOTH(ids_and_owners),
        BENCH_BOTH(one_key_one_job),
        BENCH_BOTH(bounds_of_the_queue),
        BENCH_BOTH(bounds_of_the_bytes),
        BENCH_BOTH(bounds_of_an_owner),
        BENCH_BOTH(fair_shares),
        BENCH_BOTH(shares_given_back),
        {"shares_of_jobs_that_were_not_taken", shares_of_jobs_that_were_not_taken,
         bench_setup_memory, bench_teardown, NULL},
        BENCH_BOTH(wishes),
        BENCH_BOTH(cancel_in_every_state),
        BENCH_BOTH(canceled_with_a_checkpoint),
        BENCH_BOTH(forgetting),
        BENCH_BOTH(pages),
        BENCH_BOTH(allocations_that_fail),
        cmocka_unit_test(names_of_stores),
        cmocka_unit_test(the_default_path),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
