/* A worker's tools for a plan, see tools.h. */
#include "kinds/tools.h"

#include <string.h>

#include "ebm/memory.h"

static ebm_status make_room(ebmd_tools *t, size_t dim, size_t floats, ebm_error *err)
{
    if (floats > t->room) {
        ebm_free(t->floats);
        t->floats = ebm_alloc(floats, sizeof(float));
        t->room = t->floats ? floats : 0;
    }
    if (dim > t->dim) {
        ebm_free(t->pixels);
        t->pixels = ebm_alloc(dim, 1);
        t->dim = t->pixels ? dim : 0;
    }
    return t->floats && t->pixels ? EBM_OK
                                  : ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory to work in");
}

static const ebm_levels *levels_of(const ebmd_workbench *b)
{
    return ebm_model_describe(b->model)->levels;
}

ebm_status ebmd_tools_aim(ebmd_tools *t, const ebmd_tools_order *order, ebm_error *err)
{
    size_t dim = order->bench[0]->dim;
    bool alone = order->n == 1 && order->weight[0] == 1.0;
    ebm_status st = make_room(t, dim, order->work + (alone ? 1 : (size_t)order->n * dim), err);

    if (st != EBM_OK)
        return st;
    t->n = order->n;
    t->work = t->floats;
    for (int32_t i = 0; i < order->n; i++) {
        t->bench[i] = order->bench[i];
        t->part[i] = (ebm_compose_part){.density = ebm_density_of_session(order->bench[i]->session),
                                        .levels = levels_of(order->bench[i]),
                                        .weight = order->weight[i]};
    }
    t->density = t->part[0].density;
    t->whole = (ebm_composition){.kind = order->compose,
                                 .parts = t->part,
                                 .n_parts = (size_t)order->n,
                                 .levels = t->part[0].levels,
                                 .scratch = t->floats + order->work};
    return alone ? EBM_OK : ebm_compose(&t->whole, &t->density, err);
}

void ebmd_tools_clear(ebmd_tools *t)
{
    ebm_free(t->floats);
    ebm_free(t->pixels);
    memset(t, 0, sizeof(*t));
}

static double ms_per_eval(const ebmd_tools *t)
{
    double ms = 0.0;

    for (int32_t i = 0; i < t->n; i++)
        ms += t->bench[i]->ms_per_eval;
    return ms;
}

/* What all took is shared out as it was expected. */
void ebmd_tools_note(ebmd_tools *t, int64_t evals, double ms)
{
    double all = ms_per_eval(t);

    for (int32_t i = 0; i < t->n; i++)
        ebmd_workbench_note(t->bench[i], evals, ms * t->bench[i]->ms_per_eval / all);
}

int64_t ebmd_tools_evals_in(const ebmd_tools *t, double ms)
{
    double n = ms / ms_per_eval(t);

    return n < 1.0 ? 1 : n < 1e6 ? (int64_t)n : 1000000;
}
