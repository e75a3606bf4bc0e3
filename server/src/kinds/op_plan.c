/* What operations share, see op_plan.h. */
#include "kinds/op_plan.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ebm/io.h"
#include "ebm/memory.h"

const ebmd_op *ebmd_op_of(const ebmd_plan *plan)
{
    return plan->request;
}

bool ebmd_op_finite(const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(x[i]))
            return false;
    }
    return true;
}

/* --- models -------------------------------------------------------------------------------- */

/* Without a name the request means the server's first model. */
static bool find_models(const ebmd_engine *engine, ebma_op_request *r, ebmd_plan *plan,
                        const ebm_calibration **calibration)
{
    size_t i = 0;

    if (r->n_models == 0) {
        if (!ebmd_engine_find(engine, NULL, &i))
            return false;
        snprintf(r->model[0].id, sizeof(r->model[0].id), "%s",
                 ebm_model_describe(ebmd_engine_at(engine, i))->id);
        r->model[0].weight = 1.0;
        r->n_models = 1;
    }
    for (int32_t k = 0; k < r->n_models; k++) {
        if (!ebmd_engine_find(engine, r->model[k].id, &i))
            return false;
        plan->model[k] = ebmd_engine_at(engine, i);
        plan->weight[k] = r->model[k].weight;
    }
    plan->n_models = r->n_models;
    *calibration =
        r->n_models == 1 && r->model[0].weight == 1.0 ? ebmd_engine_calibration(engine, i) : NULL;
    plan->compose =
        r->params.compose == EBM_COMPOSE_MIXTURE ? EBM_COMPOSE_MIXTURE : EBM_COMPOSE_PRODUCT;
    return true;
}

static size_t dim_of(const ebm_model_info *m)
{
    return (size_t)m->graph->channels * (size_t)m->graph->height * (size_t)m->graph->width;
}

/* Whether the models fit together: shapes, levels, weights. */
static ebm_status check_models(const ebmd_plan *plan, ebm_arena *arena, ebma_problem *problem)
{
    ebm_compose_part part[EBM_COMPOSE_MAX_PARTS];
    ebm_composition whole = {.kind = plan->compose, .parts = part};
    const ebm_graph_info *first = ebm_model_describe(plan->model[0])->graph;
    ebm_density density;
    ebm_error err = {0};
    bool same = true;

    for (int32_t i = 0; i < plan->n_models; i++) {
        const ebm_model_info *m = ebm_model_describe(plan->model[i]);

        part[i] = (ebm_compose_part){
            .density = {.dim = dim_of(m)}, .levels = m->levels, .weight = plan->weight[i]};
        same = same && m->graph->width == first->width && m->graph->height == first->height;
    }
    whole.n_parts = (size_t)plan->n_models;
    whole.levels = part[0].levels;
    if (same && ebm_compose(&whole, &density, &err) == EBM_OK)
        return EBM_OK;
    ebma_problem_row(problem, arena, "model", "invalid_model_list",
                     same ? err.text : "models must have images of one size");
    return EBM_ERR_RANGE;
}

static void describe(ebmd_op *op, ebmd_plan *plan)
{
    const ebm_model_info *first = ebm_model_describe(plan->model[0]);

    op->levels = first->levels;
    op->shape = (ebm_shape){first->graph->channels, first->graph->height, first->graph->width};
    op->dim = dim_of(first);
}

/* Images have the model's size; a request may say which it expects. */
static ebm_status check_size(const ebmd_op *op, ebm_arena *arena, ebma_problem *problem)
{
    const ebma_op_request *r = &op->request;
    char text[64];

    snprintf(text, sizeof(text), "the model's images are %dx%d", op->shape.width, op->shape.height);
    if (r->width > 0 && r->width != op->shape.width)
        ebma_problem_row(problem, arena, "width", "not_the_models", text);
    if (r->height > 0 && r->height != op->shape.height)
        ebma_problem_row(problem, arena, "height", "not_the_models", text);
    return problem->n_errors > 0 ? EBM_ERR_RANGE : EBM_OK;
}

/* --- parameters ---------------------------------------------------------------------------- */

/* The field that can help: chains that go on have the `thin` they began with. */
static const char *field_of(const ebmd_op *op, const char *where)
{
    return op->continued && strcmp(where, "thin") == 0 ? "steps" : where;
}

