/* Jobs of the kind "mcmc": long chains, each a part of its own unless a rule of `until` looks at
 * all of them. Knows chains, traces and diagnostics; not who asks, nor where results are kept. */
#include "kinds/kind_mcmc.h"

#include <math.h>
#include <string.h>

#include "kinds/chain_traces.h"
#include "base/clock.h"
#include "ebm/io.h"
#include "ebm/memory.h"

ebmd_chain_layout ebmd_mcmc_layout(const ebmd_plan *plan, int32_t part)
{
    const ebmd_op *op = ebmd_op_of(plan);

    return ebmd_chain_layout_of(op, part, op->together, op->directions);
}

static bool has_rule(const ebm_op_params *p)
{
    return p->until_ess > 0 || p->until_rhat > 0 || p->until_max_seconds > 0;
}

static int32_t outputs_of_chain(const ebmd_op *op)
{
    return 2 + (int32_t)op->call.params.keep; /* image, snapshots, what is kept */
}

/* --- requests ------------------------------------------------------------------------------ */

/* What traces project on. A model whose images are so large that the arena has no room for it will
 * never have it: that is no want of memory, which would be worth another try. */
static ebm_status take_directions(ebmd_op *op, ebm_arena *arena, ebma_problem *problem)
{
    const size_t each = EBM_TRACE_DIRECTIONS * sizeof(float);
    float *directions = ebm_arena_alloc(arena, op->dim, each);

    if (directions) {
        ebm_trace_directions(EBM_TRACE_DIRECTIONS, op->dim, directions);
        op->directions = directions;
        return EBM_OK;
    }
    if (op->dim > (EBMD_PLAN_ARENA - ebm_arena_used(arena)) / each) {
        ebma_problem_row(problem, arena, "model", "model_too_large",
                         "traces of images of this size need more memory than a request may have");
        return EBM_ERR_RANGE;
    }
    problem->code = EBMA_OUT_OF_MEMORY;
    return EBM_ERR_NOMEM;
}

/* The field that makes what is kept of a chain as large as it is: its snapshots or its trace, which
 * grows with the steps; chains that go on have the `thin` they began with. */
static const char *largest(const ebmd_chain_layout *l)
{
    const size_t snapshots = (size_t)l->op->call.params.keep * l->op->dim;

    if (snapshots > l->room * EBMD_TRACE_COLUMNS * sizeof(double))
        return "keep";
    return l->op->continued ? "steps" : "thin";
}

static ebm_status bound(const ebmd_chain_layout *l, int32_t chains, ebm_arena *arena,
                        ebma_problem *problem)
{
    const double work = (double)l->total * (double)l->cost * chains;
    ebm_status st = ebmd_op_bound(arena, largest(l), (double)l->slot * chains, 0.0, problem);

    return st == EBM_OK ? ebmd_op_bound(arena, "steps", 0.0, work, problem) : st;
}

ebm_status ebmd_mcmc_measure(ebm_arena *arena, ebmd_plan *plan, ebma_problem *problem)
{
    ebmd_op *op = plan->request;
    ebmd_chain_layout l;
    int32_t chains = (int32_t)op->call.params.chains;
    ebm_status st;

    op->together = has_rule(&op->call.params);
    l = ebmd_mcmc_layout(plan, 0);
    plan->parts = op->together ? 1 : chains;
    plan->images = chains;
    plan->outputs = outputs_of_chain(op) * l.chains;
    plan->part_work = l.chains * (l.origin_steps + l.total * l.cost);
    plan->state_size = l.size;
    plan->work = 5 * op->dim; /* of any sampler, and an image */
    st = bound(&l, chains, arena, problem);
    return st == EBM_OK ? take_directions(op, arena, problem) : st;
}

static ebm_status mcmc_parse(const ebmd_engine *engine, const char *json, size_t size,
                             ebm_arena *arena, ebmd_plan *plan, ebma_problem *problem)
{
    ebm_status st = ebmd_op_parse(engine, json, size, arena, plan, problem);

    return st == EBM_OK ? ebmd_mcmc_measure(arena, plan, problem) : st;
}

/* --- documents ----------------------------------------------------------------------------- */

int32_t ebmd_mcmc_kept(const ebmd_plan *plan, int32_t chain)
{
    const int32_t last = outputs_of_chain(ebmd_op_of(plan)) - 1;

    return plan->parts == 1 ? last * plan->images + chain : last;
}

