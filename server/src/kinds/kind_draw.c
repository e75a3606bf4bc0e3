/* Jobs that draw images: sample, inpaint, interpolate. Each part is one image, one chain down the
 * noise levels. Knows chains and PNG; not who asks, nor where results are kept. */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "kinds/draw_joint.h"
#include "ebm/io.h"
#include "ebm/memory.h"
#include "kinds/op_plan.h"

#define LOGP       0     /* the one value of a result */
#define SHEET_SIDE 16384 /* as ebm_sprite_sheet() says */

/* A chain between two quanta; room in front keeps y on a cache line. */
typedef struct draw_state {
    int32_t level, zero;
    int64_t step, total, moves;
    double step_size, running, accept;
    char pad[EBM_ALIGN - 2 * sizeof(int32_t) - 3 * sizeof(int64_t) - 3 * sizeof(double)];
    float y[]; /* y, anchor [dim]; with a mask path [T+1, dim]; then pixels of levels */
} draw_state;

static bool has_path(const ebmd_op *op)
{
    return op->call.known != NULL;
}

/* Images of levels that are kept beside each image: levels 0 .. first_level. */
static int32_t levels_kept(const ebmd_op *op)
{
    return op->call.params.progressive ? op->first_level + 1 : 0;
}

static size_t floats_of(const ebmd_op *op)
{
    return (has_path(op) ? 3 + (size_t)op->levels->count : 2) * op->dim;
}

static uint8_t *level_pixels(const ebmd_op *op, draw_state *s, int32_t level)
{
    return (uint8_t *)(s->y + floats_of(op)) + (size_t)level * op->dim;
}

/* --- requests ------------------------------------------------------------------------------ */

static ebm_status draw_parse(const ebmd_engine *engine, const char *json, size_t size,
                             ebm_arena *arena, ebmd_plan *plan, ebma_problem *problem)
{
    ebm_status st = ebmd_op_parse(engine, json, size, arena, plan, problem);
    const ebmd_op *op = ebmd_op_of(plan);
    double outputs;

    if (st != EBM_OK)
        return st;
    plan->parts = plan->images = ebm_call_items(&op->call);
    if (plan->kind->operation != EBM_OP_INTERPOLATE)
        plan->first_index = op->call.params.first_index;
    plan->outputs = 1 + levels_kept(op);
    plan->part_work = ebm_mcmc_total_steps(&op->chains, op->levels, op->first_level);
    plan->state_size =
        sizeof(draw_state) + floats_of(op) * sizeof(float) + (size_t)levels_kept(op) * op->dim;
    plan->work = ebm_mcmc_work(&op->chains, op->dim) + op->dim;
    outputs = (double)plan->parts * (double)plan->outputs;
    if (op->request.sheet && plan->parts > SHEET_SIDE / op->shape.width)
        ebma_problem_row(problem, arena, "sheet", "result_too_large",
                         "so many images are wider than 16384 pixels side by side");
    if (plan->state_size > EBMD_STATES_MAX)
        ebma_problem_row(problem, arena, "model", "state_too_large",
                         "chains of images of this size could not be saved on their way");
    return ebmd_op_bound(arena, plan->kind->operation == EBM_OP_INTERPOLATE ? "frames" : "n",
                         outputs * (double)op->dim, (double)plan->part_work * plan->parts, problem);
}

/* --- documents ----------------------------------------------------------------------------- */

static ebma_image *images_of(int32_t n, const ebmd_result *results)
{
    ebma_image *images = ebm_alloc((size_t)n, sizeof(*images));

    for (int32_t k = 0; images && k < n; k++) {
        images[k] = (ebma_image){.logp = results[k].value[LOGP]};
        ebm_sha256_hex(results[k].output[0].data, results[k].output[0].size, images[k].sha256);
    }
    return images;
}

static ebm_status draw_document(const ebmd_plan *plan, const ebmd_facts *facts, char **json,
                                size_t *size, ebm_error *err)
{
    const ebmd_op *op = ebmd_op_of(plan);
    ebma_drawn drawn = {.n = facts->parts,
                        .first_index = plan->first_index,
                        .levels = levels_kept(op),
                        .mask_coverage = op->coverage};
    const ebma_results results = {.drawn = &drawn};
    ebmd_joint joint = {0};
    ebma_image *images = NULL;
    ebm_status st = EBM_OK;

    if (!facts->results)
        return ebmd_op_document(plan, facts, NULL, json, size, err);
    drawn.image = images = images_of(facts->parts, facts->results);
    if (!images)
        st = ebm_error_set(err, EBM_ERR_NOMEM, facts->id, "no memory for a job object");
    if (st == EBM_OK && !facts->partial) /* what is made of all images needs all of them */
        st = ebmd_joint_make(op, facts->results, plan->parts, &joint, err);
    drawn.joint = joint.image;
    drawn.n_joint = joint.n;
    if (st == EBM_OK)
        st = ebmd_op_document(plan, facts, &results, json, size, err);
    ebmd_joint_clear(&joint);
    ebm_free(images);
    return st;
}

