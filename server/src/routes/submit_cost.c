/* What a job costs, see submit_cost.h. */
#include "routes/submit_cost.h"

#include <stdio.h>

#include "base/clock.h"

/* Takes the job's work from its owner's quota, if there is enough. */
ebmd_cost ebmd_cost_charge(const ebmd_app *app, const ebmd_request *r, const ebmd_plan *plan)
{
    ebmd_cost b = {.work = (double)ebmd_plan_work(plan), .seconds = 1};

    b.paid = !app->keys ||
             ebmd_keys_spend(app->keys, r->grant.owner, b.work, ebmd_clock_ms(), &b.seconds);
    return b;
}

/* A request beyond the operator's bound could hold the machine for hours. */
bool ebmd_cost_fits(const ebmd_app *app, ebmd_request *r, const ebmd_plan *plan)
{
    long long work = (long long)ebmd_plan_work(plan);
    ebma_problem problem = {.code = EBMA_OK};
    char detail[128];
    ebma_field_error e = {.code = "too_much_work", .detail = detail};

    if (work <= app->request_work)
        return true;
    snprintf(detail, sizeof(detail), "asks for %lld gradient evaluations, at most %lld are allowed",
             work, (long long)app->request_work);
    ebma_problem_field(&problem, r->arena, NULL, &e);
    ebmd_reply_problem(r, &problem);
    return false;
}

/* Parts are begun as workers come to them, and what is begun at once is one checkpoint. A job for
 * which that is too long would lose all that it has come to at the next stop. */
bool ebmd_cost_can_be_saved(const ebmd_app *app, ebmd_request *r, const ebmd_plan *plan)
{
    const size_t at_once = (size_t)plan->parts < app->workers ? (size_t)plan->parts : app->workers;
    ebma_problem problem = {.code = EBMA_OK};
    char detail[96];
    ebma_field_error e = {.code = "state_too_large", .detail = detail, .bounded = true, .min = 1};

    if (at_once == 0 || plan->state_size <= EBMD_STATES_MAX / at_once)
        return true;
    e.max = (double)(EBMD_STATES_MAX / plan->state_size);
    snprintf(detail, sizeof(detail), "more than %.0f of this size could not be saved on their way",
             e.max);
    ebma_problem_field(&problem, r->arena,
                       plan->kind->operation == EBM_OP_INTERPOLATE ? "frames" : "n", &e);
    ebmd_reply_problem(r, &problem);
    return false;
}

/* Priorities come before fair shares: a key that may use all of them could keep others out. */
bool ebmd_cost_may_rank(const ebmd_app *app, ebmd_request *r, const ebmd_plan *plan)
{
    ebma_problem problem = {.code = EBMA_OK};
    char detail[64];
    ebma_field_error e = {.code = "priority_forbidden", .detail = detail, .bounded = true};

    if (!app->keys || plan->priority <= r->grant.priority)
        return true;
    e.max = r->grant.priority;
    snprintf(detail, sizeof(detail), "this key may ask for 0..%d", (int)r->grant.priority);
    ebma_problem_field(&problem, r->arena, "priority", &e);
    problem.code = EBMA_PRIORITY_FORBIDDEN; /* a field error alone would be invalid_params */
    ebmd_metrics_denied(app->metrics, EBMD_DENIED_PRIORITY);
    ebmd_reply_problem(r, &problem);
    return false;
}

void ebmd_cost_refuse(const ebmd_app *app, ebmd_request *r, int seconds)
{
    ebmd_metrics_denied(app->metrics, EBMD_DENIED_WORK);
    ebmd_reply_code(r, EBMA_QUOTA_EXCEEDED);
    ebmd_reply_addf(r, "Retry-After", "%d", seconds);
}