/* Output s of chain k: 0 its image, 1.. snapshots, the last one what is kept. */
static const ebmd_output *output_of(const ebmd_plan *plan, const ebmd_result *results, int32_t s,
                                    int32_t k)
{
    return plan->parts == 1 ? &results[0].output[s * plan->images + k] : &results[k].output[s];
}

typedef struct story {
    ebma_image *image; /* [n] */
    ebm_mcmc *chain;   /* [n] */
    ebm_trace *trace;  /* [n] */
    double *scalars;   /* of all traces */
    ebmd_kept least;   /* of the chain with the fewest snapshots */
    ebm_chains_report report;
} story;

static size_t rows_of(const ebmd_plan *plan, const ebmd_result *results)
{
    size_t bytes = 0;

    for (int32_t k = 0; k < plan->images; k++)
        bytes += output_of(plan, results, outputs_of_chain(ebmd_op_of(plan)) - 1, k)->size;
    return bytes / (EBMD_TRACE_COLUMNS * sizeof(double)) + 1; /* at most */
}

static ebm_status take_chain(const ebmd_plan *plan, const ebmd_result *results, int32_t k,
                             double *scalars, story *s, ebm_error *err)
{
    const ebmd_output *kept = output_of(plan, results, outputs_of_chain(ebmd_op_of(plan)) - 1, k);
    const ebmd_output *png = output_of(plan, results, 0, k);
    ebm_chain_part part;
    ebmd_kept head;
    ebm_status st = ebmd_kept_read(kept->data, kept->size, &head, &part, err);
    const ebmd_chain_slot *slot = &head.slot;

    if (st != EBM_OK)
        return st;
    if (k == 0 || head.snapshots < s->least.snapshots)
        s->least = head;
    s->image[k].logp = head.logp;
    ebm_sha256_hex(png->data, png->size, s->image[k].sha256);
    s->chain[k] = (ebm_mcmc){.level = slot->level,
                             .total = slot->total,
                             .moves = slot->moves,
                             .accept = slot->accept,
                             .step_size = slot->step_size};
    s->trace[k] = (ebm_trace){.thin = ebmd_op_of(plan)->call.params.thin,
                              .n_directions = EBM_TRACE_DIRECTIONS,
                              .count = part.rows,
                              .scalars = scalars};
    memcpy(scalars, part.scalars, part.rows * EBMD_TRACE_COLUMNS * sizeof(double));
    return EBM_OK;
}

static ebm_status tell(const ebmd_plan *plan, const ebmd_result *results, story *s, ebm_error *err)
{
    const size_t n = (size_t)plan->images;
    double *at;
    ebm_status st = EBM_OK;

    s->image = ebm_alloc(n, sizeof(*s->image));
    s->chain = ebm_alloc(n, sizeof(*s->chain));
    s->trace = ebm_alloc(n, sizeof(*s->trace));
    s->scalars = ebm_alloc(rows_of(plan, results), EBMD_TRACE_COLUMNS * sizeof(double));
    if (!s->image || !s->chain || !s->trace || !s->scalars)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for a job object");
    at = s->scalars;
    for (int32_t k = 0; k < plan->images && st == EBM_OK; k++) {
        st = take_chain(plan, results, k, at, s, err);
        at += s->trace[k].count * EBMD_TRACE_COLUMNS;
    }
    return st == EBM_OK ? ebmd_chain_report(ebmd_op_of(plan), s->trace, n, &s->report, err) : st;
}

static void story_clear(story *s)
{
    ebm_free(s->image);
    ebm_free(s->chain);
    ebm_free(s->trace);
    ebm_free(s->scalars);
}

ebm_status ebmd_mcmc_document(const ebmd_plan *plan, const ebmd_facts *facts, char **json,
                              size_t *size, ebm_error *err)
{
    const ebmd_op *op = ebmd_op_of(plan);
    story s = {0};
    ebma_drawn drawn = {.n = plan->images, .first_index = op->call.params.first_index};
    ebma_chains chains = {.report = &s.report,
                          .metropolis = op->chains.sampler != EBM_SAMPLER_LANGEVIN,
                          .partial = facts->partial};
    const ebma_results results = {.drawn = &drawn, .chains = &chains};
    ebm_status st;

    if (!facts->results)
        return ebmd_op_document(plan, facts, NULL, json, size, err);
    st = tell(plan, facts->results, &s, err);
    drawn.image = s.image;
    /* a stop may find chains at different places: what only some have come to is not shown */
    drawn.snapshots = s.least.snapshots;
    drawn.mark = s.least.mark;
    chains.chain = s.chain;
    chains.stopped = s.least.stopped;
    if (st == EBM_OK)
        st = ebmd_op_document(plan, facts, &results, json, size, err);
    story_clear(&s);
    return st;
}

