/* Jobs by hand, see run_bench.h. */
#include "run_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ebm/io.h"
#include "ebm/kernels.h"
#include "ebma/op_request.h"
#include "tiny_model.h"

static bool plan_tools(run_bench *b)
{
    ebmd_engine *engine = ebmd_catalog_take(b->catalog);
    const ebmd_tools_order order = {.bench = {&b->bench}, .weight = {1.0}, .n = 1, .work = 1024};
    ebm_status st = ebmd_workbench_init(&b->bench, ebmd_engine_at(engine, 0), NULL);

    ebmd_engine_unref(engine);
    return st == EBM_OK && ebmd_tools_aim(&b->tools, &order, NULL) == EBM_OK;
}

bool run_bench_open(run_bench *b, unsigned slots, size_t bytes)
{
    static const tiny_model what = {
        .id = "tiny", .levels = 2, .steps = 3, .seed = 1, .step_scale = 1.0};
    ebmd_limits limits = ebmd_limits_default();
    const ebm_kernels *kernels = NULL;

    memset(b, 0, sizeof(*b));
    if (!temp_dir_make(b->dir) || !tiny_model_write(b->dir, &what) ||
        ebm_kernels_select("auto", &kernels, NULL) != EBM_OK ||
        ebmd_catalog_open(b->dir, kernels, &b->catalog, NULL) != EBM_OK ||
        ebmd_store_open("memory", &limits, &b->store, NULL) != EBM_OK || !plan_tools(b))
        return false;
    b->env = (ebmd_run_env){.store = b->store, .catalog = b->catalog, .build = "t"};
    b->sched = ebmd_sched_create(&b->env, 1, slots, bytes);
    return b->sched != NULL;
}

void run_bench_close(run_bench *b)
{
    ebmd_sched_free(b->sched);
    ebmd_tools_clear(&b->tools);
    ebmd_workbench_clear(&b->bench);
    if (b->store)
        b->store->ops->close(b->store);
    ebmd_catalog_close(b->catalog);
    temp_dir_remove(b->dir);
}

const char *run_bench_id(int i)
{
    static char id[EBMD_ID_SIZE];

    snprintf(id, sizeof(id), "job_%026d", i);
    return id;
}

void run_bench_submit(run_bench *b, int i, const char *body, const char *owner)
{
    ebm_arena *arena = ebm_arena_create(EBMD_PLAN_ARENA);
    ebmd_engine *engine = ebmd_catalog_take(b->catalog);
    ebmd_plan plan = {.kind = &ebmd_kind_sample};
    ebmd_spec spec = {.id = run_bench_id(i),
                      .kind = "sample",
                      .owner = owner,
                      .idem = "",
                      .digest = "",
                      .created_ms = i,
                      .document = "{}",
                      .document_size = 2};
    ebmd_submit_outcome how;
    ebma_problem problem;
    char *request, id[EBMD_ID_SIZE];

    assert_int_equal(ebmd_kind_sample.parse(engine, body, strlen(body), arena, &plan, &problem),
                     EBM_OK);
    plan.kind = &ebmd_kind_sample;
    assert_int_equal(ebmd_kind_sample.canon(&plan, &request, &spec.request_size, NULL), EBM_OK);
    spec.request = request;
    spec.work = ebmd_plan_work(&plan);
    spec.parts = plan.parts;
    spec.priority = plan.priority < 0 ? EBMA_PRIORITY_DEFAULT : plan.priority;
    spec.timeout_ms = plan.timeout_ms;
    assert_int_equal(b->store->ops->submit(b->store, &spec, &how, id, NULL), EBM_OK);
    assert_int_equal(how, EBMD_SUBMIT_ACCEPTED);
    ebmd_sched_poke(b->sched);
    ebm_free(request);
    ebm_arena_free(arena);
    ebmd_engine_unref(engine);
}

