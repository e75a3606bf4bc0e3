/* What a job costs its owner: work of a quota, and the right to a priority. Knows plans and keys;
 * not how a job is accepted. */
#ifndef EBMD_SUBMIT_COST_H
#define EBMD_SUBMIT_COST_H

#include "kinds/kind.h"
#include "routes/router.h"

typedef struct ebmd_cost {
    double work;
    bool paid;
    int seconds; /* until it could be, if not */
} ebmd_cost;

/* False for a request beyond the operator's bound, whose chains together no checkpoint can keep, or
 * of a priority that its key may not ask for; it is answered. */
bool ebmd_cost_fits(const ebmd_app *app, ebmd_request *r, const ebmd_plan *plan);
bool ebmd_cost_can_be_saved(const ebmd_app *app, ebmd_request *r, const ebmd_plan *plan);
bool ebmd_cost_may_rank(const ebmd_app *app, ebmd_request *r, const ebmd_plan *plan);
/* Takes the job's work from its owner's quota, if there is enough. */
ebmd_cost ebmd_cost_charge(const ebmd_app *app, const ebmd_request *r, const ebmd_plan *plan);
/* Answers that the quota is used up, and when it will not be. */
void ebmd_cost_refuse(const ebmd_app *app, ebmd_request *r, int seconds);

#endif