/* What the model decides is filled in, what depends on it is checked. */
static ebm_status resolve(ebmd_op *op, ebm_arena *arena, ebma_problem *problem)
{
    ebm_error err = {0};
    ebm_status st;

    op->call.params = op->request.params;
    st = ebm_call_resolve(&op->call, op->levels, &err);
    if (st != EBM_OK) {
        ebma_problem_row(problem, arena, field_of(op, err.where),
                         st == EBM_ERR_RANGE ? "out_of_range" : "invalid_combination", err.text);
        return EBM_ERR_RANGE;
    }
    op->request.params = op->call.params;
    op->chains = ebm_call_plan(&op->call);
    op->first_level = ebm_call_first_level(&op->call, op->levels);
    return EBM_OK;
}

static void write_receipt(ebmd_op *op, ebmd_plan *plan)
{
    ebm_receipt_begin(&op->call, op->dim, &op->receipt);
    for (int32_t i = 0; i < plan->n_models; i++)
        ebm_receipt_add_model(&op->receipt, ebm_model_describe(plan->model[i]), plan->weight[i]);
    plan->kernel_class = op->receipt.kernel_class;
    ebm_receipt_model_digest(&op->receipt, plan->digest);
    ebm_receipt_chain_digest(&op->receipt, plan->chain_digest);
}

static ebm_status fill(ebmd_op *op, ebm_arena *arena, ebmd_plan *plan, ebma_problem *problem)
{
    ebm_status st = check_models(plan, arena, problem);

    if (st != EBM_OK)
        return st;
    describe(op, plan);
    st = check_size(op, arena, problem);
    if (st == EBM_OK)
        st = ebmd_op_pictures(op, arena, problem);
    if (st == EBM_OK)
        st = resolve(op, arena, problem);
    if (st != EBM_OK)
        return st;
    plan->seed = (uint64_t)op->call.params.seed;
    plan->bare = op->request.format == EBMA_FORMAT_NONE;
    write_receipt(op, plan);
    return EBM_OK;
}

static ebm_status out_of_memory(ebma_problem *problem)
{
    problem->code = EBMA_OUT_OF_MEMORY;
    return EBM_ERR_NOMEM;
}

/* Chains that went on with other weights or levels would be those of another model. */
static ebm_status check_run(const ebmd_plan *plan, const ebm_receipt *run, ebma_problem *problem)
{
    ebm_receipt now = {.n_models = 0};

    for (int32_t i = 0; i < plan->n_models; i++)
        ebm_receipt_add_model(&now, ebm_model_describe(plan->model[i]), plan->weight[i]);
    if (ebm_receipt_same_models(&now, run, NULL) == EBM_OK)
        return EBM_OK;
    problem->code = EBMA_OTHER_MODEL;
    return EBM_ERR_DIGEST;
}

/* Everything behind the reading of op->request. */
static ebm_status plan_op(const ebmd_engine *engine, ebmd_op *op, const ebm_receipt *run,
                          ebm_arena *arena, ebmd_plan *plan, ebma_problem *problem)
{
    const ebm_calibration *calibration = NULL;

    op->call.operation = op->request.operation;
    op->continued = run != NULL;
    plan->request = op;
    plan->priority = op->request.priority;
    plan->timeout_ms = (int64_t)(op->request.timeout_s * 1e3);
    if (!find_models(engine, &op->request, plan, &calibration)) {
        problem->code = EBMA_MODEL_NOT_FOUND;
        return EBM_ERR_NOT_FOUND;
    }
    if (run) {
        ebm_status st = check_run(plan, run, problem);

        if (st != EBM_OK)
            return st;
    }
    /* a job may outlive the set of models that it was asked of */
    if (calibration && !ebm_calibration_copy(calibration, arena, &op->calibration))
        return out_of_memory(problem);
    return fill(op, arena, plan, problem);
}

ebm_status ebmd_op_plan(const ebmd_engine *engine, const ebma_op_request *request,
                        const ebm_receipt *run, ebm_arena *arena, ebmd_plan *plan,
                        ebma_problem *problem)
{
    ebmd_op *op = ebm_arena_alloc(arena, 1, sizeof(*op));

    if (!op)
        return out_of_memory(problem);
    op->request = *request;
    return plan_op(engine, op, run, arena, plan, problem);
}

