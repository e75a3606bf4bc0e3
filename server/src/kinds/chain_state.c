/* Chains as bytes, see chain_state.h. */
#include "kinds/chain_state.h"

#include <math.h>
#include <string.h>

#include "ebm/memory.h"

/* --- layout -------------------------------------------------------------------------------- */

static size_t aligned(size_t n)
{
    return (n + EBM_ALIGN - 1) / EBM_ALIGN * EBM_ALIGN;
}

static size_t floats_at(void)
{
    return aligned(sizeof(ebmd_chain_slot));
}

static size_t scalars_at(const ebmd_chain_layout *l)
{
    return floats_at() + aligned(2 * l->op->dim * sizeof(float));
}

static size_t snapshots_at(const ebmd_chain_layout *l)
{
    return scalars_at(l) + aligned(l->room * EBMD_TRACE_COLUMNS * sizeof(double));
}

static void lay_origin(ebmd_chain_layout *l)
{
    if (l->op->call.params.init != EBM_INIT_SAMPLES)
        return;
    l->origin = ebm_call_sampling(&l->op->call);
    l->origin_plan = ebm_call_plan(&l->origin);
    l->origin_steps = ebm_mcmc_total_steps(&l->origin_plan, l->op->levels,
                                           ebm_call_first_level(&l->origin, l->op->levels));
}

ebmd_chain_layout ebmd_chain_layout_of(const ebmd_op *op, int32_t part, bool together,
                                       const float *directions)
{
    const ebm_op_params *p = &op->call.params;
    ebmd_chain_layout l = {.op = op,
                           .chains = together ? (int32_t)p->chains : 1,
                           .first = together ? 0 : part,
                           .directions = directions};

    lay_origin(&l);
    l.total = ebm_mcmc_total_steps(&op->chains, op->levels, op->first_level);
    l.cost = op->chains.sampler == EBM_SAMPLER_HMC ? op->chains.leapfrog : 1;
    l.room = (size_t)(l.total / p->thin) + 1;
    l.slot = snapshots_at(&l) + aligned((size_t)p->keep * op->dim);
    l.size = sizeof(ebmd_chain_head) + (size_t)l.chains * l.slot;
    return l;
}

static unsigned char *slot_bytes(const ebmd_chain_layout *l, void *state, int32_t i)
{
    return (unsigned char *)state + sizeof(ebmd_chain_head) + (size_t)i * l->slot;
}

ebmd_chain_slot *ebmd_chain_slot_at(const ebmd_chain_layout *l, void *state, int32_t i)
{
    return (ebmd_chain_slot *)(void *)slot_bytes(l, state, i);
}

float *ebmd_chain_y(const ebmd_chain_layout *l, void *state, int32_t i)
{
    return (float *)(void *)(slot_bytes(l, state, i) + floats_at());
}

uint8_t *ebmd_chain_snapshot(const ebmd_chain_layout *l, void *state, int32_t i, int32_t j)
{
    return slot_bytes(l, state, i) + snapshots_at(l) + (size_t)j * l->op->dim;
}

/* The call whose chain is in the slot at the moment. */
static const ebm_call *call_of(const ebmd_chain_layout *l, const ebmd_chain_slot *s)
{
    return s->running ? &l->op->call : &l->origin;
}

ebm_mcmc ebmd_chain_view(const ebmd_chain_layout *l, void *state, int32_t i)
{
    const ebmd_chain_slot *s = ebmd_chain_slot_at(l, state, i);
    float *y = ebmd_chain_y(l, state, i);

    return (ebm_mcmc){.noise = ebm_call_noise(call_of(l, s), l->first + i),
                      .level = s->level,
                      .step = s->step,
                      .total = s->total,
                      .step_size = s->step_size,
                      .running = s->adapted,
                      .moves = s->moves,
                      .accept = s->accept,
                      .y = y,
                      .anchor = y + l->op->dim};
}