/* --- chains -------------------------------------------------------------------------------- */

static void mcmc_start(const ebmd_plan *plan, int32_t part, void *state)
{
    const ebmd_chain_layout l = ebmd_mcmc_layout(plan, part);

    for (int32_t i = 0; i < l.chains; i++)
        ebmd_chain_begin(&l, state, i);
}

static int64_t mcmc_spent(const ebmd_plan *plan, int32_t part, const void *state)
{
    const ebmd_chain_layout l = ebmd_mcmc_layout(plan, part);
    int64_t sum = 0;

    for (int32_t i = 0; i < l.chains; i++)
        sum += ebmd_chain_spent(&l, state, i);
    return sum;
}

/* The first chain whose starting point is being drawn, or -1. */
static int32_t without_start(const ebmd_chain_layout *l, void *state)
{
    for (int32_t i = 0; i < l->chains; i++) {
        if (!ebmd_chain_slot_at(l, state, i)->running)
            return i;
    }
    return -1;
}

static bool mcmc_keepable(const ebmd_plan *plan, int32_t part, const void *state)
{
    const ebmd_chain_layout l = ebmd_mcmc_layout(plan, part);

    return state ? without_start(&l, (void *)(uintptr_t)state) < 0 : l.origin_steps == 0;
}

/* The first chain without a start, else the first that has not come to the next look yet, or -1. */
static int32_t next_chain(const ebmd_chain_layout *l, void *state, int64_t boundary)
{
    const int32_t first = without_start(l, state);

    for (int32_t i = 0; first < 0 && i < l->chains; i++) {
        if (ebmd_chain_slot_at(l, state, i)->total < boundary)
            return i;
    }
    return first;
}

static void take_snapshot(const ebmd_chain_layout *l, void *state, int64_t at, float *x)
{
    const ebm_shape *shape = &l->op->shape;
    ebmd_chain_head *h = state;

    if (h->snapshots >= l->op->call.params.keep)
        return;
    for (int32_t i = 0; i < l->chains; i++) {
        const ebm_mcmc chain = ebmd_chain_view(l, state, i);

        ebm_call_image(l->op->levels, l->op->dim, &chain, x);
        ebm_image_from_tensor(x, shape->channels, shape->height, shape->width,
                              ebmd_chain_snapshot(l, state, i, h->snapshots));
    }
    h->mark[h->snapshots++] = at;
}

/* Whether the rules are met, now that all chains have come to the same step. */
static ebm_status judge(const ebmd_chain_layout *l, void *state, ebm_error *err)
{
    ebmd_chain_head *h = state;
    ebm_trace *traces;
    ebm_chains_report report;
    ebm_status st;

    if (!has_rule(&l->op->call.params))
        return EBM_OK;
    traces = ebm_alloc((size_t)l->chains, sizeof(*traces));
    if (!traces)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for diagnostics");
    for (int32_t i = 0; i < l->chains; i++)
        traces[i] = ebmd_chain_trace(l, state, i);
    st = ebmd_chain_report(l->op, traces, (size_t)l->chains, &report, err);
    if (st == EBM_OK)
        h->stopped = ebm_until_met(&l->op->call.params, &report, h->seconds);
    ebm_free(traces);
    return st;
}

/* Goes on with one chain, or looks at all of them. */
static ebm_status move(const ebmd_chain_layout *l, void *state, ebmd_tools *tools, int64_t *evals,
                       ebm_error *err)
{
    ebmd_chain_head *h = state;
    bool snapshot;
    const int64_t boundary =
        ebm_until_next_from(&l->op->call.params, h->from, l->total, h->at, &snapshot);
    const int32_t i = next_chain(l, state, boundary);

    if (i >= 0)
        return ebmd_chain_step(l, state, i, boundary, tools, evals, err);
    *evals = 0;
    h->at = boundary;
    if (snapshot)
        take_snapshot(l, state, boundary, tools->work);
    return judge(l, state, err);
}

