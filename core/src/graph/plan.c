/* Plans a session's workspace once: values live from forward to backward, gradients only until
 * they have been passed on, so their slots are handed from node to node. */
#include "graph/plan.h"

#include <stdlib.h>

#include "ebm/memory.h"
#include "graph/attention.h"

/* A piece of the workspace for gradients; at most as many as maps alive at once. */
typedef struct slot {
    size_t at, size;
    bool taken;
} slot;

typedef struct planner {
    const ebm_graph_info *g;
    const ebm_kernels *k;
    ebm__plan *plan;
    slot *slots;
    int32_t n_slots;
    int32_t *slot_of; /* per node: the slot of its gradient, or EBM_NONE */
} planner;

/* Takes `floats` from the end of the workspace, aligned. */
static size_t take(ebm__plan *plan, size_t floats)
{
    size_t unit = EBM_ALIGN / sizeof(float), at = plan->total;
    plan->total += (floats + unit - 1) / unit * unit;
    return at;
}

/* The smallest free slot that fits, or a new one. */
static int32_t take_slot(planner *p, size_t size)
{
    int32_t best = EBM_NONE;
    for (int32_t i = 0; i < p->n_slots; i++)
        if (!p->slots[i].taken && p->slots[i].size >= size &&
            (best == EBM_NONE || p->slots[i].size < p->slots[best].size))
            best = i;
    if (best == EBM_NONE) {
        best = p->n_slots++;
        p->slots[best] = (slot){.at = take(p->plan, size), .size = size};
    }
    p->slots[best].taken = true;
    return best;
}

static size_t gradient_floats(const planner *p, const ebm_node *n)
{
    return p->plan->second ? 2 * ebm__second_step(p->k, n) : ebm__operand_floats(p->k, n);
}

/* Makes sure of a slot for the gradient of a node that is read; true if it had none. */
static bool first_reader(planner *p, int32_t node)
{
    if (p->slot_of[node] != EBM_NONE)
        return false;
    p->slot_of[node] = take_slot(p, gradient_floats(p, &p->g->nodes[node]));
    return true;
}

/* Walks the backward pass once, handing out slots as it will be run. */
static void plan_gradients(planner *p)
{
    const ebm_graph_info *g = p->g;
    int32_t last = g->n_nodes - 1;
    for (int32_t i = 0; i <= last; i++)
        p->slot_of[i] = EBM_NONE;
    for (int32_t i = last; i > 0; i--) {
        const ebm_node *n = &g->nodes[i];
        if (i != last && p->slot_of[i] == EBM_NONE)
            continue; /* nobody uses this node */
        p->plan->grad_first[i] = first_reader(p, n->input);
        p->plan->key_first[i] = n->key != EBM_NONE && first_reader(p, n->key);
        p->plan->value_first[i] = n->value != EBM_NONE && first_reader(p, n->value);
        p->plan->residual_takes[i] = n->residual != EBM_NONE && p->slot_of[n->residual] == EBM_NONE;
        if (p->plan->residual_takes[i])
            p->slot_of[n->residual] = p->slot_of[i];
        else if (i != last)
            p->slots[p->slot_of[i]].taken = false;
    }
    for (int32_t i = 0; i < last; i++)
        p->plan->grad[i] = p->slot_of[i] == EBM_NONE ? 0 : p->slots[p->slot_of[i]].at;
}