ebm_status ebmd_op_parse(const ebmd_engine *engine, const char *json, size_t size, ebm_arena *arena,
                         ebmd_plan *plan, ebma_problem *problem)
{
    const ebm_operation *operation = ebm_operation_of(plan->kind->operation);
    ebmd_op *op = ebm_arena_alloc(arena, 1, sizeof(*op));
    ebm_status st;

    memset(problem, 0, sizeof(*problem));
    if (!op)
        return out_of_memory(problem);
    st = ebma_op_decode(operation, json, size, arena, &op->request, problem);
    return st == EBM_OK ? plan_op(engine, op, NULL, arena, plan, problem) : st;
}

ebm_status ebmd_op_bound(ebm_arena *arena, const char *row, double bytes, double work,
                         ebma_problem *problem)
{
    char text[96];

    if (bytes > EBMD_RESULT_BYTES) {
        ebma_problem_row(problem, arena, row, "result_too_large",
                         "results of this request are more than 16 MiB");
    } else if (work > EBMD_JOB_WORK_MAX) {
        snprintf(text, sizeof(text), "asks for %.3g gradient evaluations, at most %.3g are allowed",
                 work, EBMD_JOB_WORK_MAX);
        ebma_problem_row(problem, arena, row, "too_much_work", text);
    }
    return problem->n_errors > 0 ? EBM_ERR_RANGE : EBM_OK;
}

/* --- documents ----------------------------------------------------------------------------- */

ebm_status ebmd_op_canon(const ebmd_plan *plan, char **json, size_t *size, ebm_error *err)
{
    return ebma_op_encode(&ebmd_op_of(plan)->request, true, json, size, err);
}

ebm_status ebmd_op_document(const ebmd_plan *plan, const ebmd_facts *facts,
                            const ebma_results *results, char **json, size_t *size, ebm_error *err)
{
    const ebm_model_info *models[EBM_COMPOSE_MAX_PARTS];
    const bool draws = plan->images > 0;
    ebma_job job = {.id = facts->id,
                    .kind = plan->kind->name,
                    .created_ms = facts->created_ms,
                    .models = models,
                    .request = &ebmd_op_of(plan)->request,
                    .results = results,
                    .usage = {.grad_evals = facts->grad_evals,
                              .energy_evals = draws ? plan->images : facts->grad_evals,
                              .langevin_steps = draws ? facts->grad_evals : 0,
                              .batch_mean = facts->batch_mean},
                    .forked = ebmd_op_of(plan)->forked,
                    .kernel_class = plan->kernel_class,
                    .build = facts->build};

    for (int32_t i = 0; i < plan->n_models; i++)
        models[i] = ebm_model_describe(plan->model[i]);
    return ebma_job_encode(&job, json, size, err);
}

/* --- images -------------------------------------------------------------------------------- */

ebm_status ebmd_op_encode(const ebmd_op *op, const uint8_t *pixels, const ebm_receipt *receipt,
                          ebmd_output *out, ebm_error *err)
{
    ebm_image image = {op->shape.width, op->shape.height, op->shape.channels, NULL};
    ebm_png_text text = {.key = EBM_RECEIPT_KEY};
    char *json = NULL;
    ebm_status st = EBM_OK;

    memcpy(&image.pixels, &pixels, sizeof(pixels)); /* only read */
    if (receipt)
        st = ebm_receipt_text(receipt, &json, err);
    text.text = json;
    if (st == EBM_OK)
        st = ebm_png_encode(&image, &text, receipt ? 1 : 0, &out->data, &out->size, err);
    ebm_free(json);
    return st;
}

ebm_status ebmd_op_preview(const ebmd_op *op, const ebm_mcmc *chain, ebmd_tools *tools,
                           unsigned char **png, size_t *size, ebm_error *err)
{
    const ebm_shape *shape = &op->shape;
    ebmd_output out = {NULL, 0};
    ebm_status st;

    ebm_call_image(op->levels, op->dim, chain, tools->work);
    ebm_image_from_tensor(tools->work, shape->channels, shape->height, shape->width, tools->pixels);
    st = ebmd_op_encode(op, tools->pixels, NULL, &out, err);
    *png = out.data;
    *size = out.size;
    return st;
}