/* The mean over the part's chains: the latest rows of their traces, and their moves so far. */
static ebmd_reading read_chains(const ebmd_chain_layout *l, void *state)
{
    ebmd_reading r = {0};
    double moves = 0.0;
    int32_t rows = 0;

    for (int32_t i = 0; i < l->chains; i++) {
        const ebm_trace trace = ebmd_chain_trace(l, state, i);
        const ebmd_chain_slot *s = ebmd_chain_slot_at(l, state, i);
        double logp = trace.count > 0 ? trace.scalars[(trace.count - 1) * EBMD_TRACE_COLUMNS] : NAN;

        if (isfinite(logp))
            r.logp += (logp - r.logp) / ++rows;
        moves += (double)s->moves;
        r.accept_rate += s->accept;
    }
    r.has_logp = rows > 0;
    r.has_accept = moves > 0.0 && l->op->chains.sampler != EBM_SAMPLER_LANGEVIN;
    r.accept_rate = r.has_accept ? r.accept_rate / moves : 0.0;
    return r;
}

static ebm_status mcmc_advance(const ebmd_plan *plan, int32_t part, void *state, ebmd_tools *tools,
                               ebmd_quantum *q, ebm_error *err)
{
    const ebmd_chain_layout l = ebmd_mcmc_layout(plan, part);
    const double start = ebmd_clock_ms();
    const bool starts = without_start(&l, state) >= 0;
    ebmd_chain_head *h = state;
    ebm_status st = EBM_OK;

    /* a quantum ends with the last start: other parts may still have to draw theirs */
    while (st == EBM_OK && q->evals < q->max_evals && h->at < l.total && !h->stopped &&
           (without_start(&l, state) >= 0) == starts) {
        int64_t evals = q->max_evals - q->evals;

        st = move(&l, state, tools, &evals, err);
        q->evals += evals;
    }
    h->seconds += (ebmd_clock_ms() - start) / 1e3;
    q->finished = h->at >= l.total || h->stopped;
    q->reading = read_chains(&l, state);
    return st;
}

/* --- results ------------------------------------------------------------------------------- */

typedef struct chain_at {
    const ebmd_plan *plan;
    const ebmd_chain_layout *l;
    void *state;
    int32_t i;
} chain_at;

/* In the middle of a ladder or of the warm-up no run of its own ends: no receipt. */
static bool has_receipt(const ebmd_op *op, const ebm_mcmc *chain)
{
    const bool whole =
        op->call.params.ladder ? chain->level < 0 : chain->total > op->call.params.warmup;

    return whole && !op->forked && ebm_receipt_of_one_class(&op->receipt);
}

static ebm_status write_png(const chain_at *c, const ebm_mcmc *chain, const uint8_t *pixels,
                            ebmd_output *out, ebm_error *err)
{
    const ebmd_op *op = c->l->op;
    const int64_t steps = op->call.params.ladder ? 0 : chain->total;
    ebm_receipt receipt;

    ebm_receipt_item(&op->receipt, c->l->first + c->i, steps, pixels, op->dim, &receipt);
    return ebmd_op_encode(op, pixels, has_receipt(op, chain) ? &receipt : NULL, out, err);
}

static ebm_status write_snapshot(const chain_at *c, int32_t j, ebmd_output *out, ebm_error *err)
{
    const ebmd_chain_head *h = c->state;
    const ebm_mcmc then = {.total = h->mark[j]};

    if (j >= h->snapshots) {
        out->data = ebm_alloc(1, 1); /* stopped before it: nothing */
        return out->data ? EBM_OK : ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory");
    }
    return write_png(c, &then, ebmd_chain_snapshot(c->l, c->state, c->i, j), out, err);
}

/* Image, snapshots, what is kept, each at its place among those of all chains of the part. */
static ebm_status collect_chain(const chain_at *c, ebmd_tools *tools, float *x, uint8_t *pixels,
                                ebmd_result *out, ebm_error *err)
{
    const ebmd_op *op = c->l->op;
    const ebm_mcmc chain = ebmd_chain_view(c->l, c->state, c->i);
    const int32_t n = c->l->chains, last = outputs_of_chain(op) - 1;
    double logp = NAN;
    ebm_status st;

    ebm_call_image(op->levels, op->dim, &chain, x);
    if (tools)
        logp = ebm_call_logp(&tools->density, op->levels, &chain, tools->work);
    ebm_image_from_tensor(x, op->shape.channels, op->shape.height, op->shape.width, pixels);
    st = write_png(c, &chain, pixels, &out->output[c->i], err);
    for (int32_t j = 0; j < op->call.params.keep && st == EBM_OK; j++)
        st = write_snapshot(c, j, &out->output[(1 + j) * n + c->i], err);
    if (st == EBM_OK)
        st = ebmd_kept_write(c->l, c->state, c->i, c->plan->digest, logp,
                             &out->output[last * n + c->i], err);
    return st;
}

