/* A thread's tools for a model, see workbench.h. */
#include "kinds/workbench.h"

#include <string.h>

#include "base/clock.h"
#include "ebm/memory.h"

/* The first product of a thread makes the BLAS library map its buffer; that must not wait for a
 * moment when memory is short. The second one is timed. */
static ebm_status warm_up(ebmd_workbench *b, ebm_error *err)
{
    float *image = ebm_alloc(b->dim, 2 * sizeof(float));
    double start;

    if (!image)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for a worker");
    ebm_session_gradient(b->session, image, 0, image + b->dim);
    start = ebmd_clock_ms();
    ebm_session_gradient(b->session, image, 0, image + b->dim);
    ebmd_workbench_note(b, 1, ebmd_clock_ms() - start);
    ebm_free(image);
    return EBM_OK;
}

ebm_status ebmd_workbench_init(ebmd_workbench *b, ebm_model *model, ebm_error *err)
{
    const ebm_graph_info *g = ebm_model_describe(model)->graph;
    ebm_status st = ebm_session_create(model, NULL, &b->session, err);

    b->model = model;
    b->dim = (size_t)g->channels * (size_t)g->height * (size_t)g->width;
    if (st == EBM_OK)
        st = warm_up(b, err);
    if (st != EBM_OK)
        ebmd_workbench_clear(b);
    return st;
}

void ebmd_workbench_clear(ebmd_workbench *b)
{
    ebm_session_free(b->session);
    memset(b, 0, sizeof(*b));
}

void ebmd_workbench_note(ebmd_workbench *b, int64_t evals, double ms)
{
    double now;

    if (evals < 1)
        return;
    now = ms > 1e-4 ? ms / (double)evals : 1e-4;
    b->ms_per_eval = b->ms_per_eval > 0.0 ? 0.7 * b->ms_per_eval + 0.3 * now : now;
}

int64_t ebmd_workbench_evals_in(const ebmd_workbench *b, double ms)
{
    double n = ms / b->ms_per_eval;

    return n < 1.0 ? 1 : n < 1e6 ? (int64_t)n : 1000000;
}
