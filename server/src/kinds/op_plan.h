/* What the kinds of jobs that are operations have in common: request, models, pictures as tensors,
 * effective parameters, receipt. Knows operations and api's codec; not how a kind runs. */
#ifndef EBMD_OP_PLAN_H
#define EBMD_OP_PLAN_H

#include "ebm/calibration.h"
#include "ebm/ops.h"
#include "ebm/receipt.h"
#include "ebma/op_request.h"
#include "ebma/op_results.h"
#include "kinds/kind.h"

#define EBMD_RESULT_BYTES (16u << 20) /* of pixels or numbers, all outputs of a request */

/* plan->request of every operation. @own everything lies in the plan's arena */
typedef struct ebmd_op {
    ebma_op_request request; /* effective; pictures in the model's shape */
    ebm_call call;           /* pictures as tensors */
    const ebm_levels *levels;
    ebm_shape shape;
    size_t dim;
    float *images; /* [request.n_images, dim] */
    double coverage;
    ebm_receipt receipt; /* of the whole run */
    ebm_mcmc_plan chains;
    int32_t first_level;
    ebm_calibration calibration; /* of a single model; mean NULL: there is none */
    const float *directions;     /* mcmc: what traces project on */
    bool together;               /* mcmc: all chains are one part */
    bool continued;              /* mcmc: begins with a checkpoint, never at the beginning */
    bool forked;                 /* mcmc: from states of other seeds: no receipt tells how */
} ebmd_op;

/* The part of parse() that all operations share. Afterwards everything of *plan is set but parts,
 * part_work, state_size, work, outputs, images. @err as parse() */
EBM_MUST_CHECK ebm_status ebmd_op_parse(const ebmd_engine *engine, const char *json, size_t size,
                                        ebm_arena *arena, ebmd_plan *plan, ebma_problem *problem);
/* The same for a request that somebody has made: everything behind the reading of JSON. The request
 * is copied, its pictures are borrowed. run: what is gone on with, whose models have to be those of
 * the request; NULL: nothing. */
EBM_MUST_CHECK ebm_status ebmd_op_plan(const ebmd_engine *engine, const ebma_op_request *request,
                                       const ebm_receipt *run, ebm_arena *arena, ebmd_plan *plan,
                                       ebma_problem *problem);
/* Refuses what the kind's numbers make too large: its results, its work.
 * @unit bytes of all results; work in gradient evaluations @err RANGE */
EBM_MUST_CHECK ebm_status ebmd_op_bound(ebm_arena *arena, const char *row, double bytes,
                                        double work, ebma_problem *problem);
/* canon() of every operation. */
EBM_MUST_CHECK ebm_status ebmd_op_canon(const ebmd_plan *plan, char **json, size_t *size,
                                        ebm_error *err);
/* document() of every operation, once its results are known (NULL: there are none). */
EBM_MUST_CHECK ebm_status ebmd_op_document(const ebmd_plan *plan, const ebmd_facts *facts,
                                           const ebma_results *results, char **json, size_t *size,
                                           ebm_error *err);
const ebmd_op *ebmd_op_of(const ebmd_plan *plan);
/* Makes a PNG of an image, as the command writes it. receipt NULL: without one.
 * @shape pixels [H,W,C] @own out->data @err NOMEM */
EBM_MUST_CHECK ebm_status ebmd_op_encode(const ebmd_op *op, const uint8_t *pixels,
                                         const ebm_receipt *receipt, ebmd_output *out,
                                         ebm_error *err);
/* What a chain on its way shows, as the image at its end is shown: x_t, not the state y_t.
 * tools: as for the plan; its work's first dim floats are used. @own *png: ebm_free() @err NOMEM */
EBM_MUST_CHECK ebm_status ebmd_op_preview(const ebmd_op *op, const ebm_mcmc *chain,
                                          ebmd_tools *tools, unsigned char **png, size_t *size,
                                          ebm_error *err);
/* False if one of the numbers is not finite. */
bool ebmd_op_finite(const float *x, size_t n);

/* The pictures of a request as tensors, and as PNG files of the model's shape in their place. A
 * picture that is not as the model needs it becomes a field error. @err RANGE, NOMEM */
EBM_MUST_CHECK ebm_status ebmd_op_pictures(ebmd_op *op, ebm_arena *arena, ebma_problem *problem);

#endif