void run_bench_submit_stored(run_bench *b, int i, const char *kind, const char *request)
{
    const ebmd_spec spec = {.id = run_bench_id(i),
                            .kind = kind,
                            .owner = "",
                            .idem = "",
                            .digest = "",
                            .created_ms = i,
                            .work = 100,
                            .parts = 3,
                            .request = request,
                            .request_size = strlen(request),
                            .document = "{}",
                            .document_size = 2};
    ebmd_submit_outcome how;
    char id[EBMD_ID_SIZE];

    assert_int_equal(b->store->ops->submit(b->store, &spec, &how, id, NULL), EBM_OK);
    assert_int_equal(how, EBMD_SUBMIT_ACCEPTED);
    ebmd_sched_poke(b->sched);
}

ebmd_run *run_bench_take_up(run_bench *b)
{
    const ebmd_wish any = {.above_priority = -1, .below_work = INT64_MAX};
    ebmd_run *run = NULL;
    ebmd_lease lease;

    assert_int_equal(b->store->ops->claim(b->store, &any, &lease, NULL), EBM_OK);
    assert_int_equal(ebmd_run_create(&b->env, &lease, &run, NULL), EBM_OK);
    return run;
}

int run_bench_step(run_bench *b, const ebmd_task *task, int64_t evals)
{
    int number = (int)strtol(task->run->lease.id + 4, NULL, 10);
    ebmd_quantum q = {.max_evals = evals};

    assert_int_equal(ebmd_run_step(task->run, task->part, &b->tools, &q, NULL), EBM_OK);
    assert_true(q.evals >= 1 && q.evals <= evals);
    ebmd_sched_stepped(b->sched, task, &q, (double)q.evals, EBMA_OK); /* 1 ms each, as if */
    return number;
}

void run_bench_settle(run_bench *b, const ebmd_task *task)
{
    ebm_status st = EBM_ERR_BAD_STATE;

    if (task->duty == EBMD_FINISH)
        st = ebmd_run_finish(&b->env, task->run, NULL);
    else if (task->duty != EBMD_DROP)
        st = ebmd_run_save(&b->env, task->run, task->duty == EBMD_RELEASE, NULL);
    ebmd_sched_settled(b->sched, task, st);
}

static bool is_idle(run_bench *b)
{
    ebmd_stats stats;

    assert_int_equal(b->store->ops->sweep(b->store, NULL), EBM_OK);
    b->store->ops->stats(b->store, &stats);
    return stats.queued + stats.running == 0;
}

void run_bench_finish_all(run_bench *b, int64_t evals)
{
    ebmd_task task;

    while (!is_idle(b)) {
        ebmd_sched_poke(b->sched);
        assert_true(ebmd_sched_next(b->sched, &b->seen, &task));
        if (task.duty == EBMD_STEP)
            run_bench_step(b, &task, evals);
        else
            run_bench_settle(b, &task);
    }
}

ebmd_job_state run_bench_state(run_bench *b, int i)
{
    ebmd_view v;

    assert_int_equal(b->store->ops->get(b->store, run_bench_id(i), NULL, &v), EBM_OK);
    return v.row.state;
}

bool run_bench_is_done(run_bench *b, int i)
{
    return run_bench_state(b, i) == EBMD_JOB_SUCCEEDED;
}

char *run_bench_results(run_bench *b, int i)
{
    char *out;
    ebmd_view v;

    assert_int_equal(b->store->ops->get(b->store, run_bench_id(i), NULL, &v), EBM_OK);
    out = ebm_alloc((size_t)v.row.parts * 65 + 1, 1);
    assert_non_null(out);
    for (int32_t k = 0; k < v.row.parts; k++) {
        char *data;
        size_t size;

        assert_int_equal(
            b->store->ops->blob(b->store, run_bench_id(i), EBMD_BLOB_PART, k, &data, &size, NULL),
            EBM_OK);
        ebm_sha256_hex(data, size, out + (size_t)k * 65);
        out[(size_t)k * 65 + 64] = '\n';
        ebm_free(data);
    }
    return out;
}