void ebmd_chain_put_back(const ebmd_chain_layout *l, void *state, int32_t i, const ebm_mcmc *chain)
{
    ebmd_chain_slot *s = ebmd_chain_slot_at(l, state, i);

    s->level = chain->level;
    s->step = chain->step;
    s->total = chain->total;
    s->step_size = chain->step_size;
    s->adapted = chain->running;
    s->moves = chain->moves;
    s->accept = chain->accept;
}

ebm_trace ebmd_chain_trace(const ebmd_chain_layout *l, void *state, int32_t i)
{
    return (ebm_trace){.thin = l->op->call.params.thin,
                       .n_directions = EBM_TRACE_DIRECTIONS,
                       .directions = l->directions,
                       .room = l->room,
                       .count = (size_t)ebmd_chain_slot_at(l, state, i)->rows,
                       .scalars = (double *)(void *)(slot_bytes(l, state, i) + scalars_at(l))};
}

/* --- running ------------------------------------------------------------------------------- */

/* Starts look at nothing of a density but its size. */
static void start(const ebmd_chain_layout *l, void *state, int32_t i, const float *from)
{
    const ebmd_chain_slot *s = ebmd_chain_slot_at(l, state, i);
    const ebm_density shape = {.dim = l->op->dim};
    const ebm_mcmc_setup setup = {&shape, l->op->levels,
                                  s->running ? &l->op->chains : &l->origin_plan};
    ebm_mcmc chain = ebmd_chain_view(l, state, i);
    ebm_error err = {0};

    chain.total = 0;
    if (ebm_call_start(call_of(l, s), &setup, l->first + i, from, NULL, &chain, &err) == EBM_OK)
        ebmd_chain_put_back(l, state, i, &chain);
}

void ebmd_chain_begin(const ebmd_chain_layout *l, void *state, int32_t i)
{
    ebmd_chain_slot_at(l, state, i)->running = l->origin_steps == 0;
    start(l, state, i, NULL);
}

static ebm_status step_origin(const ebmd_chain_layout *l, void *state, int32_t i, ebmd_tools *tools,
                              int64_t *evals, ebm_error *err)
{
    const ebm_mcmc_setup setup = {&tools->density, l->op->levels, &l->origin_plan};
    ebm_mcmc chain = ebmd_chain_view(l, state, i);
    float *from = tools->work + ebm_mcmc_work(&l->origin_plan, l->op->dim);
    const int64_t before = chain.total;
    ebm_status st = ebm_mcmc_advance(&chain, &setup, *evals, NULL, tools->work, err);

    *evals = chain.total - before;
    ebmd_chain_put_back(l, state, i, &chain);
    if (st != EBM_OK || !ebm_mcmc_done(&chain, &l->origin_plan))
        return st;
    ebm_call_image(l->op->levels, l->op->dim, &chain, from);
    ebmd_chain_slot_at(l, state, i)->running = 1;
    start(l, state, i, from);
    return EBM_OK;
}

ebm_status ebmd_chain_step(const ebmd_chain_layout *l, void *state, int32_t i, int64_t until,
                           ebmd_tools *tools, int64_t *evals, ebm_error *err)
{
    ebmd_chain_slot *s = ebmd_chain_slot_at(l, state, i);
    const ebm_mcmc_setup setup = {&tools->density, l->op->levels, &l->op->chains};
    ebm_trace trace = ebmd_chain_trace(l, state, i);
    ebm_mcmc chain = ebmd_chain_view(l, state, i);
    int64_t steps = *evals / l->cost;
    ebm_status st;

    if (!s->running)
        return step_origin(l, state, i, tools, evals, err);
    if (steps < 1)
        steps = 1;
    if (steps > until - chain.total)
        steps = until - chain.total;
    *evals = -chain.total;
    st = ebm_mcmc_advance(&chain, &setup, steps, &trace, tools->work, err);
    *evals = (*evals + chain.total) * l->cost;
    ebmd_chain_put_back(l, state, i, &chain);
    s->rows = (int64_t)trace.count;
    return st;
}

int64_t ebmd_chain_spent(const ebmd_chain_layout *l, const void *state, int32_t i)
{
    const ebmd_chain_slot *s =
        (const ebmd_chain_slot *)(const void *)((const unsigned char *)state +
                                                sizeof(ebmd_chain_head) + (size_t)i * l->slot);

    return s->running ? l->origin_steps + s->total * l->cost : s->total;
}

