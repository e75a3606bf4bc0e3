/* Stores on a bench, see store_bench.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#include "store_bench.h"

static int64_t mono_ms(void *self)
{
    return ((store_bench *)self)->mono;
}

static int64_t wall_ms(void *self)
{
    return ((store_bench *)self)->wall;
}

static double half(void *self)
{
    (void)self;
    return 0.5;
}

static void on_event(void *arg, ebmd_event event, const ebmd_row *row)
{
    store_bench *f = arg;

    assert_true(ebmd_row_valid(row));
    f->ended += event == EBMD_EVENT_ENDED;
    f->queued += event == EBMD_EVENT_QUEUED;
    f->asked += event == EBMD_EVENT_CANCEL;
}

ebm_status bench_try(store_bench *f, ebm_error *err)
{
    const ebmd_env env = {f, mono_ms, wall_ms, half};
    ebmd_backend *backend = NULL;
    ebm_status st = f->sqlite ? ebmd_backend_sqlite_open(f->path, &backend, err)
                              : ebmd_backend_memory_open(&backend, err);

    f->store = NULL;
    return st == EBM_OK ? ebmd_store_local_open(&f->limits, &env, backend, &f->store, err) : st;
}

void bench_open(store_bench *f)
{
    ebm_error err = {0};

    if (bench_try(f, &err) != EBM_OK)
        fail_msg("%s: %s", err.where, err.text);
    f->store->ops->listen(f->store, on_event, f);
}

void bench_close(store_bench *f)
{
    if (f->store)
        f->store->ops->close(f->store);
    f->store = NULL;
}

void bench_reopen(store_bench *f)
{
    bench_close(f);
    bench_open(f);
}

static int setup(void **state, bool sqlite)
{
    static store_bench f;

    memset(&f, 0, sizeof(f));
    f.sqlite = sqlite;
    f.limits = ebmd_limits_default();
    f.mono = 5000;
    f.wall = INT64_C(1700000000000);
    *state = &f;
    if (!temp_dir_make(f.dir) || !temp_dir_join(f.dir, "jobs.db", f.path))
        return -1;
    bench_open(&f);
    return 0;
}

int bench_setup_memory(void **state)
{
    return setup(state, false);
}

int bench_setup_sqlite(void **state)
{
    return setup(state, true);
}

int bench_teardown(void **state)
{
    store_bench *f = *state;

    bench_close(f);
    temp_dir_remove(f->dir);
    return 0;
}

/* --- shorthands --------------------------------------------------------------------------- */

const char *bench_id_of(int i)
{
    static char id[4][EBMD_ID_SIZE];
    static int turn;

    turn = (turn + 1) % 4;
    snprintf(id[turn], EBMD_ID_SIZE, "job_%026d", i);
    return id[turn];
}

ebmd_spec bench_spec_of(const char *id)
{
    return (ebmd_spec){.id = id,
                       .kind = "sample",
                       .model = "m",
                       .owner = "",
                       .idem = "",
                       .digest = "",
                       .created_ms = INT64_C(1700000000000),
                       .work = 100,
                       .parts = 2,
                       .priority = 5,
                       .request = "{\"r\":1}",
                       .request_size = 7,
                       .document = "{}",
                       .document_size = 2};
}

ebmd_submit_outcome bench_submit(store_bench *f, const ebmd_spec *spec)
{
    ebmd_submit_outcome how = EBMD_SUBMIT_FULL;
    char id[EBMD_ID_SIZE];

    assert_int_equal(f->store->ops->submit(f->store, spec, &how, id, NULL), EBM_OK);
    return how;
}

void bench_accept(store_bench *f, int i)
{
    ebmd_spec spec = bench_spec_of(bench_id_of(i));

    assert_int_equal(bench_submit(f, &spec), EBMD_SUBMIT_ACCEPTED);
}

const ebmd_wish bench_any = {.above_priority = -1, .below_work = INT64_MAX};

ebmd_lease bench_claim(store_bench *f, int i)
{
    ebmd_lease lease = {.fence = 0};

    assert_int_equal(f->store->ops->claim(f->store, &bench_any, &lease, NULL), EBM_OK);
    assert_string_equal(lease.id, bench_id_of(i));
    return lease;
}

void bench_claim_none(store_bench *f)
{
    ebmd_lease lease;

    assert_int_equal(f->store->ops->claim(f->store, &bench_any, &lease, NULL), EBM_ERR_NOT_FOUND);
}

ebm_status bench_finish(store_bench *f, const ebmd_lease *lease)
{
    const ebmd_blob blobs[] = {{EBMD_BLOB_DOCUMENT, 0, "{\"done\":1}", 10},
                               {EBMD_BLOB_PART, 0, "PNG0", 4},
                               {EBMD_BLOB_PART, 1, "PNG1\0\xff", 6}};
    const ebmd_outcome o = {.state = EBMD_JOB_SUCCEEDED,
                            .code = "",
                            .blobs = blobs,
                            .n_blobs = 3,
                            .timings = {1.5, 2.5, 0.5}};

    return f->store->ops->finish(f->store, lease, &o, NULL);
}

ebm_status bench_save(store_bench *f, const ebmd_lease *lease, const char *text, bool release)
{
    const ebmd_blob blob = {EBMD_BLOB_CHECKPOINT, 0, text, text ? strlen(text) : 0};
    const ebmd_save s = {.blobs = &blob, .n_blobs = text ? 1 : 0, .release = release};

    return f->store->ops->save(f->store, lease, &s, NULL);
}

ebmd_view bench_view_of(store_bench *f, int i)
{
    ebmd_view v;

    assert_int_equal(f->store->ops->get(f->store, bench_id_of(i), NULL, &v), EBM_OK);
    return v;
}

void bench_expect_state(store_bench *f, int i, ebmd_job_state state, const char *code)
{
    ebmd_view v = bench_view_of(f, i);

    assert_string_equal(ebmd_job_state_name(v.row.state), ebmd_job_state_name(state));
    assert_string_equal(v.row.code, code);
}

void bench_expect_blob(store_bench *f, int i, ebmd_blob_type type, int32_t index, const char *text,
                       size_t size)
{
    char *data = NULL;
    size_t n = 0;
    ebm_status st = f->store->ops->blob(f->store, bench_id_of(i), type, index, &data, &n, NULL);

    assert_int_equal(st, text ? EBM_OK : EBM_ERR_NOT_FOUND);
    assert_int_equal(n, size);
    if (text)
        assert_memory_equal(data, text, size + 1); /* a zero follows */
    ebm_free(data);
}

void bench_sweep(store_bench *f)
{
    assert_int_equal(f->store->ops->sweep(f->store, NULL), EBM_OK);
}

bool bench_exists(store_bench *f, int i)
{
    ebmd_view v;

    return f->store->ops->get(f->store, bench_id_of(i), NULL, &v) == EBM_OK;
}
