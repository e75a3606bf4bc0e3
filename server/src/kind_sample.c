/* Jobs of the kind "sample": each part is one image, one Langevin chain down all levels.
 * Knows chains, PNG and the sample codec; not who asks, nor where the result is kept. */
#include <math.h>
#include <string.h>

#include "clock.h"
#include "ebm/io.h"
#include "ebm/mcmc.h"
#include "ebm/memory.h"
#include "ebm/receipt.h"
#include "ebm/sampler.h"
#include "kind.h"

#define RESULT_BYTES_MAX (16u * 1024u * 1024u) /* of pixels, all images of a request */
#define LOGP             0                     /* the one value of a result */

/* A chain between two quanta; 16 floats' room in front keep y on a cache line. */
typedef struct image_state {
    int32_t level, step;
    char pad[EBM_ALIGN - 2 * sizeof(int32_t)];
    float y[]; /* y [dim], anchor [dim] */
} image_state;

static const ebma_sample_request *request_of(const ebmd_plan *plan)
{
    return plan->request;
}

static size_t dim_of(const ebmd_plan *plan)
{
    const ebm_graph_info *g = ebm_model_describe(plan->model)->graph;

    return (size_t)g->channels * (size_t)g->height * (size_t)g->width;
}

static ebm_langevin how_of(const ebmd_plan *plan)
{
    return (ebm_langevin){.steps_per_level = request_of(plan)->steps_per_level,
                          .noise_scale = request_of(plan)->noise_scale};
}

/* --- requests ----------------------------------------------------------------------------- */

static ebm_status refuse_size(ebm_arena *arena, ebma_problem *problem)
{
    static const ebma_field_error e = {.code = "result_too_large",
                                       .detail = "n images of this model are more than 16 MiB"};

    ebma_problem_field(problem, arena, "n", &e);
    return EBM_ERR_RANGE;
}

static void measure(ebmd_plan *plan)
{
    const ebma_sample_request *r = request_of(plan);
    ebm_langevin how = how_of(plan);

    plan->parts = r->n;
    plan->part_work = ebm_chain_total_steps(ebm_model_describe(plan->model)->levels, &how);
    plan->state_size = sizeof(image_state) + 2 * dim_of(plan) * sizeof(float);
    plan->priority = r->priority;
    plan->timeout_ms = (int64_t)(r->timeout_s * 1e3);
}

static ebm_status sample_parse(const ebmd_engine *engine, const char *json, size_t size,
                               ebm_arena *arena, ebmd_plan *plan, ebma_problem *problem)
{
    ebma_sample_request *r = ebm_arena_alloc(arena, 1, sizeof(*r));
    ebma_sample_request asked;
    size_t index;
    ebm_status st;

    memset(problem, 0, sizeof(*problem));
    if (!r) {
        problem->code = EBMA_OUT_OF_MEMORY;
        return EBM_ERR_NOMEM;
    }
    st = ebma_sample_decode(json, size, arena, &asked, problem);
    if (st != EBM_OK)
        return st;
    if (!ebmd_engine_find(engine, asked.model, &index)) {
        problem->code = EBMA_MODEL_NOT_FOUND;
        return EBM_ERR_NOT_FOUND;
    }
    plan->model = ebmd_engine_at(engine, index);
    ebma_sample_effective(&asked, ebm_model_describe(plan->model)->levels, r);
    plan->request = r;
    if (dim_of(plan) > RESULT_BYTES_MAX / (size_t)r->n)
        return refuse_size(arena, problem);
    measure(plan);
    return EBM_OK;
}

static ebm_status sample_canon(const ebmd_plan *plan, char **json, size_t *size, ebm_error *err)
{
    return ebma_sample_encode(request_of(plan), ebm_model_describe(plan->model), json, size, err);
}

/* --- documents ---------------------------------------------------------------------------- */

static ebma_image *images_of(const ebmd_plan *plan, const ebmd_result *results)
{
    ebma_image *images = ebm_alloc((size_t)plan->parts, sizeof(*images));

    for (int32_t k = 0; images && k < plan->parts; k++) {
        images[k] = (ebma_image){.logp = results[k].value[LOGP]};
        ebm_sha256_hex(results[k].payload, results[k].size, images[k].sha256);
    }
    return images;
}