/* --- chains -------------------------------------------------------------------------------- */

static ebm_mcmc chain_of(const ebmd_op *op, int32_t part, draw_state *s)
{
    return (ebm_mcmc){.noise = ebm_call_noise(&op->call, part),
                      .level = s->level,
                      .step = s->step,
                      .total = s->total,
                      .step_size = s->step_size,
                      .running = s->running,
                      .moves = s->moves,
                      .accept = s->accept,
                      .y = s->y,
                      .anchor = s->y + op->dim,
                      .image = has_path(op) ? op->call.image : NULL,
                      .mask = op->call.known,
                      .path = has_path(op) ? s->y + 2 * op->dim : NULL};
}

static void put_back(draw_state *s, const ebm_mcmc *chain)
{
    s->level = chain->level;
    s->step = chain->step;
    s->total = chain->total;
    s->step_size = chain->step_size;
    s->running = chain->running;
    s->moves = chain->moves;
    s->accept = chain->accept;
}

static void draw_start(const ebmd_plan *plan, int32_t part, void *state)
{
    const ebmd_op *op = ebmd_op_of(plan);
    draw_state *s = state;
    ebm_mcmc chain = chain_of(op, part, s);
    const ebm_density shape = {.dim = op->dim}; /* starts look at nothing else of it */
    const ebm_mcmc_setup setup = {&shape, op->levels, &op->chains};
    ebm_error err = {0};
    float *path = has_path(op) ? s->y + 2 * op->dim : NULL;

    /* parse() has made the mask: no start can fail, and a chain of zeros would be safe */
    if (ebm_call_start(&op->call, &setup, part, NULL, path, &chain, &err) == EBM_OK)
        put_back(s, &chain);
}

static int64_t draw_spent(const ebmd_plan *plan, int32_t part, const void *state)
{
    (void)plan;
    (void)part;
    return ((const draw_state *)state)->total;
}

/* One step, and the state's pixels if it was the last one of its level. */
static ebm_status step_watched(const ebmd_op *op, draw_state *s, ebm_mcmc *chain,
                               const ebm_mcmc_setup *setup, ebm_trace *trace, float *work,
                               ebm_error *err)
{
    const int32_t level = chain->level;
    const ebm_shape *shape = &op->shape;
    ebm_status st = ebm_mcmc_advance(chain, setup, 1, trace, work, err);

    if (st == EBM_OK && chain->level != level)
        ebm_image_from_tensor(chain->anchor, shape->channels, shape->height, shape->width,
                              level_pixels(op, s, level));
    return st;
}

/* What a quantum's trace of one row has seen, and the chain knows of its moves. */
static ebmd_reading read_chain(const ebmd_op *op, const ebm_mcmc *chain, const ebm_trace *trace)
{
    ebmd_reading r = {.has_logp = trace->count > 0 && isfinite(trace->scalars[0])};

    r.logp = r.has_logp ? trace->scalars[0] : 0.0;
    r.has_accept = op->chains.sampler != EBM_SAMPLER_LANGEVIN && chain->step_size > 0.0;
    if (r.has_accept)
        r.accept_rate = chain->moves > 0 ? chain->accept / (double)chain->moves : chain->running;
    return r;
}

static ebm_status draw_advance(const ebmd_plan *plan, int32_t part, void *state, ebmd_tools *tools,
                               ebmd_quantum *q, ebm_error *err)
{
    const ebmd_op *op = ebmd_op_of(plan);
    draw_state *s = state;
    ebm_mcmc chain = chain_of(op, part, s);
    const ebm_mcmc_setup setup = {&tools->density, op->levels, &op->chains};
    const int64_t before = s->total;
    double row[2];
    /* of the first step alone: a quantum ends early where the next row would be, at twice the steps
     * that the chain has now */
    ebm_trace trace = {.thin = before > 0 ? before : INT64_MAX, .room = 1, .scalars = row};
    ebm_status st = EBM_OK;

    if (levels_kept(op) == 0)
        st = ebm_mcmc_advance(&chain, &setup, q->max_evals, &trace, tools->work, err);
    while (levels_kept(op) > 0 && st == EBM_OK && chain.total - before < q->max_evals &&
           !ebm_mcmc_done(&chain, &op->chains))
        st = step_watched(op, s, &chain, &setup, chain.total == before ? &trace : NULL, tools->work,
                          err);
    put_back(s, &chain);
    q->reading = read_chain(op, &chain, &trace);
    q->evals = s->total - before;
    q->finished = ebm_mcmc_done(&chain, &op->chains);
    return st;
}

/* --- results ------------------------------------------------------------------------------- */

/* The image with its receipt, as the command writes both; then the levels. */
static ebm_status encode_all(const ebmd_op *op, int32_t part, draw_state *s, uint8_t *pixels,
                             ebmd_result *out, ebm_error *err)
{
    ebm_receipt receipt;
    ebm_status st;

    ebm_receipt_item(&op->receipt, part, 0, pixels, op->dim, &receipt);
    st = ebmd_op_encode(op, pixels, &receipt, &out->output[0], err);
    for (int32_t t = 0; t < levels_kept(op) && st == EBM_OK; t++)
        st = ebmd_op_encode(op, level_pixels(op, s, t), NULL, &out->output[1 + t], err);
    return st;
}