static size_t largest(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t scratch_floats(const ebm_kernels *k, const ebm_node *n, bool tangent)
{
    const ebm_map_shape m = ebm__node_shape(n);
    if (n->op == EBM_OP_CONV)
        return k->conv_scratch_floats(&n->conv);
    return n->op == EBM_OP_ATTENTION ? ebm__attention_panel_floats(&m, tangent) : 0;
}

/* The parts whose size is a maximum over all nodes. */
static void plan_shared(const ebm_graph_info *g, const ebm_kernels *k, bool tangent,
                        ebm__plan *plan)
{
    size_t map = 0, channels = 0, scratch = 0, attention = 0;
    for (int32_t i = 0; i < g->n_nodes; i++) {
        const ebm_node *n = &g->nodes[i];
        map = largest(map, ebm__operand_floats(k, n));
        channels = largest(channels, (size_t)n->c);
        const ebm_map_shape m = ebm__node_shape(n);
        scratch = largest(scratch, scratch_floats(k, n, tangent));
        if (n->op == EBM_OP_ATTENTION)
            attention = largest(attention, ebm__attention_floats(&m, tangent));
    }
    plan->map = take(plan, map);
    plan->sums = take(plan, channels);
    plan->dsums = take(plan, channels);
    plan->zeros = take(plan, channels);
    plan->attention = take(plan, attention);
    plan->scratch_floats = largest(scratch, channels);
    plan->scratch = take(plan, plan->scratch_floats);
}

static bool allocate(ebm__plan *plan, planner *p, size_t n)
{
    plan->value = calloc(n, sizeof *plan->value);
    plan->activated = calloc(n, sizeof *plan->activated);
    plan->has_value = calloc(n, sizeof *plan->has_value);
    plan->has_activated = calloc(n, sizeof *plan->has_activated);
    plan->grad = calloc(n, sizeof *plan->grad);
    plan->tangent = calloc(n, sizeof *plan->tangent);
    plan->grad_first = calloc(n, sizeof *plan->grad_first);
    plan->key_first = calloc(n, sizeof *plan->key_first);
    plan->value_first = calloc(n, sizeof *plan->value_first);
    plan->residual_takes = calloc(n, sizeof *plan->residual_takes);
    p->slots = calloc(n, sizeof *p->slots);
    p->slot_of = calloc(n, sizeof *p->slot_of);
    return plan->value && plan->activated && plan->has_value && plan->has_activated && plan->grad &&
           plan->tangent && plan->grad_first && plan->key_first && plan->value_first &&
           plan->residual_takes && p->slots && p->slot_of;
}

/* A value whose only readers are convolutions through the activation need not be kept, if the sign
 * of the activation tells its slope. */
static void find_readers(const ebm_graph_info *g, ebm__plan *plan)
{
    plan->has_value[0] = true;
    for (int32_t i = 1; i < g->n_nodes; i++) {
        const ebm_node *n = &g->nodes[i];
        bool activated = n->op == EBM_OP_CONV && n->activated;
        if (activated)
            plan->has_activated[n->input] = true;
        if (!activated || g->act == EBM_ACT_SILU)
            plan->has_value[n->input] = true;
        if (n->residual != EBM_NONE)
            plan->has_value[n->residual] = true;
        if (n->op == EBM_OP_ATTENTION)
            plan->has_value[n->key] = plan->has_value[n->value] = true;
        if (n->op == EBM_OP_ATTENTION || n->op == EBM_OP_POOL) /* written whoever reads it */
            plan->has_value[i] = true;
    }
}

/* What lives from the forward to the backward pass. */
static void plan_values(const ebm_graph_info *g, const ebm_kernels *k, bool tangent,
                        ebm__plan *plan)
{
    find_readers(g, plan);
    for (int32_t i = 0; i < g->n_nodes; i++) {
        const ebm_node *n = &g->nodes[i];
        if (plan->has_value[i])
            plan->value[i] = take(plan, ebm__value_floats(k, n));
        if (plan->has_activated[i])
            plan->activated[i] = take(plan, ebm__operand_floats(k, n));
        if (tangent)
            plan->tangent[i] = take(plan, ebm__value_floats(k, n));
    }
}

ebm_status ebm__plan_make(const ebm_graph_info *g, const ebm_kernels *k, bool tangent,
                          ebm__plan *out, ebm_error *err)
{
    ebm_status st = EBM_OK;
    planner p = {.g = g, .k = k, .plan = out};
    *out = (ebm__plan){0};
    if (!allocate(out, &p, (size_t)g->n_nodes)) {
        st = ebm_error_set(err, EBM_ERR_NOMEM, "session", "no memory for the plan");
        ebm__plan_clear(out);
        goto out;
    }
    out->second = tangent && ebm__is_smooth(g);
    plan_values(g, k, tangent, out);
    plan_gradients(&p);
    plan_shared(g, k, tangent, out);
out:
    free(p.slots);
    free(p.slot_of);
    return st;
}

void ebm__plan_clear(ebm__plan *plan)
{
    free(plan->value);
    free(plan->activated);
    free(plan->has_value);
    free(plan->has_activated);
    free(plan->grad);
    free(plan->tangent);
    free(plan->grad_first);
    free(plan->key_first);
    free(plan->value_first);
    free(plan->residual_takes);
    *plan = (ebm__plan){0};
}