static ebm_status sample_document(const ebmd_plan *plan, const ebmd_facts *facts, char **json,
                                  size_t *size, ebm_error *err)
{
    ebma_image *images = NULL;
    ebma_job job = {.id = facts->id,
                    .kind = plan->kind->name,
                    .created_ms = facts->created_ms,
                    .model = ebm_model_describe(plan->model),
                    .request = request_of(plan),
                    .build = facts->build};
    ebm_status st;

    if (facts->results) {
        images = images_of(plan, facts->results);
        if (!images)
            return ebm_error_set(err, EBM_ERR_NOMEM, facts->id, "no memory for a job object");
        job.images = images;
        job.usage = (ebma_usage){.grad_evals = facts->grad_evals,
                                 .energy_evals = plan->parts,
                                 .batch_mean = facts->batch_mean};
    }
    st = ebma_job_encode(&job, json, size, err);
    ebm_free(images);
    return st;
}

/* --- chains ------------------------------------------------------------------------------- */

static ebm_chain chain_of(const ebmd_plan *plan, int32_t part, image_state *s)
{
    return (ebm_chain){.seed = request_of(plan)->seed,
                       .index = request_of(plan)->first_index + (uint32_t)part,
                       .level = s->level,
                       .step = s->step,
                       .y = s->y,
                       .anchor = s->y + dim_of(plan)};
}

static void sample_start(const ebmd_plan *plan, int32_t part, void *state)
{
    image_state *s = state;
    ebm_chain chain = chain_of(plan, part, s);

    ebm_chain_start(&chain, ebm_model_describe(plan->model)->levels, dim_of(plan), chain.seed,
                    chain.index);
    s->level = chain.level;
    s->step = chain.step;
}

/* Steps that a chain has before it when it begins a level; -1 is the end. */
static int64_t steps_from(const ebmd_plan *plan, int32_t level)
{
    ebm_mcmc_plan how = ebm_mcmc_plan_default(EBM_SAMPLER_LANGEVIN);

    if (level < 0)
        return 0;
    how.steps_per_level = request_of(plan)->steps_per_level;
    how.noise_scale = request_of(plan)->noise_scale;
    return ebm_mcmc_total_steps(&how, ebm_model_describe(plan->model)->levels, level);
}

static int64_t sample_spent(const ebmd_plan *plan, int32_t part, const void *state)
{
    const image_state *s = state;

    (void)part;
    return plan->part_work - steps_from(plan, s->level) + s->step;
}

static ebm_status sample_advance(const ebmd_plan *plan, int32_t part, void *state,
                                 ebmd_workbench *bench, ebmd_quantum *q, ebm_error *err)
{
    const ebm_levels *levels = ebm_model_describe(plan->model)->levels;
    image_state *s = state;
    ebm_chain chain = chain_of(plan, part, s);
    ebm_density density = ebm_density_of_session(bench->session);
    ebm_langevin how = how_of(plan);
    int64_t before = sample_spent(plan, part, s);
    ebm_status st =
        ebm_chain_advance(&chain, &density, levels, &how, q->max_evals, bench->work, err);

    s->level = chain.level;
    s->step = chain.step;
    q->evals = sample_spent(plan, part, s) - before;
    q->finished = chain.level < 0;
    return st;
}

/* What `ebm sample` would be asked for. A value that only the model can have is left to it. */
static ebm_status call_of(const ebmd_plan *plan, ebm_call *call, ebm_error *err)
{
    const ebma_sample_request *r = request_of(plan);
    const ebm_levels *levels = ebm_model_describe(plan->model)->levels;
    ebm_op_params *p = &call->params;

    *call = (ebm_call){.operation = ebm_operation_of(EBM_OP_SAMPLE)};
    ebm_op_params_default(call->operation, p);
    p->n = r->n;
    p->seed = (int64_t)r->seed;
    p->first_index = r->first_index;
    if (r->steps_per_level <= EBM_STEPS_PER_LEVEL_MAX)
        p->steps_per_level = r->steps_per_level;
    if (r->noise_scale != levels->noise_scale)
        p->noise_scale = r->noise_scale;
    return ebm_call_resolve(call, levels, err);
}

/* The receipt of one image, as the command writes it. @own *text: ebm_free() */
static ebm_status receipt_of(const ebmd_plan *plan, int32_t part, const uint8_t *pixels,
                             char **text, ebm_error *err)
{
    ebm_call call;
    ebm_receipt run, item;
    ebm_status st = call_of(plan, &call, err);

    if (st != EBM_OK)
        return st;
    ebm_receipt_begin(&call, dim_of(plan), &run);
    ebm_receipt_add_model(&run, ebm_model_describe(plan->model), 1.0);
    ebm_receipt_item(&run, part, 0, pixels, dim_of(plan), &item);
    return ebm_receipt_text(&item, text, err);
}

