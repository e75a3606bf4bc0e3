/* Attention in the passes of a session: maps of the kernel set become plain planes and back, by one
 * member of a team; what lies between is shared. See graph/attention.h. */
#include <string.h>

#include "graph/attention.h"
#include "graph/session_internal.h"

static ebm__attention attention_of(ebm_session *s, const ebm_node *n)
{
    const ebm_map_shape m = ebm__node_shape(n);
    ebm__attention a;
    ebm__attention_init(s->k, &m, s->tangent, s->work + s->plan.attention, &a);
    return a;
}

/* --- maps and planes -------------------------------------------------------------------------- */

/* Planes as an image has them move apart; zeros fill the gaps. */
static void spread(const ebm__attention *a, float *planes)
{
    for (size_t c = a->channels; c-- > 0;) {
        float *to = planes + c * a->stride;
        memmove(to, planes + c * a->pixels, a->pixels * sizeof *to);
        memset(to + a->pixels, 0, (a->stride - a->pixels) * sizeof *to);
    }
}

static void close_up(const ebm__attention *a, float *planes)
{
    for (size_t c = 1; c < a->channels; c++)
        memmove(planes + c * a->pixels, planes + c * a->stride, a->pixels * sizeof *planes);
}

static void load_value(ebm_session *s, const ebm_node *n, const ebm__attention *a,
                       const float *value, float *planes)
{
    const ebm_map_shape m = ebm__node_shape(n);
    s->k->value_store(&m, value, planes);
    spread(a, planes);
}

static void load_gradient(ebm_session *s, const ebm_node *n, const ebm__attention *a,
                          const float *grad, float *planes)
{
    const ebm_map_shape m = ebm__node_shape(n);
    s->k->operand_store(&m, grad, planes);
    spread(a, planes);
}

static void store_value(ebm_session *s, const ebm_node *n, const ebm__attention *a, float *planes,
                        float *value)
{
    const ebm_map_shape m = ebm__node_shape(n);
    close_up(a, planes);
    s->k->value_load(&m, planes, value);
}

/* Gradients of an input; `first`: nobody has written there yet. */
static void store_gradient(ebm_session *s, const ebm_node *n, const ebm__attention *a,
                           float *planes, bool first, float *grad)
{
    const ebm_map_shape m = ebm__node_shape(n);
    float *map = s->work + s->plan.map;
    close_up(a, planes);
    s->k->operand_load(&m, planes, first ? grad : map);
    if (!first)
        s->k->add(&m, map, grad, EBM_ALONE);
}

static void load_inputs(ebm_session *s, const ebm_node *n, const ebm__attention *a)
{
    load_value(s, n, a, value_of(s, n->input), a->x.query);
    load_value(s, n, a, value_of(s, n->key), a->x.key);
    load_value(s, n, a, value_of(s, n->value), a->x.value);
}

static void load_tangents(ebm_session *s, const ebm_node *n, const ebm__attention *a)
{
    load_value(s, n, a, tangent_of(s, n->input), a->t.query);
    load_value(s, n, a, tangent_of(s, n->key), a->t.key);
    load_value(s, n, a, tangent_of(s, n->value), a->t.value);
}

/* Where the gradient of a node goes: grad_of() or second_of(). */
typedef float *(*gradient_place)(ebm_session *s, int32_t node);

static void store_gradients(ebm_session *s, int32_t i, const ebm__attention *a,
                            const ebm__attention_maps *from, gradient_place place)
{
    const ebm_node *n = &s->g->nodes[i];
    store_gradient(s, n, a, from->query, s->plan.grad_first[i], place(s, n->input));
    store_gradient(s, n, a, from->key, s->plan.key_first[i], place(s, n->key));
    store_gradient(s, n, a, from->value, s->plan.value_first[i], place(s, n->value));
}

/* --- passes ----------------------------------------------------------------------------------- */

void ebm__forward_attention(ebm_session *s, int32_t i, ebm_share share)
{
    const ebm_node *n = &s->g->nodes[i];
    const ebm_map_shape m = ebm__node_shape(n);
    const ebm__attention a = attention_of(s, n);
    if (share.index == 0)
        load_inputs(s, n, &a);
    meet(s, share);
    ebm__attention_forward(&a, scratch_of(s, share), share);
    meet(s, share);
    if (share.index != 0)
        return;
    store_value(s, n, &a, a.y, value_of(s, i));
    if (s->plan.has_activated[i])
        s->k->act_forward(inner_act(s), &m, value_of(s, i), activated_of(s, i), EBM_ALONE);
}

void ebm__backward_attention(ebm_session *s, int32_t i, ebm_share share)
{
    const ebm_node *n = &s->g->nodes[i];
    const ebm__attention a = attention_of(s, n);
    if (share.index == 0) {
        load_inputs(s, n, &a);
        load_gradient(s, n, &a, grad_of(s, i), a.y);
    }
    meet(s, share);
    ebm__attention_backward_query(&a, scratch_of(s, share), share);
    meet(s, share);
    ebm__attention_backward_key(&a, scratch_of(s, share), share);
    meet(s, share);
    if (share.index == 0)
        store_gradients(s, i, &a, &a.dx, grad_of);
}

void ebm__tangent_attention(ebm_session *s, int32_t i)
{
    const ebm_node *n = &s->g->nodes[i];
    const ebm__attention a = attention_of(s, n);
    load_inputs(s, n, &a);
    load_tangents(s, n, &a);
    ebm__attention_tangent(&a, scratch_of(s, EBM_ALONE), EBM_ALONE);
    store_value(s, n, &a, a.y, tangent_of(s, i));
}

void ebm__second_attention(ebm_session *s, int32_t i)
{
    const ebm_node *n = &s->g->nodes[i];
    const ebm__attention a = attention_of(s, n);
    load_inputs(s, n, &a);
    load_tangents(s, n, &a);
    load_gradient(s, n, &a, grad_of(s, i), a.y);
    load_gradient(s, n, &a, second_of(s, i), a.y2);
    ebm__attention_second_query(&a, scratch_of(s, EBM_ALONE), EBM_ALONE);
    ebm__attention_second_key(&a, scratch_of(s, EBM_ALONE), EBM_ALONE);
    store_gradients(s, i, &a, &a.dt, grad_of);
    store_gradients(s, i, &a, &a.dx, second_of);
}