/* --- checks -------------------------------------------------------------------------------- */

static int64_t steps_from(const ebm_mcmc_plan *plan, const ebm_levels *levels, int32_t level)
{
    return level < 0 ? 0 : ebm_mcmc_total_steps(plan, levels, level);
}

/* A chain down the ladder, and where in it. */
static bool ladder_ok(const ebmd_chain_slot *s, const ebm_mcmc_plan *plan, const ebm_levels *levels,
                      int32_t top)
{
    int64_t here;

    if (s->level < -1 || s->level > top)
        return false;
    here = steps_from(plan, levels, s->level) - steps_from(plan, levels, s->level - 1);
    if (s->level < 0 ? s->step != 0 : s->step >= here)
        return false;
    return s->total == steps_from(plan, levels, top) - steps_from(plan, levels, s->level) + s->step;
}

static bool place_ok(const ebmd_chain_layout *l, const ebmd_chain_slot *s)
{
    const ebm_levels *levels = l->op->levels;

    if (s->step < 0 || s->total < 0 || (s->running != 0 && s->running != 1))
        return false;
    if (!s->running)
        return l->origin_steps > 0 && s->level >= 0 &&
               ladder_ok(s, &l->origin_plan, levels, ebm_call_first_level(&l->origin, levels));
    if (l->op->chains.ladder)
        return ladder_ok(s, &l->op->chains, levels, l->op->first_level);
    return s->level == l->op->first_level && s->step == s->total && s->total <= l->total;
}

/* A row stands for the state before every thin-th step; the denoising step, the last one down a
 * ladder, has none. */
static int64_t rows_of(const ebmd_chain_layout *l, const ebmd_chain_slot *s)
{
    const int64_t thin = l->op->call.params.thin;
    const bool at_end = l->op->call.params.ladder && s->level < 0;
    const int64_t moves = s->total - (at_end && l->op->levels->denoise ? 1 : 0);

    return s->running ? (moves + thin - 1) / thin : 0;
}

static bool slot_ok(const ebmd_chain_layout *l, const ebmd_chain_slot *s)
{
    return place_ok(l, s) && s->rows == rows_of(l, s) && isfinite(s->step_size) &&
           s->step_size >= 0.0 && s->adapted >= 0.0 && s->adapted <= 1.0 && s->moves >= 0 &&
           s->moves <= s->total && s->accept >= 0.0 && s->accept <= (double)s->moves * (1.0 + 1e-9);
}

bool ebmd_chain_state_ok(const ebmd_chain_layout *l, void *state)
{
    const ebmd_chain_head *h = state;
    bool ok = h->at >= 0 && h->at <= l->total && isfinite(h->seconds) && h->seconds >= 0.0 &&
              h->snapshots >= 0 && h->snapshots <= l->op->call.params.keep &&
              (h->stopped == 0 || h->stopped == 1) && h->from >= 0 && h->from <= l->total &&
              (h->begun == 0 || h->begun == 1);

    for (int32_t j = 0; ok && j < h->snapshots; j++)
        ok = h->mark[j] >= 0 && h->mark[j] <= l->total;
    for (int32_t i = 0; i < l->chains && ok; i++)
        ok = slot_ok(l, ebmd_chain_slot_at(l, state, i)) &&
             ebmd_op_finite(ebmd_chain_y(l, state, i), 2 * l->op->dim);
    return ok;
}

/* --- diagnostics --------------------------------------------------------------------------- */

ebm_status ebmd_chain_report(const ebmd_op *op, const ebm_trace *traces, size_t n,
                             ebm_chains_report *out, ebm_error *err)
{
    const bool banded = op->calibration.mean && !op->call.params.ladder;
    ebm_band band = {0, 0};

    if (banded)
        band = ebm_calibration_band(&op->calibration, (int32_t)op->call.params.level);
    return ebm_chains_report_of(traces, n,
                                ebm_mcmc_settled(&op->chains, op->levels, op->first_level),
                                banded ? &band : NULL, out, err);
}