static ebm_status encode(const ebmd_plan *plan, int32_t part, ebmd_workbench *bench,
                         ebmd_result *out, ebm_error *err)
{
    const ebm_graph_info *g = ebm_model_describe(plan->model)->graph;
    ebm_image image = {g->width, g->height, g->channels, bench->pixels};
    ebm_png_text text = {.key = EBM_RECEIPT_KEY};
    char *receipt = NULL;
    ebm_status st = receipt_of(plan, part, bench->pixels, &receipt, err);

    text.text = receipt;
    if (st == EBM_OK)
        st = ebm_png_encode(&image, &text, 1, &out->payload, &out->size, err);
    ebm_free(receipt);
    return st;
}

static ebm_status sample_collect(const ebmd_plan *plan, int32_t part, void *state,
                                 ebmd_workbench *bench, ebmd_result *out, ebm_error *err)
{
    const ebm_graph_info *g = ebm_model_describe(plan->model)->graph;
    image_state *s = state;
    double start;
    ebm_status st;

    out->value[LOGP] = ebm_session_logp(bench->session, s->y, bench->work);
    if (!isfinite(out->value[LOGP]))
        return ebm_error_set(err, EBM_ERR_DIVERGED, NULL, "the energy is not finite");
    start = ebmd_clock_ms();
    ebm_image_from_tensor(s->y, g->channels, g->height, g->width, bench->pixels);
    st = encode(plan, part, bench, out, err);
    out->encode_ms = ebmd_clock_ms() - start;
    return st;
}

/* --- on the way --------------------------------------------------------------------------- */

static void sample_look(const ebmd_plan *plan, int32_t part, const void *state, ebmd_sight *out)
{
    const image_state *s = state;

    (void)part;
    *out = (ebmd_sight){.level = s->level,
                        .levels = ebm_model_describe(plan->model)->levels->count,
                        .step = s->step,
                        .steps =
                            (int32_t)(steps_from(plan, s->level) - steps_from(plan, s->level - 1))};
}

static ebm_status sample_preview(const ebmd_plan *plan, int32_t part, const void *state,
                                 ebmd_workbench *bench, unsigned char **png, size_t *size,
                                 ebm_error *err)
{
    const ebm_graph_info *g = ebm_model_describe(plan->model)->graph;
    ebm_image image = {g->width, g->height, g->channels, bench->pixels};
    const image_state *s = state;

    (void)part;
    ebm_image_from_tensor(s->y, g->channels, g->height, g->width, bench->pixels);
    return ebm_png_encode(&image, NULL, 0, png, size, err);
}

/* --- checkpoints -------------------------------------------------------------------------- */

/* The state is its own portable form: fixed-width members, read back by the same kind of machine
 * (the checkpoint's head tells: job_checkpoint.c). */
static void sample_checkpoint(const ebmd_plan *plan, int32_t part, const void *state, void *bytes)
{
    (void)part;
    memcpy(bytes, state, plan->state_size);
}

static bool finite_all(const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(x[i]))
            return false;
    }
    return true;
}

static ebm_status sample_restore(const ebmd_plan *plan, int32_t part, const void *bytes,
                                 void *state)
{
    image_state *s = state;

    (void)part;
    memcpy(s, bytes, plan->state_size);
    if (s->level < -1 || s->level >= ebm_model_describe(plan->model)->levels->count || s->step < 0)
        return EBM_ERR_FORMAT;
    if (s->level < 0 ? s->step != 0
                     : s->step >= steps_from(plan, s->level) - steps_from(plan, s->level - 1))
        return EBM_ERR_FORMAT;
    return finite_all(s->y, 2 * dim_of(plan)) ? EBM_OK : EBM_ERR_FORMAT;
}

const ebmd_kind ebmd_kind_sample = {
    .name = "sample",
    .parse = sample_parse,
    .canon = sample_canon,
    .document = sample_document,
    .start = sample_start,
    .advance = sample_advance,
    .collect = sample_collect,
    .spent = sample_spent,
    .media = "image/png",
    .look = sample_look,
    .preview = sample_preview,
    .checkpoint = sample_checkpoint,
    .restore = sample_restore,
};