static ebm_status draw_collect(const ebmd_plan *plan, int32_t part, void *state, ebmd_tools *tools,
                               ebmd_result *out, ebm_error *err)
{
    const ebmd_op *op = ebmd_op_of(plan);
    draw_state *s = state;
    ebm_mcmc chain = chain_of(op, part, s);
    float *x = tools->work + ebm_mcmc_work(&op->chains, op->dim);
    double start;
    ebm_status st;

    ebm_call_image(op->levels, op->dim, &chain, x);
    out->value[LOGP] = ebm_call_logp(&tools->density, op->levels, &chain, tools->work);
    if (!isfinite(out->value[LOGP]))
        return ebm_error_set(err, EBM_ERR_DIVERGED, NULL, "the energy is not finite");
    start = ebmd_clock_ms();
    ebm_image_from_tensor(x, op->shape.channels, op->shape.height, op->shape.width, tools->pixels);
    st = encode_all(op, part, s, tools->pixels, out, err);
    out->encode_ms = ebmd_clock_ms() - start;
    return st;
}

/* --- on the way ---------------------------------------------------------------------------- */

/* Steps that a chain has before it when it begins a level; -1 is the end. */
static int64_t steps_from(const ebmd_op *op, int32_t level)
{
    return level < 0 ? 0 : ebm_mcmc_total_steps(&op->chains, op->levels, level);
}

static void draw_look(const ebmd_plan *plan, int32_t part, const void *state, ebmd_sight *out)
{
    const ebmd_op *op = ebmd_op_of(plan);
    const draw_state *s = state;

    (void)part;
    *out =
        (ebmd_sight){.level = s->level,
                     .levels = op->levels->count,
                     .step = (int32_t)s->step,
                     .steps = (int32_t)(steps_from(op, s->level) - steps_from(op, s->level - 1))};
}

static ebm_status draw_preview(const ebmd_plan *plan, int32_t part, const void *state,
                               ebmd_tools *tools, unsigned char **png, size_t *size, ebm_error *err)
{
    const ebmd_op *op = ebmd_op_of(plan);
    const ebm_mcmc chain = chain_of(op, part, (void *)(uintptr_t)state);

    return ebmd_op_preview(op, &chain, tools, png, size, err);
}

/* --- checkpoints --------------------------------------------------------------------------- */

/* The state is its own portable form: fixed-width members, read back by the same kind of machine
 * (the checkpoint's head tells: job_checkpoint.c). */
static void draw_checkpoint(const ebmd_plan *plan, int32_t part, const void *state, void *bytes)
{
    (void)part;
    memcpy(bytes, state, plan->state_size);
}

static bool counts_ok(const ebmd_plan *plan, const ebmd_op *op, const draw_state *s)
{
    if (s->level < -1 || s->level > op->first_level || s->step < 0 || s->zero != 0)
        return false;
    if (s->level < 0 ? s->step != 0
                     : s->step >= steps_from(op, s->level) - steps_from(op, s->level - 1))
        return false;
    return s->total == plan->part_work - steps_from(op, s->level) + s->step;
}

static bool adaptation_ok(const draw_state *s)
{
    return isfinite(s->step_size) && s->step_size >= 0.0 && s->running >= 0.0 &&
           s->running <= 1.0 && s->moves >= 0 && s->moves <= s->total && s->accept >= 0.0 &&
           s->accept <= (double)s->moves;
}

static ebm_status draw_restore(const ebmd_plan *plan, int32_t part, const void *bytes, void *state)
{
    const ebmd_op *op = ebmd_op_of(plan);
    draw_state *s = state;

    (void)part;
    memcpy(s, bytes, plan->state_size);
    return counts_ok(plan, op, s) && adaptation_ok(s) && ebmd_op_finite(s->y, floats_of(op))
               ? EBM_OK
               : EBM_ERR_FORMAT;
}

#define DRAWS(what, kind_of_operation)                                                             \
    {                                                                                              \
        .name = what, .operation = kind_of_operation, .parse = draw_parse, .canon = ebmd_op_canon, \
        .document = draw_document, .start = draw_start, .advance = draw_advance,                   \
        .collect = draw_collect, .spent = draw_spent, .media = "image/png", .weighed = true,       \
        .look = draw_look, .preview = draw_preview, .checkpoint = draw_checkpoint,                 \
        .restore = draw_restore,                                                                   \
    }

const ebmd_kind ebmd_kind_sample = DRAWS("sample", EBM_OP_SAMPLE);
const ebmd_kind ebmd_kind_inpaint = DRAWS("inpaint", EBM_OP_INPAINT);
const ebmd_kind ebmd_kind_interpolate = DRAWS("interpolate", EBM_OP_INTERPOLATE);