static ebm_status mcmc_collect(const ebmd_plan *plan, int32_t part, void *state, ebmd_tools *tools,
                               ebmd_result *out, ebm_error *err)
{
    const ebmd_chain_layout l = ebmd_mcmc_layout(plan, part);
    const double start = ebmd_clock_ms();
    float *x = ebm_alloc(l.op->dim, sizeof(*x));
    uint8_t *pixels = ebm_alloc(l.op->dim, 1);
    ebm_status st = EBM_OK;

    if (!x || !pixels)
        st = ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for an image");
    for (int32_t i = 0; i < l.chains && st == EBM_OK; i++) {
        const chain_at c = {plan, &l, state, i};

        st = ebmd_chain_slot_at(&l, state, i)->running
                 ? collect_chain(&c, tools, x, pixels, out, err)
                 : ebm_error_set(err, EBM_ERR_BAD_STATE, NULL, "a chain has not begun yet");
    }
    ebm_free(x);
    ebm_free(pixels);
    out->encode_ms = ebmd_clock_ms() - start;
    return st;
}

/* --- on the way ---------------------------------------------------------------------------- */

/* The first chain of the part stands for all. Down a ladder it is seen by its level, else by its
 * steps. */
static void mcmc_look(const ebmd_plan *plan, int32_t part, const void *state, ebmd_sight *out)
{
    const ebmd_chain_layout l = ebmd_mcmc_layout(plan, part);
    const ebmd_chain_slot *s = ebmd_chain_slot_at(&l, (void *)(uintptr_t)state, 0);
    const bool ladder = l.op->call.params.ladder;
    const int64_t steps = ladder ? l.op->call.params.steps : l.total;
    const int64_t step = ladder ? s->step : s->total;

    *out = (ebmd_sight){.level = s->level, .levels = l.op->levels->count};
    out->steps = (int32_t)(steps < INT32_MAX ? steps : INT32_MAX);
    out->step = (int32_t)(step < out->steps ? step : out->steps);
}

static ebm_status mcmc_preview(const ebmd_plan *plan, int32_t part, const void *state,
                               ebmd_tools *tools, unsigned char **png, size_t *size, ebm_error *err)
{
    const ebmd_chain_layout l = ebmd_mcmc_layout(plan, part);
    const ebm_mcmc chain = ebmd_chain_view(&l, (void *)(uintptr_t)state, 0);

    return ebmd_op_preview(l.op, &chain, tools, png, size, err);
}

/* --- checkpoints --------------------------------------------------------------------------- */

static void mcmc_checkpoint(const ebmd_plan *plan, int32_t part, const void *state, void *bytes)
{
    (void)part;
    memcpy(bytes, state, plan->state_size);
}

static ebm_status mcmc_restore(const ebmd_plan *plan, int32_t part, const void *bytes, void *state)
{
    const ebmd_chain_layout l = ebmd_mcmc_layout(plan, part);

    memcpy(state, bytes, plan->state_size);
    return ebmd_chain_state_ok(&l, state) ? EBM_OK : EBM_ERR_FORMAT;
}

const ebmd_kind ebmd_kind_mcmc = {
    .name = "mcmc",
    .operation = EBM_OP_MCMC,
    .lasts = true,
    .keeps = true,
    .parse = mcmc_parse,
    .canon = ebmd_op_canon,
    .document = ebmd_mcmc_document,
    .start = mcmc_start,
    .advance = mcmc_advance,
    .collect = mcmc_collect,
    .keepable = mcmc_keepable,
    .spent = mcmc_spent,
    .look = mcmc_look,
    .preview = mcmc_preview,
    .diagnose = ebmd_chain_diagnose,
    .checkpoint = mcmc_checkpoint,
    .restore = mcmc_restore,
};
